package producers

import (
	"fmt"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Guard lets the first batch of a transaction into the log (KIP-890). It is drawn before
// the coordinator is asked whether the partition belongs to the transaction, and spent by
// the first batch or the marker, whichever comes first: what the coordinator said of a
// transaction that has ended meanwhile lets nothing in. The zero Guard is none.
type Guard struct{ of *verification }

// Unverified lets everything in, where nobody is asked
// (transaction.partition.verification.enable).
var Unverified = Guard{&verification{}}

// verification is what is known of a transaction that is about to begin.
type verification struct {
	asked int64 // when Begin was called last, in milliseconds
	// lowest is the lowest sequence that was to be written in the epoch: one above it must
	// not get in before it, or that would be refused as out of order for ever.
	lowest   int32
	epoch    int16
	implicit bool
}

// Begin prepares the first write of a transaction. need is false if the transaction has
// written here already. implicit says that the write itself adds the partition to the
// transaction (transactions version 2). nowMillis is for Expire.
// It returns INVALID_PRODUCER_EPOCH for a producer that was fenced.
func (s *State) Begin(producerID int64, epoch int16, baseSequence int32, implicit bool, nowMillis int64) (g Guard, need bool, err error) {
	if p := s.byID[producerID]; p != nil && epoch < p.epoch {
		return Guard{}, false, fencedID(producerID, epoch, p.epoch)
	}
	if s.Ongoing(producerID, epoch) {
		return Guard{}, false, nil
	}
	v := s.guards[producerID]
	if v == nil {
		v = &verification{lowest: baseSequence, epoch: epoch, implicit: implicit}
		if s.guards == nil {
			s.guards = map[int64]*verification{}
		}
		s.guards[producerID] = v
	}
	v.asked = nowMillis
	switch {
	case epoch > v.epoch:
		v.epoch, v.lowest = epoch, baseSequence
	case epoch == v.epoch:
		v.lowest = min(v.lowest, baseSequence)
	}
	return Guard{v}, true, nil
}

// TakeGuards has the guards of another State of the same partition hold here.
func (s *State) TakeGuards(from *State) { s.guards, from.guards = from.guards, nil }

// VoidGuards takes every guard back.
func (s *State) VoidGuards() { s.guards = nil }

// admits tells whether a transactional batch may be written: its transaction has written
// before, or g was drawn for it.
func (s *State) admits(b record.Batch, g Guard) error {
	if s.Ongoing(b.ProducerID(), b.ProducerEpoch()) {
		return nil
	}
	if p := s.byID[b.ProducerID()]; p != nil && b.ProducerEpoch() < p.epoch {
		return fenced(b, p.epoch)
	}
	if g != Unverified && (g.of == nil || s.guards[b.ProducerID()] != g.of) {
		return model.Explain(kerr.InvalidTxnState, "Record was not part of an ongoing transaction")
	}
	return nil
}

// checkFirst is what a transaction's first batch is held to, beside its sequence. p may be
// nil.
func (v *verification) checkFirst(b record.Batch, p *producer) error {
	seq := b.BaseSequence()
	switch {
	case v.implicit && seq != 0 && (p == nil || len(p.batches) == 0):
		return model.Explain(kerr.OutOfOrderSequenceNumber, fmt.Sprintf(
			"Invalid sequence number for producer %d: %d (incoming seq. number). Expected sequence 0 for transactions v2 idempotent producer with no existing state.",
			b.ProducerID(), seq))
	case seq > v.lowest:
		return model.Explain(kerr.OutOfOrderSequenceNumber, fmt.Sprintf(
			"Out of order sequence number for producer %d: %d (incoming seq. number), %d (earliest seen sequence)",
			b.ProducerID(), seq, v.lowest))
	}
	return nil
}

// spend ends what Begin began, with the batch that was written: the transaction has begun,
// or has ended. By transactions version 2 a marker bears the epoch of the transaction that
// comes after it, which may have drawn its guard already.
func (s *State) spend(b record.Batch) {
	if len(s.guards) == 0 || !b.Transactional() {
		return
	}
	v := s.guards[b.ProducerID()]
	if v == nil || v.implicit && b.Control() && b.ProducerEpoch() == v.epoch {
		return
	}
	delete(s.guards, b.ProducerID())
}

// guardMillis is how long a guard is good for, longer than any write takes. A guard is drawn
// for whatever producer id a write bears, before a coordinator has heard of that: kept for a
// day, as what producers wrote is, they would be as many as anybody likes.
const guardMillis = 15 * 60 * 1000

// expireGuards forgets those that nobody has spent, nor asked for again.
func (s *State) expireGuards(nowMillis, idleMillis int64) {
	for id, v := range s.guards {
		if nowMillis-v.asked >= min(idleMillis, guardMillis) {
			delete(s.guards, id)
		}
	}
	if len(s.guards) == 0 {
		s.guards = nil // a map keeps its room for ever
	}
}
