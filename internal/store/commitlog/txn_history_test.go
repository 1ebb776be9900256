package commitlog

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/producers"
	"github.com/twmb/franz-go/pkg/kerr"
)

// TestTxnHistories is TestHistories with producers that write transactions, in leaders'
// and followers' logs: a reader of what is committed gets all of it, in order, and
// nothing else, whatever became of the log and its files meanwhile.
func TestTxnHistories(t *testing.T) {
	first, n := uint64(1), manyHistories()
	if *seed != 0 {
		first, n = *seed, 1
	}
	for s := first; s < first+n; s++ {
		ok := t.Run(fmt.Sprint(s), func(t *testing.T) {
			h := newHistory(t, s)
			h.txns = &txnModel{}
			h.config.ProducerExpiry, h.config.SegmentBytes = math.MaxInt64, h.config.SegmentBytes+500 // every batch fits
			h.log.SetConfig(h.config)
			h.run(120)
		})
		if !ok {
			t.Fatalf("repeat with: go test ./internal/store/commitlog -run TestTxnHistories -seed %d", s)
		}
	}
}

// txnModel is what was written, and how far it is committed.
type txnModel struct {
	all []record.Batch // also what retention has deleted
	hw  int64
}

func (m *txnModel) cut(end int64) {
	for len(m.all) > 0 && m.all[len(m.all)-1].NextOffset() > end {
		m.all = m.all[:len(m.all)-1]
	}
	m.hw = min(m.hw, end)
}

// writing is a producer as the batches tell of it.
type writing struct {
	epoch int16
	seq   int32 // next
	open  int64 // first offset of the open transaction, -1 without
	last  int64 // offset of the last record, -1 without
}

func (m *txnModel) producer(id int64) writing {
	w := writing{open: -1, last: -1}
	for _, b := range m.all {
		if b.ProducerID() != id {
			continue
		}
		if b.ProducerEpoch() != w.epoch {
			w.epoch, w.seq = b.ProducerEpoch(), 0
		}
		switch {
		case b.Control():
			w.open = -1
		default:
			w.seq, w.last = record.AddSequence(b.LastSequence(), 1), b.LastOffset()
			if b.Transactional() && w.open < 0 {
				w.open = b.BaseOffset()
			}
		}
	}
	return w
}

// appendTxns writes what some producers want to, one batch after the other.
func (h *history) appendTxns() {
	follower := h.rng.IntN(3) == 0
	if h.rng.IntN(8) == 0 {
		h.epoch++
	}
	for range 1 + h.rng.IntN(3) {
		h.now += int64(h.rng.IntN(100)) - 20
		id := int64(1 + h.rng.IntN(4)) // the first one is idempotent only
		w := h.txns.producer(id)
		b, version := h.txnBatch(id, w)
		var a Appended
		var err error
		switch {
		case follower:
			h.stamp(b)
			a, err = h.log.AppendFollower(b)
		case b.Control():
			a, err = h.log.AppendMarker(b, h.epoch, version)
		case b.Transactional() && w.open < 0:
			g, need, gerr := h.log.BeginTxn(id, b.ProducerEpoch(), b.BaseSequence(), version == 2 && b.BaseSequence() == 0)
			if gerr != nil || !need {
				h.t.Fatalf("transaction of %d begins: %v, %v", id, need, gerr)
			}
			a, err = h.log.AppendTxn(b, h.epoch, Client, g)
		case b.Transactional():
			a, err = h.appendOngoing(b)
		default:
			a, err = h.log.AppendLeader(b, h.epoch, Client)
		}
		if errors.Is(err, kerr.OutOfOrderSequenceNumber) && w.last < h.start {
			// All that is known of a producer whose records were deleted may be a marker.
			continue
		}
		h.ok(err)
		h.say("append %s at %d, leader epoch %d", words(b), a.Base, h.epoch)
		h.keep(b)
	}
}

// appendOngoing appends to a transaction that has written before, and is known to unless
// that was deleted and forgotten.
func (h *history) appendOngoing(b record.Batch) (Appended, error) {
	a, err := h.log.AppendTxn(b, h.epoch, Client, Guard{})
	if first := h.txns.producer(b.ProducerID()).open; err != nil && first < h.start {
		a, err = h.log.AppendTxn(b, h.epoch, Client, producers.Unverified)
	}
	return a, err
}

func (h *history) txnBatch(id int64, w writing) (b record.Batch, version int16) {
	if h.rng.IntN(5) == 0 {
		return plain(1+h.rng.IntN(3), h.rng.IntN(200), h.now), 0
	}
	if id > 1 && (w.open >= 0 && h.rng.IntN(3) == 0 || w.open < 0 && h.rng.IntN(12) == 0 && w.seq > 0) {
		version, epoch := int16(1), w.epoch
		if h.rng.IntN(2) == 0 {
			version, epoch = 2, epoch+1
		}
		return record.EndTxn(id, epoch, record.EndTxnMarker{Commit: h.rng.IntN(2) == 0}, h.now), version
	}
	c := record.BuilderConfig{ProducerID: id, ProducerEpoch: w.epoch, BaseSequence: w.seq, Idempotent: true,
		Transactional: id > 1}
	r := record.NewBuilder(c)
	for range 1 + h.rng.IntN(3) {
		r.Append(record.Record{Timestamp: h.now, Value: make([]byte, h.rng.IntN(200))})
	}
	b, err := r.Build()
	h.ok(err)
	return b, int16(1 + h.rng.IntN(2))
}

func words(b record.Batch) string {
	m, marker, _ := b.EndTxnMarker()
	switch {
	case marker && m.Commit:
		return fmt.Sprintf("commit of %d.%d", b.ProducerID(), b.ProducerEpoch())
	case marker:
		return fmt.Sprintf("abort of %d.%d", b.ProducerID(), b.ProducerEpoch())
	}
	return fmt.Sprintf("%d records of %d.%d from %d on, transactional %v", b.Count(), b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), b.Transactional())
}

// checkTxns moves the high watermark on and reads what is committed.
func (h *history) checkTxns() {
	h.t.Helper()
	if h.rng.IntN(3) == 0 {
		return // nobody looks: what is known of producers stays unread
	}
	m := h.txns
	m.hw = max(m.hw, h.start) // nothing above it is deleted
	m.hw += h.rng.Int64N(h.end - m.hw + 1)
	marks, err := h.log.Marks(m.hw)
	h.ok(err)
	least, most := m.stable(h.start)
	if marks.Start != h.start || marks.End != h.end || marks.Stable < least || marks.Stable > most {
		h.t.Fatalf("marks are %+v, want [%d, %d) and stable within [%d, %d] at high watermark %d", marks, h.start, h.end, least, most, m.hw)
	}
	if h.start == marks.Stable {
		return
	}
	from := h.start + h.rng.Int64N(marks.Stable-h.start)
	got := h.readCommitted(from, marks.Stable)
	var want []string
	for i, b := range m.all {
		if b.NextOffset() > from && b.NextOffset() <= marks.Stable && !b.Control() && committed(m.all[i:]) {
			want = append(want, fmt.Sprint(b.BaseOffset()))
		}
	}
	if !slices.Equal(got, want) {
		for _, s := range h.log.segs {
			h.say("segment %d: %d and %d aborted transactions, in doubt from %d on", s.base, s.txn.disk, len(s.txn.tail)/txnEntry, h.log.unindexed)
		}
		h.t.Fatalf("committed in [%d, %d) is %v, want %v", from, marks.Stable, got, want)
	}
}

// stable is the last stable offset: at least by all that was ever written, at most by what
// a log that was opened anew can find, of which older markers may be above the high
// watermark.
func (m *txnModel) stable(start int64) (least, most int64) {
	least, most = m.hw, m.hw
	firsts, kept := map[int64]int64{}, map[int64]int64{}
	for _, b := range m.all {
		id := b.ProducerID()
		switch {
		case b.Control():
			if first, open := firsts[id]; open && b.BaseOffset() >= m.hw {
				least = min(least, first)
			}
			delete(firsts, id)
			delete(kept, id)
		case b.Transactional():
			if _, open := firsts[id]; !open {
				firsts[id] = b.BaseOffset()
			}
			if _, open := kept[id]; !open && b.NextOffset() > start {
				kept[id] = b.BaseOffset()
			}
		}
	}
	for _, first := range firsts {
		least = min(least, first)
	}
	for _, first := range kept {
		most = min(most, first)
	}
	return max(least, start), max(most, start)
}

// committed reports whether the first of the batches is to be seen, by the marker that
// comes.
func committed(batches []record.Batch) bool {
	if !batches[0].Transactional() {
		return true
	}
	for _, b := range batches[1:] {
		if b.Control() && b.ProducerID() == batches[0].ProducerID() {
			m, _, _ := b.EndTxnMarker()
			return m.Commit
		}
	}
	return false
}

// readCommitted lists the base offsets of the batches that a consumer sees.
func (h *history) readCommitted(from, to int64) (seen []string) {
	h.t.Helper()
	for from < to {
		s, err := h.log.Read(from, to, h.rng.IntN(2000), true)
		h.ok(err)
		if s.Len == 0 {
			return seen
		}
		aborted, err := h.log.AbortedIn(from, s.Next)
		h.ok(err)
		bytes, err := s.ReadAll(nil)
		h.ok(err)
		s.Release()
		seen = append(seen, consume(h.t, bytes, aborted)...)
		from = s.Next
	}
	return seen
}

// consume does what clients do: from the first offset of an aborted transaction on they
// skip what its producer wrote, up to the marker that aborts it.
func consume(t *testing.T, bytes []byte, aborted []AbortedTxn) (seen []string) {
	aborted = slices.Clone(aborted)
	slices.SortFunc(aborted, func(a, b AbortedTxn) int { return int(a.First - b.First) })
	skip := map[int64]bool{}
	for b, err := range Batches(bytes) {
		if err != nil {
			t.Fatal(err)
		}
		for len(aborted) > 0 && aborted[0].First <= b.LastOffset() {
			skip[aborted[0].ProducerID] = true
			aborted = aborted[1:]
		}
		if b.Control() {
			if m, ok, _ := b.EndTxnMarker(); ok && !m.Commit {
				delete(skip, b.ProducerID())
			}
			continue
		}
		if !b.Transactional() || !skip[b.ProducerID()] {
			seen = append(seen, fmt.Sprint(b.BaseOffset()))
		}
	}
	return seen
}
