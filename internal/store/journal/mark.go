package journal

import (
	"fmt"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
)

var _ = failpoint.Register("journal.mark.after_commit")

// A marker says that older entries of a partition are void. It must be durable before
// the log changes: a truncated log under entries that are replayed would have a hole
// or, worse, old records behind new ones.

// marked is what those wait for who put a marker into a group.
type marked struct {
	done chan struct{}
	err  error // set before done is closed
}

// settle tells whether a group became durable.
func (g *group) settle(err error) {
	if g.marked != nil {
		g.marked.err = err
		close(g.marked.done)
		g.marked = nil
	}
}

// await waits for c, or for the end of Run, after which nothing comes.
func (j *Journal) await(c <-chan struct{}) error {
	select {
	case <-c:
		return nil
	case <-j.ended:
		return ErrClosed
	}
}

// Truncated tells that the log of a partition is about to end at to, the end of a batch
// or zero. It waits until that is durable; then the caller may truncate and append again. Meanwhile nothing may be
// submitted for the partition. Reports beyond to may come until Truncated returns, and
// none later.
// It returns an error that matches vfs.ErrNoSpace on a full disk, which may pass, and
// one that wraps kerr.KafkaStorageError if the journal has failed or ended.
func (j *Journal) Truncated(id model.IDPartition, to int64) error {
	done, err := j.mark(entry{kind: kindTruncate, id: id, base: to})
	if len(done) == 0 {
		return err
	}
	s := done[0]
	j.mu.Lock()
	s.end, s.want = min(s.end, to), min(s.want, to)
	syncing := s.syncing
	j.mu.Unlock()
	if syncing != nil { // it may report more
		return j.await(syncing)
	}
	return nil
}

// Deleted tells that partitions are about to go: nothing of them will be replayed or
// synced. It waits and fails as Truncated does; before Run and
// the first Submit it does not wait.
func (j *Journal) Deleted(ids ...model.IDPartition) error {
	all := make([]entry, len(ids))
	for i, id := range ids {
		all[i] = entry{kind: kindDelete, id: id}
	}
	gone, err := j.mark(all...)
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range gone {
		delete(j.slots, s.id)
		s.target, s.want, s.synced = nil, 0, s.last
	}
	j.release()
	return err
}

// mark makes markers durable, of one kind. It returns the slots of those that are; of a
// partition that has none there is nothing to void.
func (j *Journal) mark(all ...entry) (done []*slot, err error) {
	j.mu.Lock()
	// Before Run a deletion is not waited for: nobody would tell, and nothing contradicts it.
	// A log that is cut does contradict what would be replayed into it.
	waits := j.begun || all[0].kind == kindTruncate
	slots := make([]*slot, 0, len(all))
	marks := make([]*marked, 0, len(all))
	for _, e := range all {
		s, m, failed := j.addMarker(e)
		if err = failed; err != nil {
			break
		}
		if s != nil {
			slots, marks = append(slots, s), append(marks, m)
		}
	}
	j.mu.Unlock()
	if !waits {
		return slots, err
	}
	for i, m := range marks {
		if ended := j.await(m.done); ended != nil {
			return slots[:i], ended
		}
		if m.err != nil {
			return slots[:i], m.err
		}
		failpoint.Hit("journal.mark.after_commit", j.cfg.FS)
	}
	return slots, err
}

func (j *Journal) addMarker(e entry) (*slot, *marked, error) {
	s := j.slots[e.id]
	switch {
	case j.dead != nil || s == nil:
		return nil, nil, j.dead
	case j.noRoom:
		return nil, nil, fmt.Errorf("journal in %s: %w", j.cfg.Dir, vfs.ErrNoSpace)
	}
	g := j.filling(e.size())
	g.add(s, e)
	if g.marked == nil {
		g.marked = &marked{done: make(chan struct{})}
	}
	kick(j.kick)
	return s, g.marked, nil
}
