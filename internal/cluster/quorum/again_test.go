package quorum

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/odradek/odradek/internal/base/vfs"
)

func storeOn(fs vfs.FS, segment int64) (*store, error) {
	s, _, err := openStore(Config{
		FS: fs, Dir: "/q", SegmentBytes: segment, Rand: func() uint64 { return 3 }, Log: slog.New(slog.DiscardHandler),
	}, []uint64{2, 3})
	return s, err
}

func saveOne(s *store, data []byte) error {
	return s.save(&raftpb.HardState{Term: new(uint64(1)), Vote: new(uint64(2)), Commit: new(uint64(1))},
		[]*raftpb.Entry{{Index: new(s.last() + 1), Term: new(uint64(1)), Data: data}})
}

// A sync fails, and Linux goes on to show what was written: the next process finds a frame
// that is not on the disk. Once that process has promised or written anything, a power cut
// takes nothing away.
func TestLostSync(t *testing.T) {
	for name, more := range map[string]int{"promised": 0, "written behind": 3} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				mem := vfs.NewMem()
				faulty := vfs.NewFaulty(mem, nil)
				s, err := storeOn(faulty, 4<<20)
				if err != nil {
					t.Fatal(err)
				}
				entry := bytes.Repeat([]byte{'e'}, 6000)
				if err := saveOne(s, entry); err != nil {
					t.Fatal(err)
				}
				faulty.SetRule(func(op vfs.Op, name string) error {
					if op == vfs.OpSync {
						return vfs.LostSync{}
					}
					return nil
				})
				if err := saveOne(s, entry); !errors.Is(err, errSync) {
					t.Fatalf("a failed sync: %v", err)
				}
				mem = mem.Kill()
				if s, err = storeOn(mem, 4<<20); err != nil {
					t.Fatal(err)
				}
				if err := s.wal.confirm(); err != nil {
					t.Fatal(err)
				}
				for range more {
					if err := saveOne(s, entry); err != nil {
						t.Fatal(err)
					}
				}
				want := s.last()
				if s, err = storeOn(mem.Crash(rand.New(rand.NewPCG(seed, 1))), 4<<20); err != nil {
					t.Fatalf("after a power cut: %v", err)
				}
				if s.last() != want {
					t.Fatalf("it ends at %d, and had promised %d", s.last(), want)
				}
			}
		})
	}
}

// The last frame is lost while it is written again: its copy has it. A copy of another
// place, of another file or that is damaged mends nothing.
func TestMend(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(log, copied []byte) ([]byte, []byte)
		last   uint64 // 0: refused
	}{
		{"nothing", func(log, copied []byte) ([]byte, []byte) { return log, copied }, 4},
		{"its beginning", func(log, copied []byte) ([]byte, []byte) { clear(log[2560:3072]); return log, copied }, 4},
		{"its end", func(log, copied []byte) ([]byte, []byte) { return log[:2700], copied }, 4},
		{"all of it", func(log, copied []byte) ([]byte, []byte) { return log[:2560], copied }, 4},
		{"the one before", func(log, copied []byte) ([]byte, []byte) { log[1700] ^= 1; return log, copied }, 0},
		{"a log that is older than the copy", func(log, copied []byte) ([]byte, []byte) { return log[:512], copied }, 1},
		{"both", func(log, copied []byte) ([]byte, []byte) { copied[500] ^= 1; return log[:2700], copied }, 3},
		{"the copy", func(log, copied []byte) ([]byte, []byte) { return log, copied[:7] }, 4},
		{"and the copy is of another file", func(log, copied []byte) ([]byte, []byte) { copied[15]++; return log[:2700], copied }, 3},
		{"and the copy is of another place", func(log, copied []byte) ([]byte, []byte) { copied[22] -= 2; return log[:2700], copied }, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem := vfs.NewMem()
			s, err := storeOn(mem, 4<<20)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				if err := saveOne(s, bytes.Repeat([]byte{byte('a' + i)}, 600)); err != nil {
					t.Fatal(err)
				}
			}
			again, err := storeOn(mem.Kill(), 4<<20)
			if err != nil {
				t.Fatal(err)
			}
			if err := again.wal.confirm(); err != nil {
				t.Fatal(err)
			}
			log, copied := readAll(t, again, logName(1)), readAll(t, again, againName)
			if len(log) != 3584 || len(copied) != againHeader+1024 {
				t.Fatalf("a log of %d bytes, a copy of %d", len(log), len(copied))
			}
			log, copied = c.damage(log, copied)
			mem = vfs.NewMem()
			if _, err := storeOn(mem, 4<<20); err != nil { // which makes the folder
				t.Fatal(err)
			}
			put(t, mem, filepath.Join("/q", logName(1)), log)
			put(t, mem, filepath.Join("/q", againName), copied)
			s, err = storeOn(mem, 4<<20)
			if c.last == 0 {
				if !errors.Is(err, ErrCorrupt) {
					t.Fatalf("open = %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.last() != c.last {
				t.Fatalf("it ends at %d, want %d", s.last(), c.last)
			}
			// The log itself is mended: it needs its copy no longer.
			if err := mem.Remove(filepath.Join("/q", againName)); err != nil {
				t.Fatal(err)
			}
			if s, err = storeOn(mem, 4<<20); err != nil {
				t.Fatal(err)
			}
			if s.last() != c.last {
				t.Fatalf("without the copy it ends at %d, want %d", s.last(), c.last)
			}
		})
	}
}

// The copy is on the disk before the log is touched.
func TestCopiedFirst(t *testing.T) {
	mem := vfs.NewMem()
	s, err := storeOn(mem, 4<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := saveOne(s, make([]byte, 600)); err != nil {
		t.Fatal(err)
	}
	mem = mem.Kill()
	cuts := 0
	s, err = storeOn(vfs.NewFaulty(mem, func(op vfs.Op, name string) error {
		if op != vfs.OpWrite || filepath.Base(name) != logName(1) {
			return nil
		}
		for seed := range uint64(20) {
			after := mem.CrashClone(rand.New(rand.NewPCG(seed, 9)))
			put(t, after, name, readAll(t, &store{fs: after, dir: "/q"}, logName(1))[:600]) // as it is being written
			if s, err := storeOn(after, 4<<20); err != nil || s.last() != 2 {
				t.Errorf("seed %d: what was promised is lost: %v", seed, err)
			}
			cuts++
		}
		return nil
	}), 4<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.wal.confirm(); err != nil {
		t.Fatal(err)
	}
	if cuts == 0 {
		t.Error("the log was not written")
	}
}

func readAll(t *testing.T, s *store, name string) []byte {
	t.Helper()
	b, err := vfs.ReadFile(s.fs, filepath.Join(s.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Disks that fail, processes that are killed and power that is cut, at any write and any
// sync: what a store has promised is in the next one.
func TestStoreOnBadDisks(t *testing.T) {
	for seed := range uint64(500) {
		if msg := badDiskHistory(rand.New(rand.NewPCG(seed, 5))); msg != "" {
			t.Fatalf("seed %d: %s", seed, msg)
		}
	}
}

func badDiskHistory(rng *rand.Rand) string {
	disk := vfs.NewMem()
	disk.SetGarbage(rng.IntN(2) == 0)
	promised := map[uint64]string{}
	last := uint64(1)
	for round := range 12 {
		var next *vfs.Mem
		left := rng.IntN(40)
		faulty := vfs.NewFaulty(disk, func(op vfs.Op, name string) error {
			if op != vfs.OpSync && op != vfs.OpWrite && op != vfs.OpSyncDir && op != vfs.OpRename {
				return nil
			}
			if left--; left != 0 {
				return nil
			}
			switch what := rng.IntN(4); {
			case what == 0 && op == vfs.OpSync:
				return vfs.LostSync{Drop: rng.IntN(2) == 0}
			case what < 2:
				return vfs.ErrIO
			case what == 2:
				next = disk.Kill()
			default:
				next = disk.Crash(rng)
			}
			return nil
		})
		if msg := badDiskLife(rng, faulty, promised, &last); msg != "" {
			return fmt.Sprintf("round %d: %s", round, msg)
		}
		if next == nil && rng.IntN(2) == 0 {
			next = disk.Crash(rng)
		} else if next == nil {
			next = disk.Kill()
		}
		disk = next
	}
	return ""
}

// badDiskLife is one process: until its disk fails, or it has had enough.
func badDiskLife(rng *rand.Rand, fs vfs.FS, promised map[uint64]string, last *uint64) string {
	hurt := func(err error) bool { return errors.Is(err, vfs.ErrDown) || errors.Is(err, vfs.ErrIO) }
	s, err := storeOn(fs, 8<<10)
	if err == nil {
		err = s.wal.confirm()
	}
	if hurt(err) {
		return ""
	}
	if err != nil {
		return err.Error()
	}
	if s.last() < *last {
		return fmt.Sprintf("it ends at %d, and had promised %d", s.last(), *last)
	}
	for _, e := range s.entries {
		if was, ok := promised[e.GetIndex()]; ok && was != string(e.GetData()) {
			return fmt.Sprintf("entry %d is another", e.GetIndex())
		}
		promised[e.GetIndex()] = string(e.GetData())
	}
	*last = s.last()
	for range rng.IntN(12) {
		data := bytes.Repeat([]byte{byte(rng.IntN(256))}, rng.IntN(1<<rng.IntN(14)))
		if err = saveOne(s, data); err == nil {
			*last = s.last()
			promised[*last] = string(data)
			if rng.IntN(8) == 0 {
				err = s.snap(*last, s.conf, nil)
			}
		}
		if hurt(err) {
			return ""
		}
		if err != nil {
			return err.Error()
		}
	}
	return ""
}
