package group

import (
	"maps"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/group/assign"
	"github.com/odradek/odradek/internal/coord/runtime"
)

// ImageMoved has the groups that subscribe to topics which have changed look at them with
// their next heartbeat. It does not wait. One goroutine calls it, after Config.Image has
// begun to return the new image.
func (s *Service) ImageMoved() {
	image := s.cfg.Image()
	changes := metadata.Diff(s.seen.Swap(image), image)
	changed, made := map[string]bool{}, false
	for _, c := range changes.Topics {
		if c.Is == nil {
			changed[c.Was.Name] = true
			continue
		}
		changed[c.Is.Name] = true
		made = made || c.Was == nil
	}
	if len(changed) > 0 {
		s.runtime.Tell(func(st *state, _ *runtime.Turn) { st.topicsChanged(changed, made, image.Offset) })
	}
}

// topicsChanged makes the groups stale that subscribe to any of the topics. That only
// replicas of a topic moved, which changes it too, shows when it is hashed anew.
func (st *state) topicsChanged(changed map[string]bool, made bool, version int64) {
	if made {
		st.newTopics = max(st.newTopics, version)
	}
	for name := range changed {
		st.topics.forget(name)
	}
	for _, id := range slices.Sorted(maps.Keys(st.consumers)) {
		st.consumers[id].topicsChanged(changed)
	}
	for _, g := range st.shares {
		g.topicsChanged(changed)
	}
}

func (g *modern) topicsChanged(changed map[string]bool) {
	few, many := changed, g.topics
	if len(few) <= len(many) {
		for name := range few {
			if _, ok := many[name]; ok {
				g.refreshAt = time.Time{}
				return
			}
		}
		return
	}
	for name := range many {
		if few[name] {
			g.refreshAt = time.Time{}
			return
		}
	}
}

// groupSettings are the settings of one group.
func (st *state) groupSettings(id string) GroupConfig {
	c, s := st.config(id), st.settings()
	orDuration(&c.ConsumerSession, s.ConsumerSession)
	orDuration(&c.ConsumerHeartbeat, s.ConsumerHeartbeat)
	orDuration(&c.ShareSession, s.ShareSession)
	orDuration(&c.ShareHeartbeat, s.ShareHeartbeat)
	return c
}

// assignors are those that the broker offers to consumer groups, the default first.
func (st *state) assignors() []assign.Assignor {
	var offered []assign.Assignor
	for _, name := range st.settings().ConsumerAssignors {
		if a, ok := assign.ByName(name); ok {
			offered = append(offered, a)
		}
	}
	if len(offered) == 0 { // the setting names others only
		offered = append(offered, assign.Uniform{})
	}
	return offered
}
