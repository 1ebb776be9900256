package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"slices"
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

// collects fails unless 640 MiB of garbage have between so many collections, by several tries. On
// a busy machine a collection comes late, and they are fewer, so the try with the most has to
// reach the least; and all but one may not exceed the most.
func collects(t *testing.T, least, most uint32, when string) {
	t.Helper()
	var seen []uint32
	for range 7 {
		settle()
		seen = append(seen, collections(640))
	}
	slices.Sort(seen)
	if seen[len(seen)-1] < least || seen[len(seen)-2] > most {
		t.Errorf("%v collections of 640 MiB %s, want %d to %d", seen, when, least, most)
	}
}

// As much garbage gathers as was allowed, whatever buffers live, and as much as lives and may
// hold pointers if that is more.
func TestAllow(t *testing.T) {
	if v, set := os.LookupEnv("GOGC"); set {
		os.Unsetenv("GOGC")
		defer os.Setenv("GOGC", v)
	}
	const percent = 70
	defer debug.SetGCPercent(debug.SetGCPercent(percent))
	stop := Allow(32 << 20)
	defer stop()
	collects(t, 10, 30, "with little that lives")
	buffers = make([]byte, 128<<20)
	collects(t, 10, 30, "while buffers of 128 MiB live")
	pointers = make([]*byte, 16<<20)
	collects(t, 3, 9, "while pointers of 128 MiB live")
	buffers, pointers = nil, nil
	stop()
	settle()
	if now := debug.SetGCPercent(percent); now != percent {
		t.Errorf("a collection comes at %d percent when it has stopped, and did at %d before", now, percent)
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
