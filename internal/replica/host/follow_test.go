package host

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/odradek/odradek/internal/store/journal"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A partition is there as soon as the cluster has it, takes no room before it is used,
// and goes with its topic: its folder is renamed at once and removed after a while.
func TestFollow(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		orders := model.TopicPartition{Topic: "orders"}
		if _, err := r.host.Partition(orders); !errors.Is(err, kerr.UnknownTopicOrPartition) {
			t.Errorf("before it is made: %v", err)
		}
		r.create("orders", 1, 2)
		if got := r.folders("/a"); got != "" {
			t.Errorf("folders of what nobody used: %s", got)
		}
		r.mustPut("orders", 0, "k", "v")
		if got := r.folders("/a"); got != "orders-0" {
			t.Errorf("folders: %s", got)
		}
		if _, err := r.host.PartitionByID(model.IDPartition{Topic: topicID(1), Partition: 2}); !errors.Is(err, kerr.UnknownTopicOrPartition) {
			t.Errorf("a partition that the topic has not: %v", err)
		}
		p := r.partition("orders", 0)
		r.delete(1)
		synctest.Wait()
		if _, err := p.Append(r.batch("k", "v"), partition.AppendArgs{ProduceVersion: 12, Acks: 1}); !errors.Is(err, kerr.NotLeaderForPartition) {
			t.Errorf("append to a deleted partition: %v", err)
		}
		if _, err := r.host.PartitionByID(p.ID()); !errors.Is(err, kerr.UnknownTopicID) {
			t.Errorf("after it is deleted: %v", err)
		}
		if got := r.folders("/a"); got != "orders-0…delete" {
			t.Errorf("folders after the deletion: %s", got)
		}
		time.Sleep(2 * time.Minute)
		if got := r.folders("/a"); got != "" {
			t.Errorf("folders a while later: %s", got)
		}
		r.end()
	})
}

// A topic that is made again under its name begins empty, at once, however fast they
// follow; and a power cut brings nothing of the old one back.
func TestRecreate(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		for id := byte(1); id < 6; id++ {
			r.create("orders", id, 1)
			if id != 3 { // one that nobody used
				if got := r.values("orders", 0); len(got) > 0 {
					t.Fatalf("topic %d begins with %v", id, got)
				}
				r.mustPut("orders", 0, "k", string('0'+id))
			}
			r.delete(id)
		}
		r.create("orders", 6, 1)
		r.mustPut("orders", 0, "k", "6")
		r.cut()
		r.start()
		if got := r.values("orders", 0); !slices.Equal(got, []string{"k=6"}) {
			t.Errorf("after a power cut: %v", got)
		}
		r.end()
	})
}

// A topic that is deleted just before the end leaves no folder that would be taken for
// somebody's.
func TestDeleteAndEnd(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.create("orders", 1, 3)
		for n := range int32(3) {
			r.mustPut("orders", n, "k", "v")
		}
		r.delete(1)
		r.host.catchUp()
		r.end()
		if got := r.folders("/a"); got != "orders-0…delete orders-1…delete orders-2…delete" {
			t.Errorf("folders: %s", got)
		}
		r.start()
		time.Sleep(time.Minute)
		if got := r.folders("/a"); got != "" {
			t.Errorf("folders after the next start: %s", got)
		}
		r.end()
	})
}

// Nothing is written into a folder that goes, and nothing of it is synced.
func TestDeletedIsNotMadeDurable(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		faulty := vfs.NewFaulty(r.disk, nil)
		r.fs = faulty
		r.start()
		r.create("orders", 1, 1)
		r.mustPut("orders", 0, "k", "v")
		var touched []string
		faulty.SetRule(func(op vfs.Op, name string) error {
			if strings.HasPrefix(name, "/a/orders-0/") {
				touched = append(touched, fmt.Sprint(op, " ", name))
			}
			return nil
		})
		r.delete(1)
		synctest.Wait()
		faulty.SetRule(nil)
		if len(touched) > 0 {
			t.Errorf("of a folder that goes: %s", touched)
		}
		if got := r.folders("/a"); got != "orders-0…delete" {
			t.Errorf("folders: %s", got)
		}
		r.end()
	})
}

// What met the end of the journal says nothing of the disk: the folder is not given up.
func TestClosedJournalIsNoDiskError(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		f := r.host.dirs[0]
		r.host.failedTo("delete partitions", f, fmt.Errorf("delete orders-0: %w", journal.ErrClosed))
		if err := f.err(); err != nil {
			t.Errorf("the folder is offline: %v", err)
		}
		r.end()
	})
}

// The name of a deleted folder keeps to what a file system takes.
func TestLongestName(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		name := strings.Repeat("x", 249)
		r.create(name, 1, 1)
		r.mustPut(name, 0, "k", "v")
		r.delete(1)
		synctest.Wait()
		entries, err := r.disk.ReadDir("/a")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), "xx") && (len(e.Name()) > 255 || !strings.HasSuffix(e.Name(), deleteSuffix)) {
				t.Errorf("%d bytes: %s", len(e.Name()), e.Name())
			}
		}
		r.end()
	})
}

// A folder of another topic of the same name is moved aside and kept.
func TestStray(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.create("orders", 1, 1)
		r.mustPut("orders", 0, "k", "old")
		r.end()
		r.feed = metadata.NewFeed() // the cluster forgot everything
		r.start()
		r.create("orders", 2, 1)
		r.mustPut("orders", 0, "k", "new")
		time.Sleep(time.Hour)
		if got := r.folders("/a"); got != "orders-0 orders-0…stray" {
			t.Errorf("folders: %s", got)
		}
		if got := r.values("orders", 0); !slices.Equal(got, []string{"k=new"}) {
			t.Errorf("records: %v", got)
		}
		r.end()
	})
}

// Changed settings reach the partitions of the topic, open or not; those of the broker
// reach all. Partitions share them.
func TestSettings(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.create("orders", 1, 2)
		r.create("other", 2, 1)
		r.mustPut("orders", 0, "k", "v")
		before, other := r.made["orders"], r.partition("other", 0).Settings()
		if r.partition("orders", 0).Settings() != before || r.partition("orders", 1).Settings() != before {
			t.Error("partitions of a topic do not share their settings")
		}
		change := func(res metadata.Resource) *partition.Settings {
			s := defaults()
			r.made["orders"] = s
			value := time.Now().String()
			r.apply(metadata.SetConfig{Resource: res, Key: "k", Value: &value})
			r.host.catchUp()
			return s
		}
		for _, res := range []metadata.Resource{{Type: metadata.TopicResource, Name: "orders"}, {Type: metadata.BrokerResource}} {
			s := change(res)
			for n := range int32(2) {
				if r.partition("orders", n).Settings() != s {
					t.Errorf("%v: orders-%d has its old settings", res, n)
				}
			}
			time.Sleep(time.Second)
		}
		if r.partition("other", 0).Settings() != other {
			t.Error("another topic has other settings")
		}
		r.end()
	})
}

// Partitions are spread over the folders, and stay where they are.
func TestPlacement(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRigOfTwo(t)
		r.start()
		r.create("orders", 1, 4)
		for n := range int32(4) {
			r.mustPut("orders", n, "k", "v")
		}
		a, b := r.folders("/a"), r.folders("/b")
		if len(strings.Fields(a)) != 2 || len(strings.Fields(b)) != 2 {
			t.Errorf("folders: %s and %s", a, b)
		}
		r.end()
		r.dirs[0], r.dirs[1] = r.dirs[1], r.dirs[0]
		r.start()
		for n := range int32(4) {
			r.mustPut("orders", n, "k", "w")
		}
		if r.folders("/a") != a || r.folders("/b") != b {
			t.Errorf("folders after a restart: %s and %s", r.folders("/a"), r.folders("/b"))
		}
		r.end()
	})
}

// A partition that the cluster moves to another node goes, though its topic stays; what
// the journal has of it does not come back with it, whatever a power cut leaves.
func TestMovedAway(t *testing.T) {
	for seed := range uint64(20) {
		bubble.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.rng = rand.New(rand.NewPCG(seed, 3))
			r.start()
			r.create("orders", 1, 1)
			for _, v := range []string{"1", "2", "3"} {
				r.mustPut("orders", 0, "k", v)
			}
			r.move("orders", 1, 2)
			if _, err := r.host.Partition(model.TopicPartition{Topic: "orders"}); !errors.Is(err, kerr.NotLeaderForPartition) {
				t.Errorf("moved away: %v", err)
			}
			r.move("orders", 2, 1)
			synctest.Wait()
			var want []string
			for _, v := range []string{"4", "5"}[:seed%3] {
				r.mustPut("orders", 0, "k", v)
				want = append(want, "k="+v)
			}
			r.cut()
			r.start()
			if got := r.values("orders", 0); !slices.Equal(got, want) {
				t.Errorf("seed %d: after it came back and a power cut: %v", seed, got)
			}
			r.end()
		})
	}
}

// move gives partition 0 of a topic to another node, in an epoch.
func (r *rig) move(topic string, epoch, node int32) {
	r.t.Helper()
	is, _ := r.feed.Image().Topic(topic)
	r.apply(metadata.ChangePartition{Topic: is.ID, Partition: metadata.Partition{
		Leader: node, LeaderEpoch: epoch, PartitionEpoch: epoch, Replicas: []int32{node}, ISR: []int32{node}, Dirs: make([]model.ID, 1),
	}})
	r.host.catchUp()
}

// An error of the disk while a partition is deleted takes the folder offline, no more.
func TestDeletionFails(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRigOfTwo(t)
		faulty := vfs.NewFaulty(r.disk, nil)
		r.fs = faulty
		r.start()
		r.create("orders", 1, 2)
		r.mustPut("orders", 0, "k", "v")
		r.mustPut("orders", 1, "k", "v")
		faulty.SetRule(func(op vfs.Op, name string) error {
			if op == vfs.OpRename && strings.HasPrefix(name, "/a/orders") {
				return vfs.ErrIO
			}
			return nil
		})
		r.delete(1)
		synctest.Wait()
		r.create("more", 2, 1)
		if n := r.host.OfflineDirs(); n != 1 {
			t.Errorf("%d folders are offline", n)
		}
		r.mustPut("more", 0, "k", "v")
		r.end()
	})
}
