package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/odradek/odradek/bench/load/raw"
	"github.com/odradek/odradek/internal/proto/record"
)

// catchUpLoad fills a topic, has producers go on at a rate, first alone and then beside a
// consumer that reads what was there from the start, and tells what that did to them.
type catchUpLoad struct {
	spec    *Spec
	cluster *cluster
	cold    map[int32]int64 // where the cold data ends
	ps      *producers
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
	return evict(l.spec.Cold, true) // so that the fill is on disk, and does not trouble who is alone
}

func (l *catchUpLoad) run(ctx context.Context, r *Result) error {
	rate := limit{seconds: l.spec.Seconds, rate: l.spec.Rate}
	alone, err := l.ps.run(ctx, rate)
	if err != nil {
		return err
	}
	if err := evict(l.spec.Cold, true); err != nil {
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

// catchUp reads the cold data, partition by partition, and again, until the load is over.
// It has no client library, so that what it does to the producers is the cluster's doing
// and little of its own.
func (l *catchUpLoad) catchUp(ctx context.Context, read *consumed) error {
	leaders, err := l.cluster.leaders(ctx)
	for err == nil && ctx.Err() == nil {
		for p := int32(0); int(p) < len(leaders) && err == nil; p++ {
			err = l.readCold(ctx, leaders[p], p, read)
		}
		if err == nil {
			err = evict(l.spec.Cold, false) // no write: that would be the rig's doing, not the reader's
		}
	}
	if ctx.Err() != nil {
		return nil // the load is over
	}
	return fmt.Errorf("the consumer of cold data: %w", err)
}

// readCold reads a partition to where the cold data ends, or a little further.
func (l *catchUpLoad) readCold(ctx context.Context, leader string, p int32, read *consumed) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", leader)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	request, at := raw.Fetch(l.cluster.topic, p, mib)
	next := int64(0)
	s := raw.Stream{Conn: conn, MaxAnswer: 2 * mib,
		Request: func(int64) []byte {
			binary.BigEndian.PutUint64(request[at:], uint64(next))
			return request
		},
		Check: func(_ int64, answer []byte) (err error) {
			next, err = coldBatches(answer, next, read)
			return err
		}}
	for next < l.cold[p] {
		if _, err := s.Run(raw.Limit{Requests: 1}); err != nil {
			return fmt.Errorf("partition %d: %w", p, err)
		}
	}
	return nil
}

// coldBatches counts the whole batches of an answer, which must follow each other from
// offset next on, and says which comes next.
func coldBatches(answer []byte, next int64, read *consumed) (int64, error) {
	bytes, err := raw.Fetched(answer)
	if err != nil {
		return next, err
	}
	before := next
	for {
		b, rest, err := record.Split(bytes)
		if errors.Is(err, record.ErrShort) && next > before {
			return next, nil // the last one is cut off
		}
		if err != nil {
			return next, fmt.Errorf("at offset %d: %w", next, err)
		}
		if b.BaseOffset() != next {
			return next, fmt.Errorf("offset %d came where %d comes next", b.BaseOffset(), next)
		}
		next = b.NextOffset()
		read.records += int64(b.Count())
		read.bytes += int64(len(b))
		bytes = rest
	}
}

func (l *catchUpLoad) check(ctx context.Context, _ *Result) error {
	return l.cluster.holds(ctx, sum(l.cold)+l.ps.acked(), l.cluster.ends)
}

func (l *catchUpLoad) close() {
	if l.ps != nil {
		l.ps.close()
	}
}
