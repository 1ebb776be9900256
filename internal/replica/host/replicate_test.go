package host

import (
	"errors"
	"fmt"
	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What one broker leads the others have too, soon, and only then it is acknowledged.
func TestReplicate(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.topic("orders", 3, 1, 2, 3)
		began := time.Now()
		for i := range 30 {
			if err := c.put("orders", int32(i%3), fmt.Sprint(i)); err != nil {
				t.Fatal(i, err)
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("thirty records took %v", took)
		}
		for p := range int32(3) {
			if got := c.same("orders", p, 1, 2, 3); len(got) != 10 {
				t.Errorf("partition %d has %v", p, got)
			}
		}
		c.end()
	})
}

// A follower that falls silent leaves the in-sync set after replica.lag.time.max.ms, and is
// back in moments after it has caught up.
func TestISRShrinksAndGrows(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.topic("orders", 1, 1, 2, 3)
		c.mustPut("orders", 0, "a")
		var cut atomic.Bool
		c.net.OnDial(func(from, _ string) error {
			if cut.Load() && from[:2] == "n3" {
				return errors.New("no way")
			}
			return nil
		})
		cut.Store(true)
		c.cut("n3")
		began := time.Now()
		c.mustPut("orders", 0, "b")
		if took := time.Since(began); took < 10*time.Second || took > 16*time.Second {
			t.Errorf("committed without the third after %v", took)
		}
		if isr := c.partitionState("orders", 0).ISR; !slices.Equal(isr, []int32{1, 2}) {
			t.Errorf("in sync: %v", isr)
		}
		for i := range 50 {
			c.mustPut("orders", 0, fmt.Sprint(i))
		}
		cut.Store(false)
		asks := c.asked()
		began = time.Now()
		for len(c.partitionState("orders", 0).ISR) < 3 {
			if time.Since(began) > 2*time.Second {
				t.Fatal("the third does not come back")
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Minute)
		if n := c.asked() - asks; n > 1 {
			t.Errorf("the controller was asked %d times", n)
		}
		c.same("orders", 0, 1, 2, 3)
		c.end()
	})
}

// A controller that does not answer is asked again; meanwhile followers that have caught
// up count, and nothing is committed without them.
func TestControllerDoesNotAnswer(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.topic("orders", 1, 1, 2)
		c.mustPut("orders", 0, "a")
		c.nodes[2].kill()
		c.fence(2)
		c.mustPut("orders", 0, "b")
		c.mu.Lock()
		c.mute = true
		c.mu.Unlock()
		c.nodes[2].up()
		time.Sleep(time.Second)
		c.mustPut("orders", 0, "c")
		asks := c.asked()
		time.Sleep(10 * time.Second)
		if n := c.asked() - asks; n < 3 || n > 150 {
			t.Errorf("asked %d times in ten seconds", n)
		}
		c.mu.Lock()
		c.mute = false
		c.mu.Unlock()
		time.Sleep(2 * time.Second)
		if isr := c.partitionState("orders", 0).ISR; len(isr) != 2 {
			t.Errorf("in sync: %v", isr)
		}
		c.end()
	})
}

// A follower whose disk was wiped is filled again, and one whose log the leader has cut at
// the front begins there.
func TestRefill(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.topic("orders", 1, 1, 2)
		for i := range 10 {
			c.mustPut("orders", 0, fmt.Sprint(i))
		}
		n := c.nodes[2]
		n.kill()
		c.fence(2)
		n.disk = vfs.NewMem()
		if err := vfs.MkdirAllDurable(n.disk, "/a", 0o755); err != nil {
			t.Fatal(err)
		}
		n.up()
		if got := c.same("orders", 0, 1, 2); len(got) != 10 {
			t.Errorf("refilled with %v", got)
		}
		n.kill()
		c.fence(2)
		for i := range 10 {
			c.mustPut("orders", 0, fmt.Sprint("more", i))
		}
		part := c.nodes[1].partition("orders", 0)
		if _, err := c.nodes[1].host.DeleteRecords(part, 15); err != nil {
			t.Fatal(err)
		}
		n.up()
		if got := c.same("orders", 0, 1, 2); len(got) != 5 {
			t.Errorf("after the leader's log was cut: %v", got)
		}
		if o, _ := n.partition("orders", 0).Offsets(); o.Start != 15 || o.End != 20 {
			t.Errorf("the follower has [%d, %d)", o.Start, o.End)
		}
		c.end()
	})
}

// Nodes die and come back, with all that was not synced forgotten: what was acknowledged
// is there in the end, in order, once, and the same on all.
func TestFailures(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) { failures(t, seed) })
		})
	}
}

func failures(t *testing.T, seed uint64) {
	c := newCluster(t, 3)
	c.rng = rand.New(rand.NewPCG(seed, 3))
	c.made.MinISR = 2
	c.topic("orders", 2, 1, 2, 3)
	acked := make([][]string, 2)
	var writers sync.WaitGroup
	var over atomic.Bool
	for p := range int32(2) {
		writers.Go(func() {
			for i := 0; !over.Load(); i++ {
				value := fmt.Sprintf("%d.%d", p, i)
				time.Sleep(3 * time.Millisecond)
				if err := c.put("orders", p, value); err == nil {
					acked[p] = append(acked[p], "k="+value)
				} else {
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	for range 6 {
		time.Sleep(time.Duration(c.rng.IntN(300)) * time.Millisecond)
		n := c.nodes[c.rng.Int32N(3)+1]
		n.kill()
		c.fence(n.id)
		time.Sleep(time.Duration(c.rng.IntN(300)) * time.Millisecond)
		n.up()
		for p := range int32(2) {
			for len(c.partitionState("orders", p).ISR) < 3 {
				time.Sleep(10 * time.Millisecond)
			}
		}
	}
	over.Store(true)
	writers.Wait()
	for p := range int32(2) {
		have := c.same("orders", p, 1, 2, 3)
		if len(acked[p]) < 20 {
			t.Errorf("partition %d: only %d records were acknowledged", p, len(acked[p]))
		}
		at := 0
		for _, value := range have {
			if at < len(acked[p]) && value == acked[p][at] {
				at++
			}
		}
		if at < len(acked[p]) {
			t.Errorf("partition %d lacks %s, or has it out of order; it has %d of %d", p, acked[p][at], len(have), len(acked[p]))
		}
	}
	c.end()
}

// A follower of a partition that was idle for long is not late when the first record comes.
func TestIdleIsNotLate(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.topic("orders", 1, 1, 2, 3)
		c.mustPut("orders", 0, "a")
		asks := c.asked()
		for range 20 {
			time.Sleep(time.Minute)
			part := c.nodes[1].partition("orders", 0)
			a, err := part.Append(c.nodes[1].batch("k", "v"), partition.AppendArgs{ProduceVersion: 12, Acks: partition.AllInSync})
			if err != nil {
				t.Fatal(err)
			}
			c.nodes[1].host.proposeAll(t.Context(), c.nodes[1].host.replicas(), map[*replica]time.Time{})
			if err := part.Wait(t.Context(), a.End, a.Epoch); err != nil {
				t.Fatal(err)
			}
		}
		if c.asked() != asks {
			t.Errorf("the controller was asked %d times to change the in-sync set", c.asked()-asks)
		}
		c.end()
	})
}

// A folder that the cluster does not place here, because its topic went while the node was
// down or its replica is elsewhere now, is set aside at the next start, once the node is
// known again; the others stay.
func TestStraysAreSetAside(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.topic("gone", 1, 1, 2)
		c.topic("kept", 1, 1, 2)
		c.mustPut("gone", 0, "a")
		c.mustPut("kept", 0, "b")
		n := c.nodes[2]
		n.kill()
		c.fence(2)
		c.decide(func(controller.State) []metadata.Record {
			return []metadata.Record{metadata.RemoveTopic{ID: model.ID{'g', 7}}}
		})
		n.up()
		time.Sleep(time.Second)
		if got := n.folders("/a"); got != "gone-0…stray kept-0" {
			t.Errorf("folders: %s", got)
		}
		c.same("kept", 0, 1, 2)
		c.end()
	})
}

// A replica that is listed is filled at the rate that is set, while others are not held up
// and it is not held up itself once it is in sync (KIP-73).
func TestThrottle(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.topic("orders", 1, 1, 2)
		c.topic("trades", 1, 1, 2)
		c.nodes[2].kill()
		c.fence(2)
		for range 50 {
			c.mustPut("orders", 0, strings.Repeat("x", 10_000))
		}
		rate, list := "50000", "0:2"
		c.decide(func(controller.State) []metadata.Record {
			return []metadata.Record{
				metadata.SetConfig{Resource: metadata.Resource{Type: metadata.BrokerResource, Name: "2"}, Key: "follower.replication.throttled.rate", Value: &rate},
				metadata.SetConfig{Resource: metadata.Resource{Type: metadata.TopicResource, Name: "orders"}, Key: "follower.replication.throttled.replicas", Value: &list},
			}
		})
		c.nodes[2].config = func(cfg *Config) { cfg.FetchMaxBytes = 20_000 }
		c.nodes[2].up()
		began := time.Now()
		for len(c.partitionState("orders", 0).ISR) < 2 {
			if len(c.partitionState("trades", 0).ISR) == 2 {
				if at := time.Now(); c.put("trades", 0, "x") != nil || time.Since(at) > 10*time.Millisecond {
					t.Fatalf("another partition took %v", time.Since(at))
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(began); took < 8*time.Second || took > 12*time.Second {
			t.Errorf("half a megabyte at 50 KB/s took %v", took)
		}
		at := time.Now()
		for range 10 {
			c.mustPut("orders", 0, strings.Repeat("x", 10_000))
		}
		if took := time.Since(at); took > time.Second {
			t.Errorf("in sync, and held up for %v", took)
		}
		c.end()
	})
}

// A follower that fetches before it knows its own registration joins a leader that nobody
// writes to.
func TestJoinsIdleLeader(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.topic("orders", 1, 1, 2)
		for i := range 10 {
			c.mustPut("orders", 0, fmt.Sprint(i))
		}
		c.late = 100 * time.Millisecond
		for range 4 {
			n := c.leader("orders", 0)
			n.down()
			n.up()
			for began := time.Now(); len(c.partitionState("orders", 0).ISR) < 2; time.Sleep(100 * time.Millisecond) {
				if time.Since(began) > 20*time.Second {
					t.Fatalf("not in sync: %+v", c.partitionState("orders", 0))
				}
			}
		}
		c.end()
	})
}
