package group

import (
	"fmt"
	"testing"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A group of 500 members and 5,000 partitions, as the issue of speed has it.
const (
	benchMembers    = 500
	benchPartitions = 5000
)

// crowd is a machine without a runtime, and the members of one consumer group.
type crowd struct {
	*bareMachine
	image   *metadata.Image
	topic   model.ID
	epochs  []int32
	has     []map[model.ID][]int32
	records int
}

func newCrowd(b testing.TB) *crowd {
	c := &crowd{topic: scriptTopicID("t"), epochs: make([]int32, benchMembers), has: make([]map[model.ID][]int32, benchMembers)}
	c.image = metadata.Empty()
	recs := []metadata.Record{metadata.AddTopic{ID: c.topic, Name: "t"}}
	for p := range int32(benchPartitions) {
		recs = append(recs, c.partition(p))
	}
	c.apply(b, recs...)
	c.bareMachine = newBareMachine(b)
	c.st.topics = newTopicView(func() *metadata.Image { return c.image })
	return c
}

func (c *crowd) partition(p int32) metadata.Record {
	return metadata.AddPartition{Topic: c.topic, Number: p, Partition: metadata.Partition{Leader: 1, Replicas: []int32{1}, ISR: []int32{1}, Dirs: []model.ID{{}}}}
}

func (c *crowd) apply(b testing.TB, recs ...metadata.Record) {
	b.Helper()
	image, err := c.image.Apply(recs, c.image.Offset+1)
	if err != nil {
		b.Fatal(err)
	}
	c.image = image
}

// beat is a heartbeat of member i that says what it has, and whether it learnt anything.
func (c *crowd) beat(b testing.TB, i int) bool {
	b.Helper()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch = 1, "g", fmt.Sprintf("member-%03d", i), c.epochs[i]
	req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	if c.epochs[i] == 0 {
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames = 60000, []string{"t"}
	}
	for id, partitions := range c.has[i] {
		req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: id, Partitions: partitions})
	}
	t := c.turn()
	c.st.look()
	got, err := c.st.consumerHeartbeat(t, Caller{ClientID: "bench", ClientHost: "/h"}, req)
	if err != nil {
		b.Fatal(err)
	}
	c.records += len(t.Written())
	c.turn() // replays them
	learnt := got.tells || got.epoch != c.epochs[i]
	if c.epochs[i] = got.epoch; got.tells {
		c.has[i] = got.assigned
	}
	return learnt
}

// round has everybody send a heartbeat, until nobody learns anything.
func (c *crowd) settle(b testing.TB) {
	for again := true; again; {
		again = false
		for i := range benchMembers {
			again = c.beat(b, i) || again
		}
	}
}

// BenchmarkConsumerGroup is what 500 members with 5,000 partitions cost the coordinator,
// without its log: to gather, to get partitions that are added, and to go on living.
func BenchmarkConsumerGroup(b *testing.B) {
	b.Run("gather", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c := newCrowd(b)
			c.settle(b)
			b.ReportMetric(float64(c.records), "records")
		}
	})
	b.Run("grow", func(b *testing.B) {
		b.ReportAllocs()
		c := newCrowd(b)
		c.settle(b)
		n := int32(benchPartitions)
		for b.Loop() {
			c.apply(b, c.partition(n))
			n++
			c.st.topicsChanged(map[string]bool{"t": true}, false, c.image.Offset)
			c.settle(b)
		}
	})
	b.Run("epoch", func(b *testing.B) { // the heartbeat that computes an assignment
		b.ReportAllocs()
		c := newCrowd(b)
		c.settle(b)
		n, first := int32(benchPartitions), 0
		for b.Loop() {
			c.apply(b, c.partition(n))
			n++
			c.st.topicsChanged(map[string]bool{"t": true}, false, c.image.Offset)
			c.beat(b, first%benchMembers)
			first++
		}
	})
	b.Run("heartbeat", func(b *testing.B) {
		b.ReportAllocs()
		c := newCrowd(b)
		c.settle(b)
		i := 0
		for b.Loop() {
			c.beat(b, i%benchMembers)
			i++
		}
	})
}
