package quorum

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
)

// machine is a state machine that remembers what it was given, in order.
type machine struct {
	mu      sync.Mutex
	entries []string
	offsets []int64
	leads   chan int64
}

func newMachine() *machine { return &machine{leads: make(chan int64, 16)} }

func (m *machine) apply(offset int64, entry []byte) error {
	if len(entry) == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = append(m.entries, string(entry))
	m.offsets = append(m.offsets, offset)
	return nil
}

func (m *machine) snapshot() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b []byte
	for i, e := range m.entries {
		b = appendUvarints(b, uint64(m.offsets[i]), uint64(len(e)))
		b = append(b, e...)
	}
	return b
}

func (m *machine) restore(data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries, m.offsets = nil, nil
	r := uvarints{b: data}
	for len(r.b) > 0 {
		m.offsets = append(m.offsets, int64(r.next()))
		n := r.next()
		m.entries = append(m.entries, string(r.b[:n]))
		r.b = r.b[n:]
	}
	return nil
}

func (m *machine) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.entries)
}

func config(fs vfs.FS, m *machine) Config {
	return Config{
		FS: fs, Dir: "/data/quorum", Node: 1, Apply: m.apply, Snapshot: m.snapshot, Restore: m.restore,
		Lead: func(term int64) { m.leads <- term }, Rand: rand.New(rand.NewPCG(1, 2)).Uint64,
	}
}

// start runs a quorum until stop, which returns what Run returned.
func start(t *testing.T, c Config) (q *Quorum, stop func() error) {
	t.Helper()
	q, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	return q, func() error { cancel(); return <-ended }
}

// A quorum of one leads at once: no clock has to move.
func TestOneVoterLeadsWithoutTime(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		began := time.Now()
		m := newMachine()
		q, stop := start(t, config(vfs.NewMem(), m))
		term := <-m.leads
		offset, err := q.Propose(t.Context(), []byte("a"))
		if err != nil || offset <= 1 {
			t.Fatalf("Propose = %d, %v", offset, err)
		}
		if got := m.all(); !slices.Equal(got, []string{"a"}) {
			t.Fatalf("applied %q", got)
		}
		synctest.Wait()
		st := q.Status()
		if st.Leader != 1 || st.Term != term || st.Commit != offset || st.Applied != offset || len(st.Voters) != 1 {
			t.Errorf("status %+v", st)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v of the clock", took)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Propose(t.Context(), []byte("b")); !errors.Is(err, kerr.NotController) {
			t.Errorf("after the end Propose = %v", err)
		}
	})
}

// Entries come back in order after a restart, from the log alone and from a snapshot
// and the log after it.
func TestRestart(t *testing.T) {
	for _, snapshotBytes := range []int64{0, 8 << 10} {
		t.Run(fmt.Sprint(snapshotBytes), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				fs := vfs.NewMem()
				var want []string
				for round := range 5 {
					m := newMachine()
					c := config(fs, m)
					c.SnapshotBytes = snapshotBytes
					q, stop := start(t, c)
					<-m.leads
					if got := m.all(); !slices.Equal(got, want) {
						t.Fatalf("round %d: has %d entries, want %d", round, len(got), len(want))
					}
					for i := range 50 {
						e := fmt.Sprintf("%d/%d", round, i)
						if _, err := q.Propose(t.Context(), []byte(e)); err != nil {
							t.Fatal(err)
						}
						want = append(want, e)
					}
					if err := stop(); err != nil {
						t.Fatal(err)
					}
				}
				snaps, _ := listNumbered(fs, "/data/quorum", ".snapshot")
				logs, _ := listNumbered(fs, "/data/quorum", ".log")
				if len(snaps) != 1 || snapshotBytes > 0 && (snaps[0] == 1 || len(logs) > 2) {
					t.Errorf("snapshots %v, logs %v", snaps, logs)
				}
			})
		})
	}
}

// Proposals that come while the disk is busy share one write.
func TestGroupCommit(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		fs := &countingFS{FS: vfs.NewMem()}
		m := newMachine()
		c := config(fs, m)
		q, stop := start(t, c)
		term := <-m.leads
		synctest.Wait()
		before := fs.syncs()
		var waits []Wait
		for i := range 100 {
			waits = append(waits, q.Begin(term, []byte(fmt.Sprint(i))))
		}
		for i, wait := range waits {
			if _, err := wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := m.all()[i]; got != fmt.Sprint(i) {
				t.Fatalf("entry %d is %q", i, got)
			}
		}
		if n := fs.syncs() - before; n > 20 {
			t.Errorf("%d syncs for 100 proposals at once", n)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

type countingFS struct {
	vfs.FS
	mu sync.Mutex
	n  int
}

func (f *countingFS) syncs() int { f.mu.Lock(); defer f.mu.Unlock(); return f.n }

func (f *countingFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	file, err := f.FS.OpenFile(name, flag, perm)
	return countingFile{file, f}, err
}

type countingFile struct {
	vfs.File
	fs *countingFS
}

func (f countingFile) Datasync() error {
	f.fs.mu.Lock()
	f.fs.n++
	f.fs.mu.Unlock()
	return f.File.Datasync()
}

// An entry of another term than the one that is led is refused, and so is all that
// follows in that term.
func TestWrongTermIsRefused(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m := newMachine()
		q, stop := start(t, config(vfs.NewMem(), m))
		term := <-m.leads
		if _, err := q.Begin(term-1, []byte("old"))(t.Context()); !errors.Is(err, kerr.NotController) {
			t.Errorf("an older term: %v", err)
		}
		if _, err := q.Begin(term, nil)(t.Context()); err == nil {
			t.Error("an empty entry was taken")
		}
		if _, err := q.Begin(term, make([]byte, 65<<20))(t.Context()); !errors.Is(err, kerr.PolicyViolation) {
			t.Errorf("a large entry: %v", err)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// What was acknowledged survives every power cut, in order and once; what was not may
// or may not be there, but never out of order. The rounds of one history share a disk.
func TestCrashHistories(t *testing.T) {
	histories := 500
	if testing.Short() {
		histories = 40
	}
	for seed := range histories {
		bubble.Test(t, func(t *testing.T) { crashHistory(t, uint64(seed)) })
		if t.Failed() {
			t.Fatalf("repeat with seed %d", seed)
		}
	}
}

func crashHistory(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	disk := vfs.NewMem()
	disk.SetGarbage(seed%2 == 0)
	var acked, tried []string
	for round := range 8 {
		fs := &cutFS{Mem: disk, rng: rng, odds: 2 + rng.IntN(60)}
		m := newMachine()
		c := config(fs, m)
		c.SnapshotBytes, c.SegmentBytes = int64(2048+rng.IntN(8192)), int64(1024+rng.IntN(4096))
		q, err := Open(c)
		if err == nil {
			if msg := runRound(t, q, m, fs, round, &acked, &tried); msg != "" {
				t.Errorf("round %d: %s", round, msg)
			}
		} else if !errors.Is(err, vfs.ErrDown) {
			t.Errorf("round %d: %v", round, err)
			return
		}
		disk = fs.cut()
	}
}

// runRound proposes until it has enough or the power is cut, which may be at once.
func runRound(t *testing.T, q *Quorum, m *machine, fs *cutFS, round int, acked, tried *[]string) string {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	defer func() { fs.cut(); cancel(); <-ended }()
	var term int64
	select {
	case term = <-m.leads:
	case <-q.done:
		return ""
	}
	if msg := checkHistory(m.all(), *acked, *tried); msg != "" {
		return msg
	}
	*acked = m.all() // what came back is agreed on now
	*tried = slices.Clone(*acked)
	for i := range fs.roll(40) {
		e := fmt.Sprintf("%d/%d/%s", round, i, make([]byte, fs.roll(700)))
		*tried = append(*tried, e)
		wait := q.Begin(term, []byte(e))
		if fs.roll(3) == 0 {
			if _, err := wait(ctx); err != nil {
				return "" // the power is gone
			}
			*acked = slices.Clone(*tried)
		}
	}
	return ""
}

// cutFS is a disk whose power fails while something is being synced, once in odds.
type cutFS struct {
	*vfs.Mem
	odds int

	mu   sync.Mutex // guards rng and next
	rng  *rand.Rand
	next *vfs.Mem // what is left, after the cut
}

func (f *cutFS) roll(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.IntN(n)
}

func (f *cutFS) cut() *vfs.Mem {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil {
		f.next = f.Crash(f.rng)
	}
	return f.next
}

func (f *cutFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	file, err := f.Mem.OpenFile(name, flag, perm)
	return cutFile{file, f}, err
}

func (f *cutFS) SyncDir(name string) error {
	if f.roll(f.odds) == 0 {
		f.cut()
	}
	return f.Mem.SyncDir(name)
}

type cutFile struct {
	vfs.File
	fs *cutFS
}

func (f cutFile) Sync() error {
	if f.fs.roll(f.fs.odds) == 0 {
		f.fs.cut()
	}
	return f.File.Sync()
}

func (f cutFile) Datasync() error {
	if f.fs.roll(f.fs.odds) == 0 {
		f.fs.cut()
	}
	return f.File.Datasync()
}

func checkHistory(got, acked, tried []string) string {
	if len(got) < len(acked) {
		return fmt.Sprintf("%d entries came back, %d were acknowledged", len(got), len(acked))
	}
	if len(got) > len(tried) || !slices.Equal(got, tried[:len(got)]) {
		return fmt.Sprintf("what came back (%d entries) is not what was proposed (%d)", len(got), len(tried))
	}
	return ""
}

// Damage before the end is refused, with the file and the byte; a torn end is cut.
func TestDamage(t *testing.T) {
	build := func(t *testing.T) (vfs.FS, string, []byte) {
		fs := vfs.NewMem()
		m := newMachine()
		q, stop := start(t, config(fs, m))
		<-m.leads
		for i := range 10 {
			if _, err := q.Propose(t.Context(), fmt.Appendf(nil, "entry %d", i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join("/data/quorum", logName(1))
		b, err := vfs.ReadFile(fs, name)
		if err != nil {
			t.Fatal(err)
		}
		return fs, name, b
	}
	cases := []struct {
		name    string
		damage  func(b []byte) []byte
		refused bool
	}{
		{"a bit in the middle", func(b []byte) []byte { b[3*512+20] ^= 1; return b }, true},
		{"a bit in the header", func(b []byte) []byte { b[13] ^= 1; return b }, true},
		{"a newer format", func(b []byte) []byte {
			b[8] = 2
			binary.BigEndian.PutUint32(b[28:], crc32.Checksum(b[:28], castagnoli))
			return b
		}, true},
		{"the last frame torn", func(b []byte) []byte { return b[:len(b)-505] }, false},
		{"the last frame zero", func(b []byte) []byte { clear(b[len(b)-512:]); return b }, false},
		{"noise after the end", func(b []byte) []byte { return append(b, make([]byte, 700)...) }, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			fs, name, b := build(t)
			if err := vfs.WriteFileDurable(fs, name, c.damage(b), 0o644); err != nil {
				t.Fatal(err)
			}
			q, err := Open(config(fs, newMachine()))
			if (err != nil) != c.refused {
				t.Fatalf("Open = %v, refused should be %v", err, c.refused)
			}
			if err != nil {
				t.Log(err)
				return
			}
			if err := q.store.wal.close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A disk that fails to sync is not asked again: Run ends, and every wait with it.
func TestSyncFailure(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		fs := &failingFS{FS: vfs.NewMem()}
		m := newMachine()
		q, stop := start(t, config(fs, m))
		term := <-m.leads
		synctest.Wait()
		fs.failed = errors.New("no more")
		if _, err := q.Begin(term, []byte("a"))(t.Context()); !errors.Is(err, kerr.KafkaStorageError) {
			t.Errorf("Begin = %v", err)
		}
		if err := stop(); !errors.Is(err, fs.failed) {
			t.Errorf("Run = %v", err)
		}
		if _, err := q.Begin(term, []byte("b"))(t.Context()); !errors.Is(err, kerr.KafkaStorageError) {
			t.Errorf("Begin after the end = %v", err)
		}
	})
}

type failingFS struct {
	vfs.FS
	failed error
}

func (f *failingFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	file, err := f.FS.OpenFile(name, flag, perm)
	return failingFile{file, f}, err
}

type failingFile struct {
	vfs.File
	fs *failingFS
}

func (f failingFile) Datasync() error {
	if f.fs.failed != nil {
		return f.fs.failed
	}
	return f.File.Datasync()
}
