package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/invariant"
	"github.com/odradek/odradek/internal/store/compaction"
	"github.com/odradek/odradek/internal/store/producers"
)

var _ = failpoint.Register("commitlog.txnindex.before_write", "commitlog.txnindex.before_trim")

// Layout of an entry of a .txnindex, one for each aborted transaction whose marker lies
// in the segment, in the order of the markers, big endian:
//
//	offset size
//	     0    2  version                       0
//	     2    8  producer id
//	    10    8  first offset of the transaction
//	    18    8  offset of its marker
//	    26    8  last stable offset at that time
//
// Markers and last stable offsets grow from entry to entry. There is no file where there
// is no entry.
//
// Without the index records of aborted transactions would be taken for committed ones, so
// it is believed only where it was made durable. Of segments that a crash may have left
// without their last entries it is made anew from the log, with the producers' state:
// Log.unindexed is the first of them. That is done before anybody reads it.
const txnEntry = 34

// AbortedTxn is an aborted transaction: its first offset, that of its marker.
type AbortedTxn = compaction.AbortedTxn

const none = -1

// decodeTxn reads an entry of the index as search needs it: by the marker, to the first
// offset. What is no sound entry is before all others.
func decodeTxn(b []byte) entry {
	t := readTxn(b)
	if binary.BigEndian.Uint16(b) != 0 || t.First < 0 || t.First >= t.Last {
		return entry{-1, -1}
	}
	return entry{t.Last, t.First}
}

func readTxn(b []byte) AbortedTxn {
	return AbortedTxn{
		ProducerID: int64(binary.BigEndian.Uint64(b[2:])),
		First:      int64(binary.BigEndian.Uint64(b[10:])),
		Last:       int64(binary.BigEndian.Uint64(b[18:])),
		LastStable: int64(binary.BigEndian.Uint64(b[26:])),
	}
}

func appendAborted(b []byte, t AbortedTxn) []byte {
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(t.ProducerID))
	b = binary.BigEndian.AppendUint64(b, uint64(t.First))
	b = binary.BigEndian.AppendUint64(b, uint64(t.Last))
	return binary.BigEndian.AppendUint64(b, uint64(t.LastStable))
}

// aborted notes a transaction whose marker was appended to a segment. mu is held.
func (s *segment) aborted(a producers.Applied) {
	if a.Marker <= s.txn.lastKey {
		invariant.Break("a marker at %d after one at %d", a.Marker, s.txn.lastKey)
	}
	s.txn.lastKey = a.Marker
	s.txn.tail = appendAborted(s.txn.tail, AbortedTxn{ProducerID: a.ProducerID, First: a.First, Last: a.Marker, LastStable: a.LastStable})
}

// readTxns takes over the entries of a segment's index, or has them made anew if they
// cannot be right. The lock writing is held, or the log is being opened.
func (l *Log) readTxns(s *segment) error {
	s.txn.disk, s.txn.lastKey, s.txn.tail, s.txn.sums = 0, -1, s.txn.tail[:0], nil
	if !s.txnFile {
		return nil
	}
	limit := s.next
	if s.next == s.base {
		limit = s.base + maxRelative + 1 // the end is not known yet
	}
	whole, err := s.txn.read(l.ref(s.base, txnIndexExt), func(before, e entry) bool {
		return e.key > before.key && e.key >= s.base && e.key < limit
	})
	if err != nil {
		return storageError(err)
	}
	if !whole {
		l.logger.Warn("transaction index is made anew", "partition", l.name, "segment", fileName(s.base, txnIndexExt))
		l.doubtTxns(s)
	}
	return nil
}

// doubtTxns has the transaction index made anew from a segment on, when it is needed.
func (l *Log) doubtTxns(s *segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unindexed == none || s.base < l.unindexed {
		l.unindexed = s.base
	}
	l.settled, l.producers.loaded = false, false
}

// forgetTxns empties the index of a segment that is to be read again.
func (l *Log) forgetTxns(s *segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.txn.cut(0, -1)
	s.txnStale = true
}

// cutTxns forgets, durably, the transactions whose markers are cut off with everything
// from next on.
func (l *Log) cutTxns(s *segment, next int64) error {
	i, e, err := s.txn.search(l.ref(s.base, txnIndexExt), byKey, next-1)
	if errors.Is(err, errSum) { // what is made anew ends where the log does then
		l.doubtTxns(s)
		return nil
	}
	if err != nil {
		return storageError(err)
	}
	l.mu.Lock()
	if l.unindexed > s.base {
		l.unindexed = none
	}
	cut := i+1 < s.txn.count()
	if cut {
		if i < 0 {
			e.key = -1
		}
		s.txn.cut(i+1, e.key)
		s.txnStale = true
	}
	l.mu.Unlock()
	if !cut {
		return nil
	}
	if err := l.trimTxns(s); err != nil {
		return storageError(err)
	}
	return storageError(l.syncTxns(s))
}

// flushTxns writes what is in memory of a segment's index.
func (l *Log) flushTxns(s *segment) error {
	if len(s.txn.tail) == 0 {
		return nil
	}
	l.mu.Lock()
	if !s.txnFile {
		s.txnFile = true
		l.names.touch()
	}
	l.mu.Unlock()
	failpoint.Hit("commitlog.txnindex.before_write", l.fs)
	return s.txn.flush(l.ref(s.base, txnIndexExt))
}

// trimTxns writes the index so that its file has nothing else.
func (l *Log) trimTxns(s *segment) error {
	if err := l.flushTxns(s); err != nil || !s.txnStale {
		return err
	}
	if !s.txnFile {
		s.txnStale = false
		return nil
	}
	h, err := s.txn.file.acquire(l.ref(s.base, txnIndexExt))
	if err != nil {
		return err
	}
	defer h.release()
	failpoint.Hit("commitlog.txnindex.before_trim", l.fs)
	if err := h.Truncate(int64(s.txn.disk * txnEntry)); err != nil {
		return err
	}
	s.txnStale = false
	return nil
}

// syncTxns makes the file durable, if there is one.
func (l *Log) syncTxns(s *segment) error {
	l.mu.Lock()
	there := s.txnFile
	l.mu.Unlock()
	if !there {
		return nil
	}
	h, err := s.txn.file.acquire(l.ref(s.base, txnIndexExt))
	if err != nil {
		return err
	}
	defer h.release()
	return h.Datasync()
}

// AbortedIn returns the aborted transactions that may have records in [from, to), in the
// order of their markers, which may lie beyond. Where [from, to) is below the last stable
// offset none is missing.
func (l *Log) AbortedIn(from, to int64) ([]AbortedTxn, error) {
	const tries = 8
	var err error
	for range tries {
		if err = l.indexTxns(); err != nil {
			return nil, err
		}
		var txns []AbortedTxn
		txns, err = l.abortedIn(from, to)
		switch {
		case err == nil && !l.doubted():
			return txns, nil
		case err == nil: // the index turned out to be damaged
		case isGone(err) || isBadIndex(err):
			l.awaitWriter()
		default:
			return nil, err
		}
	}
	return nil, fmt.Errorf("aborted transactions of %s: %w", l.name, storageError(err))
}

func (l *Log) doubted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unindexed != none
}

// indexTxns makes the index anew where that is due.
func (l *Log) indexTxns() error {
	if !l.doubted() {
		return nil
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.loadProducers()
}

func (l *Log) abortedIn(from, to int64) (txns []AbortedTxn, err error) {
	l.mu.Lock()
	segs := l.segs[holding(l.segs, from):]
	l.mu.Unlock()
	for _, s := range segs {
		if err := l.load(s); err != nil {
			return nil, err
		}
		done := false
		if txns, done, err = l.abortedOf(s, from, to, txns); err != nil || done {
			return txns, err
		}
	}
	return txns, nil
}

// abortedOf appends those of one segment; done tells that later ones begin at or after to.
func (l *Log) abortedOf(s *segment, from, to int64, txns []AbortedTxn) (_ []AbortedTxn, done bool, err error) {
	l.mu.Lock()
	disk, tail := s.txn.disk, slices.Clone(s.txn.tail)
	l.mu.Unlock()
	if disk+len(tail) == 0 {
		return txns, false, nil
	}
	i, _, err := l.search(s, &s.txn, txnIndexExt, byKey, from-1)
	if errors.Is(err, errSum) {
		err = l.txnReadError(s, err)
	}
	if err != nil {
		return txns, false, err
	}
	take := func(b []byte) {
		for ; len(b) >= txnEntry && !done; b = b[txnEntry:] {
			t := readTxn(b)
			if t.Last >= from && t.First < to {
				txns = append(txns, t)
			}
			done = t.LastStable >= to
		}
	}
	if i+1 < disk {
		if err := l.eachTxn(s, i+1, disk, func(b []byte) bool { take(b); return done }); err != nil {
			return txns, false, err
		}
	}
	if !done {
		take(tail)
	}
	return txns, done, nil
}

// eachTxn shows the entries [from, until) of a segment's file in pieces, until do says
// that it is enough.
func (l *Log) eachTxn(s *segment, from, until int, do func([]byte) (enough bool)) error {
	h, err := s.txn.file.acquire(l.ref(s.base, txnIndexExt))
	if err != nil {
		return l.txnReadError(s, err)
	}
	defer h.release()
	buf := chunks.Get().(*[]byte)
	defer chunks.Put(buf)
	l.mu.Lock()
	sums := s.txn.sums
	l.mu.Unlock()
	if until > len(sums) {
		return errIndex // it has just been cut, or is being made anew
	}
	for from < until {
		n := min(chunk/txnEntry, until-from)
		b := (*buf)[:n*txnEntry]
		if err := s.txn.readAt(h, b, from, sums); err != nil {
			return l.txnReadError(s, err)
		}
		if do(b) {
			return nil
		}
		from += n
	}
	return nil
}

// txnReadError tells a segment that was replaced meanwhile from trouble with the disk. An index
// that is not what it was is made anew.
func (l *Log) txnReadError(s *segment, err error) error {
	l.mu.Lock()
	gone := s.gone
	l.mu.Unlock()
	if gone {
		return errGone
	}
	if errors.Is(err, errSum) {
		l.logger.Warn("transaction index is damaged, and is made anew", "partition", l.name, "segment", fileName(s.base, txnIndexExt))
		l.doubtTxns(s)
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist) {
		return errIndex // it has just been cut
	}
	return storageError(err)
}
