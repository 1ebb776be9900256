package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/cli/balance"
	"github.com/twmb/franz-go/pkg/kadm"
)

// The settings that limit the speed of copies (KIP-73): rates of brokers, and the replicas
// of topics that are subject to them.
const (
	leaderRate       = "leader.replication.throttled.rate"
	followerRate     = "follower.replication.throttled.rate"
	leaderReplicas   = "leader.replication.throttled.replicas"
	followerReplicas = "follower.replication.throttled.replicas"
)

// throttled are the replicas of moves that a limit holds for, by topic: who has the data
// sends at most so much, who gets it takes at most so much. Those in sync are not slowed.
func throttled(moves []balance.Move) (leaders, followers map[string]string) {
	from, to := map[string][]string{}, map[string][]string{}
	for _, m := range moves {
		added := m.Added()
		if len(added) == 0 {
			continue // nothing is copied
		}
		for _, id := range m.Replicas {
			from[m.Topic] = append(from[m.Topic], fmt.Sprintf("%d:%d", m.Partition.Partition, id))
		}
		for _, id := range added {
			to[m.Topic] = append(to[m.Topic], fmt.Sprintf("%d:%d", m.Partition.Partition, id))
		}
	}
	return joined(from), joined(to)
}

func joined(lists map[string][]string) map[string]string {
	out := make(map[string]string)
	for k, l := range lists {
		out[k] = strings.Join(l, ",")
	}
	return out
}

// involved are the brokers that copy for moves.
func involved(moves []balance.Move) []int32 {
	set := make(map[int32]bool)
	for _, m := range moves {
		if len(m.Added()) > 0 {
			for _, id := range slices.Concat(m.Replicas, m.To) {
				set[id] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func (m *mover) setThrottle(ctx context.Context, moves []balance.Move) error {
	if m.rate == 0 {
		return nil
	}
	rate := fmt.Sprint(m.rate)
	leaders, followers := throttled(moves)
	for _, topic := range slices.Sorted(maps.Keys(leaders)) {
		l, f := leaders[topic], followers[topic]
		if err := m.alterTopic(ctx, topic, setConfig(leaderReplicas, l), setConfig(followerReplicas, f)); err != nil {
			return fmt.Errorf("limit the speed of topic %s: %w", topic, err)
		}
	}
	return m.alterBrokers(ctx, involved(moves), setConfig(leaderRate, rate), setConfig(followerRate, rate))
}

// clearThrottle takes back what a run with --throttle set, this one or one that was
// interrupted.
func (m *mover) clearThrottle(ctx context.Context, moves []balance.Move) error {
	if m.rate == 0 {
		return nil
	}
	leaders, _ := throttled(moves)
	for _, topic := range slices.Sorted(maps.Keys(leaders)) {
		if err := m.alterTopic(ctx, topic, unsetConfig(leaderReplicas), unsetConfig(followerReplicas)); err != nil {
			return fmt.Errorf("lift the limit of topic %s: %w", topic, err)
		}
	}
	return m.alterBrokers(ctx, involved(moves), unsetConfig(leaderRate), unsetConfig(followerRate))
}

func setConfig(key, value string) kadm.AlterConfig {
	return kadm.AlterConfig{Op: kadm.SetConfig, Name: key, Value: &value}
}

func unsetConfig(key string) kadm.AlterConfig {
	return kadm.AlterConfig{Op: kadm.DeleteConfig, Name: key}
}

func (m *mover) alterTopic(ctx context.Context, topic string, changes ...kadm.AlterConfig) error {
	answers, err := m.adm.AlterTopicConfigs(ctx, changes, topic)
	return firstAlterError(answers, err)
}

// alterBrokers changes settings of brokers. One that is gone has no speed to limit.
func (m *mover) alterBrokers(ctx context.Context, ids []int32, changes ...kadm.AlterConfig) error {
	for _, id := range ids {
		answers, err := m.adm.AlterBrokerConfigs(ctx, changes, id)
		if err := firstAlterError(answers, err); err != nil && !isUnknownBroker(err) {
			return fmt.Errorf("broker %d: %w", id, err)
		}
	}
	return nil
}

func firstAlterError(answers kadm.AlterConfigsResponses, err error) error {
	if err != nil {
		return err
	}
	for _, r := range answers {
		if r.Err != nil {
			return said(r.Err, r.ErrMessage)
		}
	}
	return nil
}
