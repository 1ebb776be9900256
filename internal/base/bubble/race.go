//go:build race

package bubble

import (
	"runtime"
	"sync"
)

var processors struct {
	sync.Mutex
	users, before int
}

// oneProcessor leaves one processor until what it returns, and that of every other caller, was called.
func oneProcessor() (restore func()) {
	p := &processors
	p.Lock()
	defer p.Unlock()
	if p.users++; p.users == 1 {
		p.before = runtime.GOMAXPROCS(1)
	}
	return func() {
		p.Lock()
		defer p.Unlock()
		if p.users--; p.users == 0 {
			runtime.GOMAXPROCS(p.before)
		}
	}
}
