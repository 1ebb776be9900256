package partition

import (
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/odradek/odradek/internal/store/producers"
)

// Guard lets the first batch of a transaction into the partition (KIP-890). The zero Guard
// is none.
type Guard = commitlog.Guard

// BeginTxn prepares the first write of a transaction into this partition. If need is
// false the transaction has written here already, and goes on: append at once, without a
// guard. Otherwise ask the coordinator whether the partition belongs to the transaction,
// or have it added, and then append with the guard. A transaction that ends in between
// makes the guard void.
//
// baseSequence is that of the batch that is to be written, implicit says that the write
// itself adds the partition (Produce 12, TxnOffsetCommit 5).
// It returns kerr.InvalidProducerEpoch for a producer that was fenced, and
// kerr.NotLeaderForPartition.
func (p *Partition) BeginTxn(producerID int64, epoch int16, baseSequence int32, implicit bool) (g Guard, need bool, err error) {
	if _, err := p.leading(model.NoEpoch); err != nil {
		return Guard{}, false, err
	}
	if !implicit && p.settings.Load().TrustTxns {
		return Guard{}, false, nil
	}
	log, err := p.Log()
	if err != nil {
		return Guard{}, false, err
	}
	g, need, err = log.BeginTxn(producerID, epoch, baseSequence, implicit)
	return g, need, p.storageOf(log, err)
}

// guard is what the log is given for a guard: where nobody is asked, everything goes in.
func (s *Settings) guard(g Guard) Guard {
	if s.TrustTxns {
		return producers.Unverified
	}
	return g
}

// AppendTxn is AppendRecords for a batch of a transaction. The first one that the
// transaction writes here needs the guard of BeginTxn.
// It also returns kerr.InvalidTxnState if the transaction is not known to be ongoing, and
// kerr.InvalidProducerEpoch for a producer that was fenced.
func (p *Partition) AppendTxn(b record.Batch, leaderEpoch int32, g Guard) (end int64, err error) {
	a, err := p.appendOwn(b, leaderEpoch, writer{kind: inCoordinatorsTxn, guard: p.settings.Load().guard(g)})
	return a.End, err
}

// AppendMarker appends the control batch that ends a transaction (record.EndTxn), in the
// leader epoch given or, with model.NoEpoch, the present one. txnVersion is the
// transaction.version by which the marker was made. Give end and epoch to Wait: the
// transaction has ended when the marker is committed.
// It returns kerr.InvalidProducerEpoch and kerr.TransactionCoordinatorFenced for a marker
// that comes too late, kerr.CorruptMessage for one that is none.
func (p *Partition) AppendMarker(b record.Batch, leaderEpoch int32, txnVersion int16) (end int64, epoch int32, err error) {
	a, err := p.appendOwn(b, leaderEpoch, writer{kind: ofMarker, txnVersion: txnVersion})
	if log := p.log.Load(); err == nil && log != nil {
		log.Committed(p.hw.Load()) // where nobody reads
	}
	return a.End, a.Epoch, err
}
