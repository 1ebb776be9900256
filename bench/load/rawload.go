package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/odradek/odradek/bench/load/hist"
	"github.com/odradek/odradek/bench/load/raw"
)

// rawLoad is prepared requests on connections of its own, each to the same broker.
type rawLoad struct {
	spec    *Spec
	cluster *cluster

	batch   []byte
	records int64 // in a batch
	stored  int64 // batches that can be fetched
	written int64 // records that were acknowledged in all
	conns   []net.Conn
	streams []*raw.Stream
}

func (l *rawLoad) prepare(ctx context.Context) error {
	s := l.spec
	batch, n, err := raw.Batch(s.Batch, s.Size)
	if err != nil {
		return err
	}
	l.batch, l.records = batch, int64(n)
	address, err := l.leader(ctx)
	if err != nil {
		return err
	}
	if s.Kind == RawFetch {
		if err := l.fill(ctx, address); err != nil {
			return err
		}
	}
	for i := range s.Producers {
		c, err := l.dial(ctx, address)
		if err != nil {
			return err
		}
		l.streams = append(l.streams, l.stream(c, i))
	}
	if s.Kind == RawProduce { // a partition's first batch makes its files, which is not what is measured
		if _, err := l.all(ctx, raw.Limit{Requests: int64(s.Partitions / s.Spots)}); err != nil {
			return err
		}
	}
	if s.Warmup > 0 {
		_, err = l.all(ctx, raw.Limit{Until: time.Now().Add(seconds(s.Warmup)), Requests: l.limit().Requests})
	}
	return err
}

// leader is the address of the broker that leads all partitions: what one connection
// sends is for one broker.
func (l *rawLoad) leader(ctx context.Context) (string, error) {
	leaders, err := l.cluster.leaders(ctx)
	if err != nil {
		return "", err
	}
	for _, address := range leaders {
		if address != leaders[0] {
			return "", fmt.Errorf("the topic has leaders at %s and %s: a raw load wants one", leaders[0], address)
		}
	}
	return leaders[0], nil
}

func (l *rawLoad) dial(ctx context.Context, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err == nil {
		l.conns = append(l.conns, c)
	}
	return c, err
}

// fill writes as many batches of the exact size as the load says, for fetches.
func (l *rawLoad) fill(ctx context.Context, address string) error {
	c, err := l.dial(ctx, address)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	l.stored = max(1, l.spec.Bytes/int64(len(l.batch)))
	request := raw.Produce(l.cluster.topic, []int32{0}, -1, l.batch)
	s := raw.Stream{Conn: c, InFlight: 4, Request: func(int64) []byte { return request },
		Check: func(_ int64, answer []byte) error { return raw.CheckProduce(answer, 1) }}
	if _, err := s.Run(raw.Limit{Requests: l.stored}); err != nil {
		return fmt.Errorf("fill the topic: %w", err)
	}
	l.written = l.stored * l.records
	return l.cluster.holds(ctx, l.written, l.cluster.ends)
}

// stream is the load of the i-th connection.
func (l *rawLoad) stream(c net.Conn, i int) *raw.Stream {
	s := &raw.Stream{Conn: c, InFlight: l.spec.InFlight, Burst: l.spec.Burst, MaxAnswer: len(l.batch) + 64*kib}
	switch l.spec.Kind {
	case RawProduce:
		spots := l.spec.Spots
		requests := l.produceRequests()
		s.Request = func(n int64) []byte { return requests[(int(n)+i)%len(requests)] }
		s.Check = func(_ int64, answer []byte) error { return raw.CheckProduce(answer, spots) }
	case RawFetch:
		request, at := raw.Fetch(l.cluster.topic, 0, int32(len(l.batch)))
		offset := func(n int64) int64 { return n % l.stored * l.records }
		s.Request = func(n int64) []byte {
			binary.BigEndian.PutUint64(request[at:], uint64(offset(n)))
			return request
		}
		s.Check = func(n int64, answer []byte) error { return raw.CheckFetch(answer, offset(n), len(l.batch)) }
	case RawPing:
		request := raw.Ping()
		s.Request = func(int64) []byte { return request }
		s.Check = func(_ int64, answer []byte) error { return raw.CheckPing(answer) }
	}
	return s
}

// produceRequests are requests that visit all partitions in turn, some in each.
func (l *rawLoad) produceRequests() (list [][]byte) {
	acks := map[string]int16{"all": -1, "1": 1}[l.spec.Acks]
	partitions := make([]int32, l.spec.Partitions)
	for i := range partitions {
		partitions[i] = int32(i)
	}
	for some := range slices.Chunk(partitions, l.spec.Spots) {
		list = append(list, raw.Produce(l.cluster.topic, some, acks, l.batch))
	}
	return list
}

// limit of one connection.
func (l *rawLoad) limit() raw.Limit {
	n := l.spec.Records
	if l.spec.Kind != RawPing && l.spec.Bytes > 0 && (l.spec.Kind == RawProduce || l.spec.Seconds == 0) {
		most := max(1, l.spec.Bytes/int64(len(l.batch)*l.spec.Spots))
		if n == 0 || most < n {
			n = most
		}
	}
	if n > 0 {
		n = max(1, n/int64(l.spec.Producers))
	}
	return raw.Limit{Requests: n}
}

func (l *rawLoad) run(ctx context.Context, r *Result) error {
	limit := l.limit()
	if l.spec.Seconds > 0 {
		limit.Until = time.Now().Add(seconds(l.spec.Seconds))
	}
	d, err := l.all(ctx, limit)
	r.Requests, r.Sent, r.Received, r.Latency = d.Requests, d.Sent, d.Received, latencyOf(d.Latency)
	if l.spec.Kind != RawPing {
		batches := d.Requests * int64(l.spec.Spots)
		r.Records, r.Bytes = batches*l.records, batches*int64(len(l.batch))
	}
	return err
}

// all runs the streams of all connections side by side.
func (l *rawLoad) all(ctx context.Context, limit raw.Limit) (raw.Done, error) {
	defer context.AfterFunc(ctx, l.close)()
	var all sync.WaitGroup
	list := make([]raw.Done, len(l.streams))
	errs := make([]error, len(l.streams))
	for i, s := range l.streams {
		all.Go(func() { list[i], errs[i] = s.Run(limit) })
	}
	all.Wait()
	sum := raw.Done{Latency: new(hist.Hist)}
	for _, d := range list {
		sum.Requests += d.Requests
		sum.Sent += d.Sent
		sum.Received += d.Received
		sum.Latency.Merge(d.Latency)
	}
	if l.spec.Kind == RawProduce {
		l.written += sum.Requests * int64(l.spec.Spots) * l.records
	}
	return sum, errors.Join(errs...)
}

func (l *rawLoad) check(ctx context.Context, _ *Result) error {
	return l.cluster.holds(ctx, l.written, l.cluster.ends)
}

func (l *rawLoad) close() {
	for _, c := range l.conns {
		c.Close()
	}
}
