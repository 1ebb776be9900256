package scenario

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/sim/world"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// A coordinator whose disk stands still does not learn that another was elected in its
// place, though the controller hears it. It tells nobody an offset from before: a pipeline
// would begin there and put out twice what came after (seed 102981).
func TestReplacedCoordinatorTellsNoOffset(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		ctx := r.t.Context()
		commit := func(group string, at int64) error {
			_, err := adm.CommitOffsets(ctx, group, kadm.Offsets{orders: {0: {Topic: orders, At: at}}})
			return err
		}
		r.must(commit("any", 1))
		r.settle()
		image := r.Image()
		topic, _ := image.Topic(model.ConsumerOffsetsTopic)
		var group string
		var partition int32
		var old *world.Node
		for i := 0; old == nil || old == r.Leading(); i++ { // the controller's disk is to work
			group = fmt.Sprint("g", i)
			partition = model.CoordinatorPartition(group, int32(len(topic.Partitions)))
			old = r.leaderOf(model.ConsumerOffsetsTopic, partition)
		}
		r.must(commit(group, 5))
		if at, code := fetchedFrom(r, ctx, old, group); at != 5 || code != 0 {
			r.t.Fatalf("the coordinator tells %d, %v", at, kerr.ErrorForCode(code))
		}
		replaceStalled(r, adm, old, model.ConsumerOffsetsTopic, partition)
		told := 0
		for range 40 {
			at, code := fetchedFrom(r, ctx, old, group)
			if code == 0 && at == 5 {
				told++
			}
			time.Sleep(50 * time.Millisecond)
		}
		if told > 0 {
			r.t.Errorf("who was replaced told its offset %d times", told)
		}
		old.Stall(false)
	})
}

// A leader that was replaced and does not know of it says to nobody that a place which is its
// successor's is out of range: who is told so begins anew (seeds 122187, 122593).
func TestReplacedLeaderKnowsNoEnd(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		c := r.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
		defer c.Close()
		place := int32(0) // of which the controller is not the leader: its disk is to work
		if r.leaderOf(orders, place) == r.Leading() {
			place = 1
		}
		write := func() (next int64) {
			rec, err := c.ProduceSync(r.t.Context(), &kgo.Record{Topic: orders, Partition: place, Value: []byte("v")}).First()
			r.must(err)
			return rec.Offset + 1
		}
		write()
		r.settle()
		old := r.leaderOf(orders, place)
		replaceStalled(r, adm, old, orders, place)
		next := write()
		out := 0
		for range 40 {
			if code := asked(r, old, place, next); code == kerr.OffsetOutOfRange.Code {
				out++
			}
			time.Sleep(50 * time.Millisecond)
		}
		if out > 0 {
			r.t.Errorf("who was replaced called %d out of range %d times", next, out)
		}
		old.Stall(false)
		r.settle()
		if code := asked(r, r.leaderOf(orders, place), place, next+1); code != kerr.OffsetOutOfRange.Code {
			r.t.Errorf("the leader says of what is beyond its end: %v", kerr.ErrorForCode(code))
		}
	})
}

// replaceStalled has a node's disk stand still, and others lead what it leads.
func replaceStalled(r *stage, adm *kadm.Client, old *world.Node, topic string, partition int32) {
	old.Stall(true)
	var others []int32
	for _, n := range r.Nodes() {
		if n != old {
			others = append(others, n.ID)
		}
	}
	var moves kadm.AlterPartitionAssignmentsReq
	moves.Assign(topic, partition, others)
	if _, err := adm.AlterPartitionAssignments(r.t.Context(), moves); err != nil {
		r.t.Fatal(err)
	}
	r.eventually("another leads", func() bool {
		is, _ := r.Image().Topic(topic)
		l := is.Partitions[partition].Leader
		return l >= 0 && l != old.ID
	})
}

// asked has a node read from an offset on, as a client that knows no epochs.
func asked(r *stage, n *world.Node, partition int32, from int64) (code int16) {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.Fetch), 8)
	c := r.Client(kgo.MaxVersions(versions))
	defer c.Close()
	ctx, cancel := context.WithTimeout(r.t.Context(), 3*time.Second)
	defer cancel()
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, from, 1<<20
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.Partitions = orders, append(t.Partitions, p)
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.SessionEpoch, req.MaxBytes, req.MaxWaitMillis = -1, -1, 1<<20, 100
	req.Topics = append(req.Topics, t)
	answer, err := c.Broker(int(n.ID)).Request(ctx, req)
	if err != nil {
		return -1
	}
	return answer.(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode
}

// fetchedFrom asks a node for the offset of a group.
func fetchedFrom(r *stage, ctx context.Context, n *world.Node, group string) (at int64, code int16) {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.OffsetFetch), 9) // 10 names topics by id
	c := r.Client(kgo.MaxVersions(versions))
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: orders, Partitions: []int32{0}}}
	req.Groups = append(req.Groups, g)
	answer, err := c.Broker(int(n.ID)).Request(ctx, req)
	if err != nil {
		return -1, -1
	}
	is := answer.(*kmsg.OffsetFetchResponse).Groups[0]
	if is.ErrorCode != 0 {
		return -1, is.ErrorCode
	}
	return is.Topics[0].Partitions[0].Offset, 0
}
