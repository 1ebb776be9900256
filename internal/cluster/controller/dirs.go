package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// Kafka's ids for folders that are none: where a replica is is not known, or its folder
// is lost. Here the zero id, too, means that it is not known.
var (
	dirUnassigned = model.ID{15: 1}
	dirLost       = model.ID{15: 2}
)

// online reports whether the folder of a partition's replica works, as far as is known.
func (s State) online(p *metadata.Partition, id int32) bool {
	at := slices.Index(p.Replicas, id)
	if at < 0 || at >= len(p.Dirs) {
		return true
	}
	b, ok := s.Image.Broker(id)
	return ok && onlineDir(b, p.Dirs[at])
}

func onlineDir(b *metadata.Broker, dir model.ID) bool {
	switch {
	case dir.IsZero() || dir == dirUnassigned:
		return true
	case dir == dirLost:
		return false
	}
	return len(b.LogDirs) == 0 || slices.Contains(b.LogDirs, dir)
}

// dirsOffline takes the replicas in folders that have failed out of service (KIP-858).
// It returns nothing if the broker said so before. A broker without any folder left ends
// by itself; it is not told of as one whose folders nobody knows.
func (s State) dirsOffline(b *metadata.Broker, failed []model.ID) []metadata.Record {
	var left, lost []model.ID
	for _, dir := range b.LogDirs {
		if slices.Contains(failed, dir) {
			lost = append(lost, dir)
		} else {
			left = append(left, dir)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	recs := s.updateLeaders(leaderUpdate{remove: b.ID, dirs: lost})
	if len(left) == 0 {
		return recs
	}
	return append(recs, metadata.ChangeBroker{
		ID: b.ID, Epoch: b.Epoch, Fenced: b.Fenced, InControlledShutdown: b.InControlledShutdown, LogDirs: left,
	})
}

// AssignReplicasToDirs decides where a broker's replicas are, as it says. It fails as a
// whole when the broker is not registered in that epoch.
func (s State) AssignReplicasToDirs(a AssignDirs) ([]DirResult, []metadata.Record, error) {
	b, err := s.broker(a.Broker, a.BrokerEpoch)
	if err != nil {
		return nil, nil, err
	}
	results := make([]DirResult, len(a.Replicas))
	seen := map[model.IDPartition]bool{}
	var recs []metadata.Record
	for i, r := range a.Replicas {
		results[i].DirReplica = r
		key := model.IDPartition{Topic: r.Topic, Partition: r.Partition}
		if seen[key] {
			results[i].Err = explainf(kerr.InvalidRequest, "Duplicate partition %s.", key)
			continue
		}
		seen[key] = true
		rec, err := s.assignDir(b, r)
		results[i].Err = err
		if rec != nil {
			recs = append(recs, rec)
		}
	}
	return results, recs, nil
}

// emptied reports whether a broker's replica was in a folder that the broker does not have
// any more: its disk is another one.
func (s State) emptied(b *metadata.Broker, p *metadata.Partition) bool {
	at := slices.Index(p.Replicas, b.ID)
	return at >= 0 && at < len(p.Dirs) && !reserved(p.Dirs[at]) && !onlineDir(b, p.Dirs[at])
}

func (s State) assignDir(b *metadata.Broker, r DirReplica) (metadata.Record, error) {
	t, ok := s.Image.TopicByID(r.Topic)
	switch {
	case !ok:
		return nil, kerr.UnknownTopicID
	case r.Partition < 0 || int(r.Partition) >= len(t.Partitions):
		return nil, kerr.UnknownTopicOrPartition
	case !slices.Contains(t.Partitions[r.Partition].Replicas, b.ID):
		return nil, kerr.NotLeaderForPartition
	}
	c := s.change(t, r.Partition)
	c.placed = placed{b.ID, r.Dir}
	switch {
	case !onlineDir(b, r.Dir):
		c = leaderUpdate{remove: b.ID}.apply(c)
	case s.emptied(b, t.Partitions[r.Partition]):
		// It begins anew: whatever it had, it is the last that should lead.
		c = leaderUpdate{remove: b.ID, unclean: s.elr()}.apply(c)
		c.now.LastKnownELR = nonEmpty(without(c.now.LastKnownELR, []int32{b.ID}))
		rec, _ := c.done()
		return rec, nil
	}
	if mayLead := c.mayLead; onlineDir(b, r.Dir) {
		// It may lead from now on, where it is.
		c.mayLead = func(id int32) bool { return id == b.ID && s.active(id) || mayLead(id) }
	}
	rec, _ := c.done()
	return rec, nil
}
