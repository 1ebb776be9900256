package load

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kgo"
)

// producer is a client that writes records that nobody else writes.
type producer struct {
	*actor
	c      *kgo.Client
	number int32
	seq    int64
	acks   int8
	sent   sync.WaitGroup
}

func (a *actor) producer(acks int8, opts ...kgo.Opt) *producer {
	a.reborn()
	p := &producer{actor: a, number: a.producers.Add(1), acks: acks}
	opts = append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		// Not zstd: a reader's decoder is closed by the collector, which is outside every bubble.
		kgo.ProducerBatchCompression(pick(a, kgo.NoCompression(), kgo.NoCompression(), kgo.SnappyCompression(), kgo.Lz4Compression())),
		kgo.ProducerOnDataLossDetected(func(topic string, partition int32) {
			if acks == history.AcksAll && !a.Mix.isLoose(topic) {
				a.blame("a producer was told that what it follows in %s-%d is lost", topic, partition)
			}
		})}, opts...)
	p.c = a.client(opts...)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open[p] = true
	return p
}

// value is the next record's.
func (p *producer) value() history.Value {
	v := history.MakeValue(p.number, p.seq)
	p.seq++
	return v
}

// size draws how large a record is.
func (p *producer) size() int {
	if p.chance(40) {
		return p.rng.IntN(p.Mix.Large)
	}
	return p.rng.IntN(60)
}

// send begins to write one record, and tells done, if it is not nil, how that ended.
func (p *producer) send(at history.Place, key string, tombstone bool, txn int64, done func(err error)) history.Value {
	op := p.blank(history.Send, at)
	op.Value, op.Key, op.Absent, op.Acks, op.Txn = p.value(), key, tombstone, p.acks, txn
	rec := &kgo.Record{Topic: at.Topic, Partition: at.Partition, Value: op.Value.Bytes(p.size())}
	if key != "" {
		rec.Key = []byte(key)
	}
	if tombstone {
		rec.Value, rec.Headers = nil, []kgo.RecordHeader{{Key: history.HeaderName, Value: op.Value.Bytes(0)}}
	}
	began := p.rec.Begin(op)
	p.sent.Add(1)
	// Not the actor's context: a record that is given up leaves a gap in the sequence.
	p.c.Produce(context.Background(), rec, func(r *kgo.Record, err error) {
		defer p.sent.Done()
		if err == nil && p.acks != history.AcksNone {
			began.Offset = r.Offset
		}
		if err != nil {
			err = unsure{err} // an earlier attempt may have been written
		}
		p.end(began, err)
		if done != nil {
			done(err)
		}
	})
	return op.Value
}

// close ends the producer when all that it has sent is answered, or at once.
func (p *producer) close(atOnce bool) {
	if !atOnce {
		p.sent.Wait()
	}
	p.c.Close()
	p.sent.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, p)
}

// produce writes to a topic until the writers stop: batches of some records, several under
// way at once. Producers die now and then, with what they had under way.
func (a *actor) produce(t Topic, acks int8) {
	opts := []kgo.Opt{}
	switch acks {
	case history.AcksNone:
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	case history.AcksOne:
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	}
	for !a.over() {
		p := a.producer(acks, opts...)
		lives := 20 + a.rng.IntN(300)
		for range lives {
			if a.over() {
				break
			}
			at := history.Place{Topic: t.Name, Partition: a.rng.Int32N(t.Partitions)}
			n := 1 + a.rng.IntN(4)
			if !Grouping {
				n = 1 // without that tag franz-go has a lock that stops the bubble
			}
			for range n {
				key, tombstone := "", false
				if t.Compact {
					key, tombstone = string(rune('a'+a.rng.IntN(20))), a.chance(5)
				}
				p.send(at, key, tombstone, 0, nil)
			}
			if !Grouping || !a.chance(4) {
				p.sent.Wait()
			}
			a.pause(2 * a.Mix.Pace)
		}
		p.close(!a.over() && a.chance(3))
	}
}

// probe writes one record to a partition and waits for its answer.
func (a *actor) probe(at history.Place) error {
	p := a.producer(history.AcksAll)
	defer p.close(true)
	done := make(chan error, 1)
	p.send(at, map[bool]string{true: "probe"}[a.Mix.topic(at.Topic).Compact], false, 0, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-a.ctx.Done():
		return errors.New("it is not answered")
	case <-time.After(time.Minute):
		return errors.New("it is not answered in a minute")
	}
}
