package main

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// watch asks for starts, last stable offsets and high watermarks until ctx ends.
func watch(ctx context.Context, j job, out *log) error {
	client, err := kgo.NewClient(j.options()...)
	if err != nil {
		return err
	}
	defer client.Close()
	process := out.next()
	var names []string
	for _, t := range j.topics {
		names = append(names, t.name)
	}
	a := kadm.NewClient(client)
	for ctx.Err() == nil {
		for _, q := range []struct {
			ask   func(context.Context, ...string) (kadm.ListedOffsets, error)
			spec  history.Spec
			level history.Isolation
		}{
			{a.ListCommittedOffsets, history.Latest, history.Committed}, {a.ListEndOffsets, history.Latest, history.Uncommitted}, {a.ListStartOffsets, history.Earliest, history.Uncommitted},
		} {
			began := out.Now()
			listed, err := q.ask(ctx, names...)
			now := out.Now()
			if err != nil && ctx.Err() == nil {
				out.complain("list offsets: " + err.Error())
			}
			listed.Each(func(l kadm.ListedOffset) {
				if l.Partition < 0 {
					return // of the whole topic, and of the client's own making
				}
				o := op(history.ListOffset, process, l.Topic, l.Partition)
				o.Invoke, o.Return, o.Spec, o.Isolation = began, now, q.spec, q.level
				outcome(&o, l.Err)
				if o.Offset = l.Offset; l.Err == nil {
					o.Epoch = l.LeaderEpoch
				}
				out.Add(o)
			})
			wait(ctx, j.Pace)
		}
	}
	return nil
}

// offsets commits and fetches offsets of a group that has no members, some of them with
// others who do the same, until ctx ends.
func offsets(ctx context.Context, j job, out *log) error {
	client, err := kgo.NewClient(j.options()...)
	if err != nil {
		return err
	}
	defer client.Close()
	process := out.next()
	rng := rand.New(rand.NewPCG(j.Seed, uint64(process)))
	for next := int64(process) << 20; ctx.Err() == nil; next++ {
		t := j.topics[rng.IntN(len(j.topics))]
		p := rng.Int32N(t.partitions)
		if rng.IntN(3) == 0 {
			commitOffset(ctx, client, out, j.Group, process, t.name, p, next)
		} else {
			fetchOffset(ctx, client, out, j.Group, process, t.name, p)
		}
		wait(ctx, j.Pace)
	}
	return nil
}

func commitOffset(ctx context.Context, client *kgo.Client, out *log, group string, process int32, topic string, p int32, offset int64) {
	o := op(history.CommitOffset, process, topic, p)
	o.Group, o.Offset = group, offset
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group = group
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewOffsetCommitRequestTopicPartition()
	rp.Partition, rp.Offset = p, offset
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	began := out.Begin(o)
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = errors.New("no answer about the partition")
		if len(resp.Topics) == 1 && len(resp.Topics[0].Partitions) == 1 {
			err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
		}
	}
	outcome(began, err)
	out.End(began, began.Outcome)
}

func fetchOffset(ctx context.Context, client *kgo.Client, out *log, group string, process int32, topic string, p int32) {
	o := op(history.FetchOffset, process, topic, p)
	o.Group, o.RequireStable = group, true
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	gt := kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic, gt.Partitions = topic, []int32{p}
	g.Topics = append(g.Topics, gt)
	req.Groups = append(req.Groups, g)
	began := out.Begin(o)
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = errors.New("no answer about the partition")
		if len(resp.Groups) == 1 {
			if err = kerr.ErrorForCode(resp.Groups[0].ErrorCode); err == nil && len(resp.Groups[0].Topics) == 1 && len(resp.Groups[0].Topics[0].Partitions) == 1 {
				at := resp.Groups[0].Topics[0].Partitions[0]
				if err = kerr.ErrorForCode(at.ErrorCode); err == nil && at.Offset >= 0 {
					began.Offset = at.Offset
				}
			}
		}
	}
	outcome(began, err)
	out.End(began, began.Outcome)
}
