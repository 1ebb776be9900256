package journal_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/store/journal"
)

// poor is a target that lacks a file descriptor for a while.
type poor struct {
	*recorder
	lacks int
}

func (p *poor) Sync() (int64, error) {
	if p.lacks > 0 {
		p.lacks--
		return 0, fmt.Errorf("open a segment: %w", vfs.ErrNoFiles)
	}
	return p.recorder.Sync()
}

// A segment that cannot be opened because the process has too many files open is synced
// later. Nothing has failed: the folder goes on.
func TestSyncWaitsForDescriptor(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		j, _, stop := start(t, config(newDisk(t)))
		p := &poor{recorder: newRecorder(1), lacks: 3}
		must(t, submitOf(j, p, 0, 2))
		synctest.Wait()
		p.mu.Lock()
		told := len(p.durable) + len(p.failed)
		p.mu.Unlock()
		if told != 0 {
			t.Fatal("told of an append that has no descriptor yet")
		}
		must(t, stop())
		must(t, j.Close())
		if fmt.Sprint(p.durable) != "[2]" || len(p.failed) != 0 {
			t.Errorf("durable %v, failed %v", p.durable, p.failed)
		}
	})
}

func submitOf(j *journal.Journal, p *poor, base, end int64) error {
	p.end = end
	return j.Submit(p, p.id, base, end, batch(base, []cell{newCell(1, base), newCell(1, base+1)}))
}
