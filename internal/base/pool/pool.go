// Package pool lends byte buffers that have an owner. It knows size classes and
// reference counts; it does not know what is written in the buffers. It owns no
// goroutines.
//
// Memory that was touched before is ten times cheaper than fresh memory, so what is
// large and short-lived comes from here. Whoever holds a reference owns it and gives
// it back once; the last one returns the buffer to its class. Under the race
// detector a returned buffer is filled with 0xDB, so that a reader that came too late
// sees garbage instead of somebody else's records.
package pool

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Classes go from 4 KiB to 64 MiB by factors of two. What is larger is allocated
// and left to the garbage collector.
const (
	minBits    = 12
	stepBits   = 1
	numClasses = 15
	maxClass   = 1 << (minBits + stepBits*(numClasses-1))
)

const poison = 0xDB

// Buf is a buffer with a reference count, 1 when it is lent.
type Buf struct {
	// B has the length of its size class. Its content is what was left there.
	B     []byte
	class int // index, or -1 if it is not pooled
	refs  atomic.Int32
}

var classes [numClasses]sync.Pool

// Size is the size of the class that Get(n) draws from.
func Size(n int) int {
	c := class(n)
	if c < 0 {
		return n
	}
	return 1 << (minBits + stepBits*c)
}

// Get lends a buffer of at least n bytes with one reference, the caller's.
func Get(n int) *Buf {
	c := class(n)
	if c < 0 {
		b := &Buf{B: make([]byte, n), class: -1}
		b.refs.Store(1)
		return b
	}
	b, _ := classes[c].Get().(*Buf)
	if b == nil {
		b = &Buf{B: make([]byte, 1<<(minBits+stepBits*c)), class: c}
	}
	b.refs.Store(1)
	return b
}

// Retain adds a reference. The caller must hold one.
func (b *Buf) Retain() {
	if b.refs.Add(1) <= 1 {
		panic("bug: pool: Retain of a buffer that was given back")
	}
}

// Shared reports whether somebody besides the caller holds a reference. Once false
// it stays false until the caller retains or lends again.
func (b *Buf) Shared() bool { return b.refs.Load() > 1 }

// Release gives a reference back. The caller must not touch B afterwards.
func (b *Buf) Release() {
	n := b.refs.Add(-1)
	if n > 0 {
		return
	}
	if n < 0 {
		panic("bug: pool: buffer given back twice")
	}
	if poisoning {
		fill(b.B)
	}
	if b.class >= 0 {
		classes[b.class].Put(b)
	}
}

func class(n int) int {
	if n > maxClass {
		return -1
	}
	if n <= 1<<minBits {
		return 0
	}
	return (bits.Len(uint(n-1)) - minBits + stepBits - 1) / stepBits
}

func fill(b []byte) {
	for i := range b {
		b[i] = poison
	}
}
