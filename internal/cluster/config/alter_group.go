package config

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/proto/model"
)

// validateGroup checks the settings that a group would have against the bounds that the
// broker sets.
func (n Node) validateGroup(name string, settings map[string]string) error {
	if name == "" {
		return model.Explain(kerr.InvalidRequest, "Default group resources are not allowed.")
	}
	if err := parseAll(Group, settings, kerr.InvalidConfig, "Unknown group config name: "); err != nil {
		return err
	}
	b, _ := n.Values()
	g, _ := n.GroupValues(settings)
	for _, c := range []struct{ key, lo, hi Key[int] }{
		{PerGroupConsumerHeartbeatIntervalMs, GroupConsumerMinHeartbeatIntervalMs, GroupConsumerMaxHeartbeatIntervalMs},
		{PerGroupConsumerSessionTimeoutMs, GroupConsumerMinSessionTimeoutMs, GroupConsumerMaxSessionTimeoutMs},
		{PerGroupShareHeartbeatIntervalMs, GroupShareMinHeartbeatIntervalMs, GroupShareMaxHeartbeatIntervalMs},
		{PerGroupShareSessionTimeoutMs, GroupShareMinSessionTimeoutMs, GroupShareMaxSessionTimeoutMs},
		{PerGroupShareRecordLockDurationMs, GroupShareMinRecordLockDurationMs, GroupShareMaxRecordLockDurationMs},
		{PerGroupStreamsHeartbeatIntervalMs, GroupStreamsMinHeartbeatIntervalMs, GroupStreamsMaxHeartbeatIntervalMs},
		{PerGroupStreamsSessionTimeoutMs, GroupStreamsMinSessionTimeoutMs, GroupStreamsMaxSessionTimeoutMs},
		{PerGroupStreamsNumStandbyReplicas, Key[int]{}, GroupStreamsMaxStandbyReplicas},
	} {
		v := c.key.Get(g)
		if c.lo.Def != nil && v < c.lo.Get(b) {
			return model.Explain(kerr.InvalidConfig, fmt.Sprintf("%s must be greater than or equal to %s", c.key.Name, c.lo.Name))
		}
		if v > c.hi.Get(b) {
			return model.Explain(kerr.InvalidConfig, fmt.Sprintf("%s must be less than or equal to %s", c.key.Name, c.hi.Name))
		}
	}
	for _, c := range [][2]Key[int]{
		{PerGroupConsumerSessionTimeoutMs, PerGroupConsumerHeartbeatIntervalMs},
		{PerGroupShareSessionTimeoutMs, PerGroupShareHeartbeatIntervalMs},
		{PerGroupStreamsSessionTimeoutMs, PerGroupStreamsHeartbeatIntervalMs},
	} {
		if c[0].Get(g) <= c[1].Get(g) {
			return model.Explain(kerr.InvalidConfig, fmt.Sprintf("%s must be greater than %s", c[0].Name, c[1].Name))
		}
	}
	return nil
}
