package host

import (
	"context"
	"slices"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
)

// follow keeps up with the image when nobody asks.
func (h *Host) follow(ctx context.Context) error {
	for {
		h.catchUp()
		if _, _, err := h.cfg.Feed.Next(ctx, h.image.Load()); err != nil {
			return nil // the context has ended
		}
	}
}

// catchUp brings the partitions to the newest image. Who asks for a partition that was
// just made finds it, whichever goroutine comes first.
func (h *Host) catchUp() {
	if h.cfg.Feed.Image() == h.image.Load() {
		return
	}
	h.following.Lock()
	defer h.following.Unlock()
	was, is := h.image.Load(), h.cfg.Feed.Image()
	if was == is {
		return
	}
	h.apply(is, metadata.Diff(was, is))
	h.image.Store(is)
}

func (h *Host) apply(is *metadata.Image, c metadata.Changes) {
	for _, t := range c.Topics {
		if t.Was != nil && (t.Is == nil || t.Is.ID != t.Was.ID) {
			h.removeTopic(t.Was)
		}
		if t.Is != nil {
			settings := h.cfg.Settings(is, t.Is.Name) // one for all its partitions
			for _, n := range t.Partitions() {
				h.place(is, t.Is, n, settings)
			}
		}
	}
	h.reconfigure(is, c.Configs)
	h.greet(c.Brokers)
	if b, ok := is.Broker(h.cfg.NodeID); ok && !h.swept && b.Epoch == h.cfg.BrokerEpoch() {
		h.swept = true
		h.sweep()
	}
}

// sweep sets folders aside that the cluster does not place here: what a crash left between
// the word that a topic is deleted and the renaming, or what was brought from elsewhere.
// It waits for an image that has this registration: an older one may not know all.
func (h *Host) sweep() {
	for _, f := range h.dirs {
		if f.err() != nil {
			continue
		}
		for _, tp := range f.strays() {
			if err := f.setAside(tp, "the cluster does not place it here"); err != nil {
				h.failedTo("set a stray folder aside", f, err)
				break
			}
		}
	}
}

// strays are the partitions that have a folder here and no replica.
func (f *folder) strays() (list []model.TopicPartition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.host.mu.RLock()
	defer f.host.mu.RUnlock()
	for tp := range f.known {
		if r := f.host.byTP[tp]; (r == nil || r.dir() != f) && len(f.leaving[tp]) == 0 {
			list = append(list, tp)
		}
	}
	slices.SortFunc(list, comparePartitions)
	return list
}

// place gives a partition its role here, and makes or ends its replica.
func (h *Host) place(is *metadata.Image, t *metadata.Topic, n int32, s *partition.Settings) {
	if int(n) >= len(t.Partitions) {
		return
	}
	p := t.Partitions[n]
	id := model.IDPartition{Topic: t.ID, Partition: n}
	r := h.replica(id)
	if !slices.Contains(p.Replicas, h.cfg.NodeID) {
		if r != nil {
			h.remove(r)
		}
		return
	}
	if r == nil {
		r = h.newReplica(model.TopicPartition{Topic: t.Name, Partition: n}, id, s, assignedDir(p, h.cfg.NodeID))
	}
	r.Assign(h.role(is, p))
	h.direct(r, p.Leader, p.LeaderEpoch)
	h.checkDir(r, assignedDir(p, h.cfg.NodeID))
	h.checkHealth(r, p)
}

func (h *Host) newReplica(tp model.TopicPartition, id model.IDPartition, s *partition.Settings, assigned model.ID) *replica {
	r := &replica{leader: model.NoLeader, epoch: model.NoEpoch}
	r.at.Store(h.choose(tp, assigned, h.image.Load().Offset == 0))
	r.Partition = partition.New(partition.Config{
		TP: tp, ID: id, Settings: s, Home: r.dir(), Lease: h.cfg.Lease, Eager: h.eager.add, Doubts: h.doubt, On: h.cfg.FS, Clock: h.cfg.Clock, Log: h.cfg.Log,
	})
	if err := r.dir().err(); err != nil {
		r.Failed(err)
	}
	r.dir().count.Add(1)
	h.mu.Lock()
	h.byTP[tp], h.byID[id] = r, r
	h.mu.Unlock()
	h.moves.arrived(r)
	return r
}

// choose finds the folder of a partition: the one that has it, else the one that was asked
// for, else the emptiest. If several have it, a move was cut short when all was copied:
// the one that the cluster knows of is as good as any. When the broker starts with a folder
// offline that cannot even be listed, a partition that is in no other may well be there:
// it is offline too, rather than begun anew.
func (h *Host) choose(tp model.TopicPartition, assigned model.ID, starting bool) *folder {
	var found *folder
	for _, f := range h.dirs {
		if f.has(tp) && (found == nil || f.ID == assigned) {
			found = f
		}
	}
	if found != nil {
		h.setOthersAside(tp, found)
		return found
	}
	if f := h.moves.preferred(tp); f != nil && f.err() == nil {
		return f
	}
	var best *folder
	for _, f := range h.dirs {
		switch {
		case starting && !f.listed:
			return f
		case f.err() == nil && (best == nil || f.count.Load() < best.count.Load()):
			best = f
		}
	}
	if best == nil {
		best = h.dirs[0]
	}
	return best
}

// setOthersAside takes the copies of a partition out of use that are not in the folder
// that was chosen.
func (h *Host) setOthersAside(tp model.TopicPartition, chosen *folder) {
	for _, f := range h.dirs {
		if f == chosen || !f.has(tp) || f.err() != nil {
			continue
		}
		if err := f.setAside(tp, "another folder has it too"); err != nil {
			h.failedTo("set a copy aside", f, err)
		}
	}
}

// assignedDir is the folder that the cluster has for a replica, the zero id if none.
func assignedDir(p *metadata.Partition, node int32) model.ID {
	if i := slices.Index(p.Replicas, node); i >= 0 && i < len(p.Dirs) {
		return p.Dirs[i]
	}
	return model.ID{}
}

func (h *Host) removeTopic(t *metadata.Topic) {
	for n := range t.Partitions {
		if r := h.replica(model.IDPartition{Topic: t.ID, Partition: int32(n)}); r != nil {
			h.remove(r)
		}
	}
}

// remove ends a replica that the cluster's log says is here no more, and deletes its
// folder a while later.
func (h *Host) remove(r *replica) {
	h.mu.Lock()
	if h.byTP[r.TP()] == r {
		delete(h.byTP, r.TP())
	}
	delete(h.byID, r.ID())
	h.mu.Unlock()
	h.undirect(r)
	r.dir().leave(r.Partition)
}

// reconfigure gives the partitions of changed topics their settings; a change of the
// broker's own configs reaches all.
func (h *Host) reconfigure(is *metadata.Image, changed []metadata.Resource) {
	if len(changed) == 0 {
		return
	}
	all := false
	topics := make(map[string]bool)
	for _, res := range changed {
		all = all || res.Type == metadata.BrokerResource
		if res.Type == metadata.TopicResource {
			topics[res.Name] = true
		}
	}
	shared := make(map[string]*partition.Settings, len(topics))
	for _, r := range h.replicas() {
		name := r.TP().Topic
		if !all && !topics[name] {
			continue
		}
		if shared[name] == nil {
			shared[name] = h.cfg.Settings(is, name)
		}
		if r.Settings() != shared[name] {
			r.Configure(shared[name])
		}
	}
}
