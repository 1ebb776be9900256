package runtime

import (
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Producer is who writes in a transaction.
type Producer struct {
	ID    int64
	Epoch int16
}

// transactional is what a command writes in the name of a producer: records of its open
// transaction, or the marker that ends it.
type transactional struct {
	producer Producer
	guard    Guard
	records  []Record
	marker   *record.EndTxnMarker
	version  int16 // transaction.version of the marker
}

// WriteTxn adds a record to the producer's open transaction. The log refuses it where the
// transaction is not open, neither in the log nor by the guard, or where the producer is
// fenced; then the command's answer is that error, and nothing else is lost. So the command
// must be Independent, write for one producer and write nothing else.
func (t *Turn) WriteTxn(p Producer, g Guard, r Record) {
	if t.txn == nil {
		t.txn = &transactional{producer: p, guard: g}
	}
	if t.txn.producer != p || t.txn.marker != nil {
		panic("bug: a command writes for two producers")
	}
	t.txn.records = append(t.txn.records, r)
}

// WriteMarker ends the producer's transaction, by the rules of a transaction.version. Of
// the command the same holds as for WriteTxn.
func (t *Turn) WriteMarker(p Producer, m record.EndTxnMarker, txnVersion int16) {
	if t.txn != nil {
		panic("bug: a command writes for two producers")
	}
	t.txn = &transactional{producer: p, marker: &m, version: txnVersion}
}

// settleApart settles what commands before wrote, and then the last one, which wrote for a
// producer: it has batches of its own, and its own fate. answers is how many answers are
// not its.
func (s *shard[M]) settleApart(t *Turn, before []*order[M], last *order[M], answers int) bool {
	txn, own := t.txn, append([]given(nil), t.answers[answers:]...)
	t.txn, t.answers = nil, t.answers[:answers]
	if !s.settle(t, before) {
		finish([]*order[M]{last}, s.reason())
		return false
	}
	t.txn, t.answers = txn, own
	return s.settle(t, []*order[M]{last})
}

// appendTxn appends what was written for a producer, and replays it.
func (s *shard[M]) appendTxn(x *transactional, millis int64) error {
	if x.marker != nil {
		return s.appendMarker(x, millis)
	}
	for records := x.records; len(records) > 0; {
		cfg := record.BuilderConfig{Epoch: s.epoch, ProducerID: x.producer.ID, ProducerEpoch: x.producer.Epoch,
			BaseSequence: record.NoSequence, Transactional: true}
		batch, n, err := buildBatch(records, cfg, millis, s.maxBytes())
		if err != nil {
			return err
		}
		s.hit(".append.before_write")
		end, err := s.log.AppendTxn(batch, s.epoch, x.guard)
		if err != nil {
			return fmt.Errorf("append %d records of producer %d: %w", n, x.producer.ID, err)
		}
		e := Entry{ProducerID: x.producer.ID, ProducerEpoch: x.producer.Epoch, Transactional: true}
		if err := s.appended(end, e, millis, records[:n]); err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

func (s *shard[M]) appendMarker(x *transactional, millis int64) error {
	batch := record.EndTxn(x.producer.ID, x.producer.Epoch, *x.marker, millis)
	s.hit(".append.before_write")
	end, _, err := s.log.AppendMarker(batch, s.epoch, x.version)
	if err != nil {
		return fmt.Errorf("append the end of a transaction of producer %d: %w", x.producer.ID, err)
	}
	r := x.marker.Record(millis)
	e := Entry{ProducerID: x.producer.ID, ProducerEpoch: x.producer.Epoch, Transactional: true, Control: true}
	return s.appended(end, e, millis, []Record{{Key: r.Key, Value: r.Value}})
}

// rejected reports whether err is the log's verdict on a producer. The log took nothing and
// is whole.
func rejected(err error) bool {
	for _, verdict := range [...]error{
		kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.InvalidTxnState, kerr.InvalidProducerIDMapping,
		kerr.UnknownProducerID, kerr.OutOfOrderSequenceNumber, kerr.TransactionCoordinatorFenced,
	} {
		if errors.Is(err, verdict) {
			return true
		}
	}
	return false
}
