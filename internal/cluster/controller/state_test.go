package controller

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// world is an image under test: do applies what a decision returns.
type world struct {
	t     testing.TB
	image *metadata.Image
	rules Rules
	rng   *rand.Rand
	// downgraded: ELR was switched off, which may leave partitions without an ISR.
	downgraded bool
}

func newWorld(t testing.TB, racks ...string) *world {
	w := &world{t: t, image: metadata.Empty(), rng: rand.New(rand.NewPCG(1, 1))}
	recs, err := w.state().Bootstrap(1, 2, clusterID)
	if err != nil {
		t.Fatal(err)
	}
	w.apply(recs)
	for i, rack := range racks {
		r := registration(int32(i+1), 1)
		if rack != "" {
			r.Rack = &rack
		}
		w.join(r)
	}
	return w
}

func (w *world) state() State { return NewState(w.image, w.rules, w.rng, time.Time{}) }

func (w *world) apply(recs []metadata.Record) {
	w.t.Helper()
	next, err := w.image.Apply(recs, w.image.Offset+1)
	if err != nil {
		w.t.Fatal(err)
	}
	w.image = next
	w.check()
}

func (w *world) join(r Registration) {
	w.t.Helper()
	epoch, recs, err := w.state().RegisterBroker(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply(recs)
	w.heartbeat(Heartbeat{ID: r.ID, Epoch: epoch, MetadataOffset: w.image.Offset})
}

func (w *world) heartbeat(h Heartbeat) HeartbeatResult {
	w.t.Helper()
	r, recs, err := w.state().Heartbeat(h)
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply(recs)
	return r
}

func (w *world) fence(id int32) {
	w.t.Helper()
	recs, err := w.state().FenceBroker(id)
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply(recs)
}

func (w *world) unfence(id int32) {
	w.t.Helper()
	b, _ := w.image.Broker(id)
	w.heartbeat(Heartbeat{ID: id, Epoch: b.Epoch, MetadataOffset: w.image.Offset})
}

func (w *world) create(t NewTopic) CreatedTopic {
	w.t.Helper()
	r, recs := w.state().CreateTopics([]NewTopic{t}, false)
	w.apply(recs)
	return r[0]
}

// topic creates a topic with one partition on these brokers.
func (w *world) topic(name string, brokers ...int32) {
	w.t.Helper()
	if r := w.create(NewTopic{Name: name, Partitions: -1, ReplicationFactor: -1, Assignments: []Assignment{{0, brokers}}}); r.Err != nil {
		w.t.Fatal(r.Err)
	}
}

func (w *world) partition(name string) *metadata.Partition {
	_, p, ok := w.image.Partition(name, 0)
	if !ok {
		w.t.Fatalf("no partition %s-0", name)
	}
	return p
}

// check holds the invariants of every partition.
func (w *world) check() {
	w.t.Helper()
	elr := w.image.Feature(FeatureELR) > 0
	for t := range w.image.Topics() {
		for i, p := range t.Partitions {
			problem := ""
			switch {
			case p.Leader != model.NoLeader && !slices.Contains(p.ISR, p.Leader):
				problem = "the leader is not in the ISR"
			case !containsAll(p.Replicas, p.ISR) || !containsAll(p.Replicas, p.ELR):
				problem = "the ISR or ELR is not among the replicas"
			case len(within(p.ELR, p.ISR)) > 0:
				problem = "the ISR and the ELR meet"
			case hasTwice(p.Replicas) || hasTwice(p.ISR) || hasTwice(p.ELR):
				problem = "a broker stands twice"
			case len(p.Dirs) != len(p.Replicas):
				problem = "the folders do not fit the replicas"
			case !elr && len(p.ISR) == 0 && !w.downgraded:
				problem = "the ISR is empty"
			case p.Leader != model.NoLeader && !w.state().active(p.Leader):
				problem = "the leader is not alive"
			}
			if problem != "" {
				w.t.Fatalf("%s-%d: %s: %+v", t.Name, i, problem, *p)
			}
		}
	}
}

func ptr(s string) *string { return &s }

func wantErr(t *testing.T, got error, want *kerr.Error, words string) {
	t.Helper()
	if want == nil {
		if got != nil {
			t.Errorf("error %v", got)
		}
		return
	}
	if !errors.Is(got, want) || !strings.Contains(got.Error(), words) {
		t.Errorf("error %v, want %s with %q", got, want.Message, words)
	}
}
