package journal_test

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/journal"
)

// A model partition keeps a cell of 8 bytes an offset: a stamp that no other append
// has, and a checksum with the offset.
type cell uint64

func newCell(stamp uint32, offset int64) cell {
	b := binary.BigEndian.AppendUint32(nil, stamp)
	b = binary.BigEndian.AppendUint64(b, uint64(offset))
	return cell(stamp)<<32 | cell(crc32.ChecksumIEEE(b))
}

func (c cell) valid(offset int64) bool { return c != 0 && c == newCell(uint32(c>>32), offset) }

// batch wraps cells as a record batch.
func batch(base int64, cells []cell) []byte {
	b := make([]byte, 61, 61+8*len(cells))
	binary.BigEndian.PutUint64(b, uint64(base))
	binary.BigEndian.PutUint32(b[8:], uint32(61-12+8*len(cells)))
	b[16] = 2
	binary.BigEndian.PutUint32(b[23:], uint32(len(cells)-1))
	binary.BigEndian.PutUint32(b[57:], uint32(len(cells)))
	for _, c := range cells {
		b = binary.BigEndian.AppendUint64(b, uint64(c))
	}
	return b
}

// target is a partition with a log in one file, and what it was promised.
type target struct {
	id   model.IDPartition
	name string

	mu      sync.Mutex
	file    vfs.File
	log     []cell            // what was appended
	ever    map[cell]struct{} // all cells that ever were
	ends    []int64           // of batches of this life, where the log may be truncated
	want    []cell            // of the last life: what must be found again
	durable int64             // what was reported, less what was truncated
	failed  int
}

func (t *target) Sync() (int64, error) {
	t.mu.Lock()
	end, f := int64(len(t.log)), t.file
	t.mu.Unlock()
	err := f.Datasync()
	trace("sync", t.name, end, err)
	return end, err
}

func (t *target) Durable(end int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	trace("durable", t.name, end)
	if end > int64(len(t.log)) {
		panic(fmt.Sprintf("durable to %d of %d", end, len(t.log)))
	}
	t.durable = max(t.durable, end)
}

func (t *target) Failed(error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed++
}

// open reads the log as recovery does: up to the first bad cell.
func (t *target) open(fsys vfs.FS) error {
	f, err := fsys.OpenFile(t.name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err != nil {
		return err
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	t.want = slices.Clone(t.log[:t.durable])
	t.file, t.log, t.ends = f, nil, nil
	for offset := int64(0); len(b) >= 8; offset++ {
		c := cell(binary.BigEndian.Uint64(b))
		if !c.valid(offset) {
			break
		}
		t.log, b = append(t.log, c), b[8:]
	}
	return f.Truncate(8 * int64(len(t.log)))
}

// append adds cells to the log and returns the batch to be submitted.
func (t *target) append(cells []cell) (base int64, b []byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	base = int64(len(t.log))
	b = batch(base, cells)
	t.log = append(t.log, cells...)
	t.ends = append(t.ends, base)
	for _, c := range cells {
		t.ever[c] = struct{}{}
	}
	if _, err = t.file.WriteAt(b[61:], 8*base); err != nil {
		t.log = t.log[:base]
		err = errors.Join(err, t.file.Truncate(8*base))
	}
	return base, b, err
}

// unpromise says that what lies beyond to is not wanted any more.
func (t *target) unpromise(to int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.durable = min(t.durable, to)
}

func (t *target) truncate(to int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log = t.log[:to]
	return t.file.Truncate(8 * to)
}

// replay applies an entry as a log does: what is there already stays, a difference is
// replaced with all that follows.
func (t *target) replay(e journal.Entry) error {
	base, batches := e.Base, e.Batches
	if base > int64(len(t.log)) {
		return fmt.Errorf("hole: the log ends at %d, an entry starts at %d", len(t.log), base)
	}
	for len(batches) > 0 {
		size := 12 + int(binary.BigEndian.Uint32(batches[8:]))
		for b := batches[61:size]; len(b) > 0; b = b[8:] {
			c := cell(binary.BigEndian.Uint64(b))
			if base >= int64(len(t.log)) || t.log[base] != c {
				t.log = append(t.log[:base], c)
			}
			base++
		}
		batches = batches[size:]
	}
	if base != e.End {
		return fmt.Errorf("entry to %d has batches to %d", e.End, base)
	}
	return t.rewrite()
}

func (t *target) rewrite() error {
	var b []byte
	for _, c := range t.log {
		b = binary.BigEndian.AppendUint64(b, uint64(c))
	}
	if _, err := t.file.WriteAt(b, 0); err != nil {
		return err
	}
	return t.file.Truncate(int64(len(b)))
}

// history is a random life of a few partitions and their journal, through crashes.
type history struct {
	t       *testing.T
	seed    uint64
	rng     *rand.Rand
	mu      sync.Mutex
	mem     *vfs.Mem // guarded by mu while a journal runs
	disk    *vfs.Faulty
	targets []*target
	stamp   uint32
	stats   *stats
}

type stats struct{ lives, faults, full, crashes, kills, closes, entries, replays int }

func newHistory(t *testing.T, seed uint64, st *stats) *history {
	h := &history{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), mem: vfs.NewMem(), stats: st}
	h.must(h.mem.MkdirAll("/d", 0o755))
	h.must(h.mem.SyncDir("/"))
	for i := range 1 + h.rng.IntN(4) {
		tg := &target{id: model.IDPartition{Topic: model.ID{1}, Partition: int32(i)}, name: fmt.Sprint("/d/seg", i), ever: map[cell]struct{}{}}
		f, err := h.mem.OpenFile(tg.name, os.O_CREATE|os.O_RDWR, 0o644)
		h.must(err)
		h.must(f.Close())
		h.targets = append(h.targets, tg)
	}
	h.must(h.mem.SyncDir("/d"))
	return h
}

func (h *history) must(err error) {
	h.t.Helper()
	if err != nil {
		h.fail("%v", err)
	}
}

func (h *history) fail(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf("seed %d, life %d: %s", h.seed, h.stats.lives, fmt.Sprintf(format, args...))
}

// run lives a few lives and checks after each what is left.
func (h *history) run() {
	for range 2 + h.rng.IntN(4) {
		h.life()
		h.check()
	}
}

func (h *history) life() {
	h.stats.lives++
	h.mem.SetSize(math.MaxInt64)
	h.disk = vfs.NewFaulty(h.mem, nil)
	j := h.open()
	ctx, cancel := context.WithCancel(h.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	synctest.Wait() // before it has begun a deletion is not waited for, and a log that goes on would contradict it
	h.arm()
	alive := true
	for range h.rng.IntN(60) {
		if alive = h.step(j); !alive {
			break
		}
	}
	end := h.rng.IntN(3)
	trace("end", alive, end)
	if !alive && end == 2 {
		end = 0 // there is no orderly end of a dead journal
	}
	switch end {
	case 0:
		h.stats.crashes++
		h.crash()
	case 1:
		h.stats.kills++
		h.swap((*vfs.Mem).Kill)
	}
	cancel()
	<-ended
	err := j.Close()
	if end == 2 {
		h.stats.closes++
		if h.swap((*vfs.Mem).Kill); err != nil {
			h.crash()
		}
	}
}

// arm lets something go wrong in the middle of some operation of the disk: a power cut,
// or an error of a journal file. After a sync that failed the system may hold what was
// not written for clean.
func (h *history) arm() {
	kind, left, mem, rng := h.rng.IntN(5), h.rng.IntN(80), h.mem, rand.New(rand.NewPCG(h.seed, h.rng.Uint64()))
	lost := vfs.LostSync{Drop: h.rng.IntN(2) == 0}
	h.disk.SetRule(func(op vfs.Op, name string) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		left--
		journal := strings.Contains(name, "journal-")
		switch {
		case kind <= 1 && left == 0:
			h.mem = mem.Crash(rng)
		case kind == 2 && left <= 0 && journal && op == vfs.OpSync:
			h.stats.faults++
			return lost
		case kind == 3 && left <= 0 && journal && op == vfs.OpWrite:
			h.stats.faults++
			return vfs.ShortWrite{N: 5000, Err: vfs.ErrIO}
		}
		return nil
	})
}

// crash cuts the power, unless that has happened.
func (h *history) crash() {
	h.disk.SetRule(nil)
	h.swap(func(m *vfs.Mem) *vfs.Mem { return m.Crash(h.rng) })
}

func (h *history) swap(f func(*vfs.Mem) *vfs.Mem) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mem = f(h.mem)
}

func (h *history) now() *vfs.Mem {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mem
}

func (h *history) open() *journal.Journal {
	fileBytes := int64(16<<10) << h.rng.IntN(3)
	j, entries, err := journal.Open(journal.Config{
		FS: h.disk, Dir: "/d", FileBytes: fileBytes, SmallBytes: 2048, LiveBytes: fileBytes * (1 + h.rng.Int64N(3)),
		SyncWorkers: 2, Random: func() uint64 { return h.seed },
	})
	h.must(err)
	byID := map[model.IDPartition]*target{}
	for _, t := range h.targets {
		h.must(t.open(h.disk))
		trace("opened", t.name, len(t.log), "durable", t.durable)
		byID[t.id] = t
	}
	for _, e := range entries {
		h.stats.entries++
		trace("entry", e.ID.Partition, e.Base, e.End)
		before := len(byID[e.ID].log)
		if err := byID[e.ID].replay(e); err != nil {
			h.fail("%s: %v", e.ID, err)
		}
		if len(byID[e.ID].log) != before {
			h.stats.replays++
		}
	}
	h.checkLogs()
	for _, t := range h.targets {
		if h.rng.IntN(2) == 0 {
			j.Replayed(t, t.id)
		}
	}
	return j
}

// step does one thing; false if the disk is down.
func (h *history) step(j *journal.Journal) bool {
	t := h.targets[h.rng.IntN(len(h.targets))]
	switch h.rng.IntN(20) {
	case 0:
		if len(t.ends) == 0 {
			return true
		}
		i := h.rng.IntN(len(t.ends))
		to := t.ends[i]
		t.ends = t.ends[:i]
		trace("truncate", t.name, to)
		err := j.Truncated(t.id, to)
		if t.unpromise(to); err != nil {
			return errors.Is(err, vfs.ErrNoSpace)
		}
		if err := t.truncate(to); err != nil {
			return false
		}
	case 7:
		if h.rng.IntN(4) == 0 {
			return h.recreate(j, t)
		}
	case 1:
		trace("recycle")
		j.Recycle()
	case 2, 3, 4:
		synctest.Wait()
	case 5:
		time.Sleep(time.Second) // a full disk has been tried again
	case 8:
		mem := h.now()
		_, free, _ := mem.Space("/")
		mem.SetSize(map[bool]int64{true: math.MaxInt64, false: math.MaxInt64 - free + h.rng.Int64N(20_000)}[h.rng.IntN(2) == 0])
	case 6:
		if _, err := t.Sync(); err != nil {
			return false
		}
	default:
		return h.append(j, t)
	}
	return true
}

// recreate deletes the partition and makes it anew under the same id.
func (h *history) recreate(j *journal.Journal, t *target) bool {
	trace("delete", t.name)
	err := j.Deleted(t.id)
	synctest.Wait() // a sync may still report to the old one, which here is the same
	t.unpromise(0)
	if t.ends = nil; err != nil {
		return errors.Is(err, vfs.ErrNoSpace)
	}
	return t.truncate(0) == nil
}

func (h *history) append(j *journal.Journal, t *target) bool {
	cells := make([]cell, 1+h.rng.IntN(8))
	if h.rng.IntN(6) == 0 {
		cells = make([]cell, 1+h.rng.IntN(600))
	}
	for i := range cells {
		h.stamp++
		cells[i] = newCell(h.stamp, int64(len(t.log)+i))
	}
	base, b, err := t.append(cells)
	if err != nil {
		h.stats.full++
		return errors.Is(err, vfs.ErrNoSpace) && !errors.Is(err, vfs.ErrDown)
	}
	trace("submit", t.name, base, base+int64(len(cells)))
	switch h.rng.IntN(4) {
	case 0: // others follow, or nobody
		return j.Add(t, t.id, base, base+int64(len(cells)), b) == nil
	case 1:
		err := j.Add(t, t.id, base, base+int64(len(cells)), b)
		go j.Commit()
		return err == nil
	}
	return j.Submit(t, t.id, base, base+int64(len(cells)), b) == nil
}

// check sees that everybody who waited was told at most once of the end.
func (h *history) check() {
	for _, t := range h.targets {
		if t.failed > 1 {
			h.fail("%s was told %d times that it failed", t.id, t.failed)
		}
		t.failed = 0
	}
}

// checkLogs compares what was recovered with what was promised.
func (h *history) checkLogs() {
	for _, t := range h.targets {
		if int64(len(t.log)) < t.durable {
			h.fail("%s: durable to %d, recovered to %d", t.id, t.durable, len(t.log))
		}
		for i, c := range t.want {
			if t.log[i] != c {
				h.fail("%s: at %d of %d durable is %x, was %x", t.id, i, t.durable, t.log[i], c)
			}
		}
		for i, c := range t.log {
			if _, ok := t.ever[c]; !ok || !c.valid(int64(i)) {
				h.fail("%s: at %d is %x, which never was", t.id, i, c)
			}
		}
	}
}

// Whatever the power cuts, kills and orderly ends, what was reported durable is found
// again, nothing is invented, and no log has a hole.
func TestHistories(t *testing.T) {
	var st stats
	count := uint64(1000)
	if testing.Short() {
		count = 200
	}
	for seed := range count {
		bubble.Test(t, func(t *testing.T) { newHistory(t, seed, &st).run() })
		if t.Failed() {
			t.Fatalf("goroutines do not repeat, so ask often: go test ./internal/store/journal -run TestHistory$ -v -count 1000 -failfast -seed %d", seed)
		}
	}
	t.Logf("%+v", st)
	if st.crashes == 0 || st.kills == 0 || st.closes == 0 || st.replays == 0 || st.faults == 0 || st.full == 0 {
		t.Errorf("the histories do not cover all: %+v", st)
	}
}

var seed = flag.Uint64("seed", 0, "seed of TestHistory")

// One history, of a seed that failed.
func TestHistory(t *testing.T) {
	bubble.Test(t, func(t *testing.T) { newHistory(t, *seed, &stats{}).run() })
}

// trace tells the history of one seed.
func trace(a ...any) {
	if testing.Verbose() && *seed > 0 {
		fmt.Println(a...)
	}
}
