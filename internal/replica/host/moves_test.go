package host

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
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
	bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
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

// A power cut that ends a move at its last step leaves the replica in two folders. The one
// that is set aside may have had records in the journal: it gets them, and then the journal
// forgets it, so that nothing is wrong with that folder, now and when the node stops.
func TestMoveLeavesTwo(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newMovers(t, 1)
		n := c.nodes[1]
		c.topic("orders", 1, 1)
		for i := range 50 {
			c.mustPut("orders", 0, fmt.Sprint(i))
		}
		time.Sleep(time.Second)
		dirs := map[string]model.ID{"/a": {1, 1}, "/b": {1, 2}}
		home := c.where(1, "orders", 0)[:2]
		away := map[string]string{"/a": "/b", "/b": "/a"}[home]
		n.twin("orders-0", home, away)
		c.mu.Lock()
		c.mute = true // the replica that runs is not to say where it is
		c.decideLocked(func(s controller.State) []metadata.Record {
			_, recs, err := s.AssignReplicasToDirs(controller.AssignDirs{Broker: 1, BrokerEpoch: n.epoch, Replicas: []controller.DirReplica{
				{Topic: model.ID{'o', 7}, Dir: dirs[away]},
			}})
			if err != nil {
				t.Error(err)
			}
			return recs
		})
		c.mu.Unlock()
		n.kill()
		c.mu.Lock()
		c.mute = false
		c.mu.Unlock()
		n.up()
		time.Sleep(5 * time.Second)
		if got := c.where(1, "orders", 0); got != away+" known in "+away {
			t.Errorf("the replica is in %s", got)
		}
		if got := len(n.values("orders", 0)); got != 50 {
			t.Errorf("%d records are there", got)
		}
		if got := n.folders(home) + " " + n.folders(away); got != "orders-0…stray orders-0" {
			t.Errorf("folders: %s", got)
		}
		for _, f := range n.host.dirs {
			f.journal.Recycle() // has all synced that it keeps
		}
		time.Sleep(5 * time.Second)
		for _, f := range n.host.dirs {
			if err := f.err(); err != nil {
				t.Error(err)
			}
		}
		stray, err := n.disk.ReadDir(home)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range stray {
			if strings.HasSuffix(e.Name(), straySuffix) && !slices.Equal(n.segment(home, e.Name()), n.segment(away, "orders-0")) {
				t.Error("what was set aside has not all records")
			}
		}
		c.end()
	})
}

// segment is what the first segment of a log has.
func (n *node) segment(dir, name string) []byte {
	b, err := vfs.ReadFile(n.disk, filepath.Join(dir, name, "00000000000000000000.log"))
	if err != nil {
		n.cluster.t.Fatal(err)
	}
	return b
}

// twin copies the folder of a partition to another one, for good.
func (n *node) twin(name, from, to string) {
	t := n.cluster.t
	if err := vfs.MkdirAllDurable(n.disk, filepath.Join(to, name), 0o755); err != nil {
		t.Fatal(err)
	}
	entries, err := n.disk.ReadDir(filepath.Join(from, name))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := vfs.ReadFile(n.disk, filepath.Join(from, name, e.Name()))
		if err == nil {
			err = vfs.WriteFileDurable(n.disk, filepath.Join(to, name, e.Name()), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
