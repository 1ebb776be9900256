package load

import (
	"context"
	"errors"
	"fmt"
)

// catchUpLoad fills a topic, has producers go on at a rate, first alone and then beside a
// consumer that reads what was there from the start, and tells what that did to them.
type catchUpLoad struct {
	spec    *Spec
	cluster *cluster
	cold    map[int32]int64 // where the cold data ends
	ps      *producers
	traffic traffic
}

func (l *catchUpLoad) prepare(ctx context.Context) (err error) {
	if l.cold, err = l.cluster.fillTopic(ctx); err != nil {
		return err
	}
	if l.ps, err = l.cluster.producers(); err != nil {
		return err
	}
	if err := l.ps.warm(ctx); err != nil {
		return err
	}
	return evict(l.spec.Cold) // so that the fill is on disk, and does not trouble who is alone
}

func (l *catchUpLoad) run(ctx context.Context, r *Result) error {
	rate := limit{seconds: l.spec.Seconds, rate: l.spec.Rate}
	alone, err := l.ps.run(ctx, rate)
	if err != nil {
		return err
	}
	if err := evict(l.spec.Cold); err != nil {
		return err
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	var read consumed
	go func() { done <- l.catchUp(reading, &read) }()
	beside, err := l.ps.run(ctx, rate)
	stop()
	if err := errors.Join(err, <-done); err != nil {
		return err
	}
	beside.into(l.spec, r)
	r.Records += alone.records
	r.Bytes = r.Records * int64(l.spec.Size)
	r.Received = l.traffic.received.Load()
	a, b := latencyOf(&alone.latency), r.Latency
	r.more("alone", a)
	r.more("beside", b)
	r.figure("caught_up_records", float64(read.records))
	r.figure("caught_up_bytes", float64(read.bytes))
	r.figure("p99_ratio", float64(b.P99)/float64(max(a.P99, 1)))
	if read.records == 0 {
		return errors.New("the consumer of cold data read nothing")
	}
	return nil
}

// catchUp reads the cold data, and again, until the load is over.
func (l *catchUpLoad) catchUp(ctx context.Context, read *consumed) error {
	for ctx.Err() == nil {
		c, err := l.cluster.consumer(&l.traffic)
		if err != nil {
			return err
		}
		err = l.pass(ctx, c)
		c.client.Close()
		read.records += c.read.Load()
		read.bytes += c.bytes
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("the consumer of cold data: %w", err)
		}
		if err := evict(l.spec.Cold); err != nil {
			return err
		}
	}
	return nil
}

// pass reads to where the cold data ends, which it passes by a little: partitions that
// are done go on bringing what is new.
func (l *catchUpLoad) pass(ctx context.Context, c *consumer) error {
	done := make(map[int32]bool)
	for len(done) < len(l.cold) {
		if err := c.poll(ctx); err != nil {
			return err
		}
		for p, end := range l.cold {
			if c.next[p] >= end && !done[p] {
				done[p] = true
				c.client.PauseFetchPartitions(map[string][]int32{l.cluster.topic: {p}})
			}
		}
	}
	return nil
}

func (l *catchUpLoad) check(ctx context.Context, _ *Result) error {
	return l.cluster.holds(ctx, sum(l.cold)+l.ps.acked(), l.cluster.ends)
}

func (l *catchUpLoad) close() {
	if l.ps != nil {
		l.ps.close()
	}
}
