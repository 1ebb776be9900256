package eos

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odradek/odradek/conformance/cluster"
)

// rig is a cluster and the pipelines on it.
type rig struct {
	t       *testing.T
	cluster *cluster.Cluster
	pipes   []*pipe
	ctx     context.Context // of the readers
	stop    context.CancelFunc
	kills   int // of brokers
}

// pipe is one client's input, workers and reader.
type pipe struct {
	crew      *crew
	input     *input
	live      *sequence // of the reader that follows from the start
	followErr error
	put       atomic.Pointer[map[int32]int64] // set when the input is over
}

func (p *pipe) wanted() map[int32]int64 {
	if put := p.put.Load(); put != nil {
		return *put
	}
	return nil
}

func newRig(t *testing.T) *rig {
	t.Helper()
	root, dir := filepath.Join("..", ".."), *keep
	if dir == "" {
		dir = t.TempDir()
	}
	r := &rig{t: t}
	classes := t.TempDir()
	for _, p := range programs {
		if !wants(p.client) {
			continue
		}
		argv, err := build(root, classes, p.client)
		if err != nil {
			t.Logf("SKIPPED: the pipeline of %s: %v", p.client, err)
			continue
		}
		if *proto != "" {
			p.protocol = *proto
		}
		if p.client == "sarama" {
			p.protocol = "classic" // it has no other
		}
		r.pipes = append(r.pipes, &pipe{crew: &crew{client: p.client, argv: argv, protocol: p.protocol, dir: dir}, live: newSequence()})
	}
	if len(r.pipes) == 0 {
		t.Fatal("no client is left")
	}
	ctx, cancel := r.context()
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Config{Program: programOf(t, root), Dir: filepath.Join(dir, "nodes"), Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	r.cluster = c
	r.ctx, r.stop = context.WithCancel(context.Background())
	t.Cleanup(r.epilogue)
	var topics []string
	for _, p := range r.pipes {
		topics = append(topics, p.crew.in(), p.crew.out())
	}
	if err := makeTopics(ctx, c.Addrs(), topics...); err != nil {
		t.Fatal(err)
	}
	for _, p := range r.pipes {
		p.crew.seeds = c.Addrs()
		if p.input, err = newInput(c.Addrs(), p.crew.in()); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *rig) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.t.Context(), patience)
}

// epilogue ends everything, and shows what was said if the test has failed.
func (r *rig) epilogue() {
	r.stop()
	for _, p := range r.pipes {
		if p.crew.starts != nil {
			p.crew.end()
		}
	}
	if r.t.Failed() {
		r.t.Log(r.cluster.LastWords(40))
		r.keepLogs()
	}
	r.cluster.Close()
}

// keepLogs copies what was printed to where it outlives the test.
func (r *rig) keepLogs() {
	if *keep != "" {
		return // it stays where it is
	}
	dir := filepath.Join("..", ".work", "failed", r.t.Name())
	_ = os.MkdirAll(dir, 0o755)
	for _, n := range r.cluster.All {
		if text, err := os.ReadFile(n.Output); err == nil {
			_ = os.WriteFile(filepath.Join(dir, filepath.Base(n.Dir)+".log"), text, 0o644)
		}
	}
	for _, p := range r.pipes {
		if text, err := os.ReadFile(filepath.Join(p.crew.dir, p.crew.client+".log")); err == nil {
			_ = os.WriteFile(filepath.Join(dir, p.crew.client+".log"), text, 0o644)
		}
	}
	r.t.Logf("logs are kept in conformance/.work/failed/%s", r.t.Name())
}

// restart brings back every node that is not there, and waits until it answers.
func (r *rig) restart() bool {
	ctx, cancel := r.context()
	defer cancel()
	err := r.cluster.Launch()
	if err == nil {
		err = r.cluster.Ready(ctx)
	}
	if err != nil {
		r.t.Error(err)
	}
	return err == nil
}

// calmDown has every node back and in sync.
func (r *rig) calmDown() {
	if !r.restart() {
		return
	}
	ctx, cancel := r.context()
	defer cancel()
	if err := r.cluster.Until(ctx, "in sync", cluster.WholeISR); err != nil {
		r.t.Error(err)
	}
}

// verdict holds what was read against what was put in.
func (r *rig) verdict() {
	var kills, zombies int64
	for _, p := range r.pipes {
		c := &p.crew.counts
		kills, zombies = kills+c.Killed.Load(), zombies+c.Paused.Load()
		p.crew.end()
		if p.followErr != nil {
			r.t.Errorf("%s: %v", p.crew.client, p.followErr)
		}
		if len(p.live.wrong) > 0 {
			r.t.Errorf("%s: who followed was told\n  %s", p.crew.client, shorten(p.live.wrong, 20))
		}
		if !p.live.complete(p.wanted()) && len(p.live.wrong) == 0 {
			r.t.Errorf("%s: of %v only %v came out", p.crew.client, p.wanted(), p.live.next)
		}
		r.settle(p)
		r.t.Logf("%s: what workers told most\n%s", p.crew.client, p.crew.troubles(8))
	}
	r.t.Logf("%d brokers and %d workers were killed, %d workers came back as zombies", r.kills, kills, zombies)
}

// settle reads the output anew, when nobody works any more.
func (r *rig) settle(p *pipe) {
	ctx, cancel := r.context()
	defer cancel()
	seeds, c := r.cluster.Addrs(), &p.crew.counts
	if err := closed(ctx, seeds, p.crew.out()); err != nil {
		r.t.Errorf("%s: %v", p.crew.client, err)
		return
	}
	fresh := newSequence()
	reading, stopReading := context.WithTimeout(ctx, time.Minute)
	err := follow(reading, seeds, p.crew.out(), fresh, p.wanted)
	stopReading()
	if err != nil {
		r.t.Errorf("%s: %v", p.crew.client, err)
	}
	if len(fresh.wrong) > 0 || !fresh.complete(p.wanted()) {
		r.t.Errorf("%s: who came at the end was told %d of %v\n  %s", p.crew.client, fresh.count(), p.wanted(), shorten(fresh.wrong, 20))
	}
	total, err := all(ctx, seeds, p.crew.out())
	if err != nil {
		r.t.Errorf("%s: %v", p.crew.client, err)
	}
	if total <= fresh.count() && c.Aborted.Load() > 0 {
		r.t.Errorf("%s: no record was aborted: it showed nothing", p.crew.client)
	}
	record(r.t, figure{Client: p.crew.client, Group: p.crew.protocol, Brokers: r.kills, Killed: c.Killed.Load(), Zombies: c.Paused.Load(), Left: c.Left.Load(),
		Inputs: fresh.count(), Txns: c.Committed.Load(), Aborts: c.Aborted.Load(), Fenced: c.Fenced.Load(), Anew: c.Failed.Load(),
		Unseen: total - fresh.count(), Wrong: len(fresh.wrong) + len(p.live.wrong)})
}
