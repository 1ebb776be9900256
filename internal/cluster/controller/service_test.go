package controller

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/proto/model"
)

const clusterID = "cluster"

// node is a service on a quorum of one.
type node struct {
	*Service
	feed *metadata.Feed
	stop func() error
}

func startNode(t *testing.T, fs vfs.FS) *node {
	t.Helper()
	feed := metadata.NewFeed()
	var q *quorum.Quorum
	s := New(Options{Node: 1, Feed: feed, Rand: rand.New(rand.NewPCG(1, 2)),
		Begin: func(term int64, entry []byte) Wait { return q.Begin(term, entry) }})
	q, err := quorum.Open(quorum.Config{
		FS: fs, Dir: "/quorum", Node: 1, Apply: feed.ApplyEntry, Restore: feed.Restore,
		Snapshot: func() []byte { _, data := feed.Snapshot(); return data },
		Lead:     s.Lead, Resign: s.Resign, Rand: rand.New(rand.NewPCG(3, 4)).Uint64, SnapshotBytes: 32 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	n := &node{s, feed, func() error { cancel(); return <-ended }}
	if err := s.WaitLead(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Bootstrap(t.Context(), clusterID); err != nil {
		t.Fatal(err)
	}
	return n
}

func registration(id int32, incarnation byte) Registration {
	return Registration{
		ID: id, ClusterID: clusterID, Incarnation: model.ID{1, incarnation}, PreviousEpoch: -1,
		Endpoints: []metadata.Endpoint{{Listener: "PLAINTEXT", Host: "localhost", Port: 9092}},
		Features:  Features, LogDirs: []model.ID{{2, byte(id)}},
	}
}

func (n *node) join(t *testing.T, r Registration) int64 {
	t.Helper()
	epoch, err := n.RegisterBroker(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	hb, err := n.Heartbeat(t.Context(), Heartbeat{ID: r.ID, Epoch: epoch, MetadataOffset: n.feed.Image().Offset})
	if err != nil || hb.Fenced {
		t.Fatalf("heartbeat = %+v, %v", hb, err)
	}
	return epoch
}

// One node from nothing to a topic, through the quorum, and back after a power cut.
func TestOneNode(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		n := startNode(t, fs)
		epoch := n.join(t, registration(1, 1))
		made, err := n.CreateTopics(t.Context(), []NewTopic{{Name: "a", Partitions: 3, ReplicationFactor: 1}}, false)
		if err != nil || made[0].Err != nil {
			t.Fatal(err, made)
		}
		topic, ok := n.feed.Image().Topic("a")
		if !ok || topic.ID != made[0].ID || len(topic.Partitions) != 3 || topic.Partitions[2].Leader != 1 {
			t.Fatalf("the answer came before the image: %+v", topic)
		}
		block, err := n.AllocateProducerIDs(t.Context(), 1, epoch)
		if err != nil || block != (ProducerIDBlock{0, 1000}) {
			t.Fatalf("block %+v, %v", block, err)
		}
		next := fs.Crash(rand.New(rand.NewPCG(5, 6)))
		_ = n.stop() // its disk is gone

		n = startNode(t, next)
		r := registration(1, 2)
		r.PreviousEpoch = epoch
		again := n.join(t, r)
		if again <= epoch {
			t.Errorf("epoch %d after %d", again, epoch)
		}
		topic, ok = n.feed.Image().Topic("a")
		if !ok || topic.ID != made[0].ID || topic.Partitions[0].Leader != 1 || topic.Partitions[0].LeaderEpoch != 0 {
			t.Errorf("after the crash: %+v", topic)
		}
		if block, err := n.AllocateProducerIDs(t.Context(), 1, again); err != nil || block.Start != 1000 {
			t.Errorf("block %+v, %v", block, err)
		}
		if err := n.stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := n.CreateTopics(t.Context(), nil, false); !errors.Is(err, kerr.NotController) {
			t.Errorf("a stopped node decides: %v", err)
		}
	})
}

// Of many who ask for the same at once, one gets it, and who is refused is answered
// when what refused him is true.
func TestConcurrentDecisions(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := startNode(t, vfs.NewMem())
		n.join(t, registration(1, 1))
		const asking, topics = 8, 20
		made := make(chan string, asking*topics)
		ended := make(chan error, asking)
		for range asking {
			go func() {
				for i := range topics {
					name := fmt.Sprint("t", i)
					r, err := n.CreateTopics(t.Context(), []NewTopic{{Name: name, Partitions: 1, ReplicationFactor: 1}}, false)
					if err != nil {
						ended <- err
						return
					}
					if _, ok := n.feed.Image().Topic(name); !ok {
						ended <- fmt.Errorf("%s is answered with %v and not in the image", name, r[0].Err)
						return
					}
					if r[0].Err == nil {
						made <- name
					} else if !errors.Is(r[0].Err, kerr.TopicAlreadyExists) {
						ended <- r[0].Err
						return
					}
				}
				ended <- nil
			}()
		}
		for range asking {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if len(made) != topics {
			t.Errorf("%d creations succeeded, want %d", len(made), topics)
		}
		if err := n.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A second broker with the same id is refused while the first is heard of.
func TestDuplicateBroker(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := startNode(t, vfs.NewMem())
		n.join(t, registration(1, 1))
		if _, err := n.RegisterBroker(t.Context(), registration(1, 2)); !errors.Is(err, kerr.DuplicateBrokerRegistration) {
			t.Errorf("another incarnation: %v", err)
		}
		r := registration(1, 1)
		r.ClusterID = "other"
		if _, err := n.RegisterBroker(t.Context(), r); !errors.Is(err, kerr.InconsistentClusterID) {
			t.Errorf("another cluster: %v", err)
		}
		if err := n.Bootstrap(t.Context(), "other"); !errors.Is(err, kerr.InconsistentClusterID) {
			t.Errorf("bootstrap of another cluster: %v", err)
		}
		if err := n.stop(); err != nil {
			t.Fatal(err)
		}
	})
}
