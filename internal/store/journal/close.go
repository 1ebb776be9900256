package journal

import (
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
)

var _ = failpoint.Register("journal.close.before_announce", "journal.close.after_announce")

// Close ends the journal after Run has returned: what is pending is committed, all
// segments are synced and the journal is left with nothing to replay.
func (j *Journal) Close() error {
	err := j.finish()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.dead == nil {
		j.dead = ErrClosed
	}
	errs := []error{err}
	for _, list := range [][]*file{j.files.live, j.files.free} {
		for _, f := range list {
			errs = append(errs, f.handle.Close())
		}
	}
	return errors.Join(errs...)
}

func (j *Journal) finish() error {
	j.committer.Lock()
	defer j.committer.Unlock()
	full, err := j.commitPending()
	if err != nil {
		return err
	}
	j.Recycle()
	j.writeBack()
	for job, ok := j.takeSync(); ok; job, ok = j.takeSync() {
		if err := j.sync(job); err != nil {
			return err
		}
	}
	switch {
	case j.isDead() != nil:
		return j.isDead()
	case full:
		return fmt.Errorf("journal in %s was closed without its last groups: %w", j.cfg.Dir, vfs.ErrNoSpace)
	}
	failpoint.Hit("journal.close.before_announce", j.cfg.FS)
	err = j.announce()
	failpoint.Hit("journal.close.after_announce", j.cfg.FS)
	return err
}

// announce writes an empty group, so that what is no longer needed is known.
func (j *Journal) announce() error {
	g := newGroup()
	j.mu.Lock()
	g.no = j.next
	j.next++
	j.mu.Unlock()
	if err := j.commit(g); err != nil {
		return j.die(err)
	}
	return nil
}

func (j *Journal) isDead() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dead
}
