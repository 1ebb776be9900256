package host

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Whatever file of a folder an error of its disk befalls while a partition is used, the
// folder is offline: were it the partition alone, a follower would be given up that nobody
// tries again and that never joins the ISR, though its broker lives.
func TestDiskErrorsEndTheFolder(t *testing.T) {
	checkpoints := func(op vfs.Op, name string) bool {
		return op == vfs.OpSync && strings.HasPrefix(name, "/a/") && strings.HasSuffix(name, "-checkpoint.tmp")
	}
	remade := func(r *rig) error {
		r.delete(1)
		r.follow("orders", 2, 0)
		_, _, _, err := r.partition("orders", 0).FetchFrom()
		return err
	}
	for name, c := range map[string]struct {
		bad func(vfs.Op, string) bool
		do  func(*rig) error
	}{
		"a topic is made anew, and its name is to go from the checkpoints": {checkpoints, remade},
		"a topic is made anew, and the old folder is to go": {
			func(op vfs.Op, name string) bool { return op == vfs.OpRename && strings.HasPrefix(name, "/a/orders") }, remade,
		},
		"a topic is made anew, and the going of the old folder is to be durable": {
			func(op vfs.Op, name string) bool { return op == vfs.OpSyncDir && name == "/a" }, remade,
		},
		"a log is cut": {checkpoints, func(r *rig) error {
			r.follow("orders", 1, 1)
			return r.partition("orders", 0).Truncate(1, partition.EpochEnd{Epoch: 0, End: 1})
		}},
		"a log start follows the leader's": {checkpoints, func(r *rig) error {
			r.follow("orders", 1, 1)
			return r.partition("orders", 0).FollowStart(1, 2)
		}},
		"a log begins anew": {checkpoints, func(r *rig) error {
			r.follow("orders", 1, 1)
			return r.partition("orders", 0).Restart(1, 100)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.dirs = append(r.dirs, Dir{Path: "/b", ID: model.ID{2}})
				faulty := vfs.NewFaulty(r.disk, nil)
				r.fs = faulty
				r.start()
				defer r.end()
				r.create("orders", 1, 1)
				for range 3 {
					r.mustPut("orders", 0, "k", "v")
				}
				r.host.checkpoint(t.Context())
				faulty.SetRule(func(op vfs.Op, name string) error {
					if c.bad(op, name) {
						return vfs.ErrIO
					}
					return nil
				})
				// Where the deleter comes first the new partition is in the other folder.
				if err := c.do(r); err != nil && !errors.Is(err, kerr.KafkaStorageError) {
					t.Errorf("the error is %v", err)
				}
				if n := r.host.OfflineDirs(); n != 1 {
					t.Errorf("%d folders are offline", n)
				}
				r.create("more", 3, 1)
				r.mustPut("more", 0, "k", "v")
			})
		})
	}
}

// follow has node 2 lead partition 0 of a topic, and this node follow it. The topic is made
// if there is none of this id.
func (r *rig) follow(topic string, id byte, epoch int32) {
	r.t.Helper()
	p := metadata.Partition{
		Leader: 2, LeaderEpoch: epoch, PartitionEpoch: epoch, Replicas: []int32{2, 1}, ISR: []int32{2, 1}, Dirs: make([]model.ID, 2),
	}
	if _, ok := r.feed.Image().TopicByID(topicID(id)); ok {
		r.apply(metadata.ChangePartition{Topic: topicID(id), Partition: p})
	} else {
		r.apply(metadata.AddTopic{Name: topic, ID: topicID(id)}, metadata.AddPartition{Topic: topicID(id), Partition: p})
	}
	r.host.catchUp()
	if !slices.Contains(r.partition(topic, 0).Role().Replicas, 2) {
		r.t.Fatal("it does not follow")
	}
}
