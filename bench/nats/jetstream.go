package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// inFlight is how many messages of a producer wait for their acknowledgement at most.
const inFlight = 4096

// jet is a server with the load's streams.
type jet struct {
	spec    spec
	nc      *nats.Conn
	js      jetstream.JetStream
	streams []jetstream.Stream
	acked   atomic.Int64
}

func connect(ctx context.Context, s spec) (*jet, error) {
	nc, js, err := dial(s)
	if err != nil {
		return nil, err
	}
	l := &jet{spec: s, nc: nc, js: js}
	for p := range s.Partitions {
		stream, err := js.CreateStream(ctx, jetstream.StreamConfig{
			Name: fmt.Sprintf("load-%d", p), Subjects: []string{subject(p)}, Storage: jetstream.FileStorage, Replicas: 1,
		})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("create stream %d: %w", p, err), l.close(ctx))
		}
		l.streams = append(l.streams, stream)
	}
	return l, nil
}

func dial(s spec) (*nats.Conn, jetstream.JetStream, error) {
	nc, err := nats.Connect("nats://" + s.Bootstrap)
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(2*inFlight))
	return nc, js, err
}

func subject(partition int) string { return fmt.Sprintf("load.%d", partition) }

// close deletes the streams.
func (l *jet) close(ctx context.Context) error {
	var errs []error
	for p := range l.streams {
		errs = append(errs, l.js.DeleteStream(ctx, fmt.Sprintf("load-%d", p)))
	}
	l.nc.Close()
	return errors.Join(errs...)
}

// check compares what is in the streams with what was acknowledged.
func (l *jet) check(ctx context.Context) error {
	var have int64
	for _, s := range l.streams {
		info, err := s.Info(ctx)
		if err != nil {
			return err
		}
		have += int64(info.State.Msgs)
	}
	if want := l.acked.Load(); have != want {
		return fmt.Errorf("%d messages were acknowledged, %d are there", want, have)
	}
	return nil
}

// produce has every producer publish as much as goes, until time or bytes are up.
func (l *jet) produce(ctx context.Context, length time.Duration, bytes int64) (took []time.Duration, n int64, err error) {
	var mu sync.Mutex // guards took, n and errs
	var errs []error
	var wg sync.WaitGroup
	deadline := time.Now().Add(length)
	for i := range l.spec.Producers {
		wg.Go(func() {
			p := &producer{load: l, next: i}
			err := p.run(ctx, deadline, bytes/int64(l.spec.Producers))
			mu.Lock()
			defer mu.Unlock()
			took, n, errs = append(took, p.took...), n+p.acked, append(errs, err)
		})
	}
	wg.Wait()
	return took, n, errors.Join(errs...)
}

// producer is one connection that publishes, and waits for acknowledgements in order.
type producer struct {
	load  *jet
	next  int // partition
	took  []time.Duration
	acked int64
}

type sent struct {
	at     time.Time
	future jetstream.PubAckFuture
}

func (p *producer) run(ctx context.Context, deadline time.Time, bytes int64) error {
	nc, js, err := dial(p.load.spec)
	if err != nil {
		return err
	}
	defer nc.Close()
	waiting, failed := make(chan sent, inFlight), make(chan error, 1)
	go func() { failed <- p.await(ctx, waiting) }()
	v := value(p.load.spec.Size)
	var publish error
	for total := int64(0); (bytes == 0 || total < bytes) && ctx.Err() == nil; total += int64(len(v)) {
		now := time.Now()
		if now.After(deadline) {
			break
		}
		future, err := js.PublishAsync(subject(p.next%p.load.spec.Partitions), v)
		if err != nil {
			publish = err
			break
		}
		p.next++
		waiting <- sent{now, future}
	}
	close(waiting)
	return errors.Join(publish, <-failed)
}

// await takes acknowledgements until the channel is closed. After an error it only empties it.
func (p *producer) await(ctx context.Context, waiting <-chan sent) (failed error) {
	for s := range waiting {
		if failed != nil {
			continue
		}
		select {
		case <-s.future.Ok():
			p.took = append(p.took, time.Since(s.at))
			p.acked++
			p.load.acked.Add(1)
		case err := <-s.future.Err():
			failed = err
		case <-ctx.Done():
			failed = ctx.Err()
		}
	}
	return failed
}

// consume reads all that is there, each stream by a consumer, as often as it is asked for.
func (l *jet) consume(ctx context.Context) ([]time.Duration, int64, error) {
	var n atomic.Int64
	errs := make([]error, len(l.streams))
	var wg sync.WaitGroup
	for i, s := range l.streams {
		wg.Go(func() {
			for range l.spec.Passes {
				info, err := s.Info(ctx)
				if err == nil {
					err = read(ctx, s, int64(info.State.Msgs), jetstream.DeliverAllPolicy, nil, func(jetstream.Msg) { n.Add(1) })
				}
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	wg.Wait()
	return nil, n.Load(), errors.Join(errs...)
}

// read has a consumer take so many messages of a stream. It closes ready when it is there.
func read(ctx context.Context, s jetstream.Stream, want int64, from jetstream.DeliverPolicy, ready func(), took func(jetstream.Msg)) error {
	c, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: from})
	if err != nil {
		return err
	}
	messages, err := c.Messages(jetstream.PullMaxMessages(10_000))
	if err != nil {
		return err
	}
	defer messages.Stop()
	unhook := context.AfterFunc(ctx, messages.Stop)
	defer unhook()
	if ready != nil {
		ready()
	}
	for range want {
		m, err := messages.Next()
		if err != nil {
			return errors.Join(err, ctx.Err())
		}
		took(m)
	}
	return nil
}

// endToEnd publishes by schedule, and times each message from when it was due to when it is read.
func (l *jet) endToEnd(ctx context.Context) ([]time.Duration, int64, error) {
	total := int64(l.spec.Rate * l.spec.Seconds)
	total -= total % int64(l.spec.Partitions)
	var mu sync.Mutex // guards took
	var took []time.Duration
	var there, done sync.WaitGroup
	errs := make([]error, len(l.streams)+1)
	for i, s := range l.streams {
		there.Add(1)
		arrived := sync.OnceFunc(there.Done)
		done.Go(func() {
			defer arrived()
			errs[i] = read(ctx, s, total/int64(len(l.streams)), jetstream.DeliverAllPolicy, arrived, func(m jetstream.Msg) {
				late := time.Since(time.Unix(0, int64(binary.BigEndian.Uint64(m.Data()))))
				mu.Lock()
				took = append(took, late)
				mu.Unlock()
			})
		})
	}
	there.Wait()
	errs[len(l.streams)] = l.schedule(ctx, total)
	done.Wait()
	return took, int64(len(took)), errors.Join(errs...)
}

// schedule publishes each message when it is due, or at once if that has passed.
func (l *jet) schedule(ctx context.Context, total int64) error {
	p := &producer{load: l}
	waiting, failed := make(chan sent, inFlight), make(chan error, 1)
	go func() { failed <- p.await(ctx, waiting) }()
	began := time.Now()
	var publish error
	for i := range total {
		due := began.Add(time.Duration(float64(i) / l.spec.Rate * float64(time.Second)))
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		v := value(l.spec.Size)
		binary.BigEndian.PutUint64(v, uint64(due.UnixNano()))
		future, err := l.js.PublishAsync(subject(int(i)%l.spec.Partitions), v)
		if err != nil {
			publish = err
			break
		}
		waiting <- sent{due, future}
	}
	close(waiting)
	return errors.Join(publish, <-failed)
}
