package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	chaosTopic    = "orders"   // keeps what it acknowledges
	looseTopic    = "clicks"   // does not
	fleetingTopic = "fleeting" // is deleted and made again
	partitions    = 4          // of chaosTopic
)

// story is what clients saw.
type story struct {
	r       *rig
	mu      sync.Mutex
	acked   map[int32]map[int64]string // partition, offset: value
	seen    map[string]int             // by the group
	fleeted map[int64]string           // what the last fleeting topic acknowledged
	errs    []error
	wait    sync.WaitGroup
}

// produce writes records one after the other until ctx ends.
func (s *story) produce(ctx context.Context, id int, rng *rand.Rand) {
	c := s.r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(chaosTopic), kgo.ProducerLinger(0))
	defer c.Close()
	for n := 0; ctx.Err() == nil; n++ {
		rec := &kgo.Record{Partition: rng.Int32N(partitions), Value: fmt.Appendf(nil, "%d-%06d", id, n)}
		// Not ctx: a record that is given up leaves a gap in the sequence.
		err := c.ProduceSync(context.WithoutCancel(ctx), rec).FirstErr()
		s.mu.Lock()
		if err != nil {
			s.errs = append(s.errs, fmt.Errorf("producer %d, record %d: %w", id, n, err))
		} else {
			if s.acked[rec.Partition] == nil {
				s.acked[rec.Partition] = map[int64]string{}
			}
			if was, twice := s.acked[rec.Partition][rec.Offset]; twice {
				s.errs = append(s.errs, fmt.Errorf("offset %d of partition %d was given to %s and to %s", rec.Offset, rec.Partition, was, rec.Value))
			}
			s.acked[rec.Partition][rec.Offset] = string(rec.Value)
		}
		s.mu.Unlock()
		time.Sleep(time.Duration(1+rng.IntN(20)) * time.Millisecond)
	}
}

// produceLoosely writes records, also large ones, to a topic that is durable only where
// the system has come to it. The second producer does not even wait for the followers.
func (s *story) produceLoosely(ctx context.Context, id int, rng *rand.Rand) {
	opts := []kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(looseTopic), kgo.ProducerLinger(0)}
	if id == 1 {
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	}
	c := s.r.client(opts...)
	defer c.Close()
	for n := 0; ctx.Err() == nil; n++ {
		v := fmt.Appendf(nil, "%d-%06d", id, n)
		if n%16 == 0 {
			v = append(v, make([]byte, rng.IntN(200_000))...)
		}
		// That it fails means nothing: what was lost may be what it follows.
		_ = c.ProduceSync(context.WithoutCancel(ctx), &kgo.Record{Partition: rng.Int32N(2), Value: v}).FirstErr()
		time.Sleep(time.Duration(20+rng.IntN(100)) * time.Millisecond)
	}
}

// flicker makes a topic, writes to it, and deletes it, over and over.
func (s *story) flicker(ctx context.Context) {
	c := s.r.client()
	defer c.Close()
	adm := kadm.NewClient(c)
	for made := 0; ctx.Err() == nil; made++ {
		s.retry(ctx, kerr.TopicAlreadyExists, func(ctx context.Context) error {
			_, err := adm.CreateTopic(ctx, 1, 3, nil, fleetingTopic)
			return err
		})
		acked := s.write(ctx, made)
		s.mu.Lock()
		s.fleeted = acked
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return // it stays
		case <-time.After(500 * time.Millisecond):
		}
		s.retry(context.WithoutCancel(ctx), kerr.UnknownTopicOrPartition, func(ctx context.Context) error {
			_, err := adm.DeleteTopic(ctx, fleetingTopic)
			return err
		})
		s.mu.Lock()
		s.fleeted = nil
		s.mu.Unlock()
	}
}

// retry does something until it is done, or done answers that it was.
func (s *story) retry(ctx context.Context, done error, do func(context.Context) error) {
	for ctx.Err() == nil {
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		err := do(short)
		cancel()
		if err == nil || errors.Is(err, done) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// write writes a few records to the fleeting topic and returns those acknowledged.
func (s *story) write(ctx context.Context, made int) map[int64]string {
	c := s.r.client(kgo.DefaultProduceTopic(fleetingTopic), kgo.ProducerLinger(0))
	defer c.Close()
	acked := map[int64]string{}
	for n := range 5 {
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		rec := &kgo.Record{Value: fmt.Appendf(nil, "%06d-%d", made, n)}
		if err := c.ProduceSync(short, rec).FirstErr(); err == nil {
			acked[rec.Offset] = string(rec.Value)
		}
		cancel()
	}
	return acked
}

// consume reads all partitions and commits what it has seen. It is no member of the group:
// the library holds a lock while it waits for the others, which stops a bubble.
func (s *story) consume(ctx context.Context, group string) {
	start := map[int32]kgo.Offset{}
	for n := range int32(partitions) {
		start[n] = kgo.NewOffset().AtStart()
	}
	c := s.r.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{chaosTopic: start}))
	defer c.Close()
	adm := kadm.NewClient(c)
	done := map[int32]int64{}
	for ctx.Err() == nil {
		at := kadm.Offsets{}
		fetches := c.PollFetches(ctx)
		s.mu.Lock()
		fetches.EachRecord(func(rec *kgo.Record) {
			s.seen[group+string(rec.Value)]++
			at.AddOffset(rec.Topic, rec.Partition, rec.Offset+1, rec.LeaderEpoch)
		})
		s.mu.Unlock()
		if len(at) == 0 {
			continue
		}
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		if err := adm.CommitAllOffsets(short, group, at); err == nil {
			at.Each(func(o kadm.Offset) { done[o.Partition] = o.At })
		}
		if kept, err := adm.FetchOffsets(short, group); err == nil {
			for n, want := range done {
				if got, _ := kept.Lookup(chaosTopic, n); got.Err == nil && got.At < want {
					s.blame(fmt.Errorf("group %s: offset %d of partition %d was committed, and is %d now", group, want, n, got.At))
				}
			}
		}
		cancel()
	}
}

func (s *story) blame(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

func (s *story) count() (n int) {
	for _, p := range s.ends() {
		n += p
	}
	return n
}

// ends are how many records were acknowledged, by partition.
func (s *story) ends() (n [partitions]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range n {
		n[i] = len(s.acked[int32(i)])
	}
	return n
}

// allBeyond reports whether every partition has taken records since.
func (s *story) allBeyond(before [partitions]int) bool {
	for i, n := range s.ends() {
		if n <= before[i]+3 {
			return false
		}
	}
	return true
}

// missing is an acknowledged record that a group has not seen.
func (s *story) missing(group string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.acked {
		for _, v := range p {
			if s.seen[group+v] == 0 {
				return v
			}
		}
	}
	return ""
}
