package compaction

import (
	"cmp"
	"slices"

	"github.com/odradek/odradek/internal/proto/record"
)

// AbortedTxn is an entry of the transaction index.
type AbortedTxn struct {
	ProducerID int64
	First      int64 // offset of the transaction's first batch
	Last       int64 // offset of its marker
	LastStable int64
}

// Txns follows transactions through batches in offset order, to tell which data was
// aborted, and which markers end nothing that is left. The zero Txns knows of no aborted
// transaction. Use one for filling an OffsetMap and another one for a Filter.
type Txns struct {
	// Kept is told of each aborted transaction of which data was seen, for the index of
	// the log that is written. May be nil.
	Kept func(AbortedTxn)

	pending   []AbortedTxn // by First
	committed map[int64]bool
	aborted   map[int64]*abortedTxn
}

type abortedTxn struct {
	AbortedTxn
	seen bool // a batch of it
}

// Add tells of aborted transactions that overlap with batches to come; in any order,
// each once.
func (t *Txns) Add(aborted ...AbortedTxn) {
	t.pending = append(t.pending, aborted...)
	slices.SortStableFunc(t.pending, func(a, b AbortedTxn) int { return cmp.Compare(a.First, b.First) })
}

// see takes note of a batch and reports whether it may go: data of an aborted
// transaction, or a marker of a transaction of which no data was seen.
func (t *Txns) see(b record.Batch) (mayGo bool) {
	t.begin(b.LastOffset())
	if b.Control() {
		return t.seeMarker(b)
	}
	if !b.Transactional() {
		return false
	}
	if a := t.aborted[b.ProducerID()]; a != nil {
		a.seen = true
		return true
	}
	if t.committed == nil {
		t.committed = map[int64]bool{}
	}
	t.committed[b.ProducerID()] = true
	return false
}

// begin lets the aborted transactions begin that start at or below an offset.
func (t *Txns) begin(upTo int64) {
	for len(t.pending) > 0 && t.pending[0].First <= upTo {
		a := t.pending[0]
		t.pending = t.pending[1:]
		if t.aborted == nil {
			t.aborted = map[int64]*abortedTxn{}
		}
		if t.aborted[a.ProducerID] == nil {
			t.aborted[a.ProducerID] = &abortedTxn{AbortedTxn: a}
		}
	}
}

func (t *Txns) seeMarker(b record.Batch) (mayGo bool) {
	if b.Count() == 0 {
		return true // its marker has gone before
	}
	marker, ok, err := b.EndTxnMarker()
	if err != nil || !ok {
		return false
	}
	id := b.ProducerID()
	if marker.Commit {
		seen := t.committed[id]
		delete(t.committed, id)
		return !seen
	}
	a := t.aborted[id]
	delete(t.aborted, id)
	if a == nil || !a.seen {
		return true
	}
	if t.Kept != nil {
		t.Kept(a.AbortedTxn)
	}
	return false
}
