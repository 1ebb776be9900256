package ballast

import (
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	block = 1 << 20
	// spare is what is left free: enough that the kernel does not look for pages itself, and little
	// enough that it is used before it is given back to a host.
	spare = 512 << 20
	slack = 128 << 20 // by which it may be missed
	pause = 20 * time.Millisecond
	// try is what is read before it is seen whether that takes memory.
	try = 512 << 20
	// forget is by how much less it is believed, at each pause, that is not to be had.
	forget = 2 << 20
)

// errNone is why there is no ballast on a machine that needs or can have none.
var errNone = errors.New("no ballast")

// memory is what the ballast is laid on.
type memory interface {
	free() (int64, error)           // bytes
	reclaimed() (int64, error)      // bytes that the kernel has taken from files since it began
	load(off int64) error           // has a block of the file in memory
	unload(off, length int64) error // gives its pages back
}

// Ballast is what fills the memory. Drop ends it.
type Ballast struct {
	mem    memory
	size   int64 // of the file
	lo, hi int64 // what is in memory, modulo size: [lo, hi), unless the kernel took some
	base   int64 // what counts as free and is not to be had: some is on its way to the host
	file   *os.File
	stop   chan struct{}
	ended  chan struct{}
	err    error // after ended: why it ended by itself
}

// Drop gives the memory back, and returns why the ballast was not kept until now, if it was not.
func (b *Ballast) Drop() error {
	close(b.stop)
	<-b.ended
	return errors.Join(b.err, b.file.Close())
}

// keep trims until Drop.
func (b *Ballast) keep() {
	defer close(b.ended)
	for {
		if b.err = b.trim(); b.err != nil {
			return
		}
		select {
		case <-b.stop:
			return
		case <-time.After(pause):
		}
	}
}

// trim brings what is free close to spare, if the ballast can.
func (b *Ballast) trim() error {
	// What was read since it was last seen what that does, and what was reclaimed and free then.
	var added, reclaimed, had int64
	b.base -= forget
	for {
		select {
		case <-b.stop:
			return nil
		default:
		}
		free, err := b.mem.free()
		if err != nil {
			return err
		}
		b.base = max(0, min(b.base, free))
		if added == 0 || added >= try {
			now, err := b.mem.reclaimed()
			if err != nil {
				return err
			}
			if added > 0 && now-reclaimed > added/2 && had-free < added/4 {
				b.base = free - spare // what is read goes where something else was
			}
			added, reclaimed, had = 0, now, free
		}
		switch {
		case free > b.base+spare+slack:
			n := min(free-b.base-spare, 64*block)
			err = b.add(n)
			added += n
		case free < b.base+spare-slack && b.lo < b.hi:
			err = b.take(b.base + spare - free)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// add has n bytes more in memory. What the file began with goes when it has gone round.
func (b *Ballast) add(n int64) error {
	for ; n > 0; n -= block {
		if b.hi-b.lo == b.size {
			if err := b.take(block); err != nil {
				return err
			}
		}
		if err := b.mem.load(b.hi % b.size); err != nil {
			return fmt.Errorf("fill the memory: %w", err)
		}
		b.hi += block
	}
	return nil
}

// take gives back n bytes, in whole blocks.
func (b *Ballast) take(n int64) error {
	for ; n > 0 && b.lo < b.hi; n -= block {
		if err := b.mem.unload(b.lo%b.size, block); err != nil {
			return fmt.Errorf("give memory back: %w", err)
		}
		b.lo += block
	}
	return nil
}
