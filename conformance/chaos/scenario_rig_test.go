package chaos

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/odradek/odradek/conformance/cluster"
	"github.com/odradek/odradek/sim/check"
	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var (
	results   = flag.String("results", "", "file to which figures are appended, a line of JSON each; TestPage makes the page of them")
	keepLines = flag.String("keep", "", "folder for histories and what workers say; default: one that is removed")
	verbose   = flag.Bool("chatty", false, "log what the nemesis does")
)

// settings are those of the rig's nodes beside what package cluster sets: sessions and
// time-outs that fit in lives of seconds.
var settings = []string{
	"group.consumer.min.session.timeout.ms=1000", "group.consumer.session.timeout.ms=6000",
	"group.consumer.min.heartbeat.interval.ms=500", "group.consumer.heartbeat.interval.ms=500",
	"group.share.min.session.timeout.ms=1000", "group.share.session.timeout.ms=6000",
	"group.share.min.heartbeat.interval.ms=500", "group.share.heartbeat.interval.ms=500",
	"group.initial.rebalance.delay.ms=500", "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000",
	"odradek.scrub.interval.ms=2000", "odradek.scrub.bytes.per.second=0",
}

// tools are built once for all tests, beside the nodes' program.
var tools = sync.OnceValue(func() *Tools { return BuildTools(filepath.Join("..", ".."), built) })

// story is a rig under a load, and what came of it.
type story struct {
	t       *testing.T
	rig     *Rig
	load    *Load
	mix     Mix
	rng     *rand.Rand
	began   time.Time
	faults  map[string]int64
	hurting sync.WaitGroup // what hurts workers
	killed  int64          // workers
	zombies int64
	figure  figure
}

// newStory starts a rig and its load. It is over with verdict.
func newStory(t *testing.T, name string, cfg Config, mix Mix) *story {
	t.Helper()
	cfg.Settings = append(slices.Clone(settings), cfg.Settings...)
	if *verbose {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	s := &story{t: t, rig: startRig(t, cfg), mix: mix, faults: make(map[string]int64), figure: figure{Name: name}}
	s.rng = s.rig.Rand(1)
	for _, why := range s.rig.Lacks() {
		t.Logf("SKIPPED in part: %s", why)
	}
	kit, dir := tools(), built
	for client, why := range kit.Lack {
		t.Logf("SKIPPED: workers of %s: %s", client, why)
	}
	if *keepLines != "" {
		dir = *keepLines
	}
	var err error
	s.load, err = NewLoad(within(t), s.rig, kit, filepath.Join(dir, fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano())), s.rig.Seed, mix.Topics...)
	try(t, err)
	t.Cleanup(func() {
		_ = s.load.End(0)
		switch {
		case *keepLines != "":
			t.Logf("histories are kept in %s", s.load.dir)
		case t.Failed():
			to := filepath.Join("..", ".work", "failed", t.Name(), "lines")
			err := errors.Join(os.RemoveAll(to), os.MkdirAll(filepath.Dir(to), 0o755), os.Rename(s.load.dir, to))
			t.Logf("histories are kept in conformance/.work/failed/%s/lines (%v)", t.Name(), err)
		default:
			_ = os.RemoveAll(s.load.dir)
		}
	})
	for _, g := range mix.Share {
		s.configureGroup(g, "share.auto.offset.reset", "earliest")
	}
	try(t, s.load.Begin(mix.Works...))
	s.began = time.Now()
	return s
}

// configureGroup sets a setting of a group.
func (s *story) configureGroup(group, key, value string) {
	s.t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Value = key, &value
	r.Configs = append(r.Configs, c)
	req.Resources = append(req.Resources, r)
	resp, err := req.RequestWith(within(s.t), client(s.t, s.rig))
	try(s.t, err)
	try(s.t, kerr.ErrorForCode(resp.Resources[0].ErrorCode))
}

// do hurts nodes, and tells the history.
func (s *story) do(name string, on ...*Node) *Harm {
	s.t.Helper()
	h, err := s.rig.Do(within(s.t), Named(name), on...)
	if why := Named(name).Lacks(s.rig); why != "" {
		s.t.Skipf("SKIPPED: %s: %s", name, why)
	}
	try(s.t, err)
	s.faults[name]++
	s.load.Happened(Event{Kind: "do", Fault: name, Nodes: h.IDs()})
	s.t.Logf("%5.1fs %s of %v %s", time.Since(s.began).Seconds(), name, h.IDs(), h.Detail)
	return h
}

func (s *story) undo(h *Harm) {
	s.t.Helper()
	try(s.t, h.Undo(within(s.t)))
	s.load.Happened(Event{Kind: "undo", Fault: h.Fault, Nodes: h.IDs()})
}

// lasts lets the faults do their work for so long: that is the scenario, no wait for
// something.
func (s *story) lasts(d time.Duration) { time.Sleep(d) }

// heal undoes all that is not undone.
func (s *story) heal() {
	s.t.Helper()
	began := time.Now()
	try(s.t, s.rig.Heal(within(s.t)))
	s.load.Happened(Event{Kind: "heal"})
	s.figure.Healing = max(s.figure.Healing, time.Since(began).Seconds())
}

// leader of a partition of the load.
func (s *story) leader(topic string, partition int32) *Node {
	s.t.Helper()
	on, err := LeaderOf(topic, partition).Pick(within(s.t), s.rig, s.rng)
	try(s.t, err)
	return on[0]
}

// others are all nodes but some.
func (s *story) others(but ...*Node) (nodes []*Node) {
	for _, n := range s.rig.Nodes {
		if !slices.Contains(but, n) {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// controller leads the metadata quorum.
func (s *story) controller() *Node {
	s.t.Helper()
	id, err := s.rig.Cluster.ControllerLeader(within(s.t))
	try(s.t, err)
	return s.rig.Node(id)
}

// progress waits until every partition of a topic has got another record from the load.
func (s *story) progress(topic string) {
	s.t.Helper()
	ctx := within(s.t)
	c, err := s.load.client(kgo.RequestTimeoutOverhead(time.Second), kgo.DialTimeout(time.Second), kgo.RetryTimeout(2*time.Second))
	try(s.t, err)
	defer c.Close()
	began := time.Now()
	var before kadm.ListedOffsets
	for ctx.Err() == nil {
		now, err := kadm.NewClient(c).ListEndOffsets(ctx, topic)
		if err == nil && now.Error() == nil {
			grown := before != nil
			now.Each(func(o kadm.ListedOffset) {
				b, _ := before.Lookup(o.Topic, o.Partition)
				grown = grown && o.Offset > b.Offset
			})
			if grown {
				s.figure.Stall = max(s.figure.Stall, time.Since(began).Seconds())
				return
			}
			if before == nil {
				before = now
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatalf("not every partition of %s gets records: %v", topic, ctx.Err())
}

// hurtWorkers kills the workers of pipes and makes zombies of them until stop is closed.
func (s *story) hurtWorkers(every time.Duration, stop <-chan struct{}) {
	rng := s.rig.Rand(2)
	for {
		select {
		case <-stop:
			return
		case <-time.After(every/2 + time.Duration(rng.Int64N(int64(every)))):
		}
		places := s.load.Mortal()
		p := places[rng.IntN(len(places))]
		if rng.IntN(3) > 0 {
			s.killed++
			p.kill()
			continue
		}
		s.zombies++
		if err := p.zombie(time.Duration(2+rng.IntN(8))*time.Second, s.load.stop); err != nil {
			s.t.Error(err)
		}
	}
}

// verdict ends the load, reads everything and holds it against what was told.
func (s *story) verdict() {
	s.t.Helper()
	s.heal()
	lasted := time.Since(s.began)
	try(s.t, s.load.End(patience))
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	try(s.t, s.load.Quiet(ctx))
	try(s.t, s.load.Drain(ctx))
	f := &s.figure
	for _, p := range s.mix.Pipes {
		if s.load.tools.argv[p.client] == nil {
			continue
		}
		inputs, wrong, err := s.load.Once(ctx, p.in, p.out, p.group)
		try(s.t, err)
		f.Inputs += inputs
		s.wrong(wrong)
		if inputs == 0 {
			s.t.Errorf("the pipe of %s did nothing: it showed nothing", p.client)
		}
	}
	try(s.t, s.rig.Cluster.Until(ctx, "in sync", cluster.WholeISR))
	try(s.t, errors.Join(s.rig.Unasked(), s.rig.Cluster.Stop(ctx)))
	began := time.Now()
	h, wrong, err := s.load.Check(check.Options{LateFetches: true, LateAcks: true})
	try(s.t, err)
	s.wrong(wrong)
	s.wrong(s.load.Replicas())
	sends, polled, rest := h.Count()
	f.Seconds, f.Sends, f.Polled, f.Rest, f.Checking = lasted.Seconds(), int64(sends), int64(polled), int64(rest), time.Since(began).Seconds()
	f.Faults, f.Nodes, f.Workers, f.Killed, f.Zombies = s.faults, len(s.rig.Nodes), len(s.load.places), s.killed, s.zombies
	f.Txns, f.Aborts = transactions(h)
	for i := range h.Sends {
		if h.Sends[i].Outcome == history.OK {
			f.Acked++
		}
	}
	f.Without = s.rig.Lacks()
	record(s.t, *f)
}

func transactions(h *history.History) (committed, aborted int64) {
	for i := range h.Ops {
		if o := &h.Ops[i]; o.Kind == history.EndTxn && o.Outcome == history.OK {
			if o.Commit {
				committed++
			} else {
				aborted++
			}
		}
	}
	return committed, aborted
}

func (s *story) wrong(list []string) {
	s.t.Helper()
	s.figure.Wrong += len(list)
	for _, w := range list[:min(len(list), 30)] {
		s.t.Error(w)
	}
}
