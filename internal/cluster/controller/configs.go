package controller

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

const maxConfigValue = math.MaxInt16

var errConfigTooLarge = explainf(kerr.InvalidConfig, "The configuration value cannot be added because it exceeds "+
	"the maximum value size of %d bytes.", maxConfigValue)

const minISRKey = "min.insync.replicas"

// IncrementalAlterConfigs decides changes of configs. The changes of one resource
// happen together or not at all.
func (s State) IncrementalAlterConfigs(alters []IncrementalAlter, validateOnly bool) ([]ConfigResult, []metadata.Record) {
	return s.alterConfigs(len(alters), validateOnly,
		func(i int) metadata.Resource { return alters[i].Resource },
		func(i int, configs map[string]string) ([]Config, error) { return s.increment(alters[i], configs) })
}

// AlterConfigs decides the replacement of all configs of resources.
func (s State) AlterConfigs(alters []LegacyAlter, validateOnly bool) ([]ConfigResult, []metadata.Record) {
	return s.alterConfigs(len(alters), validateOnly,
		func(i int) metadata.Resource { return alters[i].Resource },
		func(i int, configs map[string]string) ([]Config, error) {
			return replace(alters[i].Configs, configs), nil
		})
}

// alterConfigs asks want for the configs to set and remove of each of n resources,
// given what they have, and checks the outcome.
func (s State) alterConfigs(n int, validateOnly bool, resource func(int) metadata.Resource,
	want func(int, map[string]string) ([]Config, error)) ([]ConfigResult, []metadata.Record) {
	times := map[metadata.Resource]int{}
	for i := range n {
		times[resource(i)]++
	}
	results := make([]ConfigResult, n)
	var recs []metadata.Record
	for i := range n {
		r := &results[i]
		r.Resource = resource(i)
		if times[r.Resource] > 1 {
			r.Err = explainf(kerr.InvalidRequest, "Each resource must appear at most once.")
			continue
		}
		if r.Err = s.checkResource(r.Resource); r.Err != nil {
			continue
		}
		changes, err := want(i, s.Image.Configs(r.Resource))
		if err == nil {
			err = s.checkConfigs(r.Resource, changes)
		}
		if r.Err = err; err != nil {
			continue
		}
		for _, c := range changes {
			recs = append(recs, metadata.SetConfig{Resource: r.Resource, Key: c.Key, Value: c.Value})
		}
	}
	if validateOnly {
		return results, nil
	}
	return results, append(recs, s.forgetEligibleBy(recs)...)
}

// forgetEligibleBy clears the eligible leader replicas of topics for which configs set
// another min.insync.replicas: they were counted against the one of before (KIP-966).
func (s State) forgetEligibleBy(configs []metadata.Record) []metadata.Record {
	if !s.elr() {
		return nil
	}
	var topics []string
	for _, rec := range configs {
		c, ok := rec.(metadata.SetConfig)
		switch {
		case !ok || c.Key != minISRKey:
		case c.Resource.Type == metadata.BrokerResource:
			return s.forgetEligible("")
		case c.Resource.Type == metadata.TopicResource:
			topics = append(topics, c.Resource.Name)
		}
	}
	var recs []metadata.Record
	for _, name := range topics {
		recs = append(recs, s.forgetEligible(name)...)
	}
	return recs
}

// checkResource says why a resource cannot have configs here.
func (s State) checkResource(r metadata.Resource) error {
	switch r.Type {
	case metadata.TopicResource:
		if err := model.ValidateTopicName(r.Name); err != nil {
			return explainf(kerr.InvalidTopicException, "Topic name is invalid: %s", err)
		}
		if _, ok := s.Image.Topic(r.Name); !ok {
			return explainf(kerr.UnknownTopicOrPartition, "The topic '%s' does not exist.", r.Name)
		}
	case metadata.BrokerResource:
		if r.Name == "" {
			return nil
		}
		id, err := strconv.ParseInt(r.Name, 10, 32)
		if err != nil || id < 0 {
			return explainf(kerr.InvalidRequest, "Unable to parse broker name as a base 10 number.")
		}
		if _, ok := s.Image.Broker(int32(id)); !ok {
			return explainf(kerr.BrokerIDNotRegistered, "No broker with id %d found.", id)
		}
	case metadata.ClientMetricsResource:
		if r.Name == "" {
			return explainf(kerr.InvalidRequest, "Subscription name can't be empty")
		}
	case metadata.GroupResource:
		if r.Name == "" {
			return explainf(kerr.InvalidRequest, "Default group resources are not allowed.")
		}
	default:
		return explainf(kerr.InvalidRequest, "Unexpected resource type %d.", r.Type)
	}
	return nil
}

func (s State) checkConfigs(r metadata.Resource, changes []Config) error {
	after := maps.Clone(s.Image.Configs(r))
	if after == nil {
		after = map[string]string{}
	}
	for _, c := range changes {
		if err := s.checkMinISR(r, c); err != nil {
			return err
		}
		switch {
		case c.Value == nil:
			delete(after, c.Key)
		case len(*c.Value) > maxConfigValue:
			return errConfigTooLarge
		default:
			after[c.Key] = *c.Value
		}
	}
	if err := s.Rules.ValidateConfigs(r, after); err != nil {
		return invalidConfig(err)
	}
	return nil
}

// checkMinISR keeps min.insync.replicas the same on all brokers while eligible leader
// replicas are counted against it (KIP-966).
func (s State) checkMinISR(r metadata.Resource, c Config) error {
	switch {
	case c.Key != minISRKey || r.Type != metadata.BrokerResource || !s.elr():
		return nil
	case r.Name != "":
		return explainf(kerr.InvalidConfig, "Broker-level %s cannot be altered while ELR is enabled.", minISRKey)
	case c.Value == nil:
		return explainf(kerr.InvalidConfig, "Cluster-level %s cannot be removed while ELR is enabled.", minISRKey)
	}
	return nil
}

// invalidConfig gives a validator's error a code, if it has none.
func invalidConfig(err error) error {
	if _, ok := errors.AsType[*kerr.Error](err); ok {
		return err
	}
	return model.Explain(kerr.InvalidConfig, err.Error())
}

func (s State) increment(a IncrementalAlter, have map[string]string) ([]Config, error) {
	seen := map[string]bool{}
	var changes []Config
	for _, c := range a.Changes {
		if seen[c.Key] {
			return nil, explainf(kerr.InvalidRequest, "Error due to duplicate config keys")
		}
		seen[c.Key] = true
		if c.Value == nil && c.Op != OpDelete {
			return nil, explainf(kerr.InvalidRequest, "Null value not supported for : %s", c.Key)
		}
		now, err := s.incrementOne(a.Resource.Type, c, have)
		if err != nil {
			return nil, err
		}
		was, set := have[c.Key]
		same := set && now != nil && *now == was || !set && now == nil
		// A broker loads its configs again even if they are the same: what is in the
		// file behind one may have changed, such as a key store.
		if !same || a.Resource.Type == metadata.BrokerResource {
			changes = append(changes, Config{c.Key, now})
		}
	}
	return changes, nil
}

func (s State) incrementOne(t metadata.ResourceType, c ConfigChange, have map[string]string) (*string, error) {
	switch c.Op {
	case OpSet:
		return c.Value, nil
	case OpDelete:
		return nil, nil
	case OpAppend, OpSubtract:
		return s.changeList(t, c, have)
	}
	return nil, explainf(kerr.InvalidRequest, "Unknown operation type %d.", c.Op)
}

func (s State) changeList(t metadata.ResourceType, c ConfigChange, have map[string]string) (*string, error) {
	value, ok := s.Rules.ListConfig(t, c.Key)
	if !ok {
		op := "APPEND"
		if c.Op == OpSubtract {
			op = "SUBTRACT"
		}
		return nil, explainf(kerr.InvalidConfig, "Can't %s to key %s because its type is not LIST.", op, c.Key)
	}
	if was, ok := have[c.Key]; ok {
		value = was
	}
	list := slices.DeleteFunc(strings.Split(value, ","), func(v string) bool { return v == "" })
	for v := range strings.SplitSeq(*c.Value, ",") {
		at := slices.Index(list, v)
		switch {
		case c.Op == OpSubtract && at >= 0:
			list = slices.Delete(list, at, at+1)
		case c.Op == OpAppend && at < 0:
			list = append(list, v)
		}
	}
	joined := strings.Join(list, ",")
	return &joined, nil
}

// replace turns a full set of configs into changes: what is not in it is removed.
func replace(want []Config, have map[string]string) []Config {
	var changes []Config
	wanted := map[string]bool{}
	for _, c := range want {
		wanted[c.Key] = true
		if c.Value == nil {
			if _, set := have[c.Key]; !set {
				continue
			}
		}
		changes = append(changes, c)
	}
	for _, key := range slices.Sorted(maps.Keys(have)) {
		if !wanted[key] {
			changes = append(changes, Config{Key: key})
		}
	}
	return changes
}
