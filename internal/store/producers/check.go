package producers

import (
	"fmt"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Verdict on a batch that may be appended, or need not be: a Duplicate has been written
// before, at the offsets [Base, Last].
type Verdict struct {
	Duplicate  bool
	Base, Last int64
	Timestamp  int64 // greatest of the batch that was written
}

// Check tells whether a leader may append b, which changes nothing; of b the header is
// enough. Batches are checked one at a time, each after the one before it was applied.
// Markers are checked by CheckMarker. g is what Begin gave for the batch, if anything.
//
// It returns INVALID_PRODUCER_EPOCH for a producer that was fenced,
// OUT_OF_ORDER_SEQUENCE_NUMBER where the sequence does not go on from the last one, and
// INVALID_TXN_STATE for a plain batch inside a transaction, or one of a transaction that
// is not known to be ongoing.
func (s *State) Check(b record.Batch, o Origin, g Guard) (Verdict, error) {
	if !b.HasProducer() || b.Control() {
		return Verdict{}, nil
	}
	p := s.byID[b.ProducerID()]
	if p != nil && o == Client {
		if v, ok := p.duplicate(b); ok {
			return v, nil
		}
	}
	if b.Transactional() {
		if err := s.admits(b, g); err != nil {
			return Verdict{}, err
		}
	}
	if len(s.guards) > 0 && o == Client {
		if v := s.guards[b.ProducerID()]; v != nil {
			if err := v.checkFirst(b, p); err != nil {
				return Verdict{}, err
			}
		}
	}
	if p == nil {
		// Expired, deleted with its records, or new: any sequence may be the first.
		return Verdict{}, nil
	}
	if b.ProducerEpoch() < p.epoch {
		return Verdict{}, fenced(b, p.epoch)
	}
	if o == Client {
		if err := p.checkSequence(b); err != nil {
			return Verdict{}, err
		}
	}
	if p.txn != none && !b.Transactional() {
		return Verdict{}, model.Explain(kerr.InvalidTxnState,
			fmt.Sprintf("Expected transactional write from producer %d", b.ProducerID()))
	}
	return Verdict{}, nil
}

// duplicate finds the batch among those kept, by the exact range of its sequences.
func (p *producer) duplicate(b record.Batch) (Verdict, bool) {
	if b.ProducerEpoch() != p.epoch {
		return Verdict{}, false
	}
	first, last := b.BaseSequence(), b.LastSequence()
	for _, k := range p.batches {
		if k.lastSeq == last && k.firstSeq() == first {
			return Verdict{Duplicate: true, Base: k.last - int64(k.delta), Last: k.last, Timestamp: k.timestamp}, true
		}
	}
	return Verdict{}, false
}

func (p *producer) checkSequence(b record.Batch) error {
	seq := b.BaseSequence()
	switch {
	case p.epoch == none:
		return nil
	case b.ProducerEpoch() != p.epoch && seq != 0:
		return model.Explain(kerr.OutOfOrderSequenceNumber, fmt.Sprintf(
			"Invalid sequence number for new epoch of producer %d: %d (request epoch), %d (seq. number), %d (current producer epoch)",
			b.ProducerID(), b.ProducerEpoch(), seq, p.epoch))
	case b.ProducerEpoch() == p.epoch && seq != record.AddSequence(p.lastSeq(), 1):
		return model.Explain(kerr.OutOfOrderSequenceNumber, fmt.Sprintf(
			"Out of order sequence number for producer %d: %d (incoming seq. number), %d (current end sequence number)",
			b.ProducerID(), seq, p.lastSeq()))
	}
	return nil
}

func fenced(b record.Batch, epoch int16) error {
	return fencedID(b.ProducerID(), b.ProducerEpoch(), epoch)
}

func fencedID(id int64, epoch, seen int16) error {
	return model.Explain(kerr.InvalidProducerEpoch, fmt.Sprintf(
		"Epoch of producer %d is %d, which is smaller than the last seen epoch %d", id, epoch, seen))
}

// CheckMarker tells whether the marker that ends a transaction may be appended. By
// transaction.version 2 it must carry an epoch above the producer's (KIP-890), but may
// come again after the transaction has ended.
// It returns INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED, or CORRUPT_MESSAGE
// for a batch that is no marker.
func (s *State) CheckMarker(b record.Batch, txnVersion int16) error {
	marker, ok, err := b.EndTxnMarker()
	if err != nil || !ok {
		return model.Explain(kerr.CorruptMessage, "The control batch is no end of a transaction")
	}
	p := s.byID[b.ProducerID()]
	if p == nil {
		return nil
	}
	late := b.ProducerEpoch() < p.epoch
	if txnVersion >= 2 && b.ProducerEpoch() == p.epoch {
		late = p.txn != none
	}
	if late {
		return fenced(b, p.epoch)
	}
	if p.coordinator > marker.CoordinatorEpoch {
		return model.Explain(kerr.TransactionCoordinatorFenced, fmt.Sprintf(
			"Invalid coordinator epoch for producerId %d: %d (zombie), %d (current)",
			b.ProducerID(), marker.CoordinatorEpoch, p.coordinator))
	}
	return nil
}
