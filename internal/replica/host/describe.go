package host

import (
	"slices"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
)

// DirInfo is a log folder as it stands.
type DirInfo struct {
	Dir
	Err         error // why it is offline, or nil
	Total, Free int64 // bytes of its disk; -1 if they are not known
	Replicas    []ReplicaInfo
}

// ReplicaInfo is one partition in a folder.
type ReplicaInfo struct {
	TP    model.TopicPartition
	Bytes int64
	// OffsetLag is how many records it is behind: behind its leader, or behind the
	// replica in the present folder if it is Future, a copy that is being made.
	OffsetLag int64
	Future    bool
}

// Describe lists the log folders, their disks and what they hold, sorted by partition.
func (h *Host) Describe() []DirInfo {
	h.catchUp()
	infos := make([]DirInfo, len(h.dirs))
	index := make(map[*folder]int, len(h.dirs))
	for i, f := range h.dirs {
		infos[i] = DirInfo{Dir: f.Dir, Err: f.err(), Total: -1, Free: -1}
		if infos[i].Err == nil {
			if total, free, err := h.cfg.FS.Space(f.Path); err == nil {
				infos[i].Total, infos[i].Free = total, free
			}
		}
		index[f] = i
	}
	for _, r := range h.replicas() {
		i := index[r.dir()]
		infos[i].Replicas = append(infos[i].Replicas, ReplicaInfo{TP: r.TP(), Bytes: r.size(), OffsetLag: r.Lag()})
	}
	for _, m := range h.moves.list() {
		i := index[m.to]
		infos[i].Replicas = append(infos[i].Replicas, ReplicaInfo{TP: m.r.TP(), Bytes: m.bytes.Load(), OffsetLag: m.lag.Load(), Future: true})
	}
	for i := range infos {
		slices.SortFunc(infos[i].Replicas, func(a, b ReplicaInfo) int { return comparePartitions(a.TP, b.TP) })
	}
	return infos
}

// size is the bytes of the log. A partition that has no folder is not opened for it.
func (r *replica) size() int64 {
	if r.Opened() == nil && !r.dir().has(r.TP()) {
		return 0
	}
	log, err := r.Log()
	if err != nil {
		return 0
	}
	return log.Size()
}

// DirIDs are the ids of the folders that work.
func (h *Host) DirIDs() (ids []model.ID) {
	for _, f := range h.dirs {
		if f.err() == nil {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

// OfflineDirIDs are the ids of the folders that do not, as far as they are known: the
// controller is told of them, and moves their leaders away.
func (h *Host) OfflineDirIDs() (ids []model.ID) {
	for _, f := range h.dirs {
		if f.err() != nil && !f.ID.IsZero() {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

// OfflineDirs is how many folders cannot be used.
func (h *Host) OfflineDirs() (n int) {
	for _, f := range h.dirs {
		if f.err() != nil {
			n++
		}
	}
	return n
}

// Usage is what a topic takes on this broker.
type Usage struct {
	Bytes  int64
	EndSum int64 // of the log end offsets of its partitions
}

// Usage sums over the partitions of each topic whose logs are open.
func (h *Host) Usage() map[string]Usage {
	sums := make(map[string]Usage)
	h.eachOpen(func(p *partition.Partition) {
		if log := p.Opened(); log != nil {
			u := sums[p.TP().Topic]
			u.Bytes += log.Size()
			u.EndSum += log.End()
			sums[p.TP().Topic] = u
		}
	})
	return sums
}
