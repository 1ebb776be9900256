package load

import (
	"context"
	"errors"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// transactionTimeout is after how long the cluster ends what its producer does not.
const transactionTimeout = 6 * time.Second

// upTo are the versions of a client that knows transactions of version 2, or only 1.
func upTo(v2 bool) *kversion.Versions {
	v := kversion.Stable()
	if !v2 {
		v.SetMaxKeyVersion(int16(kmsg.Produce), 11)
		v.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), 4)
		v.SetMaxKeyVersion(int16(kmsg.EndTxn), 4)
		v.SetMaxKeyVersion(int16(kmsg.AddPartitionsToTxn), 3)
		v.SetMaxKeyVersion(int16(kmsg.InitProducerID), 5)
	}
	return v
}

// transact is a library's transactional producer: it writes to all partitions, commits most
// of what it does, sometimes sleeps over it, and sometimes dies in the middle.
func (a *actor) transact(id string) {
	t := a.Mix.topic(Copies)
	for !a.over() {
		p := a.producer(history.AcksAll, kgo.TransactionalID(id), kgo.TransactionTimeout(transactionTimeout), kgo.MaxVersions(upTo(!a.chance(3))))
		if a.introduce(p, id) {
			for range 1 + a.rng.IntN(15) {
				if !a.transaction(p, id, t) || a.over() {
					break
				}
				a.pause(2 * a.Mix.Pace)
			}
		}
		p.close(true)
		a.pause(time.Second)
	}
}

// introduce gets a producer its id.
func (a *actor) introduce(p *producer, id string) bool {
	op := p.blank(history.InitProducer, history.Place{})
	op.TransactionalID = id
	began := a.rec.Begin(op)
	ctx, cancel := context.WithTimeout(a.ctx, 20*time.Second)
	defer cancel()
	pid, epoch, err := p.c.ProducerID(ctx)
	if err != nil {
		a.end(began, unsure{err})
		return false
	}
	began.ProducerID, began.ProducerEpoch = pid, int32(epoch)
	a.end(began, nil)
	return true
}

// begin notes the beginning of a transaction and gives it its number.
func (a *actor) begin(id string) int64 {
	op := a.blank(history.BeginTxn, history.Place{})
	op.Txn, op.TransactionalID = a.txns.Add(1), id
	a.rec.Note(op)
	return op.Txn
}

// ending begins the end of a transaction.
func (a *actor) ending(id string, txn int64, commit bool) *history.Op {
	op := a.blank(history.EndTxn, history.Place{})
	op.Txn, op.TransactionalID, op.Commit = txn, id, commit
	return a.rec.Begin(op)
}

// transaction is one, and false if the producer should not go on.
func (a *actor) transaction(p *producer, id string, t Topic) bool {
	if p.c.BeginTransaction() != nil {
		return false
	}
	txn := a.begin(id)
	failed := make(chan error, 100)
	for range 1 + a.rng.IntN(4) {
		at := history.Place{Topic: t.Name, Partition: a.rng.Int32N(t.Partitions)}
		for range 1 + a.rng.IntN(3) {
			p.send(at, "", false, txn, func(err error) {
				if err != nil {
					failed <- err
				}
			})
		}
		a.pause(a.Mix.Pace)
	}
	if a.chance(12) {
		return false // it dies with what it has under way
	}
	if a.chance(25) {
		a.wait(transactionTimeout + time.Second) // it sleeps until it is aborted
	}
	// Not the actor's context: half an end would be of no use.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := p.c.Flush(ctx); err != nil {
		return false
	}
	p.sent.Wait()
	commit := !a.chance(4) && len(failed) == 0
	began := a.ending(id, txn, commit)
	err := p.c.EndTransaction(ctx, kgo.TransactionEndTry(commit))
	if err != nil {
		a.end(began, unsure{err})
		return false
	}
	a.end(began, nil)
	return true
}

// rawTxn is a session of a pipeline or a zombie, and its present transaction.
type rawTxn struct {
	*actor
	*Session
	number int32
	seq    int64
	txn    int64
	begun  time.Time // that transaction, if nobody else ends it: see early
	sure   bool      // the session began with one request, which cannot come once more
}

// start begins a transaction of an id that no other session has at this time.
func (s *rawTxn) start() { s.txn, s.begun = s.begin(s.id), time.Now() }

// early blames a cluster that has fenced a session before its transaction's time was over:
// only the coordinator could, as nobody else has the id.
func (s *rawTxn) early(err error) {
	fenced := errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.ProducerFenced)
	if took := time.Since(s.begun); fenced && s.sure && s.tries == 1 && took < transactionTimeout && !s.w.Misset() {
		s.blame("%s: transaction %d is aborted after %v: %v", s.id, s.txn, took, err)
	}
}

// session begins a producer's life on the bare protocol.
func (a *actor) session(ctx context.Context, id string, v2 bool) (*rawTxn, error) {
	a.reborn()
	s := &rawTxn{actor: a, Session: NewSession(a.w, id, v2), number: a.producers.Add(1)}
	s.Timeout = transactionTimeout
	if err := s.init(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *rawTxn) init(ctx context.Context) error {
	op := s.blank(history.InitProducer, history.Place{})
	op.TransactionalID = s.id
	began := s.rec.Begin(op)
	err := s.Init(ctx)
	s.sure = s.tries == 1
	if err == nil {
		began.ProducerID, began.ProducerEpoch = s.pid, int32(s.Session.epoch)
	}
	s.end(began, err)
	return err
}

// put sends one record in the present transaction.
func (s *rawTxn) put(ctx context.Context, at history.Place, key string) (history.Value, error) {
	op := s.blank(history.Send, at)
	op.Value, op.Key, op.Txn = history.MakeValue(s.number, s.seq), key, s.txn
	op.ProducerID, op.ProducerEpoch = s.pid, int32(s.Session.epoch)
	s.seq++
	began := s.rec.Begin(op)
	base, err := s.Put(ctx, at, op.Value.Bytes(s.rng.IntN(40)))
	if err == nil {
		began.Offset = base
	} else if base >= 0 {
		s.blame("a Produce to %v is refused with %v and bears the offset %d", at, err, base)
	}
	s.early(err)
	s.end(began, err)
	return op.Value, err
}

// finish ends the present transaction.
func (s *rawTxn) finish(ctx context.Context, commit bool) error {
	began := s.ending(s.id, s.txn, commit)
	err := s.End(ctx, commit)
	s.early(err)
	s.end(began, err)
	return err
}

// enlist commits a group's offset in the present transaction.
func (s *rawTxn) enlist(ctx context.Context, group string, at history.Place, offset int64) error {
	op := s.blank(history.CommitOffset, at)
	op.Group, op.Offset, op.Txn = group, offset, s.txn
	began := s.rec.Begin(op)
	err := s.Enlist(ctx, group, at, offset)
	s.early(err)
	s.end(began, err)
	return err
}

// committed asks for a group's offset.
func (s *rawTxn) committed(ctx context.Context, group string, at history.Place, stable bool) (int64, error) {
	op := s.blank(history.FetchOffset, at)
	op.Group, op.RequireStable = group, stable
	began := s.rec.Begin(op)
	offset, err := s.Committed(ctx, group, at, stable)
	for began := time.Now(); errors.Is(err, kerr.UnstableOffsetCommit) && ctx.Err() == nil && time.Since(began) < s.Patience; {
		time.Sleep(20 * time.Millisecond)
		offset, err = s.Committed(ctx, group, at, stable)
	}
	if err == nil {
		began.Offset = offset
	} else if offset >= 0 {
		s.blame("an OffsetFetch of group %s, %v is refused with %v and bears the offset %d", group, at, err, offset)
	}
	s.end(began, err)
	return offset, err
}

// haunt is a transactional id whose dead go on: while one session works, copies of what it
// was before send and end what is long decided.
func (a *actor) haunt(id string) {
	t := a.Mix.topic(Copies)
	for !a.over() {
		s, err := a.session(a.ctx, id, !a.chance(3))
		if err != nil {
			a.pause(time.Second)
			continue
		}
		a.haunted(s, t)
		s.Close()
		a.pause(500 * time.Millisecond)
	}
}

func (a *actor) haunted(s *rawTxn, t Topic) {
	var dead *rawTxn
	for range 2 + a.rng.IntN(10) {
		s.start()
		commit := !a.chance(3)
		for i := range 1 + a.rng.IntN(3) {
			at := history.Place{Topic: t.Name, Partition: a.rng.Int32N(t.Partitions)}
			if !s.v2 {
				if s.Add(a.ctx, at) != nil {
					return
				}
			}
			if _, err := s.put(a.ctx, at, ""); err != nil {
				return
			}
			if dead != nil && i == 0 && a.chance(2) {
				dead.rise(t)
			}
			a.pause(a.Mix.Pace)
		}
		switch {
		case a.chance(10):
			return // for the next session to find
		case a.chance(8):
			a.wait(transactionTimeout / 3) // it takes its time
		}
		dead = &rawTxn{actor: a, Session: s.Zombie(), number: a.producers.Add(1), txn: s.txn}
		if s.finish(a.ctx, commit) != nil || a.over() {
			return
		}
		if a.chance(2) { // else the next one begins while this one's markers are on their way
			a.pause(a.Mix.Pace)
		}
	}
}

// rise has a session of the past do what it did not come to then, while the next transaction
// is under way. In version 2 its epoch is over, so all of it must be refused. A client of version 1 is known by its epoch alone, and
// has no such protection: it is the reason for version 2.
func (s *rawTxn) rise(t Topic) {
	if !s.v2 {
		return
	}
	s.Patience = time.Second
	at := history.Place{Topic: t.Name, Partition: s.rng.Int32N(t.Partitions)}
	switch s.rng.IntN(3) {
	case 0:
		if _, err := s.put(s.ctx, at, ""); err == nil {
			s.blame("%s: a record of transaction %d is taken when the transaction has ended", s.id, s.txn)
		}
	default:
		commit := s.rng.IntN(2) == 0
		if err := s.End(s.ctx, commit); err == nil {
			s.blame("%s: transaction %d is ended again, with commit=%v, when the next is under way", s.id, s.txn, commit)
		}
	}
}
