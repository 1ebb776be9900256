//go:build failpoint && synctests

package sim

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/sim/world"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// run is a cluster that lives through a few chapters, and loses a node's power at a
// failpoint meanwhile.
type run struct {
	t    *testing.T
	w    *world.World
	rng  *rand.Rand
	adm  *kadm.Client
	note *notes

	dark    chan *world.Node // those that lost their power at the point
	writing context.Context  // of the clients that write all the time
	writers sync.WaitGroup
}

// outcome is what came of it, as far as it came.
type outcome struct {
	crashed bool           // at the point
	hits    map[string]int // of all points until the proof, since the process began
}

// through lives through chapters, crashes a node, proves that nothing
// is lost.
func through(t *testing.T, seed uint64, what chapters, want crash, came *outcome) {
	shape := world.Shape{Voters: 3, Dirs: 2, Static: map[string]string{
		"log.index.interval.bytes":                        "1000",
		"metadata.log.max.record.bytes.between.snapshots": "3000",
		"log.retention.check.interval.ms":                 "500", "log.cleaner.backoff.ms": "300", "log.segment.delete.delay.ms": "500",
		"log.flush.offset.checkpoint.interval.ms": "700",
		"offsets.topic.num.partitions":            "2", "transaction.state.log.num.partitions": "2",
		"share.coordinator.state.topic.num.partitions":           "2",
		"share.coordinator.snapshot.update.records.per.snapshot": "3", "share.coordinator.state.topic.prune.interval.ms": "1000",
	}}
	w := world.New(t, seed, shape)
	defer w.Down()
	r := &run{t: t, w: w, rng: w.Rand, note: newNotes(), dark: make(chan *world.Node, 64)}
	disarm := func() {}
	if want.point != "" {
		disarm = r.arm(want, &came.crashed)
	}
	defer disarm()
	r.begin()
	client := w.Client()
	defer client.Close()
	r.adm = kadm.NewClient(client)
	r.adm.SetTimeoutMillis(5000)
	r.prepare()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r.writing = ctx
	r.writers.Go(r.produce)
	for _, name := range what {
		r.t.Logf("%v chapter %s", time.Since(start2000), name)
		book[name](r)
	}
	r.t.Logf("%v the end", time.Since(start2000))
	r.do(func() { stop(); r.writers.Wait() })
	came.hits = hits()
	r.heal(disarm)
	r.prove()
}

// start2000 is when bubbles begin.
var start2000 = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// arm has the power cut where it is wanted.
func (r *run) arm(want crash, hit *bool) (disarm func()) {
	cut := func(point string, on any) {
		node := r.w.Owner(on)
		if node == nil {
			panic("bug: nobody knows who hit " + point)
		}
		who := []*world.Node{node}
		if want.all {
			who = r.w.Nodes()
		}
		for _, n := range who {
			n.CutPower()
		}
		r.t.Logf("%v node %d, all of them: %v, loses its power at %s", time.Since(start2000), node.ID, want.all, point)
		for _, n := range who {
			r.dark <- n
		}
	}
	var over atomic.Bool
	end := failpoint.Arm(want.point, want.at, func(on any) {
		*hit = true
		over.Store(true)
		cut(want.point, on)
	})
	if want.lead == "" {
		return end
	}
	// What a crash leaves is a matter of luck: so there are a few.
	tries := 0
	var lead func(on any)
	lead = func(on any) {
		if over.Load() {
			return
		}
		cut(want.lead, on)
		if tries++; tries < 20 {
			failpoint.Arm(want.lead, min(want.leadAt, 2+3*tries), lead)
		}
	}
	off := failpoint.Arm(want.lead, want.leadAt, lead)
	return func() {
		over.Store(true)
		off()
		end()
	}
}

// begin starts all nodes, and again those that lose their power meanwhile.
func (r *run) begin() {
	for _, n := range r.w.Nodes() {
		n.Launch()
	}
	r.until("all nodes serve", r.serve)
}

func (r *run) serve() bool {
	return !slices.ContainsFunc(r.w.Nodes(), func(n *world.Node) bool {
		b := n.Broker()
		if b == nil {
			return true
		}
		select {
		case <-b.Ready():
			return false
		default:
			return true
		}
	})
}

// do waits for f, and meanwhile gives power back to who lost it.
func (r *run) do(f func()) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	for {
		select {
		case <-done:
			r.revive()
			return
		case n := <-r.dark:
			r.back(n)
		case <-time.After(200 * time.Millisecond):
			r.look()
		}
	}
}

// revive brings back who has lost its power.
func (r *run) revive() {
	for {
		select {
		case n := <-r.dark:
			r.back(n)
		default:
			return
		}
	}
}

// back starts a node that lost its power, after a while.
func (r *run) back(n *world.Node) {
	if r.rng.IntN(2) == 0 {
		time.Sleep(time.Duration(r.rng.Int64N(int64(2 * time.Second))))
	}
	n.Kill()
	n.Launch()
}

// look finds nodes that have stopped by themselves.
func (r *run) look() {
	for _, n := range r.w.Nodes() {
		if n.Broker() == nil || n.Running() || len(r.dark) > 0 {
			continue
		}
		r.t.Errorf("node %d has stopped by itself: %v", n.ID, n.Serving())
		n.Launch()
	}
}

// until waits for cond, for a minute.
func (r *run) until(what string, cond func() bool) {
	r.t.Helper()
	ok := false
	r.do(func() { ok = r.w.Within(time.Minute, cond) })
	if !ok {
		r.t.Fatalf("not within a minute: %s", what)
	}
}

// must has a client ask until it succeeds, for two minutes.
func (r *run) must(what string, ask func(ctx context.Context) error) {
	r.t.Helper()
	var last error
	r.do(func() {
		for began := time.Now(); time.Since(began) < 2*time.Minute; time.Sleep(50 * time.Millisecond) {
			ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
			last = ask(ctx)
			cancel()
			if last == nil {
				return
			}
		}
	})
	if last != nil {
		r.t.Fatalf("%s: %v", what, last)
	}
}

// halt stops a node in order, unless it has lost its power before, or does so at the end.
func (r *run) halt(n *world.Node) {
	var err error
	if err = n.Halt(); err != nil && len(r.dark) == 0 {
		r.t.Errorf("node %d stopped: %v", n.ID, err)
	}
	r.revive()
	if n.Broker() == nil {
		n.Launch()
	}
}

// rest lets time pass.
func (r *run) rest(d time.Duration) { r.do(func() { time.Sleep(d) }) }

// heal brings every node back and, when no point is armed any more, waits until all is as
// it should be.
func (r *run) heal(disarm func()) {
	r.revive()
	for _, n := range r.w.Nodes() {
		r.start(n)
	}
	r.until("all nodes serve", r.serve)
	disarm()
	r.until("all nodes serve", r.serve) // one may have crashed at the last moment
	var err error
	r.do(func() { err = r.w.Settle(30 * time.Second) })
	if err != nil {
		r.t.Fatal(err)
	}
}

// node is one that runs, drawn.
func (r *run) node() *world.Node {
	all := r.w.Nodes()
	return all[r.rng.IntN(len(all))]
}

// records are values of a topic, for a client that keeps to partitions.
func (r *run) producer(opts ...kgo.Opt) *kgo.Client {
	return r.w.Client(append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression())}, opts...)...)
}
