package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"testing"
)

var (
	sink, buffers []byte
	pointers      []*byte
)

// collections is how often the collector runs while so much garbage is made.
func collections(megabytes int) uint32 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range megabytes * 16 {
		sink = make([]byte, 64<<10)
	}
	runtime.ReadMemStats(&after)
	return after.NumGC - before.NumGC
}

// settle returns when the collector knows what lives, and has told.
func settle() {
	for range 3 {
		runtime.GC()
		collections(150)
	}
}

// As much garbage gathers as was allowed, whatever buffers live, and as much as lives and may
// hold pointers if that is more.
func TestAllow(t *testing.T) {
	if v, set := os.LookupEnv("GOGC"); set {
		os.Unsetenv("GOGC")
		defer os.Setenv("GOGC", v)
	}
	stop := Allow(32 << 20)
	defer stop()
	settle()
	if n := collections(640); n < 10 || n > 30 {
		t.Errorf("%d collections of 640 MiB, want some 20", n)
	}
	buffers = make([]byte, 128<<20)
	settle()
	if n := collections(640); n < 10 || n > 30 {
		t.Errorf("%d collections of 640 MiB while buffers of 128 live, want some 20", n)
	}
	pointers = make([]*byte, 16<<20)
	settle()
	if n := collections(640); n > 9 {
		t.Errorf("%d collections of 640 MiB while pointers of 128 live, want some 5", n)
	}
	buffers, pointers = nil, nil
	stop()
	settle()
	if n := collections(64); n < 8 {
		t.Errorf("%d collections of 64 MiB when it has stopped, want some 16", n)
	}
}

// Who has set GOGC has what was asked for.
func TestEnvironment(t *testing.T) {
	t.Setenv("GOGC", "100")
	was := debug.SetGCPercent(50)
	defer debug.SetGCPercent(was)
	defer Allow(1 << 30)()
	if now := debug.SetGCPercent(50); now != 50 {
		t.Errorf("GOGC was set, and is %d now", now)
	}
}
