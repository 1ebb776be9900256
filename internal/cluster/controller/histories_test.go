package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// Whatever is asked in whatever order, decisions apply and the invariants hold.
func TestRandomHistories(t *testing.T) {
	histories := 150
	if testing.Short() {
		histories = 20
	}
	for seed := range uint64(histories) {
		rng := rand.New(rand.NewPCG(seed, 9))
		w := newWorld(t, "a", "a", "b", "b", "c")
		w.rng = rng
		w.rules.MinISR = func(*metadata.Image, string) int { return 2 }
		w.rules.Unclean = func(_ *metadata.Image, topic string) bool { return strings.HasSuffix(topic, "1") }
		for range 120 {
			randomStep(w, rng)
		}
		if t.Failed() {
			t.Fatalf("repeat with seed %d", seed)
		}
	}
}

func randomStep(w *world, rng *rand.Rand) {
	s := w.state()
	id, name := int32(1+rng.IntN(5)), fmt.Sprint("t", rng.IntN(4))
	some := func() []int32 {
		ids := rng.Perm(5)[:1+rng.IntN(4)]
		list := make([]int32, len(ids))
		for i, v := range ids {
			list[i] = int32(v + 1)
		}
		return list
	}
	switch rng.IntN(10) {
	case 0, 1:
		w.create(NewTopic{Name: name, Partitions: int32(1 + rng.IntN(3)), ReplicationFactor: int16(1 + rng.IntN(3))})
	case 2:
		_, recs := s.DeleteTopics([]TopicRef{{Name: name}})
		if rng.IntN(4) == 0 {
			w.apply(recs)
		}
	case 3:
		w.fence(id)
	case 4, 5:
		w.unfence(id)
	case 6:
		_, recs := s.AlterPartitionReassignments(Reassign{AllowReplicationChange: true, Partitions: []Reassignment{
			{model.TopicPartition{Topic: name}, some()}, {model.TopicPartition{Topic: "t0", Partition: 1}, nil},
		}})
		w.apply(recs)
	case 7:
		_, recs := s.ElectLeaders(ElectionType(rng.IntN(2)), nil)
		w.apply(recs)
	default:
		randomISR(w, name, some())
	}
}

func randomISR(w *world, name string, ids []int32) {
	t, ok := w.image.Topic(name)
	if !ok {
		return
	}
	p := t.Partitions[0]
	var isr []BrokerEpoch
	if p.Leader != model.NoLeader && !slices.Contains(ids, p.Leader) {
		ids = append(ids, p.Leader)
	}
	for _, id := range within(ids, p.Replicas) {
		isr = append(isr, BrokerEpoch{id, -1})
	}
	if _, ok := w.image.Broker(p.Leader); !ok {
		return
	}
	_, recs, err := w.state().AlterPartition(AlterPartition{p.Leader, epochOf(w, p.Leader), []ISRChange{
		{t.ID, 0, p.LeaderEpoch, p.PartitionEpoch, isr, metadata.Recovered},
	}})
	if err != nil {
		w.t.Error(err)
	}
	w.apply(recs)
}
