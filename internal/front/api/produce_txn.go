package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/coord/enlist"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Enlist asks the coordinator of a transaction about partitions of this broker, and
// returns why not: enlist.Enlister.
type Enlist func(context.Context, enlist.Txn, enlist.Op, []model.TopicPartition) map[model.TopicPartition]error

// transactional reports whether a batch of the request belongs to a transaction.
func transactional(req *wire.ProduceRequest) bool {
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			if b := headOf(req.Topics[i].Partitions[j].Records); b != nil && b.Transactional() {
				return true
			}
		}
	}
	return false
}

// headOf is the batch in a partition's bytes as far as its header goes, nil without one.
// Nothing of it has been checked.
func headOf(records []byte) record.Batch {
	if len(records) < record.HeaderLen {
		return nil
	}
	return record.Batch(records)
}

// producerOf is who writes in the request's transaction.
func producerOf(req *wire.ProduceRequest) (enlist.Txn, error) {
	if req.TransactionalID == nil {
		return enlist.Txn{}, kerr.TransactionalIDAuthorizationFailed
	}
	txn, found := enlist.Txn{ID: *req.TransactionalID, ProducerID: record.NoProducerID}, false
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			b := headOf(req.Topics[i].Partitions[j].Records)
			if b == nil || !b.Transactional() || !b.HasProducer() {
				continue
			}
			if found && (b.ProducerID() != txn.ProducerID || b.ProducerEpoch() != txn.Epoch) {
				return txn, model.Explain(kerr.InvalidProducerIDMapping, "Transactional records contained more than one producer ID")
			}
			txn.ProducerID, txn.Epoch, found = b.ProducerID(), b.ProducerEpoch(), true
		}
	}
	return txn, nil
}

// txnWrite is a batch of a request with transactional ones, on its way to the log.
type txnWrite struct {
	to    *produced
	tp    model.TopicPartition
	batch record.Batch
	guard partition.Guard
}

// appendTransactional appends a request with transactional batches. Before the first batch
// of a transaction in a partition, the coordinator is asked about the partition: it waits
// on the connection's reader, so that the requests behind keep their order.
func (p *producing) appendTransactional(c *wire.Conn, req *wire.ProduceRequest) {
	txn, err := producerOf(req)
	writes := p.txnWrites(req, err)
	if err != nil {
		return
	}
	p.enlist(c, txn, writes)
	for i := range writes {
		if w := &writes[i]; w.to.err == nil {
			w.to.Appended, w.to.err = w.to.replica.Append(w.batch, partition.AppendArgs{
				ProduceVersion: p.version, Acks: p.acks, Guard: w.guard,
			})
		}
	}
}

// txnWrites prepares the request's batches in order; all of them fail with err, if it is
// set.
func (p *producing) txnWrites(req *wire.ProduceRequest, err error) []txnWrite {
	var writes []txnWrite
	p.each(req, func(d *produced, topic string, records []byte) {
		if d.err = err; err != nil {
			return
		}
		if b := p.accept(d, topic, records); d.err == nil {
			writes = append(writes, txnWrite{to: d, tp: model.TopicPartition{Topic: topic, Partition: d.number}, batch: b})
		}
	})
	return writes
}

// enlist gives the transactional batches leave to be written, or notes why not. A
// transaction that still ends is tried again for a moment, if the write itself would begin
// the next one: the client would wait longer, and send the records once more.
func (p *producing) enlist(c *wire.Conn, txn enlist.Txn, writes []txnWrite) {
	op := opOf(p.version)
	if ask := begin(txn, op, writes); len(ask) > 0 && c.Flush() == nil { // who waits for an earlier answer has it
		p.server.patiently(c.Context(), op, func(ctx context.Context) (busy bool) {
			if ask == nil {
				ask = begin(txn, op, writes)
			}
			if len(ask) == 0 {
				return false
			}
			errs := p.server.enlist(ctx, txn, op, ask)
			ask = nil
			return note(errs, writes)
		})
	}
	for i := range writes {
		writes[i].to.err = verifyError(writes[i].to.err, op)
	}
}

// begin draws the guards of the first batches that the transaction has in their partitions,
// and returns the partitions that the coordinator must be asked about.
func begin(txn enlist.Txn, op enlist.Op, writes []txnWrite) (ask []model.TopicPartition) {
	for i := range writes {
		w := &writes[i]
		if errors.Is(w.to.err, kerr.ConcurrentTransactions) {
			w.to.err = nil // to be asked about again
		}
		if w.to.err != nil || !w.batch.Transactional() || !w.batch.HasProducer() {
			continue
		}
		var need bool
		w.guard, need, w.to.err = w.to.replica.BeginTxn(txn.ProducerID, txn.Epoch, w.batch.BaseSequence(), op == enlist.Add)
		if need && w.to.err == nil {
			ask = append(ask, w.tp)
		}
	}
	return ask
}

// note takes the coordinator's answer. It reports whether the producer's last transaction
// is not over for a partition.
func note(errs map[model.TopicPartition]error, writes []txnWrite) (busy bool) {
	for i := range writes {
		w := &writes[i]
		if err := errs[w.tp]; err != nil && w.to.err == nil {
			w.to.err = err
			busy = busy || errors.Is(err, kerr.ConcurrentTransactions)
		}
	}
	return busy
}

// patiently asks a coordinator. Who adds partitions asks again while the last transaction
// of the producer ends, for as long as add.partitions.to.txn.retry.backoff.max.ms.
func (s *Server) patiently(ctx context.Context, op enlist.Op, ask func(context.Context) (busy bool)) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ControlTimeout)
	defer cancel()
	for began := time.Now(); ask(ctx) && op == enlist.Add; {
		settings := s.cfg.Settings()
		patience := time.Duration(config.AddPartitionsToTxnRetryBackoffMaxMs.Get(settings)) * time.Millisecond
		pause := time.Duration(config.AddPartitionsToTxnRetryBackoffMs.Get(settings)) * time.Millisecond
		if time.Since(began) >= patience || !sleep(ctx, pause) {
			return
		}
	}
}

func opOf(version int16) enlist.Op {
	switch {
	case version >= 12:
		return enlist.Add
	case version == 11:
		return enlist.VerifyAbortable
	}
	return enlist.Verify
}

// verifyError is what a producer is told of why its transaction was not verified. Clients
// do not look for coordinators on behalf of a write: what may be over soon becomes an error
// after which they send again.
func verifyError(err error, op enlist.Op) error {
	for _, e := range [...]*kerr.Error{
		kerr.NetworkException, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.ConcurrentTransactions,
	} {
		if errors.Is(err, e) && (e != kerr.ConcurrentTransactions || op != enlist.Add) {
			return model.Explain(kerr.NotEnoughReplicas, fmt.Sprintf(
				"Unable to verify the partition has been added to the transaction. Underlying error: %s", e.Message))
		}
	}
	if errors.Is(err, kerr.InvalidTxnState) {
		return model.Explain(kerr.InvalidTxnState, "Partition was not added to the transaction")
	}
	return err
}

// enlist asks the coordinator; a desk that was given none has none.
func (s *Server) enlist(ctx context.Context, txn enlist.Txn, op enlist.Op, partitions []model.TopicPartition) map[model.TopicPartition]error {
	if s.cfg.Enlist != nil {
		return s.cfg.Enlist(ctx, txn, op, partitions)
	}
	errs := make(map[model.TopicPartition]error, len(partitions))
	for _, tp := range partitions {
		errs[tp] = kerr.CoordinatorNotAvailable
	}
	return errs
}

// sleep waits for d and reports whether ctx is still there.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
