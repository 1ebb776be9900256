package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/odradek/odradek/conformance/kit/scenario"
)

// transactor is a producer with a transactional id.
func transactor(ctx context.Context, t *scenario.T, id string, timeout time.Duration) sarama.SyncProducer {
	return producer(ctx, t, t.Bootstrap, func(c *sarama.Config) {
		c.Producer.Idempotent, c.Net.MaxOpenRequests = true, 1
		c.Producer.Transaction.ID, c.Producer.Transaction.Timeout = id, timeout
	})
}

func named(topic, prefix string, n int) (ms []*sarama.ProducerMessage) {
	for i := range n {
		ms = append(ms, &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(prefix + strconv.Itoa(i))})
	}
	return ms
}

// within does a transaction of n records, PREFIX0 to PREFIXn, and ends it.
func within(t *scenario.T, p sarama.SyncProducer, prefix string, n int, end func() error) {
	t.OK(p.BeginTxn(), "begin "+prefix)
	t.OK(p.SendMessages(named(t.Topic, prefix, n)), "produce "+prefix)
	t.OK(end(), "end "+prefix)
}

// seen reads n records as the isolation level shows them: their offsets and values.
func seen(ctx context.Context, t *scenario.T, n int, level sarama.IsolationLevel) string {
	cfg := config()
	cfg.Consumer.IsolationLevel = level
	c, err := sarama.NewConsumer(t.Seeds(), cfg)
	t.OK(err, "new consumer")
	defer c.Close()
	p, err := c.ConsumePartition(t.Topic, 0, sarama.OffsetOldest)
	t.OK(err, "consume")
	defer p.AsyncClose()
	var all []string
	for len(all) < n {
		select {
		case m := <-p.Messages():
			all = append(all, fmt.Sprintf("%d:%s", m.Offset, m.Value))
		case err := <-p.Errors():
			t.Fatal("consume: %v", err)
		case <-ctx.Done():
			t.Fatal("read %v", all)
		}
	}
	return strings.Join(all, " ")
}

func transactions(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	p := transactor(ctx, t, t.Topic, time.Minute)
	within(t, p, "a", 3, p.CommitTxn)
	within(t, p, "b", 3, p.AbortTxn)
	within(t, p, "c", 2, p.CommitTxn)
	t.OK(p.BeginTxn(), "begin nothing")
	t.OK(p.CommitTxn(), "commit nothing")
	t.Want("committed", seen(ctx, t, 5, sarama.ReadCommitted), "0:a0 1:a1 2:a2 8:c0 9:c1")
	t.Want("uncommitted", seen(ctx, t, 8, sarama.ReadUncommitted), "0:a0 1:a1 2:a2 4:b0 5:b1 6:b2 8:c0 9:c1")
	t.Want("end", offset(ctx, t, sarama.OffsetNewest), 11)
}

func isolation(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	p, plain := transactor(ctx, t, t.Topic, time.Minute), producer(ctx, t, t.Bootstrap, nil)
	t.OK(plain.SendMessages(named(t.Topic, "x", 2)), "produce")
	t.OK(p.BeginTxn(), "begin")
	t.OK(p.SendMessages(named(t.Topic, "a", 2)), "produce in a transaction")
	t.OK(plain.SendMessages(named(t.Topic, "y", 2)), "produce beside it")
	t.Want("committed while it is open", seen(ctx, t, 2, sarama.ReadCommitted), "0:x0 1:x1")
	t.Want("uncommitted while it is open", seen(ctx, t, 6, sarama.ReadUncommitted), "0:x0 1:x1 2:a0 3:a1 4:y0 5:y1")
	t.OK(p.AbortTxn(), "abort")
	t.Want("committed after the abort", seen(ctx, t, 4, sarama.ReadCommitted), "0:x0 1:x1 4:y0 5:y1")
}

func fencing(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	zombie := transactor(ctx, t, t.Topic, time.Minute)
	within(t, zombie, "a", 1, zombie.CommitTxn)
	t.OK(zombie.BeginTxn(), "begin")
	t.OK(zombie.SendMessages(named(t.Topic, "z", 2)), "produce as a zombie to be")
	p := transactor(ctx, t, t.Topic, time.Minute) // aborts what the other one left
	within(t, p, "b", 2, p.CommitTxn)
	_, _, err := zombie.SendMessage(named(t.Topic, "late", 1)[0])
	t.Observe("a zombie's late write", code(err))
	t.Want("its end is refused", zombie.CommitTxn() != nil, true)
	t.Want("committed", seen(ctx, t, 3, sarama.ReadCommitted), "0:a0 5:b0 6:b1")
	t.Want("uncommitted", seen(ctx, t, 5, sarama.ReadUncommitted), "0:a0 2:z0 3:z1 5:b0 6:b1")
	t.Want("end", offset(ctx, t, sarama.OffsetNewest), 8)
}

func expiry(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	p := transactor(ctx, t, t.Topic, 3*time.Second)
	t.OK(p.BeginTxn(), "begin")
	t.OK(p.SendMessages(named(t.Topic, "a", 1)), "produce")
	t.Eventually(ctx, "closed by time", func() any { return offset(ctx, t, sarama.OffsetNewest) }, 2)
	_, _, err := p.SendMessage(named(t.Topic, "late", 1)[0])
	t.Want("a late write is refused", err != nil, true)
	t.Observe("a late write", code(err))
	again := transactor(ctx, t, t.Topic, time.Minute)
	within(t, again, "b", 1, again.CommitTxn)
	t.Want("committed", seen(ctx, t, 1, sarama.ReadCommitted), "2:b0")
}

func pipeline(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	t.OK(producer(ctx, t, t.Bootstrap, nil).SendMessages(numbered(t.Topic, 20)), "produce the input")
	in := t.Topic
	t.Topic += ".out"
	create(ctx, t, 1, nil)
	p := transactor(ctx, t, in, time.Minute)
	for from, round := 0, 0; from < 20; round++ {
		t.OK(p.BeginTxn(), "begin")
		for i := from; i < from+5; i++ {
			_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: t.Topic, Value: sarama.StringEncoder(fmt.Sprintf("<%d>", i))})
			t.OK(err, "produce")
		}
		note := "a note"
		t.OK(p.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{in: {{Partition: 0, Offset: int64(from + 5), Metadata: &note}}}, in), "add offsets")
		if round == 1 { // given up, and done again
			t.OK(p.AbortTxn(), "abort")
			continue
		}
		t.OK(p.CommitTxn(), "commit")
		from += 5
	}
	for i, v := range strings.Fields(seen(ctx, t, 20, sarama.ReadCommitted)) {
		_, value, _ := strings.Cut(v, ":")
		t.Want("value", value, fmt.Sprintf("<%d>", i))
	}
	os, err := admin(ctx, t).ListConsumerGroupOffsets(in, map[string][]int32{in: {0}})
	t.OK(err, "fetch offsets")
	t.Want("committed offset", os.GetBlock(in, 0).Offset, 20)
	t.Observe("note", os.GetBlock(in, 0).Metadata)
}
