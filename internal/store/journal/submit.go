package journal

import (
	"fmt"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Submit is Add, and has a goroutine of the journal commit.
func (j *Journal) Submit(t Target, id model.IDPartition, base, end int64, batches []byte) error {
	err := j.Add(t, id, base, end, batches)
	if err == nil {
		kick(j.kick)
	}
	return err
}

// Add takes an append of t that is to be made durable: batches, the offsets [base, end) of
// the partition id, which are in its segment already. It does not wait; Durable of t tells
// when, Failed if never. It may stay until the next Submit or Commit: whoever adds sees to it
// that one comes. The appends of one partition must come in log order.
// batches are copied or not needed.
// It returns an error that wraps kerr.KafkaStorageError if the journal has failed.
func (j *Journal) Add(t Target, id model.IDPartition, base, end int64, batches []byte) error {
	if base < 0 || end <= base || len(batches) == 0 {
		panic(fmt.Sprintf("bug: journal: append of %d bytes at offsets %d to %d of %s", len(batches), base, end, id))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.dead != nil {
		return j.dead
	}
	j.begun = true
	s := j.slot(id)
	s.target = t
	if j.mustSync(s, base, len(batches)) {
		j.wantSync(s, end)
	} else {
		j.copy(s, entry{kind: kindAppend, id: id, base: base, end: end, batches: batches})
	}
	s.end = end
	return nil
}

// ErrClosed is returned by a journal that has ended, by Close or because it has failed.
var ErrClosed = fmt.Errorf("%w: journal is closed", kerr.KafkaStorageError)

// slot returns what is known of a partition, perhaps nothing yet.
func (j *Journal) slot(id model.IDPartition) *slot {
	s := j.slots[id]
	if s == nil {
		s = &slot{id: id, end: -1}
		j.slots[id] = s
	}
	return s
}

// manySmall is how many of the largest small appends a partition may have in a group. A sync of
// a segment that has grown waits for the file system's own journal, and costs what the write of
// 256 KiB does.
const manySmall = 4

// mustSync decides by which way an append goes. Only one whose predecessors are all
// durable or in the journal may be journaled.
func (j *Journal) mustSync(s *slot, base int64, size int) bool {
	copied := 0
	if n := len(j.pending); n > 0 && j.pending[n-1].no == s.inGroup {
		copied = s.copied
	}
	return j.noRoom || size > j.cfg.SmallBytes || copied+size > manySmall*j.cfg.SmallBytes || s.end != base ||
		s.want > 0
}

// filling returns the group that takes an entry of this size.
func (j *Journal) filling(size int) *group {
	if n := len(j.pending); n > 0 && len(j.pending[n-1].buf)+size <= j.maxGroup {
		return j.pending[n-1]
	}
	g := j.idle
	if j.idle = nil; g == nil {
		g = newGroup()
	}
	g.no = j.next
	j.next++
	j.pending = append(j.pending, g)
	return g
}

// copy puts an append into the pending group, and its target among those who wait.
func (j *Journal) copy(s *slot, e entry) {
	g := j.filling(e.size())
	g.add(s, e)
	if s.inGroup == g.no && g.waits[s.waitAt].target == s.target {
		g.waits[s.waitAt].end = e.end
		s.copied += len(e.batches)
	} else {
		s.inGroup, s.waitAt, s.copied = g.no, len(g.waits), len(e.batches)
		g.waits = append(g.waits, wait{slot: s, target: s.target, end: e.end})
	}
}

func (g *group) add(s *slot, e entry) {
	g.buf = e.append(g.buf)
	g.entries++
	if s.last != g.no {
		g.slots = append(g.slots, s)
	}
	s.last = g.no
}

// Replayed tells that what Open returned for a partition is in the log of t, so that
// t.Sync makes it durable. Until then the files that hold it cannot be used again.
func (j *Journal) Replayed(t Target, id model.IDPartition) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s := j.slots[id]; s != nil && s.target == nil {
		s.target = t
		j.queueIfDue(s)
	}
}

// wantSync has the slot synced and end reported.
func (j *Journal) wantSync(s *slot, end int64) {
	s.want, s.wants = end, s.wants+1
	j.queueUrgent(s)
}
