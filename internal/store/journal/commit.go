package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/base/vfs"
)

var _ = failpoint.Register(
	"journal.commit.before_write",
	"journal.commit.before_sync",
	"journal.commit.before_report",
)

// errSync is never a matter of room: what the disk has after it is unknown.
var errSync = errors.New("sync")

// retryInterval is how often a journal without room looks for some.
const retryInterval = 100 * time.Millisecond

// Run commits what is submitted until ctx ends, and returns nil then. An error means
// that the journal is dead, and with it the folder. Close must follow.
func (j *Journal) Run(ctx context.Context) error {
	defer close(j.ended)
	j.mu.Lock()
	j.begun = true
	j.mu.Unlock()
	g := run.New(ctx, "journal")
	g.Go("commit", j.commitLoop)
	for range j.cfg.SyncWorkers {
		g.Go("sync", j.syncLoop)
	}
	g.Go("spare", j.spareLoop)
	kick(j.spareKick)
	return g.Wait()
}

// commitLoop writes one group after the other: while one is on its way to the disk the
// next one fills. On a full disk it tries an empty one from time to time.
func (j *Journal) commitLoop(ctx context.Context) error {
	for {
		j.committer.Lock()
		full, err := j.commitPending()
		j.committer.Unlock()
		if err == nil {
			err = j.isDead() // by Commit
		}
		if err != nil {
			return err
		}
		var again <-chan time.Time
		if full {
			again = time.After(retryInterval)
		}
		select {
		case <-j.kick:
			if full { // and a file has become free
				j.probe()
			}
		case <-again:
			j.probe()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Commit has made durable what was added: on the goroutine that calls, so that none must be
// woken for it, unless another is at it. Then it comes next, and Commit does not wait for it.
// No lock may be held that Durable or Failed of a target takes.
func (j *Journal) Commit() {
	if !j.committer.TryLock() {
		j.Wake()
		return
	}
	defer j.committer.Unlock()
	g, _ := j.take()
	if g == nil {
		return
	}
	if err := j.put(g); err != nil || j.isFull() {
		kick(j.kick) // Run is to know
	}
}

// Wake has a goroutine of the journal commit what was added, if there is anything.
func (j *Journal) Wake() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.pending) > 0 {
		kick(j.kick)
	}
}

func (j *Journal) isFull() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.noRoom
}

// commitPending writes what is pending and tells whether the disk is full. The committer
// is held.
func (j *Journal) commitPending() (full bool, err error) {
	for {
		g, full := j.take()
		if g == nil {
			return full, nil
		}
		if err := j.put(g); err != nil {
			return false, err
		}
	}
}

// put makes a group durable, or has its appends made so where they are. It returns why the
// journal is dead, if it is.
func (j *Journal) put(g *group) error {
	err := j.commit(g)
	switch {
	case errors.Is(err, vfs.ErrNoSpace) && !errors.Is(err, errSync):
		j.cfg.Log.Warn("no room for the journal, segments are synced instead", "dir", j.cfg.Dir, "err", err)
		j.divert(g, err)
		return nil
	case err != nil:
		return j.die(err)
	}
	j.report(g)
	return nil
}

// probe has an empty group written.
func (j *Journal) probe() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.filling(0)
}

func (j *Journal) take() (g *group, full bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.dead != nil || len(j.pending) == 0 {
		return nil, j.noRoom
	}
	j.writing = j.pending[0]
	j.pending = slices.Delete(j.pending, 0, 1)
	return j.writing, j.noRoom
}

// commit makes a group durable.
func (j *Journal) commit(g *group) error {
	size := blocks(len(g.buf))
	f, err := j.place(size)
	if err != nil {
		return err
	}
	g.buf = slices.Grow(g.buf, int(size)-len(g.buf))
	clear(g.buf[len(g.buf):size])
	h := j.assign(g, f)
	sum := h.seal(g.buf)
	if err := j.write(f, g.buf[:size]); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	before := f.halfFull()
	f.wrote(h.seq, g.no, size)
	if !before && f.halfFull() {
		kick(j.spareKick)
	}
	j.seq, j.sum, j.announced = h.seq, sum, h.oldest
	return nil
}

// assign gives a group its place in the chain, and its slots to the file.
func (j *Journal) assign(g *group, f *file) groupHeader {
	j.mu.Lock()
	defer j.mu.Unlock()
	seq := j.seq + 1
	h := groupHeader{
		salt: j.salt, seq: seq, previous: j.sum,
		oldest: j.files.oldest(seq), length: len(g.buf), entries: g.entries,
	}
	for _, s := range g.slots {
		f.list(s)
	}
	return h
}

func (j *Journal) write(f *file, b []byte) error {
	failpoint.Hit("journal.commit.before_write", j.cfg.FS)
	if _, err := f.handle.WriteAt(b, f.pos); err != nil {
		return fmt.Errorf("write %s: %w", f.handle.Name(), err)
	}
	failpoint.Hit("journal.commit.before_sync", j.cfg.FS)
	if planted.Is(planted.AckBeforeSync) {
		return nil // the page cache has it
	}
	if err := f.handle.Datasync(); err != nil && !(planted.Is(planted.RetryAfterSyncError) && f.handle.Datasync() == nil) {
		return fmt.Errorf("%w %s: %w", errSync, f.handle.Name(), err)
	}
	failpoint.Hit("journal.commit.before_report", j.cfg.FS)
	return nil
}

// report tells those who waited for a group that it is durable.
func (j *Journal) report(g *group) {
	j.mu.Lock()
	j.committed, j.writing, j.noRoom = g.no, nil, false
	j.mu.Unlock()
	for _, w := range g.waits {
		j.mu.Lock()
		w.target.Durable(w.end)
		j.mu.Unlock()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	g.settle(nil)
	if g.reset(); j.idle == nil && cap(g.buf) <= keepBytes {
		j.idle = g
	}
}

// divert takes everything pending out of a journal that has no room: the appends are
// made durable where they are, the markers are refused.
func (j *Journal) divert(g *group, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.noRoom = true
	for _, g := range append([]*group{g}, j.pending...) {
		for _, w := range g.waits {
			j.wantSync(w.slot, max(w.end, w.slot.want))
		}
		g.settle(err)
	}
	j.writing, j.pending = nil, nil
}
