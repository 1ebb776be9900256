package share

import (
	"fmt"

	"github.com/odradek/odradek/internal/coord/fields"
	"github.com/odradek/odradek/internal/coord/runtime"
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
	maxGroupID = fields.MaxString  // what a key can hold
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
	r := fields.Reader{Rest: b}
	kind = r.Int16()
	if kind == keySnapshot || kind == keyUpdate {
		k.Group = r.String(false)
		k.TopicID = r.ID()
		k.Partition = r.Int32()
	}
	if r.Err != nil {
		return kind, k, fmt.Errorf("key of type %d, %d bytes: %w", kind, len(b), r.Err)
	}
	return kind, k, nil
}

func (k Key) append(b []byte, kind int16) []byte {
	b = fields.AppendInt16(b, kind)
	b = fields.AppendString(b, k.Group)
	b = append(b, k.TopicID[:]...)
	return fields.AppendInt32(b, k.Partition)
}

func parseSnapshot(b []byte) (snapshot, error) {
	r := fields.Reader{Rest: b}
	s := snapshot{complete: -1}
	if err := checkVersion(r.Int16()); err != nil {
		return s, fmt.Errorf("snapshot: %w", err)
	}
	s.epoch, s.stateEpoch, s.leaderEpoch = r.Int32(), r.Int32(), r.Int32()
	s.start = r.Int64()
	s.createdMillis, s.writtenMillis = r.Int64(), r.Int64()
	s.batches = readBatches(&r)
	readComplete(&r, &s.complete)
	if r.Err != nil {
		return s, fmt.Errorf("snapshot of %d bytes: %w", len(b), r.Err)
	}
	return s, nil
}

func (s *snapshot) append(b []byte) []byte {
	b = fields.AppendInt16(b, valueVersion)
	b = fields.AppendInt32(b, s.epoch)
	b = fields.AppendInt32(b, s.stateEpoch)
	b = fields.AppendInt32(b, s.leaderEpoch)
	b = fields.AppendInt64(b, s.start)
	b = fields.AppendInt64(b, s.createdMillis)
	b = fields.AppendInt64(b, s.writtenMillis)
	return appendTags(appendBatches(b, s.batches), s.complete)
}

func parseUpdate(b []byte) (update, error) {
	r := fields.Reader{Rest: b}
	u := update{complete: -1}
	if err := checkVersion(r.Int16()); err != nil {
		return u, fmt.Errorf("update: %w", err)
	}
	u.epoch, u.leaderEpoch = r.Int32(), r.Int32()
	u.start = r.Int64()
	u.batches = readBatches(&r)
	readComplete(&r, &u.complete)
	if r.Err != nil {
		return u, fmt.Errorf("update of %d bytes: %w", len(b), r.Err)
	}
	return u, nil
}

func (u *update) append(b []byte) []byte {
	b = fields.AppendInt16(b, valueVersion)
	b = fields.AppendInt32(b, u.epoch)
	b = fields.AppendInt32(b, u.leaderEpoch)
	b = fields.AppendInt64(b, u.start)
	return appendTags(appendBatches(b, u.batches), u.complete)
}

func checkVersion(v int16) error {
	if v != valueVersion {
		return fmt.Errorf("value has version %d, version %d is known", v, valueVersion)
	}
	return nil
}

// readBatches allocates by what is there, not by the count that is declared.
func readBatches(r *fields.Reader) []StateBatch {
	n := r.Length(true, 4)
	if n < 0 || n > len(r.Rest)/batchBytes {
		r.Fail() // there is less than is declared
		return nil
	}
	batches := make([]StateBatch, 0, n)
	for range n {
		b := StateBatch{First: r.Int64(), Last: r.Int64(), State: r.Int8(), Deliveries: r.Int16()}
		r.Tags(nil)
		batches = append(batches, b)
	}
	return batches
}

func appendBatches(b []byte, batches []StateBatch) []byte {
	b = fields.AppendCount(b, len(batches), true)
	for _, s := range batches {
		b = fields.AppendInt64(b, s.First)
		b = fields.AppendInt64(b, s.Last)
		b = append(b, byte(s.State))
		b = fields.AppendInt16(b, s.Deliveries)
		b = append(b, 0)
	}
	return b
}

// readComplete reads the tagged fields of a value, of which one is known.
func readComplete(r *fields.Reader, complete *int32) {
	r.Tags(func(tag int, field *fields.Reader) {
		if tag == tagComplete {
			*complete = field.Int32()
		}
	})
}

func appendTags(b []byte, complete int32) []byte {
	if complete == -1 {
		return append(b, 0)
	}
	return fields.AppendInt32(append(b, 1, tagComplete, 4), complete)
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
