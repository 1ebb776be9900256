package journal_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/journal"
	"github.com/twmb/franz-go/pkg/kerr"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func config(fsys vfs.FS) journal.Config {
	return journal.Config{FS: fsys, Dir: "/j", FileBytes: 64 << 10, SmallBytes: 4 << 10, Random: func() uint64 { return 42 }}
}

func newDisk(t testing.TB) *vfs.Mem {
	mem := vfs.NewMem()
	must(t, vfs.MkdirAllDurable(mem, "/j", 0o755))
	return mem
}

// start opens a journal and runs it until stop is called, which returns what Run did.
func start(t testing.TB, cfg journal.Config) (j *journal.Journal, entries []journal.Entry, stop func() error) {
	t.Helper()
	j, entries, err := journal.Open(cfg)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	return j, entries, func() error { cancel(); return <-ended }
}

// recorder is a target that writes down what it is told. Its Sync waits for gate, if
// there is one.
type recorder struct {
	id      model.IDPartition
	mu      sync.Mutex
	end     int64 // of its log
	gate    chan struct{}
	syncs   int
	durable []int64
	failed  []error
}

func newRecorder(n int32) *recorder { return &recorder{id: model.IDPartition{Partition: n}} }

func (r *recorder) Sync() (int64, error) {
	r.mu.Lock()
	r.syncs++
	end, gate := r.end, r.gate
	r.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return end, nil
}
func (r *recorder) Durable(end int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.durable = append(r.durable, end)
}
func (r *recorder) Failed(err error) { r.failed = append(r.failed, err) }

func (r *recorder) submit(j *journal.Journal, count int) error { return r.give(j.Submit, count) }

func (r *recorder) add(j *journal.Journal, count int) error { return r.give(j.Add, count) }

func (r *recorder) give(take func(journal.Target, model.IDPartition, int64, int64, []byte) error, count int) error {
	cells := make([]cell, count)
	for i := range cells {
		cells[i] = newCell(uint32(r.id.Partition), r.end+int64(i))
	}
	base := r.end
	r.mu.Lock()
	r.end += int64(count)
	r.mu.Unlock()
	return take(r, r.id, base, r.end, batch(base, cells))
}

// The appends of many partitions that come while a group is written become durable with
// the next one, by a single write and a single sync.
func TestOneSyncForAll(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var syncs, writes int
		stall := make(chan struct{})
		stalls := false
		disk := vfs.NewFaulty(newDisk(t), nil)
		j, _, stop := start(t, config(disk))
		var all []*recorder
		for n := range int32(50) {
			r := newRecorder(n)
			all = append(all, r)
			must(t, r.submit(j, 1)) // by a sync of its own: nothing is known of it yet
		}
		synctest.Wait()
		disk.SetRule(func(op vfs.Op, _ string) error {
			switch op {
			case vfs.OpWrite:
				writes++
			case vfs.OpSync:
				syncs++
				if stalls = !stalls; stalls {
					<-stall
				}
			}
			return nil
		})
		must(t, all[0].submit(j, 1))
		synctest.Wait()
		for _, r := range all {
			must(t, r.submit(j, 1))
			must(t, r.submit(j, 1))
		}
		close(stall)
		synctest.Wait()
		if syncs != 2 || writes != 2 {
			t.Errorf("%d writes and %d syncs for two groups", writes, syncs)
		}
		for i, r := range all {
			want := "[1 3]"
			if i == 0 {
				want = "[1 2 4]"
			}
			if fmt.Sprint(r.durable) != want || r.syncs != 1 {
				t.Errorf("partition %d: durable %v after %d syncs, want %s after 1", i, r.durable, r.syncs, want)
			}
		}
		must(t, stop())
		must(t, j.Close())
	})
}

// A large append is synced where it is, and what follows it meanwhile goes the same way
// and is not reported before it.
func TestLargeAppend(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		j, _, stop := start(t, config(newDisk(t)))
		r := newRecorder(1)
		must(t, r.submit(j, 1))
		synctest.Wait()
		r.gate = make(chan struct{})
		must(t, r.submit(j, 2000))
		synctest.Wait()
		must(t, r.submit(j, 1))
		synctest.Wait()
		if fmt.Sprint(r.durable) != "[1]" {
			t.Errorf("durable %v while the large append was synced", r.durable)
		}
		close(r.gate)
		synctest.Wait()
		if fmt.Sprint(r.durable) != "[1 2001 2002]" || r.syncs != 3 {
			t.Errorf("durable %v after %d syncs", r.durable, r.syncs)
		}
		must(t, stop())
		must(t, j.Close())
	})
}

// A sync does not count for an append that came to the group that is being filled after
// the sync began.
func TestSyncDoesNotCoverWhatCameLater(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		stall := make(chan struct{})
		mem := newDisk(t)
		disk := vfs.NewFaulty(mem, nil)
		j, _, stop := start(t, config(disk))
		other, r := newRecorder(1), newRecorder(2)
		for range 2 {
			must(t, other.submit(j, 1))
			must(t, r.submit(j, 1))
			synctest.Wait()
		}
		disk.SetRule(func(op vfs.Op, _ string) error {
			if op == vfs.OpSync {
				<-stall
			}
			return nil
		})
		must(t, other.submit(j, 1))
		synctest.Wait() // this group is on its way, the next one fills
		must(t, r.submit(j, 1))
		r.gate = make(chan struct{})
		j.Recycle()
		synctest.Wait() // its sync has begun
		must(t, r.submit(j, 1))
		close(r.gate)
		synctest.Wait()
		close(stall)
		synctest.Wait()
		must(t, other.submit(j, 1)) // announces what is no longer needed
		synctest.Wait()
		mem = mem.Crash(rand.New(rand.NewPCG(1, 1)))
		stop()
		_, entries, err := journal.Open(config(mem))
		must(t, err)
		for _, e := range entries {
			if e.ID == r.id && e.End == r.end {
				return
			}
		}
		t.Errorf("the append up to %d is gone: %v", r.end, entries)
	})
}

// When Truncated returns, nothing beyond the cut is reported any more.
func TestNoReportAfterTruncated(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		j, _, stop := start(t, config(newDisk(t)))
		r := newRecorder(1)
		must(t, r.submit(j, 10))
		synctest.Wait()
		r.gate = make(chan struct{})
		must(t, r.submit(j, 2000))
		synctest.Wait()
		must(t, r.submit(j, 1)) // wanted next
		done := make(chan error)
		go func() { done <- j.Truncated(r.id, 10) }()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("Truncated did not wait for the sync that runs")
		default:
			r.gate <- struct{}{}
		}
		must(t, <-done)
		r.mu.Lock()
		r.durable, r.end = nil, 10
		r.mu.Unlock()
		close(r.gate)
		synctest.Wait()
		for _, end := range r.durable {
			if end > 10 {
				t.Errorf("durable %v after a truncation to 10", r.durable)
			}
		}
		must(t, stop())
		must(t, j.Close())
	})
}

// After a sync that failed the journal is dead: who waits is told once, who comes is
// refused, Run ends.
func TestFailedSyncIsTheEnd(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		disk := vfs.NewFaulty(newDisk(t), nil)
		j, _, stop := start(t, config(disk))
		a, b := newRecorder(1), newRecorder(2)
		must(t, a.submit(j, 1))
		synctest.Wait()
		disk.SetRule(func(op vfs.Op, _ string) error {
			if op == vfs.OpSync {
				return vfs.LostSync{}
			}
			return nil
		})
		b.gate = make(chan struct{})
		must(t, b.submit(j, 1))
		must(t, a.submit(j, 1))
		must(t, a.submit(j, 1))
		synctest.Wait()
		close(b.gate)
		synctest.Wait()
		for _, r := range []*recorder{a, b} {
			if len(r.failed) != 1 || !errors.Is(r.failed[0], kerr.KafkaStorageError) || !errors.Is(r.failed[0], vfs.ErrIO) {
				t.Errorf("partition %d was told %v", r.id.Partition, r.failed)
			}
		}
		if fmt.Sprint(a.durable, b.durable) != "[1] []" {
			t.Errorf("durable %v and %v", a.durable, b.durable)
		}
		if err := a.submit(j, 1); !errors.Is(err, kerr.KafkaStorageError) {
			t.Errorf("submit: %v", err)
		}
		if err := j.Truncated(a.id, 0); !errors.Is(err, kerr.KafkaStorageError) {
			t.Errorf("truncated: %v", err)
		}
		if err := stop(); !errors.Is(err, vfs.ErrIO) {
			t.Errorf("run: %v", err)
		}
	})
}

// On a full disk appends are still made durable, by syncs of their segments, and when
// there is room again the journal takes them again.
func TestFullDisk(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem := newDisk(t)
		mem.SetSize(64 << 10) // one file: with two they would take turns
		j, _, stop := start(t, config(mem))
		r := newRecorder(1)
		for r.syncs < 20 {
			must(t, r.submit(j, 1))
			synctest.Wait()
			if last := r.durable[len(r.durable)-1]; last != r.end {
				t.Fatalf("durable to %d of %d", last, r.end)
			}
		}
		if err := j.Truncated(r.id, r.end); !errors.Is(err, vfs.ErrNoSpace) {
			t.Errorf("truncated: %v", err)
		}
		mem.SetSize(1 << 20)
		time.Sleep(time.Second) // by then the journal has looked for room
		before := r.syncs
		for range 5 {
			must(t, r.submit(j, 1))
			synctest.Wait()
		}
		if r.syncs > before+1 {
			t.Errorf("%d of 5 appends were synced with room in the journal", r.syncs-before)
		}
		must(t, stop())
		must(t, j.Close())
	})
}

// corrupt opens a journal of some groups after change has had its way with its file.
func corrupt(t *testing.T, change func(b []byte)) ([]journal.Entry, error) {
	t.Helper()
	mem := newDisk(t)
	bubble.Test(t, func(t *testing.T) {
		j, _, stop := start(t, config(mem))
		r := newRecorder(1)
		for range 6 {
			must(t, r.submit(j, 1))
			synctest.Wait()
		}
		must(t, stop())
	})
	name := path.Join("/j", "journal-00000001.odj")
	b, err := vfs.ReadFile(mem, name)
	must(t, err)
	change(b)
	f, err := mem.OpenFile(name, 2, 0)
	must(t, err)
	_, err = f.WriteAt(b, 0)
	must(t, err)
	j, entries, err := journal.Open(config(mem))
	if err == nil {
		must(t, j.Close())
	}
	return entries, err
}

// A damaged last group is a torn one and ignored; damage anywhere before is told.
func TestDamage(t *testing.T) {
	const block = 4096
	for name, c := range map[string]struct {
		change  func(b []byte)
		entries int
		bad     bool
	}{
		"none":               {func([]byte) {}, 5, false},
		"last group":         {func(b []byte) { b[5*block+60]++ }, 4, false},
		"group in between":   {func(b []byte) { b[3*block+60]++ }, 0, true},
		"first group":        {func(b []byte) { clear(b[block : 2*block]) }, 0, true},
		"file header":        {func(b []byte) { b[9]++ }, 0, true},
		"all groups":         {func(b []byte) { clear(b[block:]) }, 0, false},
		"length of the last": {func(b []byte) { binary.BigEndian.PutUint32(b[5*block+36:], 1<<31) }, 4, false},
		"group twice":        {func(b []byte) { copy(b[6*block:], b[2*block:3*block]) }, 5, false},
	} {
		t.Run(name, func(t *testing.T) {
			entries, err := corrupt(t, c.change)
			if len(entries) != c.entries || errors.Is(err, journal.ErrCorrupt) != c.bad || (err != nil) != c.bad {
				t.Errorf("%d entries, %v", len(entries), err)
			}
		})
	}
}

// Whatever the bytes of a file, Open neither panics nor takes memory beyond them.
func FuzzOpen(f *testing.F) {
	seedFile(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		mem := newDisk(t)
		h, err := mem.OpenFile("/j/journal-00000001.odj", 0x42, 0o644)
		must(t, err)
		_, err = h.WriteAt(b, 0)
		must(t, err)
		j, entries, err := journal.Open(config(mem))
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.End <= e.Base || len(e.Batches) == 0 || len(e.Batches) > len(b) {
				t.Errorf("entry %v of %d bytes", e, len(b))
			}
		}
		must(t, j.Close())
	})
}

func seedFile(f *testing.F) {
	mem := newDisk(f)
	cfg := config(mem)
	cfg.FileBytes, cfg.SmallBytes = 16<<10, 1<<10
	j, _, stop := start(f, cfg)
	done := make(chan int64, 10)
	r := &signal{done: done}
	for n := range int64(3) {
		must(f, j.Submit(r, model.IDPartition{Partition: 1}, n, n+1, batch(n, make([]cell, 1))))
		<-done
	}
	must(f, stop())
	b, err := vfs.ReadFile(mem, "/j/journal-00000001.odj")
	must(f, err)
	f.Add(b)
	f.Add(b[:8192])
	f.Add([]byte{})
}

// signal is a target that sends what is durable.
type signal struct{ done chan int64 }

func (s *signal) Sync() (int64, error) { return 1 << 60, nil }
func (s *signal) Durable(end int64) {
	select {
	case s.done <- end:
	default:
	}
}
func (s *signal) Failed(err error) { panic(err) }

// Submit of a small append: what a produce request pays on its own goroutine.
func BenchmarkSubmit(b *testing.B) {
	for _, size := range []int{1, 128, 2000} {
		b.Run(fmt.Sprint(61+8*size), func(b *testing.B) {
			cfg := config(newDisk(b))
			cfg.FileBytes, cfg.SmallBytes = 16<<20, 64<<10
			j, _, stop := start(b, cfg)
			r, id := &signal{done: make(chan int64, 1)}, model.IDPartition{Partition: 1}
			batches := batch(0, make([]cell, size))
			end := int64(0)
			b.ReportAllocs()
			b.SetBytes(int64(len(batches)))
			for b.Loop() {
				if err := j.Submit(r, id, end, end+1, batches); err != nil {
					b.Fatal(err)
				}
				end++
			}
			must(b, stop())
			must(b, j.Close())
		})
	}
}
