//go:build failpoint

package failpoint

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Enabled says whether failpoints are compiled in.
const Enabled = true

var (
	mu     sync.Mutex
	points = map[string]*point{}
)

// point counts its hits and what is armed on it. Guarded by mu.
type point struct {
	hits int
	left int // hits until do runs
	do   func(on any)
}

// Register makes names known; each must be registered once.
func Register(names ...string) struct{} {
	mu.Lock()
	defer mu.Unlock()
	for _, name := range names {
		if points[name] != nil {
			panic(fmt.Sprintf("bug: failpoint %q is registered twice", name))
		}
		points[name] = &point{}
	}
	return struct{}{}
}

// Names lists what is registered, sorted.
func Names() []string {
	mu.Lock()
	defer mu.Unlock()
	return slices.Sorted(maps.Keys(points))
}

// Hit says that the program is at a point. on tells one node from another where a
// process runs several: by custom the vfs.FS of the state that becomes durable.
func Hit(name string, on any) {
	if do := hit(name); do != nil {
		do(on)
	}
}

func hit(name string) func(on any) {
	mu.Lock()
	defer mu.Unlock()
	p := find(name)
	p.hits++
	if p.left--; p.left != 0 {
		return nil
	}
	do := p.do
	p.do = nil
	return do
}

// Arm runs do once, at the n-th hit from now, on the goroutine that hits. The function
// that is returned disarms the point.
func Arm(name string, n int, do func(on any)) (disarm func()) {
	mu.Lock()
	defer mu.Unlock()
	p := find(name)
	p.left, p.do = n, do
	return func() {
		mu.Lock()
		defer mu.Unlock()
		p.left, p.do = 0, nil
	}
}

// Hits counts how often a point was hit since the process began.
func Hits(name string) int {
	mu.Lock()
	defer mu.Unlock()
	return find(name).hits
}

func find(name string) *point {
	p := points[name]
	if p == nil {
		panic(fmt.Sprintf("bug: failpoint %q is not registered", name))
	}
	return p
}
