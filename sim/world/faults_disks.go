package world

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
)

// What befalls disks.
var diskFaults = []Fault{
	{"stall disk", stallDisk},
	{"slow disk", slowDisk},
	{"sync error", syncError},
	{"write error", writeError},
	{"read error", readError},
	{"disk full", diskFull},
	{"bit flips", bitFlips},
}

func stallDisk(w *World) string {
	n := w.victim()
	if n == nil {
		return ""
	}
	n.Stall(true)
	return w.lastsWith(n, fmt.Sprintf("the disk of node %d stalls", n.ID), func() { n.Stall(false) })
}

// slowDisk has each sync take its time.
func slowDisk(w *World) string {
	n := w.victim()
	if n == nil {
		return ""
	}
	d := dice{rng: w.draw()}
	n.Ail("slow", func(op vfs.Op, _ string) error {
		if op == vfs.OpSync {
			time.Sleep(d.below(100 * time.Millisecond))
		}
		return nil
	})
	return w.lastsWith(n, fmt.Sprintf("the disk of node %d is slow", n.ID), func() { n.Ail("slow", nil) })
}

// once has an op fail with err, the next time that it is done to some file that is not
// spared; the process may end of it, and Heal starts it anew.
func once(w *World, n *Node, name string, op vfs.Op, err error, spared func(file string) bool) string {
	n.hurt = true
	left := w.Rand.IntN(1 << w.Rand.IntN(7)) // often at once
	var mu sync.Mutex
	n.Ail(name, func(o vfs.Op, file string) error {
		if o != op || spared(file) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if left--; left != -1 {
			return nil
		}
		return err
	})
	return w.lastsWith(n, fmt.Sprintf("%s on node %d", name, n.ID), func() { n.Ail(name, nil) })
}

func syncError(w *World) string {
	n := w.victim()
	if n == nil {
		return ""
	}
	return once(w, n, "sync error", vfs.OpSync, vfs.LostSync{Drop: w.Rand.IntN(2) == 0}, none)
}

func writeError(w *World) string {
	n := w.victim()
	if n == nil {
		return ""
	}
	var err error = vfs.ErrIO
	if w.Rand.IntN(2) == 0 {
		err = vfs.ShortWrite{N: w.Rand.IntN(1000), Err: vfs.ErrIO}
	}
	return once(w, n, "write error", vfs.OpWrite, err, none)
}

// readError has a read fail, or give one bit that is wrong. No bit of a segment: what goes
// to clients is not looked at on the way, and Kafka's checksum leaves out the first bytes of a
// batch, among them its offset. Nobody could tell.
func readError(w *World) string {
	n := w.victim()
	if n == nil {
		return ""
	}
	if w.Rand.IntN(2) == 0 {
		return once(w, n, "wrong bit read", vfs.OpRead, vfs.BitFlip{Bit: w.Rand.Int64()}, isSegment)
	}
	return once(w, n, "read error", vfs.OpRead, vfs.ErrIO, none)
}

func none(string) bool { return false }

func isSegment(file string) bool {
	return path.Ext(file) == ".log" && !strings.Contains(file, "__cluster_metadata")
}

// diskFull leaves little room on a disk.
func diskFull(w *World) string {
	n := w.victim()
	if n == nil {
		return ""
	}
	total, free, err := n.Disk().Space("/")
	if err != nil {
		return ""
	}
	n.hurt = true
	n.Disk().SetSize(total - free + int64(w.Rand.IntN(1<<w.Rand.IntN(21))))
	return w.lasts(n, fmt.Sprintf("the disk of node %d is nearly full", n.ID), func() { n.Disk().SetSize(math.MaxInt64) })
}

// bitFlips turns bits of what one node has of some partitions. It is always the same node
// that loses something by its disk: the others have it still.
func bitFlips(w *World) string {
	n := w.victim()
	if n == nil || !n.serves || !w.spoil(n) {
		return ""
	}
	segments := n.segments()
	if len(segments) == 0 {
		return ""
	}
	n.hurt = true
	flips := 1 + w.Rand.IntN(4)
	for range flips {
		name := segments[w.Rand.IntN(len(segments))]
		size := written(n.Disk(), name)
		if size == 0 {
			continue
		}
		if bit := w.Rand.Int64N(size * 8); !ofBaseOffset(n.Disk(), name, bit/8) {
			_ = n.Disk().Rot(name, bit) // it may have been deleted meanwhile
			w.rotten[path.Base(path.Dir(name))] = true
		}
	}
	return fmt.Sprintf("%d on node %d", flips, n.ID)
}

// ofBaseOffset reports whether a byte of a segment tells where a batch begins. No checksum covers
// it in Kafka's format: until a scrub finds it, readers are told another offset, and can only
// believe it.
func ofBaseOffset(disk *vfs.Mem, name string, at int64) bool {
	b, err := vfs.ReadFile(disk, name)
	for pos := int64(0); err == nil && pos+12 <= int64(len(b)) && pos <= at; {
		if at < pos+8 {
			return true
		}
		pos += 12 + int64(binary.BigEndian.Uint32(b[pos+8:]))
	}
	return false
}

// spoil reports whether a node may lose what it has synced: one alone may, and none where one
// replica is enough to acknowledge.
func (w *World) spoil(n *Node) bool {
	if w.weak || w.spoilt != nil && w.spoilt != n {
		return false
	}
	w.spoilt = n
	return true
}

// segments are the names of the files with records of partitions on a node's disk.
func (n *Node) segments() (names []string) {
	disk := n.Disk()
	for _, dir := range n.Dirs() {
		folders, _ := disk.ReadDir(dir) // none yet
		for _, f := range folders {
			if !f.IsDir() || strings.HasPrefix(f.Name(), "__cluster_metadata") {
				continue
			}
			files, _ := disk.ReadDir(path.Join(dir, f.Name()))
			for _, file := range files {
				if strings.HasSuffix(file.Name(), ".log") {
					names = append(names, path.Join(dir, f.Name(), file.Name()))
				}
			}
		}
	}
	return names
}

// written is how far a file has other bytes than zeros.
func written(disk *vfs.Mem, name string) int64 {
	b, err := vfs.ReadFile(disk, name)
	if err != nil {
		return 0
	}
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return int64(len(b))
}

// dice are a source of chance for many goroutines.
type dice struct {
	mu  sync.Mutex // held over nothing that waits
	rng *rand.Rand
}

// below draws a time below a limit.
func (d *dice) below(limit time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Duration(d.rng.Int64N(int64(limit)))
}
