package producers

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// A .snapshot file is Kafka's, version 1, big endian; its name is the offset below which
// everything is in it:
//
//	offset size
//	     0    2  version                1
//	     2    4  CRC-32C                of everything from byte 6 on
//	     6    4  number of producers
//	    10    …  producers, each 46 bytes:
//	             0    8  producer id
//	             8    2  epoch
//	            10    4  last sequence            -1 if it has written nothing
//	            14    8  last offset              -1 likewise
//	            22    4  offset delta of the last batch
//	            26    8  timestamp of the last batch or marker
//	            34    4  coordinator epoch        -1 if there was no marker
//	            38    8  first offset of the open transaction, -1 for none
//
// That has only the last batch of each producer, so after a restart Kafka refuses a
// repetition of one before it as out of order. Kafka reads no further than this and
// computes the CRC to the end of the file, so what follows is ours alone, absent if there
// is nothing to say: the batches before the last ones, oldest first, and the last one too
// where a marker came after it, whose timestamp stands in the entry then.
//
//	0    4  "odr1"
//	4    4  number of batches
//	8    …  batches, each 32 bytes:
//	        0    8  producer id
//	        8    8  last offset
//	       16    8  greatest timestamp
//	       24    4  last sequence
//	       28    4  offset delta
const (
	snapshotVersion = 1
	posCRC          = 2
	posEntries      = 6
	snapshotHead    = 10
	entryLen        = 46

	earlierTag  = "odr1"
	earlierHead = 8
	earlierLen  = 32
)

// ErrCorruptSnapshot means bytes that are no sound snapshot.
var ErrCorruptSnapshot = errors.New("producer snapshot is corrupt")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Snapshot is the state as the content of a .snapshot file; equal states give equal
// bytes. End is not in it: it is the file's name.
func (s *State) Snapshot() []byte {
	entries := s.Entries()
	b := make([]byte, snapshotHead, snapshotHead+len(entries)*(entryLen+earlierLen*(keptBatches-1))+earlierHead)
	binary.BigEndian.PutUint16(b, snapshotVersion)
	binary.BigEndian.PutUint32(b[posEntries:], uint32(len(entries)))
	for i := range entries {
		b = entries[i].append(b)
	}
	b = s.appendEarlier(b, entries)
	binary.BigEndian.PutUint32(b[posCRC:], crc32.Checksum(b[posEntries:], castagnoli))
	return b
}

func (s *State) appendEarlier(b []byte, entries []Entry) []byte {
	head := len(b)
	b = append(b, earlierTag+"\x00\x00\x00\x00"...)
	n := uint32(0)
	for _, e := range entries {
		kept := s.byID[e.ProducerID].batches
		for i := range kept {
			if i == len(kept)-1 && kept[i].timestamp == e.LastTimestamp {
				break
			}
			b = binary.BigEndian.AppendUint64(b, uint64(e.ProducerID))
			b = binary.BigEndian.AppendUint64(b, uint64(kept[i].last))
			b = binary.BigEndian.AppendUint64(b, uint64(kept[i].timestamp))
			b = binary.BigEndian.AppendUint32(b, uint32(kept[i].lastSeq))
			b = binary.BigEndian.AppendUint32(b, uint32(kept[i].delta))
			n++
		}
	}
	if n == 0 {
		return b[:head]
	}
	binary.BigEndian.PutUint32(b[head+len(earlierTag):], n)
	return b
}

func (e *Entry) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(e.ProducerID))
	b = binary.BigEndian.AppendUint16(b, uint16(e.Epoch))
	b = binary.BigEndian.AppendUint32(b, uint32(e.LastSequence))
	b = binary.BigEndian.AppendUint64(b, uint64(e.LastOffset))
	b = binary.BigEndian.AppendUint32(b, uint32(e.OffsetDelta))
	b = binary.BigEndian.AppendUint64(b, uint64(e.LastTimestamp))
	b = binary.BigEndian.AppendUint32(b, uint32(e.CoordinatorEpoch))
	return binary.BigEndian.AppendUint64(b, uint64(e.TxnFirstOffset))
}

// ReadSnapshot reads the producers in the content of a .snapshot file.
// It returns ErrCorruptSnapshot, wrapped.
func ReadSnapshot(b []byte) ([]Entry, error) {
	entries, _, err := readSnapshot(b)
	return entries, err
}

func readSnapshot(b []byte) (entries []Entry, rest []byte, err error) {
	if len(b) < snapshotHead {
		return nil, nil, fmt.Errorf("%d bytes: %w", len(b), ErrCorruptSnapshot)
	}
	if v := binary.BigEndian.Uint16(b); v != snapshotVersion {
		return nil, nil, fmt.Errorf("version %d: %w", v, ErrCorruptSnapshot)
	}
	if want, got := binary.BigEndian.Uint32(b[posCRC:]), crc32.Checksum(b[posEntries:], castagnoli); want != got {
		return nil, nil, fmt.Errorf("checksum is %08x, computed %08x: %w", want, got, ErrCorruptSnapshot)
	}
	count := binary.BigEndian.Uint32(b[posEntries:])
	if uint64(count)*entryLen > uint64(len(b)-snapshotHead) {
		return nil, nil, fmt.Errorf("%d producers in %d bytes: %w", count, len(b), ErrCorruptSnapshot)
	}
	entries = make([]Entry, 0, count)
	rest = b[snapshotHead:]
	for range count {
		entries = append(entries, readEntry(rest))
		rest = rest[entryLen:]
	}
	return entries, rest, nil
}

func readEntry(b []byte) Entry {
	return Entry{
		ProducerID:       int64(binary.BigEndian.Uint64(b)),
		Epoch:            int16(binary.BigEndian.Uint16(b[8:])),
		LastSequence:     int32(binary.BigEndian.Uint32(b[10:])),
		LastOffset:       int64(binary.BigEndian.Uint64(b[14:])),
		OffsetDelta:      int32(binary.BigEndian.Uint32(b[22:])),
		LastTimestamp:    int64(binary.BigEndian.Uint64(b[26:])),
		CoordinatorEpoch: int32(binary.BigEndian.Uint32(b[34:])),
		TxnFirstOffset:   int64(binary.BigEndian.Uint64(b[38:])),
	}
}

// Load replaces the state by that of a .snapshot file, whose name is end.
// It returns ErrCorruptSnapshot, wrapped, and leaves the state as it was then.
func (s *State) Load(snapshot []byte, end int64) error {
	entries, rest, err := readSnapshot(snapshot)
	if err != nil {
		return err
	}
	s.Reset(end)
	for _, e := range entries {
		p := s.producer(e.ProducerID)
		p.epoch, p.coordinator, p.timestamp = e.Epoch, e.CoordinatorEpoch, e.LastTimestamp
		if e.TxnFirstOffset >= 0 && p.txn == none {
			p.txn = e.TxnFirstOffset
			s.open = append(s.open, openTxn{p.txn, e.ProducerID})
		}
	}
	slices.SortFunc(s.open, func(a, b openTxn) int { return cmp.Compare(a.first, b.first) })
	s.loadEarlier(rest)
	for _, e := range entries {
		p := s.byID[e.ProducerID]
		if n := len(p.batches); e.LastOffset >= 0 && (n == 0 || p.batches[n-1].last != e.LastOffset) {
			p.add(batch{last: e.LastOffset, timestamp: e.LastTimestamp, lastSeq: e.LastSequence, delta: e.OffsetDelta})
		}
	}
	return nil
}

// loadEarlier reads the batches before the last ones, if somebody of ours wrote them.
func (s *State) loadEarlier(b []byte) {
	if len(b) < earlierHead || string(b[:len(earlierTag)]) != earlierTag {
		return
	}
	n := binary.BigEndian.Uint32(b[len(earlierTag):])
	for b = b[earlierHead:]; n > 0 && len(b) >= earlierLen; n, b = n-1, b[earlierLen:] {
		if p := s.byID[int64(binary.BigEndian.Uint64(b))]; p != nil {
			p.add(batch{
				last:      int64(binary.BigEndian.Uint64(b[8:])),
				timestamp: int64(binary.BigEndian.Uint64(b[16:])),
				lastSeq:   int32(binary.BigEndian.Uint32(b[24:])),
				delta:     int32(binary.BigEndian.Uint32(b[28:])),
			})
		}
	}
}
