package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/bench/load/hist"
	"github.com/twmb/franz-go/pkg/kgo"
)

// tailLoad produces records that carry the time at which they were due, which consumers
// read at once. With a rate that time is the schedule's, whatever the cluster does.
type tailLoad struct {
	spec    *Spec
	cluster *cluster
	ps      *producers
	readers []*reader
	started atomic.Int64 // nanoseconds since born from which records count
	stop    context.CancelFunc
	done    sync.WaitGroup
	traffic traffic
}

// reader is one of the consumers, on a goroutine of its own.
type reader struct {
	*consumer
	latency hist.Hist // of records that count
	counted int64
	numbers uint64 // sum of the numbers of all that were read
	err     error
	moved   chan struct{} // told after each poll, if there is room
}

func (l *tailLoad) prepare(ctx context.Context) (err error) {
	if l.ps, err = l.cluster.producers(); err != nil {
		return err
	}
	l.ps.stamp = stamp
	reading, stop := context.WithCancel(ctx)
	l.stop = stop
	l.started.Store(int64(^uint64(0) >> 1))
	for i := range l.spec.Consumers {
		c, err := l.reader(ctx, i)
		if err != nil {
			return err
		}
		r := &reader{consumer: c, moved: make(chan struct{}, 1)}
		r.each = func(rec *kgo.Record) { l.see(r, rec) }
		l.readers = append(l.readers, r)
		l.done.Go(func() { r.follow(reading) })
	}
	if err := l.ps.warm(ctx); err != nil {
		return err
	}
	return l.caughtUp(ctx)
}

func (l *tailLoad) reader(ctx context.Context, i int) (*consumer, error) {
	if !l.spec.Group {
		return l.cluster.consumer(&l.traffic)
	}
	c, err := l.cluster.member(ctx, &l.traffic, fmt.Sprintf("%s-%d", l.cluster.topic, i))
	if err == nil {
		c.client.ResumeFetchTopics(l.cluster.topic)
	}
	return c, err
}

// follow polls until the load is over.
func (r *reader) follow(ctx context.Context) {
	for ctx.Err() == nil && r.err == nil {
		if err := r.poll(ctx); err != nil && ctx.Err() == nil {
			r.err = err
		}
		select {
		case r.moved <- struct{}{}:
		default:
		}
	}
}

// see counts a record that a reader has got.
func (l *tailLoad) see(r *reader, rec *kgo.Record) {
	due, number := stamped(rec.Value)
	r.numbers += number
	if int64(due.Sub(born)) >= l.started.Load() {
		r.counted++
		r.latency.Add(time.Since(due))
	}
}

// caughtUp waits until every reader has what was acknowledged.
func (l *tailLoad) caughtUp(ctx context.Context) error {
	want := l.ps.acked()
	for i, r := range l.readers {
		for r.read.Load() < want {
			select {
			case <-r.moved:
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(fetchWait):
				return fmt.Errorf("consumer %d has read %d records of %d", i, r.read.Load(), want)
			}
		}
	}
	return nil
}

func (l *tailLoad) run(ctx context.Context, r *Result) error {
	ps, own := &l.ps.traffic, &l.traffic
	sent, received := ps.sent.Load()+own.sent.Load(), ps.received.Load()+own.received.Load()
	l.started.Store(int64(time.Since(born)))
	m, err := l.ps.run(ctx, l.spec.limit())
	if err == nil {
		err = l.caughtUp(ctx)
	}
	r.Sent, r.Received = ps.sent.Load()+own.sent.Load()-sent, ps.received.Load()+own.received.Load()-received
	l.stop()
	l.done.Wait()
	var all hist.Hist
	for i, c := range l.readers {
		all.Merge(&c.latency)
		r.Records += c.counted
		if c.err != nil {
			err = errors.Join(err, fmt.Errorf("consumer %d: %w", i, c.err))
		}
	}
	r.Bytes, r.Latency = r.Records*int64(l.spec.Size), latencyOf(&all)
	r.more("acknowledged", latencyOf(&m.latency))
	if l.spec.Rate > 0 {
		r.more("late", latencyOf(&m.late))
	}
	if want := m.records * int64(len(l.readers)); err == nil && r.Records != want {
		err = fmt.Errorf("%d records were read of %d", r.Records, want)
	}
	return err
}

// check compares what each consumer got with what was sent, record by record as far as
// the sum of their numbers tells.
func (l *tailLoad) check(ctx context.Context, _ *Result) error {
	var want uint64
	for _, p := range l.ps.clients {
		for n := range p.sent {
			want += numberOf(p.index, n)
		}
	}
	for i, r := range l.readers {
		if r.read.Load() != l.ps.acked() || r.numbers != want {
			return fmt.Errorf("consumer %d read %d records of %d, with the numbers %d, want %d", i, r.read.Load(), l.ps.acked(), r.numbers, want)
		}
	}
	return l.cluster.holds(ctx, l.ps.acked(), l.cluster.ends)
}

func (l *tailLoad) close() {
	if l.stop != nil {
		l.stop()
	}
	l.done.Wait()
	for _, r := range l.readers {
		r.client.Close()
	}
	if l.ps != nil {
		l.ps.close()
	}
}
