// Package heap tells the collector how much garbage may gather. By Go's default it may be as
// much as lives: of a node with a heap of five megabytes that is collected so often that up to
// a third of the processor goes there under many small requests. It owns no goroutine: the
// runtime calls it after each collection.
package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

const (
	least   = 10      // percent of what lives, if gigabytes of buffers live
	minimum = 4 << 20 // bytes that Go takes to live at least
)

// Allow lets some bytes of garbage gather, or as many as live and may hold pointers if that
// is more, from now on and until stop is called. Only those cost a collection its time;
// buffers do not, and those in a sync.Pool that nobody uses any more go by collections alone.
// It leaves a process alone whose GOGC is set.
func Allow(garbage uint64) (stop func()) {
	if _, set := os.LookupEnv("GOGC"); set {
		return func() {}
	}
	a := &allowance{garbage: garbage}
	a.before = a.set(0, 0)
	a.arm()
	return a.end
}

type allowance struct {
	garbage uint64
	before  int // percent that the process had

	mu      sync.Mutex // guards what follows: a collection may end while end is called
	percent int
	ended   bool
}

func (a *allowance) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.ended {
		a.ended = true
		debug.SetGCPercent(a.before)
	}
}

// arm has the allowance looked at after the next collection: that of an object which
// nobody has.
func (a *allowance) arm() {
	type sentinel struct{ _ *int } // no tiny object, which may live on beside others
	runtime.AddCleanup(new(sentinel), (*allowance).collected, a)
}

func (a *allowance) collected() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return
	}
	is := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"}}
	metrics.Read(is)
	a.set(is[0].Value.Uint64(), is[1].Value.Uint64())
	a.arm()
}

// set returns the percent that was before, if it changes it.
func (a *allowance) set(live, scanned uint64) (before int) {
	percent := max(least, int(100*max(a.garbage, scanned)/max(live, minimum)))
	// It stops the world for a moment: not for a change that nobody notices.
	if d := percent - a.percent; d > a.percent/8 || -d > a.percent/8 {
		a.percent = percent
		before = debug.SetGCPercent(percent)
	}
	return before
}
