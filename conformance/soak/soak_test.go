package soak

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

var (
	length = flag.Duration("soak", 4*time.Second, "how long clients come and go")
	seed   = flag.Uint64("seed", 1, "of the noise that is sent")
)

// A node from which clients have come and gone has no more goroutines, files and heap
// than one from which fewer have: what a life takes is given back.
func TestChurnLeavesNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the node counts its files on Linux only")
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "odradek")
	build := exec.Command("go", "build", "-o", binary, "github.com/odradek/odradek/cmd/odradek")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	stderr, err := os.Create(filepath.Join(dir, "node.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	n, err := Start(binary, filepath.Join(dir, "data"), stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Stop(); err != nil {
			log, _ := os.ReadFile(stderr.Name())
			t.Errorf("the node ended with %v\n%s", err, log)
		}
	}()
	churn(t, n, *length/4) // what is made once is made
	before := settle(t, n, Gauges{})
	lives := churn(t, n, *length)
	after := settle(t, n, before)
	t.Logf("%d lives; before: %v; after: %v", lives, before, after)
	if lives == 0 {
		t.Error("nobody lived")
	}
	if after.exceeds(before) {
		t.Errorf("%d lives left something behind: %v, was %v; repeat with -seed=%d -soak=%v", lives, after, before, *seed, *length)
	}
}

func churn(t *testing.T, n *Node, d time.Duration) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	lives, err := Churn(ctx, n.Addr, 6, *seed)
	if err != nil {
		t.Fatal(err)
	}
	return lives
}

// exceeds reports a leak: more than the noise of a few idle connections, and of tables
// that have grown once.
func (g Gauges) exceeds(before Gauges) bool {
	return g.Goroutines > before.Goroutines+8 || g.Files > before.Files+16 || g.HeapBytes > before.HeapBytes+before.HeapBytes/4+4<<20
}

// settle reads the gauges until they do not exceed before, as deletions run after their
// answers, or a minute is over. Without before it waits until they fall no more.
func settle(t *testing.T, n *Node, before Gauges) Gauges {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var last Gauges
	for i := range 300 {
		g, err := n.Gauges(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		falls := g.Goroutines < last.Goroutines || g.Files < last.Files
		if i > 5 && (before != Gauges{} && !g.exceeds(before) || before == Gauges{} && !falls) {
			return g
		}
		last = g
		<-tick.C
	}
	return last
}
