package main

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/odradek/odradek/conformance/kit/scenario"
)

const epoch = 1_700_000_000_000 // the timestamp of the first record of positions

func positions(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, map[string]string{"retention.ms": "-1"})
	ms := numbered(t.Topic, 100)
	for i, m := range ms {
		m.Timestamp = time.UnixMilli(epoch + int64(i)*1000)
	}
	p := producer(ctx, t, t.Bootstrap, func(c *sarama.Config) { c.Producer.Flush.MaxMessages = 10 })
	t.OK(p.SendMessages(ms), "produce")
	t.Want("from start", read(ctx, t, 1, sarama.OffsetOldest)[0].Offset, 0)
	t.Want("from offset", read(ctx, t, 1, 40)[0].Offset, 40)
	at := offset(ctx, t, epoch+60_500)
	t.Want("from timestamp", read(ctx, t, 1, at)[0].Offset, 61)
	t.Observe("after the last", offset(ctx, t, epoch+1_000_000))
	done := make(chan int64, 1)
	go func() { done <- read(ctx, t, 1, sarama.OffsetNewest)[0].Offset }()
	for {
		select {
		case o := <-done:
			if o < 100 {
				t.Fatal("from end: got offset %d", o)
			}
			return
		case <-time.After(300 * time.Millisecond): // until the reader is there
			_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: t.Topic, Value: sarama.StringEncoder("last")})
			t.OK(err, "produce")
		}
	}
}

// member is one of a group. It consumes until it is closed.
type member struct {
	sarama.ConsumerGroup
	stop context.CancelFunc
	done chan struct{}
	seen chan *sarama.ConsumerMessage
	mark bool // commit what was seen
	from int64
	once sync.Once
}

func (m *member) Setup(s sarama.ConsumerGroupSession) error {
	m.once.Do(func() {
		if m.from >= 0 {
			for topic := range s.Claims() {
				s.ResetOffset(topic, 0, m.from, "")
			}
		}
	})
	return nil
}
func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *member) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for msg := range c.Messages() {
		select {
		case m.seen <- msg:
			if m.mark {
				s.MarkMessage(msg, "")
				s.Commit()
			}
		case <-s.Context().Done():
			return nil
		}
	}
	return nil
}

func join(ctx context.Context, t *scenario.T, instance string, set func(*member)) *member {
	cfg := config()
	cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
	cfg.Consumer.Offsets.AutoCommit.Enable = false
	cfg.Consumer.Group.InstanceId = instance
	cfg.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	cfg.Consumer.Group.Session.Timeout = 6 * time.Second
	cfg.Consumer.Group.Rebalance.Retry.Backoff = 50 * time.Millisecond
	g, err := sarama.NewConsumerGroup(t.Seeds(), t.Topic, cfg)
	t.OK(err, "new member")
	m := &member{ConsumerGroup: g, done: make(chan struct{}), seen: make(chan *sarama.ConsumerMessage), from: -1}
	if set != nil {
		set(m)
	}
	ctx, m.stop = context.WithCancel(ctx)
	go func() {
		defer close(m.done)
		for ctx.Err() == nil {
			err := m.Consume(ctx, []string{t.Topic}, m)
			if errors.Is(err, sarama.ErrClosedConsumerGroup) {
				return
			}
			if err != nil { // its coordinator may have gone: it says so, and must be asked again
				time.Sleep(50 * time.Millisecond)
			}
		}
	}()
	go func() {
		for range g.Errors() {
		}
	}()
	return m
}

func (m *member) leave() {
	m.stop()
	<-m.done
	m.Close()
}

func commit(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	t.OK(producer(ctx, t, t.Bootstrap, nil).SendMessages(numbered(t.Topic, 50)), "produce")
	m := join(ctx, t, "", func(m *member) { m.mark = true })
	for i := range 10 {
		t.Want("offset", (<-m.seen).Offset, i)
	}
	m.leave()
	a := admin(ctx, t)
	committed := func() int64 {
		r, err := a.ListConsumerGroupOffsets(t.Topic, map[string][]int32{t.Topic: {0}})
		t.OK(err, "fetch offsets")
		return r.GetBlock(t.Topic, 0).Offset
	}
	t.Want("committed", committed(), 10)
	m = join(ctx, t, "", nil)
	t.Want("after commit", (<-m.seen).Offset, 10)
	m.leave()
	m = join(ctx, t, "", func(m *member) { m.from = 5 })
	t.Want("after seek", (<-m.seen).Offset, 5)
	m.leave()
	t.OK(a.DeleteConsumerGroup(t.Topic), "delete group")
	gs, err := a.DescribeConsumerGroups([]string{t.Topic})
	t.OK(err, "describe")
	t.Observe("state of a deleted group", gs[0].State)
	t.Observe("code of a deleted group", int(gs[0].Err))
}

func compact(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, map[string]string{
		"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "100",
	})
	p := producer(ctx, t, t.Bootstrap, nil)
	put := func(key, value string) {
		m := &sarama.ProducerMessage{Topic: t.Topic, Key: sarama.StringEncoder(key)}
		if value != "" {
			m.Value = sarama.StringEncoder(value)
		}
		_, _, err := p.SendMessage(m)
		t.OK(err, "produce")
	}
	for i := range 40 {
		put("k"+strconv.Itoa(i%4), strconv.Itoa(i))
	}
	put("k3", "")
	for end := int64(41); ; end++ {
		time.Sleep(300 * time.Millisecond) // the next record rolls the segment: by then its time has passed
		put("tick", strconv.FormatInt(end, 10))
		kept, n := readTo(ctx, t, end)
		t.Want("k0", kept["k0"], 36)
		t.Want("k1", kept["k1"], 37)
		t.Want("k2", kept["k2"], 38)
		if _, there := kept["k3"]; n < 10 && !there {
			t.Observe("the tombstone went", true)
			return
		}
	}
}

// readTo reads from the start to offset last and returns the latest value of each key
// and how many records there were.
func readTo(ctx context.Context, t *scenario.T, last int64) (map[string]string, int) {
	kept, n, next := map[string]string{}, 0, int64(0)
	c, err := sarama.NewConsumer(t.Seeds(), config())
	t.OK(err, "new consumer")
	defer c.Close()
	p, err := c.ConsumePartition(t.Topic, 0, sarama.OffsetOldest)
	t.OK(err, "consume")
	defer p.AsyncClose()
	for next <= last {
		select {
		case m := <-p.Messages():
			if m.Offset < next {
				t.Fatal("offset %d after %d", m.Offset, next-1)
			}
			kept[string(m.Key)], next, n = string(m.Value), m.Offset+1, n+1
		case err := <-p.Errors():
			t.Fatal("consume: %v", err)
		case <-ctx.Done():
			t.Fatal("not compacted in time")
		}
	}
	return kept, n
}
