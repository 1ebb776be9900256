package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
)

// tear leaves a part of the first segment of a replica.
func (r *rig) tear(topic string, p int32, part func(size int64) int64) {
	r.t.Helper()
	f, err := r.disk.OpenFile(filepath.Join("/a", fmt.Sprintf("%s-%d", topic, p), "00000000000000000000.log"), os.O_RDWR, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := f.Truncate(part(size)); err != nil {
		r.t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		r.t.Fatal(err)
	}
}

// offset is a replica's log end, in its way.
func (r *rig) offset(topic string, p int32) partition.Offsets {
	r.t.Helper()
	o, err := r.partition(topic, p).Offsets()
	if err != nil {
		r.t.Fatal(err)
	}
	return o
}

var tears = []struct {
	name    string
	left    func(size int64) int64
	inOrder bool // the nodes are not killed before, and the journal has little
}{
	{"hole under the journal", func(int64) int64 { return 10 }, false},
	{"below what was synced", func(size int64) int64 { return size / 2 }, true},
	{"nothing is left", func(int64) int64 { return 0 }, true},
}

// All nodes end, the disk of one loses the end of a log, and all start at one time, or that
// one first: it does not lead over what it has lost, nor count, gets it from the others, and
// is in sync again. Nothing that was acknowledged is lost.
func TestShort(t *testing.T) {
	for _, tc := range tears {
		for i := range 6 {
			victim, last := int32(i/2), i%2 == 1 // it registers last: the cluster knows nobody else to have all
			t.Run(fmt.Sprintf("%s, node %d, last: %v", tc.name, victim+1, last), func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					c := newCluster(t, 3)
					c.made.MinISR = 2
					c.topic("orders", 1, 1, 2, 3)
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
					order := []int32{victim + 1, (victim+1)%3 + 1, (victim+2)%3 + 1}
					if last {
						order = append(order[1:], order[0])
					}
					for _, id := range order {
						if n := c.nodes[id]; tc.inOrder {
							n.down()
						} else {
							n.kill()
						}
					}
					n := c.nodes[victim+1]
					n.tear("orders", 0, tc.left)
					for _, id := range order {
						c.nodes[id].up()
					}
					whole := func() bool {
						p := c.partitionState("orders", 0)
						return len(p.ISR) == 3 && !isLost(assignedDir(p, n.id)) && n.partition("orders", 0).Missing() == 0 &&
							n.offset("orders", 0).End >= 300
					}
					for began := time.Now(); !whole(); time.Sleep(time.Second) {
						n.offset("orders", 0) // opens the log, which knows then what it lacks
						// In this order: it may heal in between.
						p, missing := c.partitionState("orders", 0), n.partition("orders", 0).Missing()
						if end := n.offset("orders", 0).End; p.Leader == n.id && end < 300 && missing == 0 {
							t.Fatalf("it leads with a log that ends at %d", end)
						}
						if time.Since(began) > time.Minute {
							t.Fatalf("it does not heal: %+v, %+v", c.partitionState("orders", 0), n.offset("orders", 0))
						}
					}
					for range 10 {
						put()
					}
					if got := c.same("orders", 0, 1, 2, 3); len(got) != puts {
						t.Errorf("%d records were put, %d are there", puts, len(got))
					}
					n.kill() // nothing of it is remembered
					n.up()
					if n.partition("orders", 0).Rotten() {
						t.Error("it has healed, and after a crash it has not")
					}
					c.end()
				})
			})
		}
	}
}

// The replica that has lost the end of its log had records that no other has: nobody leads,
// whoever is started again, until the operator would rather go on without.
func TestShortNobodyElse(t *testing.T) {
	for _, tc := range tears {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				c := newCluster(t, 3)
				c.topic("orders", 1, 1, 2, 3)
				for range 200 {
					c.mustPut("orders", 0, "of all")
				}
				n := c.nodes[1]
				for _, id := range []int32{2, 3} {
					c.nodes[id].kill()
					c.fence(id)
				}
				for range 100 {
					c.mustPut("orders", 0, "of one")
				}
				time.Sleep(time.Minute)
				if tc.inOrder {
					n.down()
				} else {
					n.kill()
				}
				n.tear("orders", 0, tc.left)
				for _, id := range []int32{2, 1, 3} {
					c.nodes[id].up()
				}
				for i := range 6 {
					time.Sleep(20 * time.Second)
					if err := c.put("orders", 0, "new"); err == nil {
						t.Fatal("a write is acknowledged")
					}
					for _, m := range c.nodes {
						if _, err := m.partition("orders", 0).ListOffset(model.OffsetLatest, model.NoEpoch, false); err == nil {
							t.Fatalf("node %d tells where it ends: %+v", m.id, c.partitionState("orders", 0))
						}
					}
					again := c.nodes[[]int32{1, 2, 1, 3, 1, 1}[i]]
					if i%2 == 0 {
						again.kill()
					} else {
						again.down()
					}
					again.up()
				}
				allowed := *c.made
				allowed.Unclean = true
				for _, m := range c.nodes {
					m.partition("orders", 0).Configure(&allowed)
				}
				c.unclean = true
				for began := time.Now(); c.put("orders", 0, "new") != nil; time.Sleep(time.Second) {
					if time.Since(began) > time.Minute {
						t.Fatalf("it does not go on: %+v", c.partitionState("orders", 0))
					}
				}
				c.same("orders", 0, 1, 2, 3)
				c.end()
			})
		})
	}
}

// The only replica has lost the end of its log: the partition is offline, and others of the
// node serve. When the operator allows it, it goes on without what is lost; what the journal
// has behind it is not.
func TestShortAlone(t *testing.T) {
	for _, tc := range tears {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.start()
				r.create("orders", 1, 1)
				r.create("other", 2, 1)
				for i := range 50 {
					r.mustPut("orders", 0, "k", fmt.Sprint(i))
					r.mustPut("other", 0, "k", fmt.Sprint(i))
				}
				time.Sleep(time.Minute)
				stop := r.cut
				if tc.inOrder {
					stop = r.end
				}
				stop()
				r.tear("orders", 0, tc.left)
				for range 3 { // it does not get over it by starting again, nor does the journal forget
					r.start()
					for range 3 {
						if err := r.put("orders", 0, "k", "new"); !errors.Is(err, kerr.KafkaStorageError) {
							t.Fatalf("a write is answered %v", err)
						}
						if _, err := r.partition("orders", 0).ListOffset(model.OffsetLatest, model.NoEpoch, false); !errors.Is(err, kerr.KafkaStorageError) {
							t.Fatalf("it tells where it ends: %v", err)
						}
					}
					for range 40 { // more than the journal would keep
						r.mustPut("other", 0, "k", strings.Repeat("x", 3000))
					}
					time.Sleep(time.Minute)
					stop()
				}
				r.start()
				if err := r.put("orders", 0, "k", "new"); err == nil {
					t.Fatal("it takes a write")
				}
				allowed := defaults()
				allowed.Unclean = true
				r.partition("orders", 0).Configure(allowed)
				r.mustPut("orders", 0, "k", "new")
				got := r.values("orders", 0)
				if len(got) > 50 || !tc.inOrder && !slices.Contains(got, "k=49") {
					t.Errorf("there are %v", got)
				}
				stop()
				r.start()
				r.mustPut("orders", 0, "k", "newer")
				if again := r.values("orders", 0); len(again) != len(got)+1 {
					t.Errorf("%d records were there, and %d after a start", len(got), len(again))
				}
				r.end()
			})
		})
	}
}

// What the high watermark tells is a promise where a topic is durable. Where it is not a
// power cut may take what was acknowledged, and the partition goes on; also if the topic is
// to be durable from then on.
func TestShortOfHighWatermark(t *testing.T) {
	for _, durable := range []bool{true, false} {
		t.Run(fmt.Sprint("durable: ", durable), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.made["orders"] = defaults()
				r.made["orders"].Durable = durable
				r.start()
				r.create("orders", 1, 1)
				for i := range 5 {
					r.mustPut("orders", 0, "k", fmt.Sprint(i))
				}
				time.Sleep(time.Minute)
				r.cut()
				if durable { // the disk has lost the rest, and what the journal had was recycled
					if err := r.disk.RemoveAll(filepath.Join("/a", journalName)); err != nil {
						t.Fatal(err)
					}
					r.tear("orders", 0, func(size int64) int64 { return size / 2 })
					if err := r.disk.Remove(filepath.Join("/a", recoveryPoints)); err != nil {
						t.Fatal(err)
					}
				}
				r.made["orders"] = defaults()
				r.start()
				if err := r.put("orders", 0, "k", "new"); errors.Is(err, kerr.KafkaStorageError) != durable {
					t.Errorf("a write is answered %v", err)
				}
				r.end()
			})
		})
	}
}
