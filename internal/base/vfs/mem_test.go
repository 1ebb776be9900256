package vfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t testing.TB, fsys vfs.FS, name string, data string) vfs.File {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	must(t, err)
	_, err = f.WriteAt([]byte(data), 0)
	must(t, err)
	return f
}

// The memory disk answers as the machine's own does: the same random history on both
// gives the same results, step by step.
func TestMemIsLikeTheMachinesDisk(t *testing.T) {
	for seed := range uint64(60) {
		mem, dir := vfs.NewMem(), t.TempDir()
		must(t, mem.MkdirAll(dir, 0o755))
		a, b := player{fs: mem, rng: newRand(seed)}, player{fs: vfs.OS, rng: newRand(seed)}
		for step := range 150 {
			if x, y := a.step(dir), b.step(dir); x != y {
				t.Fatalf("seed %d step %d:\n mem %s\n os  %s", seed, step, x, y)
			}
		}
		a.close()
		b.close()
	}
}

// player makes one random step after the other and says what came of it.
type player struct {
	fs    vfs.FS
	rng   *rand.Rand
	files []vfs.File
}

func (p *player) step(dir string) string {
	name := func() string {
		return filepath.Join(dir, []string{"a", "b", "c", "d/a", "d/b", "d", "e/f"}[p.rng.IntN(7)])
	}
	switch p.rng.IntN(12) {
	case 0, 1, 2:
		flag := []int{os.O_RDWR, os.O_RDWR | os.O_CREATE, os.O_RDWR | os.O_CREATE | os.O_EXCL, os.O_RDWR | os.O_TRUNC}[p.rng.IntN(4)]
		n := name()
		if info, err := p.fs.Stat(n); err == nil && info.IsDir() {
			return "folder" // which may be opened, in ways that differ between systems
		}
		f, err := p.fs.OpenFile(n, flag, 0o644)
		if err == nil {
			p.files = append(p.files, f)
		}
		return "open " + class(err)
	case 3:
		return "mkdir " + class(p.fs.MkdirAll(name(), 0o755))
	case 4:
		return "remove " + class(p.fs.Remove(name()))
	case 5:
		return "removeall " + class(p.fs.RemoveAll(name()))
	case 6:
		return "rename " + class(p.fs.Rename(name(), name()))
	case 7:
		list, err := p.fs.ReadDir(filepath.Join(dir, []string{"", "d", "a"}[p.rng.IntN(3)]))
		s := "readdir " + class(err)
		for _, e := range list {
			s += fmt.Sprint(" ", e.Name(), e.IsDir())
		}
		return s
	case 8:
		info, err := p.fs.Stat(name())
		if err != nil || info.IsDir() {
			return "stat " + class(err)
		}
		return fmt.Sprint("stat ", info.Name(), info.Size(), info.Mode())
	default:
		if len(p.files) == 0 {
			return "none"
		}
		return p.touch(p.files[p.rng.IntN(len(p.files))])
	}
}

func (p *player) touch(f vfs.File) string {
	off, b := p.rng.Int64N(10_000), make([]byte, p.rng.IntN(6000))
	switch p.rng.IntN(5) {
	case 0, 1:
		for i := range b {
			b[i] = byte(p.rng.Uint32())
		}
		n, err := f.WriteAt(b, off)
		return fmt.Sprint("write ", n, class(err))
	case 2:
		return "truncate " + class(f.Truncate(off))
	case 3:
		return "preallocate " + class(f.Preallocate(off+1))
	default:
		n, err := f.ReadAt(b, off)
		size, _ := f.Size()
		return fmt.Sprintf("read %d %v %d %x", n, errors.Is(err, io.EOF), size, b[:n])
	}
}

func (p *player) close() {
	for _, f := range p.files {
		f.Close()
	}
}

func class(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, fs.ErrNotExist):
		return "missing"
	default:
		return "refused"
	}
}

// What was synced survives every power cut, whole; what was not is, sector by sector,
// old or new; and no name is lost that a SyncDir has confirmed.
func TestPowerCutKeepsWhatWasSynced(t *testing.T) {
	var lost, kept, torn int
	for seed := range uint64(3000) {
		rng := newRand(seed)
		mem := vfs.NewMem()
		must(t, mem.MkdirAll("/d", 0o755))
		must(t, mem.SyncDir("/"))
		f := create(t, mem, "/d/f", "")
		must(t, mem.SyncDir("/d"))
		before, after := history(t, f, rng)
		mem = mem.Crash(rng)
		got, err := vfs.ReadFile(mem, "/d/f")
		must(t, err)
		checkSectors(t, seed, got, before, after)
		switch {
		case bytes.Equal(got, before):
			lost++
		case bytes.Equal(got, after):
			kept++
		default:
			torn++
		}
	}
	if lost == 0 || kept == 0 || torn == 0 {
		t.Errorf("power cuts lost all %d times, nothing %d times, some %d times: want each", lost, kept, torn)
	}
}

// history writes at random and returns the content at the last sync and at the end.
func history(t *testing.T, f vfs.File, rng *rand.Rand) (before, after []byte) {
	for range rng.IntN(3) {
		scribble(t, f, rng, &after)
	}
	must(t, f.Datasync())
	before = bytes.Clone(after)
	for range rng.IntN(3) {
		scribble(t, f, rng, &after)
	}
	return before, after
}

func scribble(t *testing.T, f vfs.File, rng *rand.Rand, content *[]byte) {
	off, b := rng.IntN(9000), make([]byte, rng.IntN(6000))
	for i := range b {
		b[i] = byte(1 + rng.IntN(255))
	}
	_, err := f.WriteAt(b, int64(off))
	must(t, err)
	*content = append(*content, make([]byte, max(0, off+len(b)-len(*content)))...)
	copy((*content)[off:], b)
}

func checkSectors(t *testing.T, seed uint64, got, before, after []byte) {
	t.Helper()
	if len(got) < len(before) || len(got) > len(after) {
		t.Fatalf("seed %d: length %d after the power cut, want %d to %d", seed, len(got), len(before), len(after))
	}
	for at := 0; at < len(got); at += 512 {
		end := min(at+512, len(got))
		if was, now := sector(before, at, end), sector(after, at, end); !bytes.Equal(got[at:end], was) && !bytes.Equal(got[at:end], now) {
			t.Fatalf("seed %d: sector at %d is neither the old nor the new one", seed, at)
		}
	}
}

// sector is what b has in [at, end), zero beyond its end.
func sector(b []byte, at, end int) []byte {
	s := make([]byte, end-at)
	if at < len(b) {
		copy(s, b[at:])
	}
	return s
}

func TestPowerCutTakesNamesThatWereNotSynced(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(200) {
		mem := vfs.NewMem()
		must(t, create(t, mem, "/old", "1").Sync())
		must(t, mem.SyncDir("/"))
		must(t, create(t, mem, "/new", "2").Sync())
		must(t, mem.Rename("/new", "/old"))
		create(t, mem, "/other", "3")
		mem = mem.Crash(newRand(seed))
		list, err := mem.ReadDir("/")
		must(t, err)
		state := ""
		for _, e := range list {
			state += e.Name() + " "
		}
		content, err := vfs.ReadFile(mem, "/old")
		must(t, err)
		seen[state+string(content)] = true
	}
	for _, want := range []string{"old 1", "new old 1", "old 2", "old other 1", "new old other 1", "old other 2"} {
		if !seen[want] {
			t.Errorf("no power cut left %q", want)
		}
		delete(seen, want)
	}
	for state := range seen {
		t.Errorf("a power cut left %q, which never was", state)
	}
}

func TestRenameWithSyncDirReplacesDurably(t *testing.T) {
	for seed := range uint64(100) {
		mem := vfs.NewMem()
		must(t, vfs.MkdirAllDurable(mem, "/a/b", 0o755))
		must(t, vfs.WriteFileDurable(mem, "/a/b/f", []byte("one"), 0o644))
		must(t, vfs.WriteFileDurable(mem, "/a/b/f", []byte("two"), 0o644))
		got, err := vfs.ReadFile(mem.Crash(newRand(seed)), "/a/b/f")
		must(t, err)
		if string(got) != "two" {
			t.Fatalf("seed %d: %q", seed, got)
		}
	}
}

func TestPowerCutRepeatsBySeed(t *testing.T) {
	run := func() string {
		rng := newRand(7)
		mem := vfs.NewMem()
		mem.SetGarbage(true)
		for i := range 20 {
			history(t, create(t, mem, fmt.Sprint("/f", i), ""), rng)
		}
		mem = mem.Crash(rng)
		list, err := mem.ReadDir("/")
		must(t, err)
		var all string
		for _, e := range list {
			b, err := vfs.ReadFile(mem, "/"+e.Name())
			must(t, err)
			all += e.Name() + string(b)
		}
		return all
	}
	if a, b := run(), run(); a != b || a == "" {
		t.Errorf("one seed gave %d and %d bytes that differ", len(a), len(b))
	}
}

// After a crash or a kill everything old is dead, the locks are free, and after a
// kill nothing is lost.
func TestOldHandlesAreDown(t *testing.T) {
	for name, end := range map[string]func(*vfs.Mem) *vfs.Mem{
		"crash": func(m *vfs.Mem) *vfs.Mem { return m.Crash(newRand(1)) },
		"kill":  func(m *vfs.Mem) *vfs.Mem { return m.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			_, err := mem.Lock("/lock")
			must(t, err)
			if _, err := mem.Lock("/lock"); !errors.Is(err, vfs.ErrLocked) {
				t.Errorf("second lock: %v", err)
			}
			f := create(t, mem, "/f", "words")
			next := end(mem)
			_, readErr := f.ReadAt(make([]byte, 1), 0)
			_, writeErr := f.WriteAt([]byte("x"), 0)
			_, openErr := mem.Open("/f")
			for _, err := range []error{readErr, writeErr, openErr, f.Sync(), f.Close(), mem.SyncDir("/")} {
				if !errors.Is(err, vfs.ErrDown) {
					t.Errorf("got %v, want ErrDown", err)
				}
			}
			lock, err := next.Lock("/lock")
			must(t, err)
			must(t, lock.Close())
			if got, err := vfs.ReadFile(next, "/f"); name == "kill" && string(got) != "words" {
				t.Errorf("after a kill: %q, %v", got, err)
			}
		})
	}
}

func TestFullDisk(t *testing.T) {
	mem := vfs.NewMem()
	mem.SetSize(100)
	f := create(t, mem, "/f", "")
	n, err := f.WriteAt(make([]byte, 150), 0)
	if n != 100 || !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("write: %d, %v", n, err)
	}
	if err := f.Preallocate(101); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("preallocate: %v", err)
	}
	if _, err := f.WriteAt(make([]byte, 100), 0); err != nil {
		t.Errorf("overwrite: %v", err)
	}
	must(t, mem.Rename("/f", "/g"))
	if total, free, _ := mem.Space("/"); total != 100 || free != 0 {
		t.Errorf("space: %d of %d free", free, total)
	}
	must(t, mem.Remove("/g"))
	if _, free, _ := mem.Space("/"); free != 100 {
		t.Errorf("%d free after remove", free)
	}
}

// A failed writeback is forgotten: the next Sync succeeds, and a power cut shows that
// the bytes never got there.
func TestLoseDirty(t *testing.T) {
	for _, drop := range []bool{false, true} {
		mem := vfs.NewMem()
		f := create(t, mem, "/f", "old")
		must(t, f.Sync())
		must(t, mem.SyncDir("/"))
		create(t, mem, "/f", "new")
		must(t, mem.LoseDirty("/f", drop))
		must(t, f.Sync())
		want := map[bool]string{false: "new", true: "old"}[drop]
		if got, _ := vfs.ReadFile(mem, "/f"); string(got) != want {
			t.Errorf("drop %v: reader sees %q", drop, got)
		}
		if got, _ := vfs.ReadFile(mem.Crash(newRand(1)), "/f"); string(got) != "old" {
			t.Errorf("drop %v: the disk has %q", drop, got)
		}
	}
}

func BenchmarkCrash(b *testing.B) {
	rng := newRand(1)
	mem := vfs.NewMem()
	for i := range 3 {
		f := create(b, mem, fmt.Sprint("/f", i), "")
		must(b, f.Preallocate(64<<10))
	}
	must(b, mem.SyncDir("/"))
	b.ReportAllocs()
	for b.Loop() {
		f, err := mem.OpenFile("/f1", os.O_RDWR, 0)
		must(b, err)
		_, err = f.WriteAt(make([]byte, 3000), 500)
		must(b, err)
		mem = mem.Crash(rng)
	}
}

// Of a file that moved twice without SyncDir a power cut leaves one name, not two.
func TestPowerCutKeepsMovesInOrder(t *testing.T) {
	for seed := range uint64(200) {
		mem := vfs.NewMem()
		must(t, create(t, mem, "/a", "1").Sync())
		must(t, mem.SyncDir("/"))
		must(t, mem.Rename("/a", "/b"))
		must(t, mem.Rename("/b", "/c"))
		list, err := mem.Crash(newRand(seed)).ReadDir("/")
		must(t, err)
		if len(list) != 1 {
			t.Fatalf("seed %d: %v", seed, list)
		}
	}
}

// Rot changes one bit of what is durable, for readers and after a power cut; what was written
// since is not touched, nor what another disk shares.
func TestRot(t *testing.T) {
	m := vfs.NewMem()
	f := create(t, m, "/a", "durable")
	must(t, f.Sync())
	must(t, m.SyncDir("/"))
	before := m.CrashClone(newRand(1))
	must(t, m.Rot("/a", 7*8*100+1)) // of 7 bytes: the first byte
	read := func(fsys vfs.FS) string {
		b, err := vfs.ReadFile(fsys, "/a")
		must(t, err)
		return string(b)
	}
	if got := read(m); got != "furable" {
		t.Errorf("a reader sees %q", got)
	}
	if got := read(before); got != "durable" {
		t.Errorf("another disk has %q", got)
	}
	_, err := f.WriteAt([]byte("d"), 0)
	must(t, err)
	must(t, m.Rot("/a", 8))
	if got := read(m); got != "durable" {
		t.Errorf("over what is newer a reader sees %q", got)
	}
	if err := m.Rot("/", 1); err == nil {
		t.Error("a folder rots")
	}
	if err := m.Rot("/b", 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	must(t, f.Sync())
	must(t, m.Rot("/a", 2*8*7+0))
	if got := read(m.Crash(newRand(2))); got != "eurable" {
		t.Errorf("after a power cut there is %q", got)
	}
}
