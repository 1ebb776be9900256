package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/odradek/odradek/conformance/kit/scenario"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func sharer(ctx context.Context, t *scenario.T, opts ...kgo.Opt) *kgo.Client {
	return client(ctx, t, append(opts, kgo.ShareGroup(t.Topic), kgo.ConsumeTopics(t.Topic), kgo.FetchMaxWait(300*time.Millisecond),
		kgo.ShareAckCallback(func(_ *kgo.Client, rs kgo.ShareAckResults) {
			for _, r := range rs {
				if r.Err != nil {
					fmt.Fprintf(os.Stderr, "acknowledge %s-%d: %v\n", r.Topic, r.Partition, r.Err)
				}
			}
		}))...)
}

// setGroup sets a setting of the scenario's group.
func setGroup(ctx context.Context, t *scenario.T, key, value string) error {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeGroupConfig, t.Topic
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Value = key, &value
	r.Configs = append(r.Configs, c)
	req.Resources = append(req.Resources, r)
	resp, err := req.RequestWith(ctx, client(ctx, t))
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Resources[0].ErrorCode)
}

// drain takes records, with how often each was delivered, until it has them all.
func drain(ctx context.Context, t *scenario.T, c *kgo.Client, want ...string) []*kgo.Record {
	var all []*kgo.Record
	for len(all) < len(want) {
		fs := c.PollFetches(ctx)
		t.OK(fs.Err0(), "poll")
		all = append(all, fs.Records()...)
	}
	var got []string
	for _, r := range all {
		got = append(got, fmt.Sprintf("%s:%d", r.Value, r.DeliveryCount()))
	}
	t.Want("delivered", strings.Join(got, " "), strings.Join(want, " "))
	return all
}

// start is where the share group's partition begins: all before it is done with.
func start(ctx context.Context, t *scenario.T) int64 {
	gs, err := admin(ctx, t).DescribeShareGroupOffsets(ctx, t.Topic)
	t.OK(errors.Join(err, gs[t.Topic].Err), "describe offsets")
	return gs[t.Topic].Offsets[t.Topic][0].StartOffset
}

// share takes records and accepts, gives back, rejects, renews and forgets them, one of
// each; then two consumers share what comes.
func share(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	t.OK(setGroup(ctx, t, "share.auto.offset.reset", "earliest"), "set the group")
	p := client(ctx, t, kgo.DefaultProduceTopic(t.Topic))
	t.OK(send(ctx, p, named("r", 6)...), "produce")
	one := sharer(ctx, t, kgo.MaxConcurrentFetches(0))
	rs := drain(ctx, t, one, "r0:1", "r1:1", "r2:1", "r3:1", "r4:1", "r5:1")
	rs[0].Ack(kgo.AckAccept)
	rs[1].Ack(kgo.AckRelease)
	rs[2].Ack(kgo.AckReject)
	rs[3].Ack(kgo.AckRenew)
	t.OK(one.FlushAcks(ctx), "acknowledge")
	two := sharer(ctx, t, kgo.MaxConcurrentFetches(0))
	beat, stop := context.WithCancel(ctx)
	renewed := make(chan struct{})
	go func() { // r3 stays with the first; r4 and r5 run out of time
		defer close(renewed)
		for beat.Err() == nil {
			rs[3].Ack(kgo.AckRenew)
			_ = one.FlushAcks(beat)
			select {
			case <-beat.Done():
			case <-time.After(500 * time.Millisecond):
			}
		}
	}()
	again := drain(ctx, t, two, "r1:2", "r4:2", "r5:2")
	stop()
	<-renewed
	rs[3].Ack(kgo.AckAccept)
	t.OK(one.FlushAcks(ctx), "accept at last")
	two.MarkAcks(kgo.AckAccept, again...)
	t.OK(two.FlushAcks(ctx), "accept the rest")
	// What is stored may lag by the last acknowledgement, which is of r5, or of r4 and r5.
	t.Eventually(ctx, "start", func() any { return start(ctx, t) >= 4 }, true)
	g, err := admin(ctx, t).DescribeShareGroups(ctx, t.Topic)
	t.OK(errors.Join(err, g[t.Topic].Err), "describe")
	t.Observe("group", fmt.Sprint(g[t.Topic].GroupState, " ", g[t.Topic].Assignor, " ", len(g[t.Topic].Members)))
	one.Close()
	shareOut(ctx, t, p, two)
	t.Eventually(ctx, "at the end", func() any { return kind(ctx, t) }, "share share empty")
}

// shareOut lets two consumers take 60 records: each goes to one of them.
func shareOut(ctx context.Context, t *scenario.T, p, two *kgo.Client) {
	three := sharer(ctx, t)
	got := make(chan string)
	polling, stop := context.WithCancel(ctx)
	done := make(chan struct{}, 2)
	for _, c := range []*kgo.Client{two, three} {
		go func() {
			defer func() { done <- struct{}{} }()
			for polling.Err() == nil {
				for _, r := range c.PollFetches(polling).Records() {
					select {
					case got <- fmt.Sprintf("%s:%d", r.Value, r.DeliveryCount()):
					case <-polling.Done():
					}
				}
			}
			c.Close() // accepts what was polled
		}()
	}
	times := make(map[string]int)
	for i := range 6 {
		t.OK(send(ctx, p, named(fmt.Sprint("s", i, "."), 10)...), "produce")
		for range 10 {
			select {
			case r := <-got:
				times[r]++
			case <-ctx.Done():
				t.Fatal("only %d records came", len(times))
			}
		}
	}
	t.Want("different records", len(times), 60)
	stop()
	<-done
	<-done
}
