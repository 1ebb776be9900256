package commitlog

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Reads, syncs, lookups, retention, compaction and idle closing run beside appends: a
// reader that follows the log sees every batch once and in order while it is there, and
// only sound ones.
func TestConcurrent(t *testing.T) {
	c := testConfig()
	c.Compact, c.MinCleanableRatio, c.RetentionBytes = true, 0, 60_000
	l := mustOpen(t, testOptions(newMem(t), c))
	done := make(chan struct{})
	var wg sync.WaitGroup
	beside := func(do func() error) {
		wg.Go(func() {
			for {
				if err := do(); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	beside(func() error { _, err := l.Sync(); return err })
	beside(func() error { _, err := l.Retain(l.RecoveryPoint(), time.Now()); return err })
	beside(func() error { _, err := l.Compact(l.RecoveryPoint(), time.Now()); return err })
	beside(func() error { return l.CloseIdle(time.Now()) })
	beside(func() error { _, err := l.OffsetForTimestamp(1500, l.End()); return err })
	beside(func() error { _, err := l.MaxTimestamp(); return err })
	for _, maxBytes := range []int{1, 700, 5000} {
		next := int64(0)
		beside(func() error { return followLog(l, &next, maxBytes) })
	}
	keys := []byte("abcdefg")
	for i := range 3000 {
		b := record.NewBuilder(record.BuilderConfig{})
		b.Append(record.Record{Timestamp: int64(1000 + i), Key: keys[i%7 : i%7+1], Value: make([]byte, i%200)})
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.AppendLeader(batch, 0, Client); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	wg.Wait()
}

// followLog reads on from *next.
func followLog(l *Log, next *int64, maxBytes int) error {
	s, err := l.Read(*next, l.End(), maxBytes, true)
	if errors.Is(err, kerr.OffsetOutOfRange) {
		*next = l.Start()
		return nil
	}
	if err != nil {
		return err
	}
	defer s.Release()
	bytes, err := s.ReadAll(nil)
	if err != nil {
		return err
	}
	last := *next - 1
	for b, err := range Batches(bytes) {
		if err != nil {
			return err
		}
		if b.LastOffset() <= last {
			return errors.New("a batch came twice or out of order")
		}
		last = b.LastOffset()
	}
	*next = s.Next
	return nil
}

// TestFullDiskHistories runs appends, syncs, rolls, retention and crashes on a disk that
// is full now and then. What was refused is not there, what was synced is.
func TestFullDiskHistories(t *testing.T) {
	for s := range manyHistories() {
		h := newHistory(t, s+1)
		full := false
		faulty := vfs.NewFaulty(h.mem, func(op vfs.Op, _ string) error {
			if full && (op == vfs.OpWrite || op == vfs.OpCreate) && h.rng.IntN(3) > 0 {
				if op == vfs.OpWrite && h.rng.IntN(2) == 0 {
					return vfs.ShortWrite{N: h.rng.IntN(300)}
				}
				return vfs.ErrNoSpace
			}
			return nil
		})
		h.garbage = false
		h.mem.SetGarbage(false)
		o := h.options()
		o.FS = faulty
		h.log = mustOpen(t, o)
		for range 60 {
			full = h.rng.IntN(3) == 0
			h.stepFull()
			full = false
			h.check()
		}
		h.sync()
		h.crash(true)
		h.check()
		if t.Failed() {
			t.Fatalf("history %d", s+1)
		}
	}
}

func (h *history) stepFull() {
	noSpace := func(err error) bool {
		if err != nil && !errors.Is(err, vfs.ErrNoSpace) {
			h.t.Fatal(err)
		}
		return err != nil
	}
	switch h.rng.IntN(8) {
	case 0:
		_, err := h.log.Sync()
		noSpace(err)
	case 1:
		noSpace(h.log.Roll())
	case 2:
		noSpace(h.log.CloseIdle(time.Now()))
	default:
		h.now += 100
		b := plain(1+h.rng.IntN(3), h.rng.IntN(300), h.now)
		if h.rng.IntN(6) == 0 {
			h.epoch++
		}
		a, err := h.log.AppendLeader(b, h.epoch, Client)
		if errors.Is(err, kerr.RecordListTooLarge) || noSpace(err) {
			return
		}
		if a.Base != h.end {
			h.t.Fatalf("appended at %d, want %d", a.Base, h.end)
		}
		h.keep(b)
	}
}
