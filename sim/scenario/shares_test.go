package scenario

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/sim/world"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// What leaders store of share partitions outlives any node, by a power cut too, and the
// part of the log that is not needed goes.
func TestClusterKeepsShareStates(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newStage(t, 1, world.Shape{Static: map[string]string{
			"share.coordinator.state.topic.num.partitions":           "3",
			"share.coordinator.snapshot.update.records.per.snapshot": "2",
			"share.coordinator.state.topic.prune.interval.ms":        "1000",
		}})
		r.Up()
		defer r.Down()
		client := r.Client()
		r.AtDown(client.Close)
		ctx := context.Background()
		made, err := kadm.NewClient(client).CreateTopic(ctx, 4, 3, nil, "t")
		if err != nil {
			t.Fatal(err)
		}
		id := model.ID(made.ID)
		var keys []share.Key
		for p := range int32(4) {
			keys = append(keys, share.Key{Group: "g", TopicID: id, Partition: p}, share.Key{Group: "h", TopicID: id, Partition: p})
		}
		anyone := func() *share.Client { return r.anyone().Broker().Sharing() }
		for _, k := range keys {
			if err := anyone().InitializeState(ctx, k, 1, share.NoStart); err != nil {
				t.Fatalf("initialize %v: %v", k, err)
			}
		}
		want := map[share.Key]share.PartitionState{}
		for round := range int64(6) {
			for i, k := range keys {
				m := r.Nodes()[(int(round)+i)%len(r.Nodes())]
				batch := share.StateBatch{First: 10*round + 3, Last: 10*round + 4, State: share.Acknowledged, Deliveries: 1}
				if err := m.Broker().Sharing().WriteState(ctx, k, 1, int32(round), 10*round, 2, []share.StateBatch{batch}); err != nil {
					t.Fatalf("write %v: %v", k, err)
				}
				want[k] = share.PartitionState{StateEpoch: 1, Start: 10 * round, Batches: []share.StateBatch{batch}, DeliveryCompleteCount: 2}
			}
			down := r.Nodes()[int(round)%len(r.Nodes())]
			down.Kill()
			for _, k := range keys {
				got, err := anyone().ReadState(ctx, k, int32(round)+1)
				if err != nil || !reflect.DeepEqual(got, want[k]) {
					t.Fatalf("round %d: %v is %+v, %v; want %+v", round, k, got, err, want[k])
				}
			}
			if err := anyone().WriteState(ctx, keys[0], 1, int32(round), 0, 0, nil); !errors.Is(err, kerr.FencedLeaderEpoch) {
				t.Fatalf("an earlier leader wrote: %v", err)
			}
			r.Up()
			time.Sleep(2 * time.Second)
		}
		r.eventually("old records are deleted", func() bool {
			starts, err := kadm.NewClient(client).ListStartOffsets(ctx, model.ShareGroupStateTopic)
			pruned := 0
			starts.Each(func(o kadm.ListedOffset) {
				if o.Err == nil && o.Offset > 0 {
					pruned++
				}
			})
			return err == nil && pruned > 0
		})
		if err := anyone().DeleteState(ctx, keys[0]); err != nil {
			t.Fatal(err)
		}
		known, failed := anyone().Summaries(ctx, keys, -1)
		for i, k := range keys {
			s := share.Summary{StateEpoch: 1, LeaderEpoch: 6, Start: 50, DeliveryCompleteCount: 2}
			if i == 0 {
				s = share.Summary{Start: share.NoStart, DeliveryCompleteCount: -1}
			}
			if known[k] != s || failed[k] != nil {
				t.Errorf("%v: got %+v, %v; want %+v", k, known[k], failed[k], s)
			}
		}
		if _, err := kadm.NewClient(client).DeleteTopic(ctx, "t"); err != nil {
			t.Fatal(err)
		}
		r.eventually("states go with their topic", func() bool {
			_, err := anyone().ReadState(ctx, keys[1], 9)
			return errors.Is(err, kerr.InvalidRequest)
		})
	})
}
