package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A change to names, atomic: a create or remove sets one entry, a rename two.
type change [2]entry

// entry says that name in dir now stands for node, nil for nothing. was is what it
// stood for before. An unused one has a nil dir.
type entry struct {
	dir       *inode
	name      string
	node, was *inode
}

func (m *Mem) Open(name string) (File, error) { return m.OpenFile(name, os.O_RDONLY, 0) }

func (m *Mem) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	var f *memFile
	err := m.change("open", name, func(p string) error {
		node, err := m.disk.open(p, flag, perm)
		f = &memFile{fs: m, name: name, node: node, flag: flag}
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d *memDisk) open(p string, flag int, perm fs.FileMode) (*inode, error) {
	dir, base, err := d.parent(p)
	if err != nil {
		return nil, err
	}
	node, writes := dir.entries[base], flag&(os.O_WRONLY|os.O_RDWR) != 0
	switch {
	case base == "" || node != nil && node.isDir():
		return nil, syscall.EISDIR
	case node == nil && flag&os.O_CREATE == 0:
		return nil, fs.ErrNotExist
	case node == nil:
		node = newFile(perm)
		d.apply(change{{dir: dir, name: base, node: node}})
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return nil, fs.ErrExist
	case flag&os.O_TRUNC != 0 && writes:
		return node, d.resize(node, 0)
	}
	return node, nil
}

func (m *Mem) MkdirAll(name string, perm fs.FileMode) error {
	return m.change("mkdir", name, func(p string) error {
		dir := m.disk.root
		for _, base := range elements(p) {
			next := dir.entries[base]
			if next == nil {
				next = newDir(perm)
				m.disk.apply(change{{dir: dir, name: base, node: next}})
			}
			if dir = next; !dir.isDir() {
				return syscall.ENOTDIR
			}
		}
		return nil
	})
}

func (m *Mem) Remove(name string) error {
	return m.change("remove", name, func(p string) error {
		dir, base, err := m.disk.parent(p)
		if err != nil {
			return err
		}
		node := dir.entries[base]
		if node == nil {
			return fs.ErrNotExist
		}
		if len(node.entries) > 0 {
			return syscall.ENOTEMPTY
		}
		m.disk.apply(change{{dir: dir, name: base}})
		return nil
	})
}

func (m *Mem) RemoveAll(name string) error {
	return m.change("removeall", name, func(p string) error {
		dir, base, err := m.disk.parent(p)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && dir.entries[base] != nil {
			m.disk.removeTree(dir, base)
		}
		return err
	})
}

func (d *memDisk) removeTree(dir *inode, base string) {
	node := dir.entries[base]
	for _, name := range slices.Sorted(maps.Keys(node.entries)) {
		d.removeTree(node, name)
	}
	d.apply(change{{dir: dir, name: base}})
}

func (m *Mem) Rename(from, to string) error {
	return m.change("rename", from, func(p string) error {
		q := cleanName(to)
		dir, base, err := m.disk.parent(p)
		if err != nil {
			return err
		}
		toDir, toBase, err := m.disk.parent(q)
		if err != nil {
			return fmt.Errorf("to %s: %w", to, err)
		}
		node, over := dir.entries[base], toDir.entries[toBase]
		switch {
		case node == nil:
			return fs.ErrNotExist
		case strings.HasPrefix(q, p+"/") || toBase == "":
			return syscall.EINVAL
		case over != nil && (over.isDir() || node.isDir()): // as os.Rename has it
			return fmt.Errorf("to %s: %w", to, fs.ErrExist)
		case p == q:
			return nil
		}
		m.disk.apply(change{{dir: toDir, name: toBase, node: node}, {dir: dir, name: base}})
		return nil
	})
}

func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	var list []fs.DirEntry
	err := m.read("readdir", name, func(p string) error {
		dir, err := m.disk.findDir(p)
		if err != nil {
			return err
		}
		for _, base := range slices.Sorted(maps.Keys(dir.entries)) {
			list = append(list, fs.FileInfoToDirEntry(dir.entries[base].info(base)))
		}
		return nil
	})
	return list, err
}

func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	var info fs.FileInfo
	err := m.read("stat", name, func(p string) error {
		node, err := m.disk.find(p)
		if err != nil {
			return err
		}
		info = node.info(path.Base(p))
		return nil
	})
	return info, err
}

func (m *Mem) SyncDir(name string) error {
	return m.change("syncdir", name, func(p string) error {
		dir, err := m.disk.findDir(p)
		if err != nil {
			return err
		}
		m.disk.syncDir(dir)
		return nil
	})
}

// Lock holds, like flock, against every other Lock of a live view, this one too.
func (m *Mem) Lock(name string) (io.Closer, error) {
	f, err := m.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = m.change("lock", name, func(p string) error {
		if by := m.disk.locks[p]; by != nil && !by.down {
			return ErrLocked
		}
		m.disk.locks[p] = m
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &memLock{f}, nil
}

type memLock struct{ f File }

func (l *memLock) Close() error {
	m := l.f.(*memFile).fs
	if err := l.f.Close(); err != nil {
		return err
	}
	return m.change("unlock", l.f.Name(), func(p string) error {
		delete(m.disk.locks, p)
		return nil
	})
}

func (m *Mem) Space(name string) (total, free int64, err error) {
	err = m.read("space", name, func(string) error {
		total, free = m.disk.size, max(0, m.disk.size-m.disk.used)
		return nil
	})
	return total, free, err
}

// apply makes a change that a reader sees at once and a power cut may forget.
func (d *memDisk) apply(c change) {
	for i := range c {
		e := &c[i]
		if e.dir == nil {
			continue
		}
		e.was = e.dir.entries[e.name]
		setEntry(e.dir.entries, e.name, e.node)
		d.name(e.was, -1)
		d.name(e.node, +1)
	}
	d.changes = append(d.changes, c)
}

// name counts a name that a node gained or lost. A file without one takes no space.
func (d *memDisk) name(n *inode, by int) {
	if n == nil {
		return
	}
	switch n.names += by; {
	case n.names == 0:
		d.used -= n.size
	case n.names == 1 && by > 0:
		d.used += n.size
	}
}

// find returns what p names.
func (d *memDisk) find(p string) (*inode, error) {
	node := d.root
	for _, base := range elements(p) {
		if !node.isDir() {
			return nil, syscall.ENOTDIR
		}
		if node = node.entries[base]; node == nil {
			return nil, fs.ErrNotExist
		}
	}
	return node, nil
}

func (d *memDisk) findDir(p string) (*inode, error) {
	node, err := d.find(p)
	if err == nil && !node.isDir() {
		err = syscall.ENOTDIR
	}
	return node, err
}

// parent returns the folder that p is or would be in, and its name there, which is
// empty for the root.
func (d *memDisk) parent(p string) (dir *inode, base string, err error) {
	if p == "/" {
		return d.root, "", nil
	}
	dir, err = d.findDir(path.Dir(p))
	return dir, path.Base(p), err
}

func elements(p string) []string {
	if p == "/" {
		return nil
	}
	return strings.Split(p[1:], "/")
}

type memInfo struct {
	name string
	size int64
	mode fs.FileMode
	mod  time.Time
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) Mode() fs.FileMode  { return i.mode }
func (i memInfo) ModTime() time.Time { return i.mod }
func (i memInfo) IsDir() bool        { return i.mode.IsDir() }
func (i memInfo) Sys() any           { return nil }
