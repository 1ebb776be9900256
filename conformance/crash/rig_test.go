package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// rig is a node, its load, and what was told.
type rig struct {
	t       *testing.T
	rng     *rand.Rand
	node    *Node
	history *History
	load    *Load
	stop    context.CancelFunc // ends the load

	began              time.Time
	kills, startKills  int
	slowest, starting  time.Duration // of the starts
	starts, madeTopics int
}

func newRig(t *testing.T, dir string) *rig {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("repeat the choices with -seed=%d", *seed)
	r := &rig{t: t, rng: rand.New(rand.NewPCG(*seed, 0)), history: NewHistory(loose), began: time.Now()}
	tmp := t.TempDir()
	stderr, err := os.Create(filepath.Join(tmp, "node.log"))
	r.try(err)
	r.node = &Node{Binary: build(t, tmp), Dir: filepath.Join(dir, "data"), Addr: freeAddress(t), Stderr: stderr}
	t.Cleanup(func() { r.epilogue(stderr) })
	r.start()
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.load, err = NewLoad(ctx, LoadConfig{Addrs: []string{r.node.Addr}, History: r.history, Seed: *seed, Loose: true})
	t.Cleanup(func() { stop(); r.load.Close() })
	r.try(err)
	return r
}

// build makes the binary that people run.
func build(t *testing.T, dir string) string {
	binary := filepath.Join(dir, "odradek")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "github.com/odradek/odradek/cmd/odradek")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// freeAddress is one that every life of the node can take. Ports that systems give to
// clients are avoided: between two lives one of those could be taken.
func freeAddress(t *testing.T) string {
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000))
		if ln, err := net.Listen("tcp", address); err == nil {
			ln.Close()
			return address
		}
	}
	t.Fatal("no free port between 20000 and 30000")
	return ""
}

// epilogue ends the node if the test has failed, and shows the end of its log.
func (r *rig) epilogue(stderr *os.File) {
	if r.node.gone != nil {
		_ = r.node.End()
	}
	if r.t.Failed() {
		text, _ := os.ReadFile(stderr.Name())
		lines := strings.Split(string(text), "\n")
		r.t.Logf("the node's last words:\n%s", strings.Join(lines[max(0, len(lines)-60):], "\n"))
	}
	stderr.Close()
}

func (r *rig) try(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.t.Context(), patience)
}

func (r *rig) start() {
	r.t.Helper()
	ctx, cancel := r.context()
	defer cancel()
	took, err := r.node.Start(ctx)
	r.try(err)
	r.starts++
	r.starting += took
	r.slowest = max(r.slowest, took)
}

// killStart kills a node that is about to recover.
func (r *rig) killStart() {
	r.try(r.node.Launch())
	time.Sleep(time.Duration(r.rng.IntN(30)) * time.Millisecond) // the moment, not a wait
	r.try(r.node.Kill())
	r.startKills++
}

// populate creates the topics.
func (r *rig) populate() {
	ctx, cancel := r.context()
	defer cancel()
	r.try(Populate(ctx, []string{r.node.Addr}, 1, r.history))
}

// runUntil lets the load run until so many records were acknowledged, and a moment more;
// then the end comes, while everybody is busy.
func (r *rig) runUntil(acknowledged int, end func() error) {
	r.t.Helper()
	ctx, cancel := r.context()
	defer cancel()
	chores, rng := make(chan struct{}), rand.New(rand.NewPCG(r.rng.Uint64(), 1))
	reached := r.load.Resume(acknowledged)
	choresCtx, stopChores := context.WithCancel(ctx)
	go func() { defer close(chores); r.chores(choresCtx, rng) }()
	select {
	case <-reached:
	case <-r.node.Gone():
		r.t.Error("the node ended by itself")
	case <-ctx.Done():
		r.t.Error("the load does not get on")
	}
	time.Sleep(time.Duration(r.rng.IntN(10)) * time.Millisecond) // the moment, not a wait
	err := end()
	r.load.Pause()
	stopChores()
	<-chores
	r.try(err)
	r.kills++
	r.history.Died()
	r.verdict()
}

// chores trims a partition and creates a topic while the load runs.
func (r *rig) chores(ctx context.Context, rng *rand.Rand) {
	name := fmt.Sprint("made-", r.madeTopics)
	r.madeTopics++
	if err := Chores(ctx, []string{r.node.Addr}, 1, r.history, rng, name); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) check() {
	r.t.Helper()
	ctx, cancel := r.context()
	defer cancel()
	r.try(Check(ctx, []string{r.node.Addr}, r.history))
	r.verdict()
}

func (r *rig) verdict() {
	r.t.Helper()
	wrong := r.history.Wrong()
	for _, err := range r.load.Failures() {
		wrong = append(wrong, "a client gave up: "+err.Error())
	}
	for _, w := range wrong[:min(20, len(wrong))] {
		r.t.Error(w)
	}
	if len(wrong) > 0 || r.t.Failed() {
		r.t.Fatalf("%d contradictions after %d kills; go test -run %s ./conformance/crash -kills=%d -seed=%d",
			len(wrong), r.kills, r.t.Name(), r.kills, *seed)
	}
}

// finish lets all retries end, checks, lets the readers catch up, stops the node in good order and checks again.
func (r *rig) finish() {
	ctx, cancel := r.context()
	defer cancel()
	r.try(r.load.Flush(ctx))
	r.history.Died() // from now on nothing that is told is younger than a check
	r.check()
	r.try(r.load.AwaitReaders(ctx))
	r.stop()
	r.try(r.node.Stop(ctx))
	r.start()
	r.check()
	r.try(r.node.Stop(ctx))
	acked, checked := r.history.Figures()
	r.t.Logf("%d kills under load, %d during the start; %d records acknowledged, none lost, moved or doubled; %d comparisons in %d checks; started in %v (slowest %v); %v in all",
		r.kills, r.startKills, acked, checked, r.starts, (r.starting / time.Duration(r.starts)).Round(time.Millisecond),
		r.slowest.Round(time.Millisecond), time.Since(r.began).Round(time.Second))
}
