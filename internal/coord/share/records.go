package share

import (
	"encoding/binary"
	"fmt"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/twmb/franz-go/pkg/kbin"
)

// Records of __share_group_state, as Kafka writes them (docs/formats/share-group-state.md).
// A key starts with the type of the record, a value with the version of its own layout. A
// null value of a snapshot deletes what the key names.
const (
	keySnapshot  = 0
	keyUpdate    = 1
	valueVersion = 0
	tagComplete  = 0

	batchBytes = 8 + 8 + 1 + 2 + 1 // with its tagged fields at the least
	maxGroupID = 1<<15 - 1         // what a key can hold
)

// snapshot is everything that is stored of a share partition.
type snapshot struct {
	epoch         int32 // counts the snapshots of the key
	stateEpoch    int32
	leaderEpoch   int32
	start         int64
	complete      int32 // -1 if not known
	createdMillis int64 // when the state came to be
	writtenMillis int64 // when this record was written: later, if it repeats an older one
	batches       []StateBatch
}

// update is what has changed since a snapshot. It has no state epoch, and its start may be
// NoStart for the one that was.
type update struct {
	epoch       int32 // of the snapshot
	leaderEpoch int32
	start       int64
	complete    int32
	batches     []StateBatch
}

func parseKey(b []byte) (kind int16, k Key, err error) {
	r := kbin.Reader{Src: b}
	kind = r.Int16()
	if kind == keySnapshot || kind == keyUpdate {
		k.Group = r.String()
		k.TopicID = r.Uuid()
		k.Partition = r.Int32()
	}
	if !r.Ok() {
		return kind, k, fmt.Errorf("key of type %d, %d bytes: %w", kind, len(b), kbin.ErrNotEnoughData)
	}
	return kind, k, nil
}

func (k Key) append(b []byte, kind int16) []byte {
	b = kbin.AppendInt16(b, kind)
	b = kbin.AppendString(b, k.Group)
	b = append(b, k.TopicID[:]...)
	return kbin.AppendInt32(b, k.Partition)
}

func parseSnapshot(b []byte) (snapshot, error) {
	r := kbin.Reader{Src: b}
	s := snapshot{complete: -1}
	if err := checkVersion(r.Int16()); err != nil {
		return s, fmt.Errorf("snapshot: %w", err)
	}
	s.epoch, s.stateEpoch, s.leaderEpoch = r.Int32(), r.Int32(), r.Int32()
	s.start = r.Int64()
	s.createdMillis, s.writtenMillis = r.Int64(), r.Int64()
	s.batches = readBatches(&r)
	readTags(&r, &s.complete)
	if !r.Ok() {
		return s, fmt.Errorf("snapshot of %d bytes: %w", len(b), kbin.ErrNotEnoughData)
	}
	return s, nil
}

func (s *snapshot) append(b []byte) []byte {
	b = kbin.AppendInt16(b, valueVersion)
	b = kbin.AppendInt32(b, s.epoch)
	b = kbin.AppendInt32(b, s.stateEpoch)
	b = kbin.AppendInt32(b, s.leaderEpoch)
	b = kbin.AppendInt64(b, s.start)
	b = kbin.AppendInt64(b, s.createdMillis)
	b = kbin.AppendInt64(b, s.writtenMillis)
	return appendTags(appendBatches(b, s.batches), s.complete)
}

func parseUpdate(b []byte) (update, error) {
	r := kbin.Reader{Src: b}
	u := update{complete: -1}
	if err := checkVersion(r.Int16()); err != nil {
		return u, fmt.Errorf("update: %w", err)
	}
	u.epoch, u.leaderEpoch = r.Int32(), r.Int32()
	u.start = r.Int64()
	u.batches = readBatches(&r)
	readTags(&r, &u.complete)
	if !r.Ok() {
		return u, fmt.Errorf("update of %d bytes: %w", len(b), kbin.ErrNotEnoughData)
	}
	return u, nil
}

func (u *update) append(b []byte) []byte {
	b = kbin.AppendInt16(b, valueVersion)
	b = kbin.AppendInt32(b, u.epoch)
	b = kbin.AppendInt32(b, u.leaderEpoch)
	b = kbin.AppendInt64(b, u.start)
	return appendTags(appendBatches(b, u.batches), u.complete)
}

func checkVersion(v int16) error {
	if v != valueVersion {
		return fmt.Errorf("value has version %d, version %d is known", v, valueVersion)
	}
	return nil
}

// readBatches allocates by what is there, not by the count that is declared.
func readBatches(r *kbin.Reader) []StateBatch {
	n := int(r.CompactArrayLen())
	if n < 0 || n > len(r.Src)/batchBytes {
		r.Span(-1) // there is less than is declared
		return nil
	}
	batches := make([]StateBatch, 0, n)
	for range n {
		b := StateBatch{First: r.Int64(), Last: r.Int64(), State: r.Int8(), Deliveries: r.Int16()}
		readTags(r, nil)
		batches = append(batches, b)
	}
	return batches
}

func appendBatches(b []byte, batches []StateBatch) []byte {
	b = binary.AppendUvarint(b, uint64(len(batches)+1))
	for _, s := range batches {
		b = kbin.AppendInt64(b, s.First)
		b = kbin.AppendInt64(b, s.Last)
		b = kbin.AppendInt8(b, s.State)
		b = kbin.AppendInt16(b, s.Deliveries)
		b = append(b, 0)
	}
	return b
}

// readTags reads tagged fields, of which one is known where complete is wanted.
func readTags(r *kbin.Reader, complete *int32) {
	for n := r.Uvarint(); n > 0 && r.Ok(); n-- {
		tag := r.Uvarint()
		field := kbin.Reader{Src: r.Span(int(r.Uvarint()))}
		if tag == tagComplete && complete != nil {
			if *complete = field.Int32(); !field.Ok() {
				r.Span(-1)
			}
		}
	}
}

func appendTags(b []byte, complete int32) []byte {
	if complete == -1 {
		return append(b, 0)
	}
	return kbin.AppendInt32(append(b, 1, tagComplete, 4), complete)
}

func snapshotRecord(k Key, s *snapshot) runtime.Record {
	return runtime.Record{Key: k.append(nil, keySnapshot), Value: s.append(nil)}
}

func updateRecord(k Key, u *update) runtime.Record {
	return runtime.Record{Key: k.append(nil, keyUpdate), Value: u.append(nil)}
}

func tombstone(k Key) runtime.Record {
	return runtime.Record{Key: k.append(nil, keySnapshot)}
}
