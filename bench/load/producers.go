package load

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/bench/load/hist"
	"github.com/odradek/odradek/bench/load/pace"
	"github.com/twmb/franz-go/pkg/kgo"
)

// producers are clients that produce to the topic together.
type producers struct {
	spec    *Spec
	clients []*producer
	stamp   func(p *producer, value []byte, due time.Time) // of timed records
	traffic traffic
}

// producer is one of them, on a goroutine of its own. What it counts goes on over its runs.
type producer struct {
	index   int
	client  *kgo.Client
	values  [][]byte
	sent    int64
	acked   atomic.Int64
	failure atomic.Pointer[error]
	latency *hist.Hist // of a run; only promises touch it, which come one after the other
	late    *hist.Hist
}

// traffic counts what clients write and read.
type traffic struct{ sent, received atomic.Int64 }

func (t *traffic) OnBrokerWrite(_ kgo.BrokerMetadata, _ int16, n int, _, _ time.Duration, _ error) {
	t.sent.Add(int64(n))
}

func (t *traffic) OnBrokerRead(_ kgo.BrokerMetadata, _ int16, n int, _, _ time.Duration, _ error) {
	t.received.Add(int64(n))
}

// into puts in r what has passed since before.
func (t *traffic) since(sent, received int64, r *Result) {
	r.Sent, r.Received = t.sent.Load()-sent, t.received.Load()-received
}

// buffered is how much all producers hold together, if each may hold two batches at
// least and as much as a Java producer at most.
const (
	buffered    = 128 * mib
	maxBuffered = 32 * mib
)

func (c *cluster) producers(more ...kgo.Opt) (*producers, error) {
	s := c.spec
	ps := &producers{spec: s}
	room := min(max(buffered/s.Producers, 2*s.Batch, 2*s.Size), maxBuffered)
	opts := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(s.Bootstrap, ",")...), kgo.DefaultProduceTopic(c.topic), kgo.WithHooks(&ps.traffic),
		kgo.ProducerBatchMaxBytes(int32(max(s.Batch, s.Size+512))), kgo.ProducerLinger(milliseconds(s.Linger)),
		kgo.ProducerBatchCompression(codecs[s.Compression]), kgo.RecordDeliveryTimeout(patience),
		kgo.MaxBufferedBytes(room), kgo.MaxBufferedRecords(max(1000, min(500_000/s.Producers, room/s.Size))),
	}
	if s.Spread {
		opts = append(opts, kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	} else {
		opts = append(opts, kgo.RecordPartitioner(kgo.UniformBytesPartitioner(min(s.Batch, 64*kib), false, false, nil)))
	}
	acks := map[string]kgo.Acks{"all": kgo.AllISRAcks(), "1": kgo.LeaderAck(), "0": kgo.NoAck()}[s.Acks]
	opts = append(opts, kgo.RequiredAcks(acks))
	if !s.Idempotent && s.Kind != Txn {
		opts = append(opts, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(5))
	}
	for i := range s.Producers {
		client, err := kgo.NewClient(append(opts, more...)...)
		if err != nil {
			ps.close()
			return nil, err
		}
		ps.clients = append(ps.clients, &producer{index: i, client: client, values: values(s.Size)})
	}
	return ps, nil
}

var codecs = map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}

func (ps *producers) close() {
	for _, p := range ps.clients {
		p.client.Close()
	}
}

// acked is how many records were acknowledged in all runs so far.
func (ps *producers) acked() (n int64) {
	for _, p := range ps.clients {
		n += p.acked.Load()
	}
	return n
}

// limit is where a run stops: at the first of those that are not zero.
type limit struct {
	seconds float64
	records int64 // of all producers together
	rate    float64
}

// limit of the load, of which records stop at records or bytes.
func (s *Spec) limit() limit {
	l := limit{seconds: s.Seconds, records: s.Records, rate: s.Rate}
	if n := s.Bytes / int64(s.Size); s.Bytes > 0 && (l.records == 0 || n < l.records) {
		l.records = max(n, 1)
	}
	return l
}

// made is what a run of producers came to.
type made struct {
	records       int64
	latency, late hist.Hist
}

// run produces up to a limit and waits for every acknowledgement. Without a rate the
// latency of a record counts from when it was handed to the client, of every sixteenth
// if they carry no time; with one from when it was due, of all.
func (ps *producers) run(ctx context.Context, l limit) (made, error) {
	var all sync.WaitGroup
	errs := make([]error, len(ps.clients))
	before := ps.acked()
	began := time.Now()
	for i, p := range ps.clients {
		share := l
		if n := int64(len(ps.clients)); l.records > 0 {
			share.records = l.records / n
			if int64(i) < l.records%n {
				share.records++
			}
			if share.records == 0 {
				continue
			}
		}
		share.rate /= float64(len(ps.clients))
		p.latency, p.late = new(hist.Hist), new(hist.Hist)
		all.Go(func() { errs[i] = p.run(ctx, ps, share, began) })
	}
	all.Wait()
	var m made
	for _, p := range ps.clients {
		if p.latency != nil {
			m.latency.Merge(p.latency)
			m.late.Merge(p.late)
		}
	}
	m.records = ps.acked() - before
	return m, errors.Join(errs...)
}

func (p *producer) run(ctx context.Context, ps *producers, l limit, began time.Time) error {
	failed := p.pace(ctx, ps, l, began)
	err := errors.Join(failed, p.client.Flush(ctx), ctx.Err())
	if f := p.failure.Load(); f != nil {
		err = errors.Join(err, *f)
	}
	if acked := p.acked.Load(); err == nil && acked != p.sent {
		err = fmt.Errorf("producer %d sent %d records, and %d were acknowledged", p.index, p.sent, acked)
	}
	return err
}

// sample is how many records there are for each whose way is timed, without a rate.
const sample = 16

func (p *producer) pace(ctx context.Context, ps *producers, l limit, began time.Time) error {
	deadline := began.Add(seconds(l.seconds))
	over := func(n int64, at time.Time) bool { return l.seconds > 0 && !at.Before(deadline) }
	var schedule *pace.Schedule
	if l.rate > 0 { // the producers take turns
		first := float64(p.index) / float64(len(ps.clients)) / l.rate
		schedule = &pace.Schedule{Start: began.Add(seconds(first)), Rate: l.rate}
		defer func() { p.late.Merge(&schedule.Late) }()
	}
	for n := int64(0); l.records == 0 || n < l.records; n++ {
		if p.failure.Load() != nil || ctx.Err() != nil {
			return nil
		}
		switch {
		case schedule != nil:
			if over(n, schedule.Peek()) {
				return nil
			}
			p.produce(ctx, ps, schedule.Next(), true)
		case n%sample == 0 || ps.stamp != nil:
			now := time.Now()
			if over(n, now) {
				return nil
			}
			p.produce(ctx, ps, now, true)
		default:
			p.produce(ctx, ps, time.Time{}, false)
		}
	}
	return nil
}

// produce hands one record to the client, which may wait for room. It is timed from due.
func (p *producer) produce(ctx context.Context, ps *producers, due time.Time, timed bool) {
	r := &kgo.Record{Value: p.values[p.sent%int64(len(p.values))]}
	if ps.stamp != nil {
		r.Value = append([]byte(nil), r.Value...)
		ps.stamp(p, r.Value, due)
	}
	p.sent++
	if !timed {
		p.client.Produce(ctx, r, p.promise)
		return
	}
	p.client.Produce(ctx, r, func(r *kgo.Record, err error) {
		p.latency.Add(time.Since(due))
		p.promise(r, err)
	})
}

func (p *producer) promise(_ *kgo.Record, err error) {
	if err != nil {
		err = fmt.Errorf("producer %d: %w", p.index, err)
		p.failure.CompareAndSwap(nil, &err)
		return
	}
	p.acked.Add(1)
}
