package ballast

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Lay fills the memory by a file in dir that has no name any more, and returns when it is full,
// which takes a minute or two on a machine whose memory was never used.
func Lay(dir string) (*Ballast, error) {
	f, err := os.CreateTemp(dir, "ballast-")
	if err != nil {
		return nil, err
	}
	b, err := lay(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errNone, err), f.Close())
	}
	go b.keep()
	return b, nil
}

func lay(f *os.File) (*Ballast, error) {
	if err := os.Remove(f.Name()); err != nil {
		return nil, err
	}
	total, err := meminfo("MemTotal")
	if err != nil {
		return nil, err
	}
	// Twice what it can hold, so that it never meets its own tail.
	size := 2 * total / block * block
	if err := f.Truncate(size); err != nil {
		return nil, err
	}
	h := &hole{f: f, buf: make([]byte, block)}
	if err := h.probe(); err != nil {
		return nil, err
	}
	b := &Ballast{mem: h, size: size, file: f, stop: make(chan struct{}), ended: make(chan struct{})}
	return b, b.trim()
}

// hole is a file without data, and the memory of this machine.
type hole struct {
	f   *os.File
	buf []byte // a block
}

func (h *hole) free() (int64, error) { return meminfo("MemFree") }

func (h *hole) reclaimed() (int64, error) {
	kswapd, err := number("/proc/vmstat", "pgsteal_kswapd ")
	direct, err2 := number("/proc/vmstat", "pgsteal_direct ")
	return (kswapd + direct) * int64(os.Getpagesize()), errors.Join(err, err2)
}

func (h *hole) load(off int64) error {
	_, err := h.f.ReadAt(h.buf, off)
	return err
}

func (h *hole) unload(off, length int64) error {
	return unix.Fadvise(int(h.f.Fd()), off, length, unix.FADV_DONTNEED)
}

// probe fails on file systems whose holes take no memory when they are read.
func (h *hole) probe() error {
	if err := h.load(0); err != nil {
		return err
	}
	m, err := unix.Mmap(int(h.f.Fd()), 0, block, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	in, err := resident(m)
	if err := errors.Join(err, unix.Munmap(m)); err != nil {
		return err
	}
	if in < block/2 {
		return fmt.Errorf("%d of %d bytes of a hole are in memory after it was read", in, block)
	}
	return nil
}

// resident is how many bytes of a mapping are in memory.
func resident(m []byte) (int, error) {
	page := os.Getpagesize()
	in := make([]byte, len(m)/page)
	if err := mincore(m, in); err != nil {
		return 0, err
	}
	n := 0
	for _, p := range in {
		n += int(p&1) * page
	}
	return n, nil
}

// meminfo is a line of /proc/meminfo, in bytes.
func meminfo(name string) (int64, error) {
	kib, err := number("/proc/meminfo", name+":")
	return kib << 10, err
}

// number is what follows a name at the begin of a line of a file.
func number(file, name string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := strings.CutPrefix(string(line), name); ok {
			return strconv.ParseInt(strings.Fields(value)[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s says nothing of %s", file, name)
}
