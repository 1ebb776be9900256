package group

import (
	"fmt"
	"maps"
	"reflect"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
)

// verify checks what must hold of a consumer group between commands: most of all, that no
// partition is with two members.
func (g *consumerGroup) verify(t testing.TB) {
	t.Helper()
	owners := map[model.ID]map[int32]string{}
	counted := newConsumerGroup(g.id)
	for id, m := range g.members {
		if m.id != id {
			t.Fatalf("group %s: member %s is found as %s", g.id, m.id, id)
		}
		for _, p := range []parts{m.assigned, m.revoking} {
			for topic, partitions := range p {
				for _, n := range partitions {
					if other, ok := owners[topic][n]; ok {
						t.Fatalf("group %s: partition %d of %v is with %s and %s", g.id, n, topic, other, id)
					}
					if owners[topic] == nil {
						owners[topic] = map[int32]string{}
					}
					owners[topic][n] = id
				}
			}
		}
		if m.state != unrevoked && len(m.revoking) > 0 {
			t.Fatalf("group %s: member %s is in state %d and has to revoke %v", g.id, id, m.state, m.revoking)
		}
		if m.epoch > g.epoch {
			t.Fatalf("group %s: member %s is in epoch %d, the group in %d", g.id, id, m.epoch, g.epoch)
		}
		counted.put(m)
	}
	if !reflect.DeepEqual(owners, g.owners) {
		t.Fatalf("group %s: owners are %v, noted %v", g.id, owners, g.owners)
	}
	for pattern, r := range g.resolved {
		counted.resolve(pattern, r)
		if g.patterns[pattern] == 0 {
			t.Fatalf("group %s knows pattern %q, which nobody has", g.id, pattern)
		}
	}
	if !maps.Equal(counted.topics, g.topics) || !maps.Equal(counted.static, g.static) || !maps.Equal(counted.assignors, g.assignors) ||
		!maps.Equal(counted.patterns, g.patterns) || counted.classics != g.classics || !maps.Equal(counted.protocols, g.protocols) {
		t.Fatalf("group %s counts %+v, there are %+v", g.id, g, counted)
	}
	if g.targetEpoch > g.epoch {
		t.Fatalf("group %s is in epoch %d and has a target for %d", g.id, g.epoch, g.targetEpoch)
	}
	targets := map[string]string{}
	for id, target := range g.target {
		if g.members[id] == nil {
			t.Fatalf("group %s has a target for %s, which is gone", g.id, id)
		}
		for topic, partitions := range target {
			for _, n := range partitions {
				key := fmt.Sprint(topic, n)
				if other, ok := targets[key]; ok {
					t.Fatalf("group %s: partition %d of %v is the target of %s and %s", g.id, n, topic, other, id)
				}
				targets[key] = id
			}
		}
	}
}

// sameConsumers compares the consumer groups of two machines.
func sameConsumers(live, loaded *state) string {
	if len(live.consumers) != len(loaded.consumers) {
		return fmt.Sprintf("%d consumer groups, loaded %d", len(live.consumers), len(loaded.consumers))
	}
	for id, g := range live.consumers {
		l := loaded.consumers[id]
		if l == nil {
			return fmt.Sprintf("consumer group %s is not loaded", id)
		}
		a, b := *g, *l
		a.refreshAt, a.refreshEpoch, a.resolving = b.refreshAt, b.refreshEpoch, b.resolving // soft
		same := a.epoch == b.epoch && a.hash == b.hash && a.targetEpoch == b.targetEpoch &&
			maps.EqualFunc(a.target, b.target, parts.equal) && len(a.members) == len(b.members) &&
			maps.Equal(a.topics, b.topics) && reflect.DeepEqual(a.owners, b.owners) && reflect.DeepEqual(a.resolved, b.resolved)
		for name, m := range a.members {
			o := b.members[name]
			same = same && o != nil && m.sameSubscription(o) && m.sameProgress(o)
		}
		if !same {
			return fmt.Sprintf("consumer group %s is %+v, loaded %+v", id, a, b)
		}
	}
	return ""
}
