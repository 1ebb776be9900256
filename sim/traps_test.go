package sim

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/sim/history"
	"github.com/odradek/odradek/sim/load"
	"github.com/odradek/odradek/sim/world"
)

var trapSeeds = flag.Int("traps", 1, "how many seeds of each trap to live through")

// trap is a story that leads past one mistake, told rather than drawn: what befalls the
// cluster comes when it hurts most if the mistake is made. Its clients and all that is
// checked are those of every seed, and know nothing of it.
type trap struct {
	shape world.Shape
	mix   load.Mix
	story func(p *play)
}

// traps are those of all mistakes.
var traps = map[planted.Bug]trap{}

// lay adds traps; it is called by init functions.
func lay(more map[planted.Bug]trap) struct{} {
	for b, t := range more {
		traps[b] = t
	}
	return struct{}{}
}

// In each trap the cluster keeps its word. With its mistake planted (TestPlanted) it does not.
func TestTraps(t *testing.T) {
	if testing.Short() {
		t.Skip("what they lead past is in the seeds, too")
	}
	for _, b := range planted.All() {
		trap, ok := traps[b]
		if !ok {
			t.Errorf("there is no trap for %s", b)
			continue
		}
		t.Run(string(b), func(t *testing.T) {
			if trap.mix.Consumers > 0 && !load.Grouping {
				t.Skip("its group needs the build tag synctests")
			}
			for seed := *first; seed < *first+uint64(*trapSeeds); seed++ {
				t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
					bubble.Test(t, func(t *testing.T) { trap.spring(t, seed) })
				})
				if t.Failed() {
					break // what others are told of it is the first
				}
			}
		})
	}
}

// play is a trap's cluster and its clients.
type play struct {
	*world.World
	t   *testing.T
	rng *rand.Rand
}

// spring plays the story, and has everything checked however it ends.
func (tr trap) spring(t *testing.T, seed uint64) {
	w := world.New(t, seed, tr.shape)
	w.Up()
	rec := history.NewRecorder(nil)
	l := load.New(w, rec, seed, tr.mix)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := l.Prepare(ctx); err != nil {
		t.Fatal(err)
	}
	l.Start()
	ended := false
	defer func() {
		if ended {
			l.StopReading()
			w.Down()
		}
		// Else it did not come to its end, and there is none: clients wait for a cluster that
		// is dead. What they saw is judged all the same.
		for _, c := range l.Complaints() {
			t.Errorf("client: %s", c)
		}
		h := rec.History()
		verify(t, l, h)
		if t.Failed() {
			save(t, seed, h)
		}
	}()
	tr.story(&play{w, t, rand.New(rand.NewPCG(seed, 2))})
	note(rec, history.Heal, func() string { w.Heal(); return "heal" })
	bad := func(what string, err error) {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	bad("it does not live", l.ProveLife(15*time.Second))
	l.StopWriting()
	bad("it does not live", l.NothingOpen(15*time.Second))
	bad("it does not settle", w.Settle(30*time.Second))
	bad("it cannot be read", l.Drain(t.Context()))
	l.CheckCopies()
	ended = true
}

// A quorum that nothing befalls, and three brokers of which two may die.
var apart = world.Shape{Voters: 3, Brokers: 3, Split: true, Static: map[string]string{
	"transaction.state.log.num.partitions": "1", "offsets.topic.num.partitions": "1",
	"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}}

// onOrders is a load on one partition, and who reads it.
func onOrders(config map[string]string) load.Mix {
	return load.Mix{
		Topics: []load.Topic{{Name: load.Orders, Partitions: 1, Config: config}},
		Pace:   5 * time.Millisecond, Large: 1000, Producers: 3, Readers: 1, Watchers: 1,
	}
}

// pass lets time pass, never so much twice.
func (p *play) pass(d time.Duration) { time.Sleep(d + time.Duration(p.rng.Int64N(int64(d/4)))) }

// leader waits until somebody leads the partition of Orders, and is that node; the others of
// its replicas follow.
func (p *play) leader() (leader *world.Node, followers []*world.Node) {
	p.t.Helper()
	p.Eventually("somebody leads", 20*time.Second, func() bool { return p.Leader(load.Orders, 0) != nil })
	leader = p.Leader(load.Orders, 0)
	_, part, _ := p.Image().Partition(load.Orders, 0)
	for _, id := range part.Replicas {
		if id != leader.ID {
			followers = append(followers, p.Node(id))
		}
	}
	return leader, followers
}

// inSync waits until exactly these nodes are in sync, as a controller says.
func (p *play) inSync(nodes ...*world.Node) {
	p.t.Helper()
	p.Eventually(fmt.Sprintf("%d replicas are in sync", len(nodes)), 20*time.Second, func() bool {
		_, part, ok := p.Image().Partition(load.Orders, 0)
		if !ok || len(part.ISR) != len(nodes) {
			return false
		}
		for _, n := range nodes {
			if !contains(part.ISR, n.ID) {
				return false
			}
		}
		return true
	})
}

func contains(ids []int32, id int32) bool {
	for _, other := range ids {
		if other == id {
			return true
		}
	}
	return false
}

// brokers are the nodes that serve clients.
func (p *play) brokers() (list []*world.Node) {
	for _, n := range p.Nodes() {
		if n.Serves() {
			list = append(list, n)
		}
	}
	return list
}

// powerCut has the power of some nodes fail at one instant, and come back.
func (p *play) powerCut(nodes ...*world.Node) {
	for _, n := range nodes {
		n.CutPower()
	}
	for _, n := range nodes {
		n.Kill()
	}
	for _, n := range nodes {
		n.Launch()
	}
}
