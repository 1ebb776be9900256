package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// consumeLoad fills a topic and reads it, by some consumers, some times.
type consumeLoad struct {
	spec    *Spec
	cluster *cluster
	ends    map[int32]int64
	members []*consumer // of groups; others are made when they read
	traffic traffic
}

// fillTopic produces the load's amount as it would be produced by one client.
func (c *cluster) fillTopic(ctx context.Context) (ends map[int32]int64, err error) {
	ps, err := c.producers()
	if err != nil {
		return nil, err
	}
	defer ps.close()
	l := c.spec.limit()
	l.seconds, l.rate = 0, 0
	if _, err := ps.run(ctx, l); err != nil {
		return nil, fmt.Errorf("fill the topic: %w", err)
	}
	if err := c.holds(ctx, ps.acked(), c.ends); err != nil {
		return nil, err
	}
	return c.ends(ctx)
}

func (l *consumeLoad) prepare(ctx context.Context) (err error) {
	if l.ends, err = l.cluster.fillTopic(ctx); err != nil {
		return err
	}
	if l.spec.Warmup > 0 {
		if err := l.warm(ctx); err != nil {
			return err
		}
	}
	for i := range l.spec.Consumers {
		if !l.spec.Group {
			break
		}
		m, err := l.cluster.member(ctx, &l.traffic, fmt.Sprintf("%s-%d", l.cluster.topic, i))
		if err != nil {
			return err
		}
		l.members = append(l.members, m)
	}
	return nil
}

// warm reads for a while, the whole topic at most.
func (l *consumeLoad) warm(ctx context.Context) error {
	c, err := l.cluster.consumer(new(traffic))
	if err != nil {
		return err
	}
	defer c.client.Close()
	until, stop := context.WithTimeout(ctx, seconds(l.spec.Warmup))
	defer stop()
	if err := c.readTo(until, l.ends); until.Err() == nil {
		return err
	}
	return ctx.Err()
}

func (l *consumeLoad) run(ctx context.Context, r *Result) error {
	var all sync.WaitGroup
	read := make([]consumed, l.spec.Consumers)
	for i := range read {
		all.Go(func() {
			for range l.spec.Passes {
				if read[i].err == nil {
					l.pass(ctx, i, &read[i])
				}
			}
		})
	}
	all.Wait()
	var errs []error
	for _, c := range read {
		r.Records += c.records
		r.Bytes += c.bytes
		errs = append(errs, c.err)
	}
	l.traffic.since(0, 0, r)
	return errors.Join(errs...)
}

// consumed is what one consumer read in all its passes.
type consumed struct {
	records, bytes int64
	err            error
}

// pass reads the whole topic.
func (l *consumeLoad) pass(ctx context.Context, i int, sum *consumed) {
	var c *consumer
	if l.spec.Group {
		c = l.members[i]
		c.client.ResumeFetchTopics(l.cluster.topic)
	} else {
		if c, sum.err = l.cluster.consumer(&l.traffic); sum.err != nil {
			return
		}
		defer c.client.Close()
	}
	if err := c.readTo(ctx, l.ends); err != nil {
		sum.err = fmt.Errorf("consumer %d: %w", i, err)
	}
	sum.records += c.read.Load()
	sum.bytes += c.bytes
}

func (l *consumeLoad) check(_ context.Context, r *Result) error {
	want := sum(l.ends) * int64(l.spec.Consumers) * int64(l.spec.Passes)
	if r.Records != want || r.Bytes != want*int64(l.spec.Size) {
		return fmt.Errorf("%d records of %d bytes were read, want %d of %d", r.Records, r.Bytes, want, want*int64(l.spec.Size))
	}
	return nil
}

func (l *consumeLoad) close() {
	for _, m := range l.members {
		m.client.Close()
	}
}
