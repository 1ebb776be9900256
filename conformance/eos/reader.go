package eos

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// follow reads what is committed to a topic, from its start, until the sequence is complete
// or ctx ends. No input is complete as long as put is nil.
func follow(ctx context.Context, seeds []string, topic string, s *sequence, put func() map[int32]int64) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(500*time.Millisecond))
	if err != nil {
		return err
	}
	defer c.Close()
	for ctx.Err() == nil {
		if want := put(); want != nil && s.complete(want) {
			return nil
		}
		beat, cancel := context.WithTimeout(ctx, time.Second)
		fs := c.PollFetches(beat)
		cancel()
		fs.EachRecord(func(r *kgo.Record) { s.see(r.Partition, r.Offset, string(r.Value)) })
		if len(s.wrong) > 0 {
			return nil
		}
	}
	return nil
}

// all counts every record of a topic up to its end, committed or not.
func all(ctx context.Context, seeds []string, topic string) (n int64, err error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.KeepControlRecords(), kgo.FetchMaxWait(500*time.Millisecond))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(ctx, topic)
	if err != nil || ends.Error() != nil {
		return 0, fmt.Errorf("end of %s: %v, %v", topic, err, ends.Error())
	}
	left := make(map[int32]int64)
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fs := c.PollFetches(ctx)
		if err := fs.Err0(); err != nil {
			return n, fmt.Errorf("read all of %s: %w", topic, err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				n++
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return n, nil
}

// closed waits until no transaction is open in a topic: its last stable offsets are its ends.
func closed(ctx context.Context, seeds []string, topic string) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(seeds...))
	if err != nil {
		return err
	}
	defer c.Close()
	a := kadm.NewClient(c)
	for {
		stable, err := a.ListCommittedOffsets(ctx, topic)
		if err == nil {
			err = stable.Error()
		}
		open := 0
		if err == nil {
			ends, endErr := a.ListEndOffsets(ctx, topic)
			if err = endErr; err == nil {
				err = ends.Error()
			}
			ends.Each(func(o kadm.ListedOffset) {
				if s, ok := stable.Lookup(topic, o.Partition); !ok || s.Offset != o.Offset {
					open++
				}
			})
		}
		if err == nil && open == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d partitions of %s have a transaction that does not end (%v)", open, topic, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
