package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/odradek/odradek/conformance/kit/scenario"
)

// transactor is a producer with a transactional id.
type transactor struct {
	*kafka.Producer
	ctx context.Context
	t   *scenario.T
}

func newTransactor(ctx context.Context, t *scenario.T, id string, more ...string) transactor {
	p, err := kafka.NewProducer(config(t, append([]string{"transactional.id", id}, more...)...))
	t.OK(err, "new producer")
	context.AfterFunc(ctx, p.Close)
	t.OK(p.InitTransactions(ctx), "init transactions")
	return transactor{p, ctx, t}
}

// send produces n records, PREFIX0 to PREFIXn, and returns the first error.
func (p transactor) send(prefix string, n int) error { return sendWith(p.t, p.Producer, prefix, n) }

func sendWith(t *scenario.T, p *kafka.Producer, prefix string, n int) error {
	reports := make(chan kafka.Event, n)
	for i := range n {
		m := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &t.Topic, Partition: 0}, Value: []byte(prefix + strconv.Itoa(i))}
		if err := p.Produce(m, reports); err != nil {
			return err
		}
	}
	for range n {
		if m := (<-reports).(*kafka.Message); m.TopicPartition.Error != nil {
			return m.TopicPartition.Error
		}
	}
	return nil
}

// within does a transaction of n records and ends it.
func (p transactor) within(prefix string, n int, end func(context.Context) error) {
	p.t.OK(p.BeginTransaction(), "begin "+prefix)
	p.t.OK(p.send(prefix, n), "produce "+prefix)
	p.t.OK(end(p.ctx), "end "+prefix)
}

// seen reads n records as the isolation level shows them: their offsets and values.
func seen(ctx context.Context, t *scenario.T, n int, level string) string {
	c := consumer(ctx, t, "isolation.level", level)
	defer c.Close()
	t.OK(c.Assign([]kafka.TopicPartition{{Topic: &t.Topic, Partition: 0, Offset: kafka.OffsetBeginning}}), "assign")
	var all []string
	for _, m := range poll(ctx, t, c, n) {
		all = append(all, fmt.Sprintf("%d:%s", m.TopicPartition.Offset, m.Value))
	}
	return strings.Join(all, " ")
}

const committed, uncommitted = "read_committed", "read_uncommitted"

// ends are the last stable offset and the high watermark.
func ends(ctx context.Context, t *scenario.T) string {
	var both []string
	for _, level := range []kafka.IsolationLevel{kafka.IsolationLevelReadCommitted, kafka.IsolationLevelReadUncommitted} {
		tp := kafka.TopicPartition{Topic: &t.Topic, Partition: 0}
		r, err := admin(ctx, t).ListOffsets(ctx, map[kafka.TopicPartition]kafka.OffsetSpec{tp: kafka.LatestOffsetSpec}, kafka.SetAdminIsolationLevel(level))
		t.OK(err, "list offsets")
		for _, i := range r.ResultInfos {
			both = append(both, i.Offset.String())
		}
	}
	return strings.Join(both, " ")
}

func transactions(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	p := newTransactor(ctx, t, t.Topic)
	p.within("a", 3, p.CommitTransaction)
	p.within("b", 3, p.AbortTransaction)
	p.within("c", 2, p.CommitTransaction)
	t.OK(p.BeginTransaction(), "begin nothing")
	t.OK(p.CommitTransaction(ctx), "commit nothing")
	t.Want("committed", seen(ctx, t, 5, committed), "0:a0 1:a1 2:a2 8:c0 9:c1")
	t.Want("uncommitted", seen(ctx, t, 8, uncommitted), "0:a0 1:a1 2:a2 4:b0 5:b1 6:b2 8:c0 9:c1")
	t.Want("ends", ends(ctx, t), "11 11")
}

func isolation(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	p := newTransactor(ctx, t, t.Topic)
	plain, err := kafka.NewProducer(config(t))
	t.OK(err, "new producer")
	defer plain.Close()
	t.OK(sendWith(t, plain, "x", 2), "produce")
	t.OK(p.BeginTransaction(), "begin")
	t.OK(p.send("a", 2), "produce in a transaction")
	t.OK(sendWith(t, plain, "y", 2), "produce beside it")
	t.Want("open", ends(ctx, t), "2 6")
	t.Want("committed while it is open", seen(ctx, t, 2, committed), "0:x0 1:x1")
	t.Want("uncommitted while it is open", seen(ctx, t, 6, uncommitted), "0:x0 1:x1 2:a0 3:a1 4:y0 5:y1")
	t.OK(p.AbortTransaction(ctx), "abort")
	t.Want("committed after the abort", seen(ctx, t, 4, committed), "0:x0 1:x1 4:y0 5:y1")
	t.Want("closed", ends(ctx, t), "7 7")
}

func fencing(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	zombie := newTransactor(ctx, t, t.Topic)
	zombie.within("a", 1, zombie.CommitTransaction)
	t.OK(zombie.BeginTransaction(), "begin")
	t.OK(zombie.send("z", 2), "produce as a zombie to be")
	p := newTransactor(ctx, t, t.Topic) // aborts what the other one left
	p.within("b", 2, p.CommitTransaction)
	t.Observe("a zombie's late write", code(zombie.send("late", 1)))
	err := zombie.CommitTransaction(ctx)
	t.Want("its end is refused", err != nil, true)
	t.Want("for good", err.(kafka.Error).IsFatal(), true)
	t.Want("committed", seen(ctx, t, 3, committed), "0:a0 5:b0 6:b1")
	t.Want("uncommitted", seen(ctx, t, 5, uncommitted), "0:a0 2:z0 3:z1 5:b0 6:b1")
	t.Want("ends", ends(ctx, t), "8 8")
}

func expiry(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	p := newTransactor(ctx, t, t.Topic, "transaction.timeout.ms", "3000")
	t.OK(p.BeginTransaction(), "begin")
	t.OK(p.send("a", 1), "produce")
	t.Want("open", ends(ctx, t), "0 1")
	t.Eventually(ctx, "closed by time", func() any { return ends(ctx, t) }, "2 2")
	t.Observe("a late write", code(p.send("late", 1)))
	t.Want("a late commit is refused", p.CommitTransaction(ctx) != nil, true)
	again := newTransactor(ctx, t, t.Topic)
	again.within("b", 1, again.CommitTransaction)
	t.Want("committed", seen(ctx, t, 1, committed), "2:b0")
}

func pipeline(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	t.OK(send(t, numbered(20)), "produce the input")
	c := consumer(ctx, t, "isolation.level", committed)
	defer c.Close()
	t.OK(c.Subscribe(t.Topic, nil), "subscribe")
	in := t.Topic
	t.Topic += ".out"
	create(ctx, t, 1, nil)
	p := newTransactor(ctx, t, in)
	for done, round := 0, 0; done < 20; round++ {
		ms := poll(ctx, t, c, 5)
		t.OK(p.BeginTransaction(), "begin")
		for _, m := range ms {
			out := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &t.Topic, Partition: 0}, Value: []byte("<" + string(m.Value) + ">")}
			t.OK(p.Produce(out, nil), "produce")
		}
		meta, err := c.GetConsumerGroupMetadata()
		t.OK(err, "group metadata")
		at := []kafka.TopicPartition{{Topic: &in, Partition: 0, Offset: kafka.Offset(done + 5)}}
		t.OK(p.SendOffsetsToTransaction(ctx, at, meta), "send offsets")
		if round == 1 { // given up, and done again
			t.OK(p.AbortTransaction(ctx), "abort")
			t.OK(c.Seek(kafka.TopicPartition{Topic: &in, Partition: 0, Offset: kafka.Offset(done)}, 5000), "seek")
			continue
		}
		t.OK(p.CommitTransaction(ctx), "commit")
		done += 5
	}
	for i, v := range strings.Fields(seen(ctx, t, 20, committed)) {
		_, value, _ := strings.Cut(v, ":")
		t.Want("value", value, fmt.Sprintf("<%d>", i))
	}
	os, err := c.Committed([]kafka.TopicPartition{{Topic: &in, Partition: 0}}, int(10*time.Second/time.Millisecond))
	t.OK(err, "committed")
	t.Want("committed offset", int64(os[0].Offset), 20)
}
