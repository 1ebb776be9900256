package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// pipe takes records from a topic and writes one for each to the same partition of
// another, in transactions that also commit what was taken. It may be killed at any moment:
// each of its lines is written before what it tells of can have an effect, and again after.
// One that is fenced ends, with status 3.
func pipe(ctx context.Context, j job, out *log) error {
	for ctx.Err() == nil {
		err := session(ctx, j, out)
		if err == nil || ctx.Err() != nil {
			continue
		}
		out.complain(err.Error())
		if errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) {
			_ = out.close()
			os.Exit(3)
		}
		wait(ctx, 200*time.Millisecond)
	}
	return nil
}

// piper is one client of a pipe.
type piper struct {
	job
	out     *log
	process int32
	session *kgo.GroupTransactSession
	seq     int64
	txns    int64
	rng     *rand.Rand
}

// session works until something goes wrong for which no transaction can be aborted.
func session(ctx context.Context, j job, out *log) error {
	opts := j.options(
		kgo.TransactionalID(j.ID), kgo.TransactionTimeout(10*time.Second),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(j.codec()),
		kgo.ConsumerGroup(j.Group), kgo.ConsumeTopics(j.In), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond), kgo.FetchMaxWait(500*time.Millisecond))
	opts = append(opts, j.protocol()...)
	s, err := kgo.NewGroupTransactSession(opts...)
	if err != nil {
		return err
	}
	defer s.Close()
	p := &piper{job: j, out: out, process: out.next(), session: s}
	p.rng = rand.New(rand.NewPCG(j.Seed, uint64(p.process)))
	if err := p.init(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil {
		fs := s.PollRecords(ctx, j.Most)
		if fs.IsClientClosed() || ctx.Err() != nil {
			return nil
		}
		if rs := fs.Records(); len(rs) > 0 {
			if err := p.transaction(ctx, rs); err != nil {
				return err
			}
		}
	}
	return nil
}

// init takes the transactional id.
func (p *piper) init(ctx context.Context) error {
	o := op(history.InitProducer, p.process, "", 0)
	o.TransactionalID = p.ID
	began := p.out.Begin(o)
	id, epoch, err := p.session.Client().ProducerID(ctx)
	if err != nil {
		began.Err = err.Error()
		p.out.End(began, history.Info)
		return fmt.Errorf("take the transactional id: %w", err)
	}
	began.ProducerID, began.ProducerEpoch = id, int32(epoch)
	p.out.End(began, history.OK)
	return nil
}

func (p *piper) transaction(ctx context.Context, rs []*kgo.Record) error {
	p.txns++
	txn := int64(p.process)<<24 | p.txns
	if err := p.session.Begin(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	o := op(history.BeginTxn, p.process, "", 0)
	o.Txn, o.TransactionalID = txn, p.ID
	p.out.Note(o)
	failed := p.write(ctx, txn, rs)
	if p.rng.IntN(4) == 0 { // so that some are killed in it
		wait(ctx, time.Duration(p.rng.IntN(300))*time.Millisecond)
	}
	wrong := failed.get()
	try := wrong == nil && p.rng.IntN(8) > 0
	offsets := p.offsets(txn, rs, try)
	o = op(history.EndTxn, p.process, "", 0)
	o.Txn, o.TransactionalID, o.Commit = txn, p.ID, try
	end := p.out.Begin(o)
	// A transaction is ended even if the worker is to end.
	long, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	committed, err := p.session.End(long, kgo.TransactionEndTry(try))
	cancel()
	how := history.OK
	if err != nil {
		end.Err, how = err.Error(), history.Info
	} else {
		end.Commit = committed // the group may have moved on, and it was aborted
	}
	p.out.End(end, how)
	for _, o := range offsets {
		if err == nil && committed {
			p.out.End(o, history.OK)
		} else {
			p.out.End(o, history.Info)
		}
	}
	if err != nil {
		return errors.Join(err, wrong)
	}
	if wrong != nil {
		p.out.complain(wrong.Error())
		if errors.Is(wrong, kerr.ProducerFenced) || errors.Is(wrong, kerr.InvalidProducerEpoch) {
			return wrong
		}
	}
	return nil
}

// first is the first error that any goroutine met.
type first struct{ err atomic.Pointer[error] }

func (f *first) set(err error) { f.err.CompareAndSwap(nil, &err) }

func (f *first) get() error {
	if e := f.err.Load(); e != nil {
		return *e
	}
	return nil
}

// write sends a record for each that was taken. Its key says which.
func (p *piper) write(ctx context.Context, txn int64, rs []*kgo.Record) *first {
	failed := new(first)
	for _, r := range rs {
		o := op(history.Send, p.process, p.topics[0].name, r.Partition)
		o.Value, o.Txn = history.MakeValue(p.process, p.seq), txn
		p.seq++
		began := p.out.Begin(o)
		p.session.Produce(context.WithoutCancel(ctx), &kgo.Record{
			Topic: p.topics[0].name, Partition: r.Partition, Key: fmt.Append(nil, r.Partition, ":", r.Offset), Value: o.Value.Bytes(0),
		}, func(r *kgo.Record, err error) {
			told(began, r, err)
			p.out.End(began, began.Outcome)
			if err != nil {
				failed.set(err)
			}
		})
	}
	if err := p.session.Client().Flush(ctx); err != nil {
		failed.set(err)
	}
	return failed
}

// offsets begins the commits of what a transaction has taken.
func (p *piper) offsets(txn int64, rs []*kgo.Record, try bool) (began []*history.Op) {
	if !try {
		return nil // then the client sends none
	}
	next := make(map[int32]int64)
	for _, r := range rs {
		next[r.Partition] = max(next[r.Partition], r.Offset+1)
	}
	member, generation := p.session.Client().GroupMetadata()
	for partition, offset := range next {
		o := op(history.CommitOffset, p.process, p.In, partition)
		o.Group, o.Offset, o.Txn, o.Member, o.Generation = p.Group, offset, txn, member, generation
		began = append(began, p.out.Begin(o))
	}
	return began
}
