package cli

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// sample is how many records there are for each whose way is timed.
const sample = 16

// produce produces as much as goes. Unless shown, it only fills the topic.
func (b *bench) produce(ctx context.Context, shown bool) error {
	c, err := b.producer(kgo.MaxBufferedRecords(max(1000, int(b.batch)/b.size*int(b.partitions)*2)), kgo.ProducerLinger(0))
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Ping(ctx); err != nil {
		return err
	}
	if err := b.phase("produce", func() (int, []time.Duration, error) { return b.flood(ctx, c) }); err != nil {
		return err
	}
	b.sent = b.list[0].Records
	if !shown {
		b.list = nil
	}
	return nil
}

// flood produces until time or room is up, and waits for the last acknowledgement. The
// time of a record is from when it is handed to the client, whose queue is always full.
func (b *bench) flood(ctx context.Context, c *kgo.Client) (int, []time.Duration, error) {
	var failure atomic.Pointer[error]
	var took []time.Duration // only touched by promises, which come one after the other
	failed := func(err error) {
		if err != nil {
			failure.CompareAndSwap(nil, &err)
		}
	}
	promise := func(_ *kgo.Record, err error) { failed(err) }
	values := b.payloads()
	deadline := time.Now().Add(time.Duration(b.seconds * float64(time.Second)))
	n := 0
	for ; int64(n+1)*int64(b.size) <= b.limit && failure.Load() == nil && ctx.Err() == nil; n++ {
		r := &kgo.Record{Value: values[n%len(values)]}
		if n%sample != 0 {
			c.Produce(ctx, r, promise)
			continue
		}
		began := time.Now()
		if began.After(deadline) {
			break
		}
		c.Produce(ctx, r, func(_ *kgo.Record, err error) {
			failed(err)
			took = append(took, time.Since(began))
		})
	}
	err := errors.Join(c.Flush(ctx), ctx.Err())
	if f := failure.Load(); f != nil {
		err = errors.Join(err, *f)
	}
	return n, took, err
}

// oneByOne produces each record when the one before it was acknowledged.
func (b *bench) oneByOne(ctx context.Context) error {
	c, err := b.producer(kgo.ProducerLinger(0))
	if err != nil {
		return err
	}
	defer c.Close()
	value := b.payloads()[0]
	if err := c.ProduceSync(ctx, &kgo.Record{Value: value}).FirstErr(); err != nil { // finds its way
		return err
	}
	b.sent++
	return b.phase("one-by-one", func() (n int, took []time.Duration, err error) {
		deadline := time.Now().Add(time.Duration(min(b.seconds, 1) * float64(time.Second)))
		for began := time.Now(); began.Before(deadline); {
			if err := c.ProduceSync(ctx, &kgo.Record{Value: value}).FirstErr(); err != nil {
				return 0, nil, err
			}
			now := time.Now()
			took = append(took, now.Sub(began))
			began = now
		}
		b.sent += len(took)
		return len(took), took, nil
	})
}

// idle is how long a fetch may bring nothing before the run is given up.
const idle = 10 * time.Second

// consume reads all that was produced.
func (b *bench) consume(ctx context.Context) error {
	c, err := b.client(kgo.ConsumeTopics(b.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxPartitionBytes(8<<20))
	if err != nil {
		return err
	}
	defer c.Close()
	return b.phase("consume", func() (n int, _ []time.Duration, err error) {
		want := b.sent
		for n < want {
			poll, stop := context.WithTimeout(ctx, idle)
			fetches := c.PollFetches(poll)
			stop()
			if ctx.Err() != nil {
				return n, nil, ctx.Err()
			}
			if poll.Err() != nil && fetches.NumRecords() == 0 {
				if b.acks == "0" {
					return n, nil, nil // what nobody acknowledged may be missing
				}
				return n, nil, fmt.Errorf("read %d of %d records, and nothing more comes", n, want)
			}
			if err := fetches.Err(); err != nil {
				return n, nil, err
			}
			n += fetches.NumRecords()
		}
		return n, nil, nil
	})
}
