package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kgo"
)

// sharer is a member of a share group, which accepts most of what it gets and gives some
// of it back.
type sharer struct {
	job
	out     *log
	process int32

	mu      sync.Mutex // guards results
	results map[history.Place]error
}

// partake is a member until ctx ends.
func partake(ctx context.Context, j job, out *log) error {
	s := &sharer{job: j, out: out, process: out.next(), results: make(map[history.Place]error)}
	rng := rand.New(rand.NewPCG(j.Seed, uint64(s.process)))
	var names []string
	for _, t := range j.topics {
		names = append(names, t.name)
	}
	client, err := kgo.NewClient(j.options(kgo.ShareGroup(j.Group), kgo.ConsumeTopics(names...), kgo.FetchMaxWait(500*time.Millisecond),
		kgo.ShareAckCallback(func(_ *kgo.Client, rs kgo.ShareAckResults) { s.acked(rs) }))...)
	if err != nil {
		return err
	}
	defer client.Close()
	last := out.Now()
	for ctx.Err() == nil {
		fs := client.PollFetches(ctx)
		now := out.Now()
		fs.EachPartition(func(ftp kgo.FetchTopicPartition) {
			if len(ftp.Records) > 0 {
				s.acquired(ftp, last, now)
			}
		})
		last = now
		s.acknowledge(ctx, client, fs, rng)
		wait(ctx, s.Pace)
	}
	return nil
}

func (s *sharer) op(kind history.Kind, at history.Place, records history.Reads) history.Op {
	o := op(kind, s.process, at.Topic, at.Partition)
	o.Group, o.Records = s.Group, records
	return o
}

// acquired tells of what came. It may have been fetched at any time since the last poll.
func (s *sharer) acquired(ftp kgo.FetchTopicPartition, since, now int64) {
	o := s.op(history.ShareAcquire, history.Place{Topic: ftp.Topic, Partition: ftp.Partition}, reads(ftp.Records))
	o.Outcome, o.Invoke, o.Return = history.OK, since, now
	for _, r := range ftp.Records {
		o.Deliveries = append(o.Deliveries, int16(r.DeliveryCount()))
	}
	s.out.Add(o)
}

// acknowledge accepts or gives back what came, and waits for the answers.
func (s *sharer) acknowledge(ctx context.Context, c *kgo.Client, fs kgo.Fetches, rng *rand.Rand) {
	s.mu.Lock()
	clear(s.results)
	s.mu.Unlock()
	var began []*history.Op
	fs.EachPartition(func(ftp kgo.FetchTopicPartition) {
		at := history.Place{Topic: ftp.Topic, Partition: ftp.Partition}
		var lists [2][]*kgo.Record
		for _, r := range ftp.Records {
			back := 0
			if rng.IntN(50) == 0 {
				back = 1
			}
			lists[back] = append(lists[back], r)
		}
		for i, status := range []kgo.AckStatus{kgo.AckAccept, kgo.AckRelease} {
			if len(lists[i]) == 0 {
				continue
			}
			o := s.op(history.ShareAck, at, reads(lists[i]))
			o.Ack = history.Ack(i)
			began = append(began, s.out.Begin(o))
			for _, r := range lists[i] {
				r.Ack(status)
			}
		}
	})
	if len(began) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := c.FlushAcks(ctx); err != nil {
		s.out.complain("acknowledge: " + err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range began {
		err, told := s.results[history.Place{Topic: o.Topic, Partition: o.Partition}]
		outcome(o, err)
		if !told {
			o.Outcome = history.Info
		}
		s.out.End(o, o.Outcome)
	}
}

// acked takes what the broker said; a partition of which it said two things has failed if
// either did.
func (s *sharer) acked(rs kgo.ShareAckResults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rs {
		at := history.Place{Topic: r.Topic, Partition: r.Partition}
		if s.results[at] == nil {
			s.results[at] = r.Err
		}
	}
}
