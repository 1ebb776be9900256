package host

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// newMovers is a cluster whose nodes have two folders each.
func newMovers(t *testing.T, nodes int32) *cluster {
	c := newCluster(t, 0)
	c.twoDirs = true
	for id := range nodes {
		c.add(id + 1)
	}
	return c
}

// where tells in which folders a node has a partition, and which one the cluster knows.
func (c *cluster) where(node int32, topic string, p int32) string {
	var dirs string
	for _, d := range c.nodes[node].host.Describe() {
		for _, r := range d.Replicas {
			if r.TP == (model.TopicPartition{Topic: topic, Partition: p}) {
				dirs += d.Path
				if r.Future {
					dirs += "+"
				}
			}
		}
	}
	is := c.partitionState(topic, p)
	for i, id := range is.Replicas {
		if id == node {
			dirs += " known in " + map[byte]string{0: "none", 1: "/a", 2: "/b"}[is.Dirs[i][1]]
		}
	}
	return dirs
}

// A replica moves to another folder while it leads, and while it follows: nothing is lost,
// nobody waits for more than moments, the controller knows, and what is written later is
// there after a power cut.
func TestMoveReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMovers(t, 2)
		c.topic("orders", 1, 1, 2)
		tp := model.TopicPartition{Topic: "orders"}
		puts := 0
		put := func() {
			t.Helper()
			began := time.Now()
			c.mustPut("orders", 0, fmt.Sprint(puts))
			if took := time.Since(began); took > time.Second {
				t.Errorf("put %d took %v", puts, took)
			}
			puts++
		}
		for range 200 {
			put()
		}
		for _, to := range []string{"/b", "/a", "/b"} {
			for id := range int32(2) {
				if err := c.nodes[id+1].host.MoveReplica(tp, to); err != nil {
					t.Fatal(err)
				}
				for c.where(id+1, "orders", 0) != to+" known in "+to {
					put()
					time.Sleep(time.Millisecond)
					if puts > 3000 {
						t.Fatalf("node %d: the replica is in %s", id+1, c.where(id+1, "orders", 0))
					}
				}
				for range 20 {
					put()
				}
			}
		}
		for id := range int32(2) {
			c.nodes[id+1].kill()
			c.fence(id + 1)
			c.nodes[id+1].up()
			time.Sleep(time.Second)
			put()
		}
		if got := c.same("orders", 0, 1, 2); len(got) != puts {
			t.Errorf("%d records were put, %d are there", puts, len(got))
		}
		c.end()
	})
}

// A move that a power cut ends is begun anew; one that is taken back, or whose topic goes,
// leaves nothing behind.
func TestMovesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMovers(t, 1)
		n := c.nodes[1]
		c.topic("orders", 1, 1)
		c.topic("trades", 1, 1)
		for i := range 50 {
			c.mustPut("orders", 0, fmt.Sprint(i))
			c.mustPut("trades", 0, fmt.Sprint(i))
		}
		home := map[string]string{}
		away := map[string]string{"/a": "/b", "/b": "/a"}
		for _, topic := range []string{"orders", "trades"} {
			home[topic] = c.where(1, topic, 0)[:2]
		}
		c.mu.Lock()
		c.mute = true // so that moves do not end
		c.mu.Unlock()
		for topic, dir := range home {
			if err := n.host.MoveReplica(model.TopicPartition{Topic: topic}, away[dir]); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		for topic, dir := range home {
			if got := c.where(1, topic, 0); got[:5] != "/a/b+" && got[:5] != "/a+/b" {
				t.Errorf("%s of %s is in %s", topic, dir, got)
			}
		}
		if err := n.host.MoveReplica(model.TopicPartition{Topic: "trades"}, home["trades"]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if got := c.where(1, "trades", 0)[:3]; got != home["trades"]+" " {
			t.Errorf("the move was taken back, and the replica is in %s", got)
		}
		n.kill()
		c.mu.Lock()
		c.mute = false
		c.mu.Unlock()
		n.up()
		time.Sleep(5 * time.Second)
		if got, want := c.where(1, "orders", 0), away[home["orders"]]; got != want+" known in "+want {
			t.Errorf("after a power cut the replica that moved is in %s", got)
		}
		if got := len(c.nodes[1].values("orders", 0)); got != 50 {
			t.Errorf("%d records are there", got)
		}
		time.Sleep(5 * time.Minute)
		if got := n.folders("/a") + " " + n.folders("/b"); len(strings.Fields(got)) != 2 {
			t.Errorf("folders: %s", got)
		}
		c.end()
	})
}

// What cannot be is refused; where a replica shall be that is yet to come is remembered.
func TestMovesRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMovers(t, 1)
		h := c.nodes[1].host
		tp := model.TopicPartition{Topic: "orders"}
		if err := h.MoveReplica(tp, "/c"); !errors.Is(err, kerr.LogDirNotFound) {
			t.Errorf("a folder that is none: %v", err)
		}
		for range 2 {
			if err := h.MoveReplica(tp, "/b"); !errors.Is(err, kerr.ReplicaNotAvailable) {
				t.Errorf("a replica that is not here: %v", err)
			}
		}
		c.topic("orders", 1, 1)
		c.mustPut("orders", 0, "a")
		time.Sleep(time.Second)
		if got := c.where(1, "orders", 0); got != "/b known in /b" {
			t.Errorf("it came to %s", got)
		}
		c.end()
	})
}
