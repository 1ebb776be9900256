package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// spoilEpoch flips a bit in the leader epoch of the last batch of a replica's first segment,
// which no checksum covers, and tells what it was and is.
func (r *rig) spoilEpoch(topic string, p int32, bit int64) (was, is int32) {
	r.t.Helper()
	name := filepath.Join("/a", fmt.Sprintf("%s-%d", topic, p), "00000000000000000000.log")
	b, err := vfs.ReadFile(r.disk, name)
	if err != nil {
		r.t.Fatal(err)
	}
	last, pos := record.Batch(nil), 0
	for rest := b; len(rest) > 0; {
		pos = len(b) - len(rest)
		if last, rest, err = record.Split(rest); err != nil {
			r.t.Fatal(err)
		}
	}
	const epoch = 12 // where it stands in a batch
	was = last.LeaderEpoch()
	if is = was ^ 1<<bit; last.BaseOffset() == 0 {
		r.t.Fatal("it is the only batch")
	}
	f, err := r.disk.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(binary.BigEndian.AppendUint32(nil, uint32(is)), int64(pos)+epoch); err != nil {
		r.t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		r.t.Fatal(err)
	}
	return was, is
}

// noJournal has a node forget what its journal had.
func (r *rig) noJournal() {
	if err := r.disk.RemoveAll(filepath.Join("/a", journalName)); err != nil {
		r.t.Fatal(err)
	}
}

// endings are how a node ends before a bit of its disk turns.
var endings = []struct {
	name    string
	crash   bool
	journal bool
}{{"in order", false, true}, {"crash", true, true}, {"crash, without the journal", true, false}}

// A bit turns in the leader epoch of the last batch of a log, so that the epoch is one that
// there was not yet, or is over. No node stops: the replica gives up what is rotten, fetches
// it again, is in sync again, and nothing is lost.
func TestRotOfEpoch(t *testing.T) {
	for _, ending := range endings {
		for victim := range int32(2) {
			for _, bit := range []int64{0, 15, 30, 31} { // of epoch 3: lower, and far too high, and negative
				t.Run(fmt.Sprintf("%s, node %d, bit %d", ending.name, victim+1, bit), func(t *testing.T) {
					bubble.Test(t, func(t *testing.T) {
						c := newCluster(t, 2)
						c.topic("orders", 1, 1, 2)
						puts := 0
						put := func() {
							t.Helper()
							c.mustPut("orders", 0, fmt.Sprint(puts))
							puts++
						}
						inSync := func() bool {
							p := c.partitionState("orders", 0)
							return len(p.ISR) == 2 && !isLost(assignedDir(p, victim+1))
						}
						settle := func(what string, whole func() bool) {
							t.Helper()
							for began := time.Now(); !whole(); time.Sleep(time.Second) {
								if time.Since(began) > 2*time.Minute {
									t.Fatalf("%s: %+v", what, c.partitionState("orders", 0))
								}
							}
						}
						for c.partitionState("orders", 0).LeaderEpoch < 3 || c.partitionState("orders", 0).Leader != 1 {
							for range 10 {
								put()
							}
							n := c.leader("orders", 0)
							n.down()
							n.up()
							settle("not in sync", inSync)
						}
						for range 10 {
							put()
						}
						time.Sleep(time.Minute)
						n, other := c.nodes[victim+1], c.nodes[2-victim]
						// The victim ends last, and starts first: it leads if it may.
						if _, err := n.partition("orders", 0).Sync(); err != nil {
							t.Fatal(err)
						}
						for _, m := range []*node{other, n} {
							if ending.crash {
								m.kill()
							} else {
								m.down()
							}
						}
						was, is := n.spoilEpoch("orders", 0, bit)
						if !ending.journal {
							n.noJournal()
						}
						n.up()
						other.up()
						for range 3 {
							if end := n.offset("orders", 0).End; end < int64(puts)-1 {
								t.Errorf("of %d records %d are left", puts, end)
							}
							settle(fmt.Sprintf("it does not heal, of epoch %d instead of %d", is, was), func() bool {
								n.offset("orders", 0) // opens the log
								return inSync() && !n.partition("orders", 0).Rotten()
							})
							time.Sleep(5 * time.Second)
						}
						for range 5 {
							put()
						}
						if got := c.same("orders", 0, 1, 2); len(got) != puts {
							t.Errorf("%d records were put, %d are there", puts, len(got))
						}
						if epoch := n.partition("orders", 0).Opened().LatestEpoch(); epoch > c.partitionState("orders", 0).LeaderEpoch {
							t.Errorf("the log has had epoch %d", epoch)
						}
						c.end()
					})
				})
			}
		}
	}
}

// The same of a replica that is the only one. What the journal has is mended; else the batch
// is refused, as any that is rotten, and the partition goes on, as do others of the node.
func TestRotOfEpochAlone(t *testing.T) {
	for _, ending := range endings {
		for _, bit := range []int64{0, 15, 30, 31} { // of epoch 3, as above
			t.Run(fmt.Sprintf("%s, bit %d", ending.name, bit), func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					r := newRig(t)
					r.start()
					r.create("orders", 1, 1)
					r.create("other", 2, 1)
					for i := range 10 {
						r.mustPut("orders", 0, "k", fmt.Sprint(i))
						r.mustPut("other", 0, "k", fmt.Sprint(i))
						if i == 5 {
							r.apply(metadata.ChangePartition{Topic: topicID(1), Partition: metadata.Partition{
								Leader: 1, Replicas: []int32{1}, ISR: []int32{1}, Dirs: make([]model.ID, 1), LeaderEpoch: 3, PartitionEpoch: 3,
							}})
						}
					}
					for _, topic := range []string{"orders", "other"} {
						if _, err := r.partition(topic, 0).Sync(); err != nil {
							t.Fatal(err)
						}
					}
					time.Sleep(time.Minute)
					stop := r.end
					if ending.crash {
						stop = r.cut
					}
					stop()
					r.spoilEpoch("orders", 0, bit)
					if !ending.journal {
						r.noJournal()
					}
					for i := range 3 {
						r.start()
						r.mustPut("other", 0, "k", fmt.Sprint("new", i))
						r.mustPut("orders", 0, "k", fmt.Sprint("new", i))
						_, _, err := r.partition("orders", 0).ReadLog(9, 1<<20)
						if mended := ending.crash && ending.journal; mended && err != nil || !mended && !errors.Is(err, kerr.CorruptMessage) {
							t.Fatalf("read of what is rotten: %v", err)
						}
						if b, next, err := r.partition("orders", 0).ReadLog(10+int64(i), 1<<20); err != nil || next != 11+int64(i) || len(b) == 0 {
							t.Errorf("read behind: up to %d, %v", next, err)
						}
						if b, next, err := r.partition("orders", 0).ReadLog(0, 1<<20); err != nil || next < 9 || len(b) == 0 {
							t.Errorf("read before: up to %d, %v", next, err)
						}
						if err := r.partition("orders", 0).Err(); err != nil {
							t.Error(err)
						}
						if epoch := r.partition("orders", 0).Opened().LatestEpoch(); epoch != 3 {
							t.Errorf("the log has had epoch %d", epoch)
						}
						time.Sleep(time.Minute)
						stop()
					}
				})
			})
		}
	}
}
