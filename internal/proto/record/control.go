package record

import (
	"encoding/binary"
	"fmt"
)

// The record of a control batch that ends a transaction. Its key is
//
//	version 2 bytes, 0 | type 2 bytes: 0 abort, 1 commit
//
// and its value
//
//	version 2 bytes, 0 | coordinator epoch 4 bytes
const (
	controlAbort  int16 = 0
	controlCommit int16 = 1
)

// EndTxnMarker says that a producer's transaction on the partition has ended.
type EndTxnMarker struct {
	Commit           bool
	CoordinatorEpoch int32
}

// Record is the marker as a record of a control batch.
func (m EndTxnMarker) Record(timestamp int64) Record {
	kind := controlAbort
	if m.Commit {
		kind = controlCommit
	}
	key := binary.BigEndian.AppendUint16(make([]byte, 2, 4), uint16(kind))
	value := binary.BigEndian.AppendUint32(make([]byte, 2, 6), uint32(m.CoordinatorEpoch))
	return Record{Timestamp: timestamp, Key: key, Value: value}
}

// EndTxn makes the control batch that ends a transaction of the producer.
func EndTxn(producerID int64, producerEpoch int16, m EndTxnMarker, timestamp int64) Batch {
	b := NewBuilder(BuilderConfig{ProducerID: producerID, ProducerEpoch: producerEpoch,
		BaseSequence: NoSequence, Transactional: true, Control: true})
	b.Append(m.Record(timestamp))
	batch, err := b.Build()
	if err != nil {
		panic("bug: a batch without compression failed: " + err.Error())
	}
	return batch
}

// EndTxnMarker reads the marker of a control batch; ok is false for control records of
// another kind, which are to be skipped.
// It returns ErrCorrupt for a batch that is no sound control batch.
func (b Batch) EndTxnMarker() (m EndTxnMarker, ok bool, err error) {
	if !b.Control() || b.Count() < 1 {
		return m, false, fmt.Errorf("no control batch: %w", ErrCorrupt)
	}
	var r Reader
	if err := r.Open(b, Limits{}); err != nil {
		return m, false, err
	}
	defer r.Close()
	if !r.Next() {
		return m, false, r.Err()
	}
	return parseEndTxn(r.View.Key, r.View.Value)
}

func parseEndTxn(key, value []byte) (m EndTxnMarker, ok bool, err error) {
	if len(key) < 4 || int16(binary.BigEndian.Uint16(key)) < 0 {
		return m, false, fmt.Errorf("control record with a key of %d bytes: %w", len(key), ErrCorrupt)
	}
	kind := int16(binary.BigEndian.Uint16(key[2:]))
	if kind != controlAbort && kind != controlCommit {
		return m, false, nil
	}
	if len(value) < 6 || int16(binary.BigEndian.Uint16(value)) < 0 {
		return m, false, fmt.Errorf("end-of-transaction marker of %d bytes: %w", len(value), ErrCorrupt)
	}
	return EndTxnMarker{Commit: kind == controlCommit, CoordinatorEpoch: int32(binary.BigEndian.Uint32(value[2:]))}, true, nil
}
