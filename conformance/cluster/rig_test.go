package cluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/odradek/odradek/conformance/crash"
	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	program = flag.String("program", "odradek", "what the nodes run: odradek or kafka")
	seed    = flag.Uint64("seed", 0, "of the load, the victims and the moments; 0 takes one of its own and prints it")
	keep    = flag.String("keep", "", "folder for the nodes' data and logs; default: one that is removed")
	results = flag.String("results", "", "file to which figures are appended, a line of JSON each; TestReport makes the pages of them")
	heap    = flag.Int("heap", 512, "megabytes for each node of Apache Kafka")
)

// patience keeps a cluster that hangs from hanging the test; nothing is measured by it.
const patience = 4 * time.Minute

// rig is a cluster, its load, and what was told.
type rig struct {
	t       *testing.T
	rng     *rand.Rand
	cluster *Cluster
	history *crash.History
	load    *crash.Load
	stop    context.CancelFunc // ends the load
	made    int
	live    []*kgo.Client // members of groups
}

// newRig starts a cluster of the program that the flags name.
func newRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	cfg.Program = programOf(t, *program)
	return startRig(t, cfg)
}

func startRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes; left out by -short")
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("repeat the choices with -seed=%d", *seed)
	cfg.Dir = folder(t, cfg.Program.Name)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, rng: rand.New(rand.NewPCG(*seed, 0)), cluster: c, history: crash.NewHistory()}
	r.history.Replicated = true
	t.Cleanup(r.epilogue)
	return r
}

// folder is where a cluster lives.
func folder(t *testing.T, name string) string {
	if *keep == "" {
		return filepath.Join(t.TempDir(), name)
	}
	dir := filepath.Join(*keep, t.Name(), name)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// programOf finds or builds what the nodes run.
func programOf(t *testing.T, name string) Program {
	t.Helper()
	switch name {
	case "odradek":
		return Odradek(build(t))
	case "kafka":
		libs, err := KafkaJars(filepath.Join("..", ".."))
		if err != nil {
			t.Skipf("SKIPPED: Apache Kafka cannot be started: %v", err)
		}
		if libs, err = filepath.Abs(libs); err != nil {
			t.Fatal(err)
		}
		return Kafka(libs, *heap)
	}
	t.Fatalf("no program is called %q: odradek or kafka", name)
	return Program{}
}

func build(t *testing.T) string {
	t.Helper()
	binary, err := Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// epilogue ends everything, and shows the end of each node's log if the test has failed.
func (r *rig) epilogue() {
	if r.t.Failed() {
		r.t.Log(r.cluster.LastWords(40))
		r.keepLogs()
	}
	if r.stop != nil {
		r.stop()
	}
	r.cluster.Close()
	if r.load != nil {
		r.load.Close()
	}
}

// keepLogs copies what the nodes printed to where it outlives the test.
func (r *rig) keepLogs() {
	if *keep != "" {
		return // they stay where they are
	}
	dir := filepath.Join("..", ".work", "failed", r.t.Name())
	err := os.MkdirAll(dir, 0o755)
	for _, n := range r.cluster.All {
		text, readErr := os.ReadFile(n.Output)
		err = errors.Join(err, readErr, os.WriteFile(filepath.Join(dir, fmt.Sprintf("node-%d.log", n.ID)), text, 0o644))
	}
	r.t.Logf("the nodes' logs are kept in conformance/.work/failed/%s (%v)", r.t.Name(), err)
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

// startLoad makes the topics and lets the load run.
func (r *rig) startLoad(pace time.Duration) {
	r.t.Helper()
	ctx, cancel := r.context()
	defer cancel()
	r.try(crash.Populate(ctx, r.cluster.Addrs(), 3, r.history))
	loadCtx, stop := context.WithCancel(context.Background())
	r.stop = stop
	var err error
	r.load, err = crash.NewLoad(loadCtx, crash.LoadConfig{Addrs: r.cluster.Addrs(), History: r.history, Seed: *seed, Pace: pace})
	r.try(err)
	r.load.Resume(-1)
}

// progress waits until so many more records were acknowledged.
func (r *rig) progress(n int) {
	r.t.Helper()
	ctx, cancel := r.context()
	defer cancel()
	r.load.Pause()
	select {
	case <-r.load.Resume(n):
	case <-ctx.Done():
		r.t.Errorf("the load does not get on: not %d more records were acknowledged in %v", n, patience)
	}
	r.verdict()
}

// chores trims a partition and creates a topic, for as long as ctx lets it try.
func (r *rig) chores() {
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	r.made++
	r.try(crash.Chores(ctx, r.cluster.Addrs(), 2, r.history, rand.New(rand.NewPCG(r.rng.Uint64(), 1)), fmt.Sprint("made-", r.made)))
}

// check reads everything and holds it against what was told before the check began. A
// broker may go away meanwhile, so that an error in reading is no failure until patience
// ends.
func (r *rig) check() {
	r.t.Helper()
	ctx, cancel := r.context()
	defer cancel()
	for {
		r.history.Died()
		one, cancelOne := context.WithTimeout(ctx, time.Minute)
		err := crash.Check(one, r.cluster.Addrs(), r.history)
		cancelOne()
		r.verdict()
		if err == nil {
			return
		}
		if !sleep(ctx, 200*time.Millisecond) {
			r.t.Fatalf("the check cannot read: %v", err)
		}
	}
}

// verdict ends the test if anything was told that contradicts what was told before, or
// if a client gave up.
func (r *rig) verdict() {
	r.t.Helper()
	wrong := r.history.Wrong()
	if r.load != nil {
		for _, err := range r.load.Failures() {
			wrong = append(wrong, "a client gave up: "+err.Error())
		}
	}
	for _, w := range wrong[:min(20, len(wrong))] {
		r.t.Error(w)
	}
	if len(wrong) > 0 || r.t.Failed() {
		r.t.Fatalf("%d contradictions; go test -run '^%s$' ./conformance/cluster -program=%s -seed=%d",
			len(wrong), r.t.Name(), r.cluster.Program.Name, *seed)
	}
}

// restart brings back every node that is not there, and waits until it answers.
func (r *rig) restart() {
	r.t.Helper()
	ctx, cancel := r.context()
	defer cancel()
	r.try(r.cluster.Launch())
	r.try(r.cluster.Ready(ctx))
}

// settle ends a test: every node is there, what was begun is acknowledged, everything is
// read and compared, the readers get to the end, the nodes stop in good order, start
// again, and everything is still there.
func (r *rig) settle() {
	r.t.Helper()
	ctx, cancel := r.context()
	defer cancel()
	r.restart()
	r.load.Pause()
	r.try(r.load.Flush(ctx))
	r.check()
	r.try(r.load.AwaitReaders(ctx))
	r.stop()
	r.try(r.cluster.Stop(ctx))
	r.restart()
	r.check()
	r.try(r.cluster.Stop(ctx))
}

// figures are those of the history, in words.
func (r *rig) figures() string {
	acked, checked := r.history.Figures()
	return fmt.Sprintf("%d records acknowledged, none lost, moved or doubled; %d comparisons", acked, checked)
}
