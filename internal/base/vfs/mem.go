package vfs

import (
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"path"
	"path/filepath"
	"sync"
	"syscall"
)

// ErrDown is what everything opened before a Crash or a Kill answers for ever after.
var ErrDown = errors.New("disk is down")

// Mem is a file system in memory that can lose power. A Mem is what one process sees:
// Crash and Kill end that view and return the next one's.
//
// A power cut keeps what was synced and gambles with the rest, harder than most disks
// do. Of a file, each 512-byte sector written since the last Sync is new or old by
// itself, and the length is anywhere between the two. Of the folders, each name made,
// moved or removed since the last SyncDir is done or not, but a rename is never half
// done and what follows on a lost change is lost with it.
//
// All waits are for a lock that is never held across one, so that Mem works in a
// synctest bubble.
type Mem struct {
	disk *memDisk
	down bool // guarded by disk.mu
}

// memDisk is the disk behind the views. mu guards it and every inode on it.
type memDisk struct {
	mu      sync.RWMutex
	root    *inode
	changes []change        // to names, not yet durable, oldest first
	locks   map[string]*Mem // by clean name: the view that holds it
	size    int64           // bytes that fit
	used    int64           // bytes of all files that have a name
	garbage bool            // torn sectors may hold noise
}

// NewMem returns an empty disk without a limit.
func NewMem() *Mem {
	return &Mem{disk: &memDisk{
		root:  newDir(0o755),
		locks: map[string]*Mem{},
		size:  math.MaxInt64,
	}}
}

// SetSize sets how many bytes of file content fit on the disk. What is there stays.
func (m *Mem) SetSize(total int64) {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	m.disk.size = total
}

// SetGarbage says whether a power cut may leave noise, instead of the old or the new
// bytes, in a sector that was being written.
func (m *Mem) SetGarbage(on bool) {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	m.disk.garbage = on
}

// Kill ends the process that uses m, not the machine: nothing written is lost, but m
// and all its files answer ErrDown, and its locks are free.
func (m *Mem) Kill() *Mem {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	m.down = true
	return &Mem{disk: m.disk}
}

// Crash cuts the power: m and all its files answer ErrDown, and the Mem that is
// returned has what the disk has after it. rng decides, in an order that repeats.
func (m *Mem) Crash(rng *rand.Rand) *Mem {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	m.down = true
	return &Mem{disk: m.disk.afterCrash(rng)}
}

// CrashClone returns the disk that a power cut now would leave; m goes on.
func (m *Mem) CrashClone(rng *rand.Rand) *Mem {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	return &Mem{disk: m.disk.afterCrash(rng)}
}

// LoseDirty does to a file what Linux does when writeback fails: everything written
// since its last Sync is marked clean without having reached the disk, so that the
// next Sync succeeds and a power cut loses it. Readers see the new bytes still
// (ext4, xfs) or, with drop, the old ones again (btrfs).
func (m *Mem) LoseDirty(name string, drop bool) error {
	return m.change("lose dirty", name, func(p string) error {
		n, err := m.disk.find(p)
		if err != nil {
			return err
		}
		n.loseDirty(drop)
		return nil
	})
}

// Rot flips one bit of what a file has on the disk: number bit, modulo its synced bits.
// Readers see it too, unless they see a newer page. A file that has nothing there stays.
func (m *Mem) Rot(name string, bit int64) error {
	return m.change("rot", name, func(p string) error {
		n, err := m.disk.find(p)
		if err == nil && n.isDir() {
			err = syscall.EISDIR
		}
		if err == nil {
			n.rot(bit)
		}
		return err
	})
}

// read and change run f with the clean name under the disk's lock, unless the view is
// down, and name what failed.
func (m *Mem) read(op, name string, f func(p string) error) error {
	m.disk.mu.RLock()
	defer m.disk.mu.RUnlock()
	return m.run(op, name, f)
}

func (m *Mem) change(op, name string, f func(p string) error) error {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	return m.run(op, name, f)
}

func (m *Mem) run(op, name string, f func(p string) error) error {
	err := ErrDown
	if !m.down {
		err = f(cleanName(name))
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// cleanName makes one name of all spellings: absolute, with slashes.
func cleanName(name string) string {
	return path.Clean("/" + filepath.ToSlash(name))
}
