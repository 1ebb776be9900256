package vfs

import (
	"io/fs"
	"time"
)

const (
	pageBytes   = 4096
	sectorBytes = 512 // what a disk writes whole or not at all
)

// inode is a file or folder.
//
// Invariants of a file: pages is what a reader sees and kept what is durable; a nil
// page is all zero, and so is what a last page has beyond the size. A page may be
// written only while it is dirty; a clean one may stand in kept and in other disks too.
type inode struct {
	mode  fs.FileMode
	mod   time.Time
	names int // 0 once removed; an open handle still works

	entries map[string]*inode // of a folder: what a reader sees
	durable map[string]*inode // of a folder: what a power cut leaves

	size  int64
	pages []*page
	dirty []int // pages that are dirty; some may be cut off meanwhile

	keptSize int64
	kept     []*page
}

type page struct {
	b     [pageBytes]byte
	dirty bool
}

func newDir(perm fs.FileMode) *inode {
	return &inode{mode: perm.Perm() | fs.ModeDir, mod: time.Now(), entries: map[string]*inode{}, durable: map[string]*inode{}}
}

func newFile(perm fs.FileMode) *inode { return &inode{mode: perm.Perm(), mod: time.Now()} }

func (n *inode) isDir() bool { return n.mode.IsDir() }

func setEntry(entries map[string]*inode, name string, node *inode) {
	if node == nil {
		delete(entries, name)
	} else {
		entries[name] = node
	}
}

func (n *inode) info(name string) fs.FileInfo {
	return memInfo{name: name, size: n.size, mode: n.mode, mod: n.mod}
}

// readAt copies what is at off and returns how much there was.
func (n *inode) readAt(b []byte, off int64) int {
	if off >= n.size {
		return 0
	}
	b = b[:min(int64(len(b)), n.size-off)]
	for done := 0; done < len(b); {
		i, at := int((off+int64(done))/pageBytes), int((off+int64(done))%pageBytes)
		part := b[done:min(len(b), done+pageBytes-at)]
		if p := n.pages[i]; p != nil {
			copy(part, p.b[at:])
		} else {
			clear(part)
		}
		done += len(part)
	}
	return len(b)
}

// writeAt overwrites what is at off, which must lie within the size.
func (n *inode) writeAt(b []byte, off int64) {
	for done := 0; done < len(b); {
		i, at := int((off+int64(done))/pageBytes), int((off+int64(done))%pageBytes)
		done += copy(n.writable(i).b[at:], b[done:])
	}
	n.mod = time.Now()
}

func (n *inode) writable(i int) *page {
	p := n.pages[i]
	if p != nil && p.dirty {
		return p
	}
	fresh := &page{dirty: true}
	if p != nil {
		fresh.b = p.b
	}
	n.pages[i] = fresh
	n.dirty = append(n.dirty, i)
	return fresh
}

func (n *inode) resize(size int64) {
	count := int((size + pageBytes - 1) / pageBytes)
	if size < n.size {
		clear(n.pages[count:])
		n.pages = n.pages[:count]
		if at := size % pageBytes; at != 0 && n.pages[count-1] != nil {
			clear(n.writable(count - 1).b[at:])
		}
	}
	for i := len(n.pages); i < count; i++ {
		n.pages = append(n.pages, nil)
		if i < len(n.kept) && n.kept[i] != nil {
			n.writable(i) // zero here, while the disk has bytes of before a truncation
		}
	}
	n.size = size
	n.mod = time.Now()
}

// sync makes what a reader sees durable.
func (n *inode) sync() {
	n.kept = resizePages(n.kept, len(n.pages))
	n.clean(func(i int) { n.kept[i] = n.pages[i] })
	n.keptSize = n.size
}

func (n *inode) loseDirty(drop bool) {
	n.clean(func(int) {})
	if drop {
		n.pages = append(n.pages[:0], n.kept...)
		n.size = n.keptSize
	}
}

// clean marks every dirty page clean, after do.
func (n *inode) clean(do func(i int)) {
	for _, i := range n.dirty {
		if i < len(n.pages) && n.pages[i] != nil && n.pages[i].dirty {
			do(i)
			n.pages[i].dirty = false
		}
	}
	n.dirty = n.dirty[:0]
}

// rot flips a bit of the durable bytes. Pages that stand elsewhere too are left as they are.
func (n *inode) rot(bit int64) {
	if n.keptSize == 0 {
		return
	}
	bit = int64(uint64(bit) % uint64(n.keptSize*8))
	i, at := int(bit/8/pageBytes), bit/8%pageBytes
	was := n.kept[i]
	bad := &page{}
	if was != nil {
		bad.b = was.b
	}
	bad.b[at] ^= 1 << (bit % 8)
	n.kept[i] = bad
	if i < len(n.pages) && n.pages[i] == was {
		n.pages[i] = bad
	}
}

func resizePages(pages []*page, count int) []*page {
	if count <= len(pages) {
		clear(pages[count:])
		return pages[:count]
	}
	return append(pages, make([]*page, count-len(pages))...)
}
