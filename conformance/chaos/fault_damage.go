package chaos

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// flips changes single bits in the segments of nodes that are away for the while. They
// must find it, serve it to nobody, and fetch from others what they lack.
var flips = damaging("bit flips", segment, flip)

// torn cuts the ends of segments off, as a file system does that lost what it had promised.
var torn = damaging("torn segments", segment, tear)

// scratched changes bits in what is kept beside the segments, and can be made of them
// again: indexes, snapshots of producers, checkpoints.
var scratched = damaging("bit flips beside segments", beside, flip)

// damaging is a fault that damages some of the files of a minority while it is down.
func damaging(name string, wanted func(path string) bool, damage func(path string, rng *rand.Rand) (string, error)) Fault {
	return Fault{Name: name, Minority: true, Alone: true, do: func(_ context.Context, r *Rig, h *Harm) error {
		return h.each(func(n *Node) error {
			n.End()
			h.later(func(context.Context) error { return n.begin() })
			files := n.files(wanted)
			r.rng.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
			for _, path := range files[:min(3, len(files))] {
				what, err := damage(path, r.rng)
				if err != nil {
					return err
				}
				h.Detail += what + "; "
			}
			return n.begin()
		})
	}}
}

// files are those in the node's folder that are not empty, in order.
func (n *Node) files(wanted func(path string) bool) (files []string) {
	_ = filepath.WalkDir(n.Data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !wanted(strings.TrimPrefix(path, n.Data+"/")) {
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

// ofPartition tells whether a file, named from the data folder on, is a partition's and
// not the metadata's, whose damage no other replica can heal while the node votes.
func ofPartition(path string) bool {
	return strings.Contains(path, "/") && !strings.HasPrefix(path, "__cluster_metadata")
}

func segment(path string) bool { return ofPartition(path) && filepath.Ext(path) == ".log" }
func beside(path string) bool  { return ofPartition(path) && filepath.Ext(path) != ".log" }

// flip changes a bit.
func flip(path string, rng *rand.Rand) (string, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	at, bit, b := rng.Int64N(info.Size()), rng.IntN(8), make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		return "", err
	}
	b[0] ^= 1 << bit
	_, err = f.WriteAt(b, at)
	return fmt.Sprintf("bit %d of byte %d of %d in %s", bit, at, info.Size(), short(path)), err
}

// tear cuts a part of the end off.
func tear(path string, rng *rand.Rand) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	left := rng.Int64N(info.Size())
	return fmt.Sprintf("%d of %d bytes left of %s", left, info.Size(), short(path)), os.Truncate(path, left)
}

// short is a file's name with its folder's.
func short(path string) string {
	return filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path))
}
