// Package producers remembers what idempotent and transactional producers last wrote to
// one partition, so that a batch sent twice is stored once, a batch lost on the way is
// noticed, and an open transaction is known. It is pure: batches and times in, verdicts
// and bytes out. It does not know files, clocks or coordinators, owns no goroutines and
// is not safe for concurrent use.
package producers

import (
	"cmp"
	"slices"

	"github.com/odradek/odradek/internal/proto/record"
)

// Origin is who wrote a batch that a leader is to append.
type Origin int8

const (
	Client      Origin = iota // a producer: sequences are checked
	Coordinator               // this cluster's own: only epochs are checked
)

// keptBatches is how many batches of a producer are known again; producers keep no more
// in flight.
const keptBatches = 5

const none = -1

// batch is what is kept of a batch, as much as it takes to answer its duplicate.
type batch struct {
	last      int64 // offset
	timestamp int64 // greatest of the batch
	lastSeq   int32
	delta     int32 // of offsets, first to last
}

func (b batch) firstSeq() int32 { return record.AddSequence(b.lastSeq, -b.delta) }

// producer is the state of one producer id.
//
//   - batches are of the current epoch, oldest first, keptBatches at most
//   - txn is the first offset of the open transaction, none without
type producer struct {
	batches     []batch
	timestamp   int64 // of the last batch or marker
	txn         int64
	coordinator int32 // epoch of the last marker, none before
	epoch       int16
}

func (p *producer) lastSeq() int32 {
	if len(p.batches) == 0 {
		return record.NoSequence
	}
	return p.batches[len(p.batches)-1].lastSeq
}

// State is what the producers of a partition did up to End. The zero State knows
// nothing and is ready.
type State struct {
	byID map[int64]*producer
	// open holds the first offsets of open transactions, ended those of ended ones whose
	// marker was above the high watermark when last asked. Both in order of first.
	open  []openTxn
	ended []endedTxn
	// guards are those that Begin has given out. They are no part of what was written: Reset
	// and Load leave them.
	guards map[int64]*verification
	end    int64
}

type openTxn struct{ first, producerID int64 }

type endedTxn struct{ first, marker int64 }

// Len is the number of producers known.
func (s *State) Len() int { return len(s.byID) }

// End is the offset below which all batches have been applied.
func (s *State) End() int64 { return s.end }

// SetEnd says that End is at least end, where what lies before has no batches (any
// more).
func (s *State) SetEnd(end int64) { s.end = max(s.end, end) }

// Reset forgets everything that was written; batches are applied from end on then.
func (s *State) Reset(end int64) { *s = State{end: end, guards: s.guards} }

// Applied is what a batch meant for transactions: where Ended is set, it was the marker
// that ended one. Its fields are those of an entry of the transaction index.
type Applied struct {
	Ended      bool
	ProducerID int64
	First      int64 // first offset of the transaction
	Marker     int64 // offset of the marker
	Aborted    bool
	LastStable int64 // last stable offset once all up to the marker is replicated
}

// Apply takes in a batch that has been written to the log, with its final offsets. It
// asks no questions: see Check for what may be appended. A control batch must be there
// with its records; of others the header is enough. A control batch that cannot be read
// ends nothing.
func (s *State) Apply(b record.Batch) Applied {
	s.end = max(s.end, b.NextOffset())
	if !b.HasProducer() {
		return Applied{}
	}
	s.spend(b)
	if b.Control() {
		return s.applyMarker(b)
	}
	p := s.producer(b.ProducerID())
	p.setEpoch(b.ProducerEpoch())
	p.add(batch{last: b.LastOffset(), timestamp: b.MaxTimestamp(), lastSeq: b.LastSequence(), delta: b.LastOffsetDelta()})
	p.timestamp = b.MaxTimestamp()
	if b.Transactional() && p.txn == none {
		p.txn = b.BaseOffset()
		s.insertOpen(openTxn{p.txn, b.ProducerID()})
	}
	return Applied{}
}

func (s *State) producer(id int64) *producer {
	p := s.byID[id]
	if p == nil {
		p = &producer{epoch: none, coordinator: none, txn: none, timestamp: record.NoTimestamp}
		if s.byID == nil {
			s.byID = map[int64]*producer{}
		}
		s.byID[id] = p
	}
	return p
}

func (p *producer) setEpoch(epoch int16) {
	if p.epoch != epoch {
		p.epoch, p.batches = epoch, p.batches[:0]
	}
}

func (p *producer) add(b batch) {
	if len(p.batches) < keptBatches {
		if p.batches == nil {
			p.batches = make([]batch, 0, 1)
		} else if len(p.batches) == cap(p.batches) {
			p.batches = append(make([]batch, 0, keptBatches), p.batches...)
		}
		p.batches = append(p.batches, b)
		return
	}
	copy(p.batches, p.batches[1:])
	p.batches[keptBatches-1] = b
}

// applyMarker ends the producer's transaction. A control batch without records stands
// for a transaction that compaction has removed altogether.
func (s *State) applyMarker(b record.Batch) Applied {
	if b.Count() == 0 {
		return Applied{}
	}
	marker, ok, err := b.EndTxnMarker()
	if err != nil || !ok {
		return Applied{}
	}
	p := s.producer(b.ProducerID())
	p.setEpoch(b.ProducerEpoch())
	first := p.txn
	p.coordinator, p.txn, p.timestamp = marker.CoordinatorEpoch, none, b.MaxTimestamp()
	if first == none {
		return Applied{}
	}
	s.removeOpen(first)
	s.insertEnded(endedTxn{first, b.BaseOffset()})
	a := Applied{Ended: true, ProducerID: b.ProducerID(), First: first, Marker: b.BaseOffset(),
		Aborted: !marker.Commit, LastStable: b.BaseOffset() + 1}
	if len(s.open) > 0 {
		a.LastStable = s.open[0].first
	}
	return a
}

func (s *State) insertOpen(t openTxn) {
	at, _ := slices.BinarySearchFunc(s.open, t.first, func(o openTxn, first int64) int { return cmp.Compare(o.first, first) })
	s.open = slices.Insert(s.open, at, t)
}

func (s *State) removeOpen(first int64) {
	s.open = slices.DeleteFunc(s.open, func(t openTxn) bool { return t.first == first })
}

func (s *State) insertEnded(t endedTxn) {
	at, _ := slices.BinarySearchFunc(s.ended, t.first, func(e endedTxn, first int64) int { return cmp.Compare(e.first, first) })
	s.ended = slices.Insert(s.ended, at, t)
}

// FirstUnstable is the first offset of a transaction that is open, or whose marker is
// not below the high watermark; ok is false if there is none. hw may not fall.
func (s *State) FirstUnstable(hw int64) (first int64, ok bool) {
	s.ended = slices.DeleteFunc(s.ended, func(t endedTxn) bool { return t.marker < hw })
	switch {
	case len(s.open) > 0 && len(s.ended) > 0:
		return min(s.open[0].first, s.ended[0].first), true
	case len(s.open) > 0:
		return s.open[0].first, true
	case len(s.ended) > 0:
		return s.ended[0].first, true
	}
	return 0, false
}

// FirstOpen is the first offset of the oldest open transaction; compaction stops there.
func (s *State) FirstOpen() (first int64, ok bool) {
	if len(s.open) == 0 {
		return 0, false
	}
	return s.open[0].first, true
}

// Ongoing reports whether the producer has an open transaction in this epoch.
func (s *State) Ongoing(producerID int64, epoch int16) bool {
	p := s.byID[producerID]
	return p != nil && p.epoch == epoch && p.txn != none
}

// Expire forgets producers without an open transaction that have written nothing for
// idleMillis (producer.id.expiration.ms), and returns how many they were. Age is by the
// timestamps of their batches.
func (s *State) Expire(nowMillis, idleMillis int64) int {
	n := 0
	for id, p := range s.byID {
		if p.txn == none && nowMillis-p.timestamp >= idleMillis {
			delete(s.byID, id)
			n++
		}
	}
	if len(s.byID) == 0 {
		s.byID = nil // a map keeps its room for ever
	}
	s.expireGuards(nowMillis, idleMillis)
	return n
}

// Entry tells of one producer, as DescribeProducers does. What is not there is -1.
type Entry struct {
	ProducerID       int64
	Epoch            int16
	LastSequence     int32
	LastOffset       int64 // of the last data batch of this epoch
	OffsetDelta      int32 // of that batch
	LastTimestamp    int64
	CoordinatorEpoch int32
	TxnFirstOffset   int64 // of the open transaction
}

// Entries tells of all producers, in order of their ids.
func (s *State) Entries() []Entry {
	out := make([]Entry, 0, len(s.byID))
	for id, p := range s.byID {
		e := Entry{ProducerID: id, Epoch: p.epoch, LastSequence: p.lastSeq(), LastOffset: none,
			LastTimestamp: p.timestamp, CoordinatorEpoch: p.coordinator, TxnFirstOffset: p.txn}
		if n := len(p.batches); n > 0 {
			e.LastOffset, e.OffsetDelta = p.batches[n-1].last, p.batches[n-1].delta
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(a.ProducerID, b.ProducerID) })
	return out
}

// LastOffset is where the producer's last data batch ended, for compaction, which keeps
// that batch's header (KIP-98); ok is false if the producer is not known or has none.
func (s *State) LastOffset(producerID int64) (last int64, epoch int16, ok bool) {
	p := s.byID[producerID]
	if p == nil {
		return none, none, false
	}
	if len(p.batches) == 0 {
		return none, p.epoch, true
	}
	return p.batches[len(p.batches)-1].last, p.epoch, true
}
