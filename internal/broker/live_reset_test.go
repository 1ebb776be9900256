package broker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A consumer that runs, and commits by itself, reads again from where its offsets were set,
// whatever its protocol is, and does not commit over them (docs/decisions/0016-live-reset.md).
func TestLiveReset(t *testing.T) {
	//lint:ignore SA1029 it is franz-go that looks for this key
	nextGen := context.WithValue(context.Background(), "opt_in_kafka_next_gen_balancer_beta", true)
	for name, opts := range map[string][]kgo.Opt{
		"eager":       {kgo.Balancers(kgo.RangeBalancer())},
		"cooperative": {kgo.Balancers(kgo.CooperativeStickyBalancer())},
		"consumer":    {kgo.WithContext(nextGen)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) { liveReset(t, opts) })
		})
	}
}

func liveReset(t *testing.T, opts []kgo.Opt) {
	const records = 50
	n := newNode(t)
	n.start()
	defer n.end()
	n.create("a", 2)
	c := n.client(kgo.DefaultProduceTopic("a"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	defer c.Close()
	for i := range records {
		if err := c.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	consumer := n.client(append(opts, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("a"), kgo.AutoCommitInterval(100*time.Millisecond))...)
	defer consumer.Close()
	read := func(want int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for got := 0; got < want; {
			got += consumer.PollFetches(ctx).NumRecords() // it hears, too, that it was dropped
			if ctx.Err() != nil {
				t.Fatalf("read %d records, want %d", got, want)
			}
		}
	}
	commits := func() { // what was polled before the last poll
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		consumer.PollFetches(ctx)
	}
	read(records)
	commits()
	if code := reset(t, c, false); code != kerr.UnknownMemberID.Code {
		t.Errorf("without the flag: %v", kerr.ErrorForCode(code))
	}
	if code := reset(t, c, true); code != 0 {
		t.Fatal(kerr.ErrorForCode(code))
	}
	read(records)
	commits()
	offsets, err := kadm.NewClient(c).FetchOffsets(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	offsets.Each(func(o kadm.OffsetResponse) { total += o.At })
	if total != records {
		t.Errorf("committed offsets add up to %d", total)
	}
}

// reset sets the offsets of both partitions to 0.
func reset(t *testing.T, c *kgo.Client, fence bool) int16 {
	t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = "g", -1
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = "a"
	topics, err := kadm.NewClient(c).ListTopics(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	topic.TopicID = topics["a"].ID
	for p := range int32(2) {
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		rp.Partition, rp.LeaderEpoch = p, -1
		topic.Partitions = append(topic.Partitions, rp)
	}
	req.Topics = append(req.Topics, topic)
	if fence {
		req.UnknownTags.Set(model.TagFenceMembers, model.FenceMembers)
	}
	resp, err := req.RequestWith(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return max(resp.Topics[0].Partitions[0].ErrorCode, resp.Topics[0].Partitions[1].ErrorCode)
}
