package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/odradek/odradek/conformance/kit/scenario"
	"github.com/twmb/franz-go/pkg/kgo"
)

// transactor is a producer with the scenario's transactional id.
func transactor(ctx context.Context, t *scenario.T, opts ...kgo.Opt) *kgo.Client {
	return client(ctx, t, append(opts, kgo.TransactionalID(t.Topic), kgo.DefaultProduceTopic(t.Topic), kgo.ProducerLinger(0))...)
}

// within does a transaction of n records, PREFIX0 to PREFIXn, and ends it.
func within(ctx context.Context, t *scenario.T, p *kgo.Client, prefix string, n int, end kgo.TransactionEndTry) {
	t.OK(p.BeginTransaction(), "begin "+prefix)
	t.OK(send(ctx, p, named(prefix, n)...), "produce "+prefix)
	t.OK(p.EndTransaction(ctx, end), "end "+prefix)
}

func named(prefix string, n int) (rs []*kgo.Record) {
	for i := range n {
		rs = append(rs, kgo.StringRecord(prefix+strconv.Itoa(i)))
	}
	return rs
}

// seen reads n records as the isolation level shows them: their offsets and values.
func seen(ctx context.Context, t *scenario.T, n int, level kgo.IsolationLevel) string {
	c := client(ctx, t, kgo.ConsumeTopics(t.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(level))
	defer c.Close()
	var all []string
	for _, r := range poll(ctx, t, c, n) {
		all = append(all, fmt.Sprintf("%d:%s", r.Offset, r.Value))
	}
	return strings.Join(all, " ")
}

// ends are the last stable offset and the high watermark.
func ends(ctx context.Context, t *scenario.T) string {
	a := admin(ctx, t)
	stable, err := a.ListCommittedOffsets(ctx, t.Topic)
	t.OK(err, "last stable offset")
	high, err := a.ListEndOffsets(ctx, t.Topic)
	t.OK(err, "end offset")
	return fmt.Sprint(stable[t.Topic][0].Offset, " ", high[t.Topic][0].Offset)
}

func transactions(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	p := transactor(ctx, t)
	within(ctx, t, p, "a", 3, kgo.TryCommit)
	within(ctx, t, p, "b", 3, kgo.TryAbort)
	within(ctx, t, p, "c", 2, kgo.TryCommit)
	t.OK(p.BeginTransaction(), "begin nothing")
	t.OK(p.EndTransaction(ctx, kgo.TryCommit), "commit nothing")
	t.Want("committed", seen(ctx, t, 5, kgo.ReadCommitted()), "0:a0 1:a1 2:a2 8:c0 9:c1")
	t.Want("uncommitted", seen(ctx, t, 8, kgo.ReadUncommitted()), "0:a0 1:a1 2:a2 4:b0 5:b1 6:b2 8:c0 9:c1")
	t.Want("ends", ends(ctx, t), "11 11")
	a := admin(ctx, t)
	d, err := a.DescribeTransactions(ctx, t.Topic)
	t.OK(err, "describe")
	t.Eventually(ctx, "state", func() any {
		d, err = a.DescribeTransactions(ctx, t.Topic)
		t.OK(err, "describe")
		return d[t.Topic].State
	}, "CompleteCommit")
	t.Observe("epoch", d[t.Topic].ProducerEpoch)
	t.Observe("time-out", d[t.Topic].TimeoutMillis)
}

func isolation(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	p, plain := transactor(ctx, t), client(ctx, t, kgo.DefaultProduceTopic(t.Topic))
	t.OK(send(ctx, plain, named("x", 2)...), "produce")
	t.OK(p.BeginTransaction(), "begin")
	t.OK(send(ctx, p, named("a", 2)...), "produce in a transaction")
	t.OK(send(ctx, plain, named("y", 2)...), "produce beside it")
	t.Want("open", ends(ctx, t), "2 6")
	t.Want("committed while it is open", seen(ctx, t, 2, kgo.ReadCommitted()), "0:x0 1:x1")
	t.Want("uncommitted while it is open", seen(ctx, t, 6, kgo.ReadUncommitted()), "0:x0 1:x1 2:a0 3:a1 4:y0 5:y1")
	d, err := admin(ctx, t).DescribeTransactions(ctx, t.Topic)
	t.OK(err, "describe")
	t.Observe("while it is open", d[t.Topic].State+" "+fmt.Sprint(d[t.Topic].Topics.Sorted()))
	late := client(ctx, t, kgo.ConsumeTopics(t.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().At(2)), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(20*time.Second))
	got := make(chan string, 1)
	go func() {
		fs := late.PollFetches(ctx) // waits at the last stable offset
		if rs := fs.Records(); len(rs) > 0 {
			got <- string(rs[0].Value)
		}
		close(got)
	}()
	t.OK(p.EndTransaction(ctx, kgo.TryAbort), "abort")
	t.Want("who waits is told of the end", <-got, "y0")
	t.Want("committed after the abort", seen(ctx, t, 4, kgo.ReadCommitted()), "0:x0 1:x1 4:y0 5:y1")
	t.Want("closed", ends(ctx, t), "7 7")
}

func fencing(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	zombie, p := transactor(ctx, t), transactor(ctx, t)
	within(ctx, t, zombie, "a", 1, kgo.TryCommit)
	t.OK(zombie.BeginTransaction(), "begin")
	t.OK(send(ctx, zombie, named("z", 2)...), "produce as a zombie to be")
	within(ctx, t, p, "b", 2, kgo.TryCommit) // aborts what the other one left
	t.Observe("a zombie's late write", code(send(ctx, zombie, named("late", 1)...)))
	t.Want("its end is refused", zombie.EndTransaction(ctx, kgo.TryCommit) != nil, true)
	again := transactor(ctx, t)
	within(ctx, t, again, "c", 1, kgo.TryCommit)
	t.Observe("the second one's late write", code(func() error {
		t.OK(p.BeginTransaction(), "begin")
		return send(ctx, p, named("late", 1)...)
	}()))
	t.Want("committed", seen(ctx, t, 4, kgo.ReadCommitted()), "0:a0 5:b0 6:b1 8:c0")
	t.Want("uncommitted", seen(ctx, t, 6, kgo.ReadUncommitted()), "0:a0 2:z0 3:z1 5:b0 6:b1 8:c0")
	t.Want("ends", ends(ctx, t), "10 10")
}

func expiry(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	p := transactor(ctx, t, kgo.TransactionTimeout(3*time.Second))
	t.OK(p.BeginTransaction(), "begin")
	t.OK(send(ctx, p, named("a", 1)...), "produce")
	t.Want("open", ends(ctx, t), "0 1")
	t.Eventually(ctx, "closed by time", func() any { return ends(ctx, t) }, "2 2")
	t.Observe("a late write", code(send(ctx, p, named("late", 1)...)))
	t.Observe("a late commit is refused", p.EndTransaction(ctx, kgo.TryCommit) != nil)
	within(ctx, t, transactor(ctx, t), "b", 1, kgo.TryCommit)
	t.Want("committed", seen(ctx, t, 1, kgo.ReadCommitted()), "2:b0")
}

func pipeline(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	t.OK(send(ctx, client(ctx, t), numbered(t.Topic, 20)...), "produce the input")
	in := t.Topic
	t.Topic += ".out"
	create(ctx, t, 1, nil)
	s, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(t.Seeds()...), kgo.TransactionalID(in), kgo.ConsumerGroup(in), kgo.ConsumeTopics(in),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.DefaultProduceTopic(t.Topic), kgo.RequireStableFetchOffsets())
	t.OK(err, "new session")
	defer s.Close()
	done := 0
	for round := 0; done < 20; round++ {
		fs := s.PollRecords(ctx, 5)
		t.OK(fs.Err(), "poll")
		t.OK(s.Begin(), "begin")
		for _, r := range fs.Records() {
			s.Produce(ctx, kgo.StringRecord("<"+string(r.Value)+">"), nil)
		}
		committed, err := s.End(ctx, round != 1) // the second one is given up and done again
		t.OK(err, "end")
		if committed {
			done += fs.NumRecords()
		}
	}
	c := client(ctx, t, kgo.ConsumeTopics(t.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	for i, r := range poll(ctx, t, c, 20) {
		t.Want("value", string(r.Value), fmt.Sprintf("<%d>", i))
	}
	os, err := admin(ctx, t).FetchOffsets(ctx, in)
	t.OK(err, "fetch offsets")
	t.Want("committed offset", os[in][0].At, 20)
	t.Observe("ends", ends(ctx, t))
}
