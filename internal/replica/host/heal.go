package host

import (
	"context"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
)

// Kafka's id for the folder of a replica that is lost, and a second one that no folder has
// either: told the other one, the controller decides anew.
var dirsLost = [2]model.ID{{15: 2}, {15: 3}}

func isLost(dir model.ID) bool { return dir == dirsLost[0] || dir == dirsLost[1] }

// Pauses of replicas that are lost.
const (
	healPause     = time.Second      // between looks at them
	withdrawPause = 30 * time.Second // after nobody else could lead
)

// doubt is partition.Config.Doubts.
func (h *Host) doubt(p *partition.Partition) {
	h.doubts.add(p)
	h.ill.add(p)
}

// keepHealing brings replicas that are rotten out of service, has them give up what is, and
// takes them into service when they have it again.
func (h *Host) keepHealing(ctx context.Context) error {
	ill := make(map[*replica]time.Time) // when to look at them
	for {
		var again <-chan time.Time
		if len(ill) > 0 {
			again = time.After(healPause)
		}
		select {
		case <-h.ill.kick:
			ids, _ := h.ill.take()
			for id := range ids {
				r := h.replica(id)
				if _, known := ill[r]; r != nil && !known {
					ill[r] = time.Time{} // at once
				}
			}
		case <-again:
		case <-ctx.Done():
			return nil
		}
		for r, at := range ill {
			if time.Now().Before(at) {
				continue
			}
			if next, more := h.heal(ctx, r); more {
				ill[r] = next
			} else {
				delete(ill, r)
			}
		}
	}
}

// heal does for a replica what can be done now. more says that there is more to do, at
// next or when the image has changed.
func (h *Host) heal(ctx context.Context, r *replica) (next time.Time, more bool) {
	s, ok := h.standing(r)
	if !ok {
		return next, h.replica(r.ID()) == r && r.Err() == nil && (r.Rotten() || r.Role().Lost)
	}
	if s.Lost {
		_, _ = r.Log() // whether it is short is known when it is open
	}
	lost, report := r.Report(s)
	if report {
		dir := r.dir().ID
		if lost {
			dir = dirsLost[0]
			if h.assigned(r) == dir {
				dir = dirsLost[1]
			}
		}
		h.cfg.Log.Warn("the controller is told of a replica", "partition", r.TP(), "lost", lost, "rotten", r.Rotten())
		if err := h.assignDirs(ctx, map[model.IDPartition]model.ID{r.ID(): dir}); err != nil {
			if ctx.Err() == nil {
				h.cfg.Log.Warn("the controller does not learn of a replica that is lost, trying again", "partition", r.TP(), "err", err)
			}
			return next, true
		}
		h.catchUp()
		if err := r.Reported(lost); err != nil {
			return next, true
		}
		if !lost && r.Rotten() {
			return time.Now().Add(withdrawPause), true
		}
	}
	healed, err := r.Heal()
	if h.fleet != nil && (healed || r.Rotten() && !s.Leading && !report) {
		h.fleet.Anew(r.Partition) // from elsewhere than it would without news
	}
	if err != nil && r.Err() == nil {
		h.cfg.Log.Warn("what is rotten cannot be given up yet", "partition", r.TP(), "err", err)
	}
	s, ok = h.standing(r)
	return next, !ok || s.Lost || r.Rotten() && len(s.Replicas) > 1
}

// standing is how a replica stands by an image of this registration.
func (h *Host) standing(r *replica) (s partition.Standing, ok bool) {
	if h.cfg.Ask == nil || h.replica(r.ID()) != r || r.dir().ID.IsZero() || r.dir().err() != nil {
		return s, false
	}
	is := h.image.Load()
	b, known := is.Broker(h.cfg.NodeID)
	t, here := is.TopicByID(r.ID().Topic)
	if !known || b.Epoch != h.cfg.BrokerEpoch() || !here || int(r.ID().Partition) >= len(t.Partitions) {
		return s, false
	}
	p := t.Partitions[r.ID().Partition]
	s.Role = h.role(is, p)
	s.Eligible = slices.Concat(p.ELR, p.LastKnownELR)
	return s, slices.Contains(p.Replicas, h.cfg.NodeID)
}

// assigned is the folder that the cluster has for a replica.
func (h *Host) assigned(r *replica) model.ID {
	if t, ok := h.image.Load().TopicByID(r.ID().Topic); ok && int(r.ID().Partition) < len(t.Partitions) {
		return assignedDir(t.Partitions[r.ID().Partition], h.cfg.NodeID)
	}
	return model.ID{}
}

// checkHealth has those looked at that the cluster takes for lost. following is held.
func (h *Host) checkHealth(r *replica, p *metadata.Partition) {
	if isLost(assignedDir(p, h.cfg.NodeID)) || r.Rotten() {
		h.ill.add(r.Partition)
	}
}
