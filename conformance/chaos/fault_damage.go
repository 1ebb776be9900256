package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Damage is done to files of a minority while it is down. What is found to be damaged must
// be served to nobody, and fetched from others or made again. If it is not of a partition the
// node may refuse to start, as halt is better than a guess. Then, in the end, what was there is
// put back, and Refused says so.
var (
	// Single bits of segments.
	flips = damaging("bit flips in segments", segment, flip)
	// The ends of segments are gone, as of a file system that did not keep its promise.
	torn = damaging("torn segments", segment, tear)
	// Single bits of what is made of segments and can be made again: indexes, snapshots of
	// producers, checkpoints.
	scratched = damaging("bit flips beside segments", beside, flip)
	// Single bits of the journal, which holds what segments have not synced.
	flipsJournal = damaging("bit flips in the journal", journal, flip)
	// Single bits of what a voter knows of the cluster.
	flipsMetadata = damaging("bit flips in metadata", metadata, flip)
)

// damaging is a fault that damages up to three files of each node.
func damaging(name string, wanted func(path string) bool, damage func(path string, rng *rand.Rand) (what string, mend func() error, err error)) Fault {
	return Fault{Name: name, Minority: true, Alone: true, Fatal: true, do: func(_ context.Context, r *Rig, h *Harm) error {
		return h.each(func(n *Node) error {
			n.End()
			h.later(func(context.Context) error { return n.begin() })
			files := n.files(wanted)
			r.rng.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
			var mends []func() error
			for _, path := range files[:min(3, len(files))] {
				what, turn, err := damage(path, r.rng)
				if err != nil {
					return err
				}
				h.Detail += what + "; "
				if !ofPartition(n.within(path)) {
					mends = append(mends, turn)
				}
			}
			h.later(func(ctx context.Context) error { return n.mend(ctx, h, mends) })
			return n.begin()
		})
	}}
}

// mend puts back what was there, of a node that refuses to start.
func (n *Node) mend(ctx context.Context, h *Harm, mends []func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := n.begin(); err != nil {
		return err
	}
	_ = n.Await(ctx)
	if n.Running() {
		return nil
	}
	h.Refused = append(h.Refused, n.ID)
	for _, mend := range mends {
		if err := mend(); err != nil {
			return err
		}
	}
	return nil
}

// files are those in the node's folders that are not empty, in order.
func (n *Node) files(wanted func(path string) bool) (files []string) {
	_ = filepath.WalkDir(n.home(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !wanted(n.within(path)) {
			return nil
		}
		if info, err := e.Info(); err == nil && info.Size() > 0 {
			files = append(files, path)
		}
		return nil
	})
	slices.Sort(files)
	return files
}

// within is a file's name from the node's folder on: data/t-0/…, or metadata/… if that is
// apart.
func (n *Node) within(path string) string { return strings.TrimPrefix(path, n.home()+"/") }

// metadata tells whether a file, named from the node's folder on, is what the node knows of
// the cluster and of itself.
func metadata(path string) bool {
	return strings.HasPrefix(path, "metadata/") || strings.Contains(path, "__cluster_metadata")
}

func journal(path string) bool { return strings.Contains(path, "/journal/") && !metadata(path) }

// ofPartition tells whether a file is in the folder of a partition.
func ofPartition(path string) bool {
	return strings.Count(path, "/") == 2 && !metadata(path) && !journal(path) && !strings.Contains(path, "-stray/")
}

func segment(path string) bool { return ofPartition(path) && filepath.Ext(path) == ".log" }
func beside(path string) bool  { return ofPartition(path) && filepath.Ext(path) != ".log" }

// flip changes a bit of a byte that is not 0, if there is one, as files may have been given
// more room than they need. To mend it is to change it back, if nobody has written there.
func flip(path string, rng *rand.Rand) (string, func() error, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", nil, err
	}
	used := bytes.TrimRight(text, "\x00")
	if len(used) == 0 {
		used = text
	}
	at, bit := rng.IntN(len(used)), byte(1)<<rng.IntN(8)
	for range 1000 {
		if used[at] != 0 {
			break
		}
		at = rng.IntN(len(used))
	}
	was, is := used[at], used[at]^bit
	mend := func() error {
		got, err := readByte(path, at)
		if err != nil || got != is {
			return nil // what was here has been replaced
		}
		return writeByte(path, at, was)
	}
	return fmt.Sprintf("%08b instead of %08b at %d of %s", is, was, at, short(path)), mend, writeByte(path, at, is)
}

func readByte(path string, at int) (byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var b [1]byte
	_, err = f.ReadAt(b[:], int64(at))
	return b[0], err
}

func writeByte(path string, at int, b byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte{b}, int64(at))
	return err
}

// tear cuts a part of the end off, of what is not 0.
func tear(path string, rng *rand.Rand) (string, func() error, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", nil, err
	}
	used := max(len(bytes.TrimRight(text, "\x00")), 1)
	left := rng.Int64N(int64(used))
	return fmt.Sprintf("%d of %d bytes left of %s", left, used, short(path)), nil, os.Truncate(path, left)
}

// short is a file's name with its folder's.
func short(path string) string {
	return filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path))
}
