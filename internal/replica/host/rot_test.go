package host

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/model"
)

// spoil changes bytes in the middle of the first segment of a replica, and tells in which
// file.
func (n *node) spoil(topic string, p int32) string {
	t := n.cluster.t
	t.Helper()
	name := filepath.Join("/a", fmt.Sprintf("%s-%d", topic, p), "00000000000000000000.log")
	info, err := n.disk.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := n.disk.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 64)
	if _, err := f.ReadAt(b, info.Size()/2); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] ^= 0x5a
	}
	if _, err := f.WriteAt(b, info.Size()/2); err != nil {
		t.Fatal(err)
	}
	return name
}

// Bytes of a segment change on a follower, or on the leader: they are found, the replica
// gives up what is rotten when nobody counts on it, fetches it again, is in sync again, and
// then has what the others have; nothing that was acknowledged is lost though the others die.
func TestRot(t *testing.T) {
	for _, tc := range []struct {
		name   string
		victim int32
		min    int
	}{{"follower", 2, 1}, {"follower, two must be in sync", 2, 2}, {"leader", 1, 1}, {"leader, two must be in sync", 1, 2}} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				c := newCluster(t, 0)
				for id := range int32(2) {
					n := c.add(id + 1)
					n.config = func(cfg *Config) { cfg.ScrubInterval, cfg.ScrubRate = time.Minute, 16<<20 }
					n.kill()
					n.up()
				}
				c.made.MinISR = tc.min
				c.topic("orders", 1, 1, 2)
				puts := 0
				put := func() {
					t.Helper()
					c.mustPut("orders", 0, fmt.Sprint(puts))
					puts++
				}
				for range 300 {
					put()
				}
				time.Sleep(time.Minute)
				victim := c.nodes[tc.victim]
				if rotten := victim.partition("orders", 0).Rotten(); rotten {
					t.Fatal("nothing is wrong, and it is rotten")
				}
				victim.spoil("orders", 0)
				before := c.partitionState("orders", 0).PartitionEpoch
				whole := func() bool {
					p := c.partitionState("orders", 0)
					return len(p.ISR) == 2 && p.PartitionEpoch > before+1 && !isLost(assignedDir(p, tc.victim)) &&
						!victim.partition("orders", 0).Rotten()
				}
				for began := time.Now(); !whole(); time.Sleep(time.Second) {
					if time.Since(began) > 5*time.Minute {
						t.Fatalf("it does not heal: %+v, rotten: %v", c.partitionState("orders", 0), victim.partition("orders", 0).Rotten())
					}
				}
				for range 10 {
					put()
				}
				if found, err := victim.partition("orders", 0).Scrub(t.Context(), func(int) error { return nil }); found > 0 || err != nil {
					t.Errorf("after it has healed %d places are rotten, %v", found, err)
				}
				if got := c.same("orders", 0, 1, 2); len(got) != puts {
					t.Errorf("%d records were put, %d are there", puts, len(got))
				}
				c.end()
			})
		})
	}
}

// Of a replica that is the only one what is rotten is refused, and the rest is served.
func TestRotAlone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		c.topic("orders", 1, 1)
		for i := range 300 {
			c.mustPut("orders", 0, fmt.Sprint(i))
		}
		n := c.nodes[1]
		n.spoil("orders", 0)
		r := n.host.replica(model.IDPartition{Topic: model.ID{'o', 7}})
		n.host.scrub(t.Context(), r)
		time.Sleep(time.Minute)
		p := c.partitionState("orders", 0)
		if p.Leader != 1 || !r.Rotten() || isLost(assignedDir(p, 1)) {
			t.Errorf("leader %d, rotten: %v", p.Leader, r.Rotten())
		}
		if _, _, err := r.ReadLog(0, 1000); err != nil {
			t.Error(err)
		}
		c.mustPut("orders", 0, "after")
		if _, _, err := r.ReadLog(r.DurableEnd()-1, 1000); err != nil {
			t.Error(err)
		}
		c.end()
	})
}
