package compaction

import (
	"fmt"

	"github.com/odradek/odradek/internal/proto/record"
)

// Filter turns batches into what remains of them. One Filter serves one cleaning, which
// shows it all batches from the log's start to End in order.
//
// A record stays if it lies beyond what the map knows, or if it is the last of its key
// and no tombstone that is due. Records without a key and of aborted transactions go. The
// first cleaning that keeps a tombstone sets the delete horizon of its batch, and the
// first one after that time drops it (KIP-534); markers of transactions without data go
// the same way.
type Filter struct {
	Map *OffsetMap
	// Now is the time of the cleaning; DeleteRetentionMs is delete.retention.ms.
	Now, DeleteRetentionMs int64
	// End is the end of what may be cleaned, exclusive. The batch that ends there stays,
	// empty if need be, so that the log's end is not forgotten.
	End int64
	// LastOffset tells where the last data batch of a producer ends, -1 if markers are
	// all that it wrote, and the producer's epoch; ok is false for one that is not active
	// (producers.State has it). That batch stays, empty if need be, with its sequences.
	LastOffset func(producerID int64) (last int64, epoch int16, ok bool)
	Txns       Txns

	Stats Stats

	reader  record.Reader
	builder record.Builder
	keep    []bool
}

// Stats counts what a Filter saw.
type Stats struct {
	Batches, BatchesKept int
	Records, RecordsKept int
	Bytes, BytesKept     int64
	Keyless              int // records without a key, which went
	Unreadable           int // batches that were kept because they cannot be read
}

// fate is what becomes of a batch of which no record remains.
type fate int8

const (
	goes       fate = iota
	staysEmpty      // for its header's sake
)

// Rewrite appends to dst what remains of b: b as it is, a smaller batch with the same
// offsets, or nothing.
// It returns ErrCorrupt, wrapped, if the checksum is wrong; dst is as it was then.
func (f *Filter) Rewrite(dst []byte, b record.Batch) ([]byte, error) {
	if err := b.Verify(); err != nil {
		return dst, fmt.Errorf("batch at %d: %w", b.BaseOffset(), err)
	}
	before := len(dst)
	dst, err := f.rewrite(dst, b)
	if err != nil {
		return dst, fmt.Errorf("rewrite batch at %d: %w", b.BaseOffset(), err)
	}
	f.Stats.Batches++
	f.Stats.Bytes += int64(len(b))
	f.Stats.BytesKept += int64(len(dst) - before)
	if len(dst) > before {
		f.Stats.BatchesKept++
	}
	return dst, nil
}

func (f *Filter) rewrite(dst []byte, b record.Batch) ([]byte, error) {
	mayGo := f.Txns.see(b)
	f.Stats.Records += int(b.Count())
	if f.dropsAll(b, mayGo) {
		return f.without(dst, b), nil
	}
	if err := f.reader.Open(b, record.Limits{}); err != nil {
		return f.asIs(dst, b), nil
	}
	defer f.reader.Close()
	kept, tombstones, err := f.choose(b)
	if err != nil {
		return f.asIs(dst, b), nil
	}
	if kept == 0 {
		return f.without(dst, b), nil
	}
	f.Stats.RecordsKept += kept
	emptyTxn := b.Control() && mayGo
	setHorizon := (tombstones || emptyTxn) && !b.HasDeleteHorizon()
	if kept == int(b.Count()) && !setHorizon {
		return append(dst, b...), nil
	}
	return f.build(dst, b, setHorizon)
}

// dropsAll reports whether no record of b needs to be looked at. A marker that may go
// waits until its delete horizon has passed.
func (f *Filter) dropsAll(b record.Batch, mayGo bool) bool {
	if b.Count() == 0 {
		return true
	}
	if b.Control() {
		return mayGo && b.HasDeleteHorizon() && b.BaseTimestamp() <= f.Now
	}
	return mayGo
}

// asIs keeps a batch that cannot be read (docs/decisions/0003).
func (f *Filter) asIs(dst []byte, b record.Batch) []byte {
	f.Stats.Unreadable++
	f.Stats.RecordsKept += int(b.Count())
	return append(dst, b...)
}

// without is b when no record of it remains.
func (f *Filter) without(dst []byte, b record.Batch) []byte {
	if f.fate(b) == goes {
		return dst
	}
	return record.AppendEmpty(dst, b)
}

func (f *Filter) fate(b record.Batch) fate {
	if b.NextOffset() == f.End {
		return staysEmpty
	}
	if !b.HasProducer() || f.LastOffset == nil {
		return goes
	}
	last, epoch, ok := f.LastOffset(b.ProducerID())
	switch {
	case ok && last >= 0 && b.LastOffset() == last:
		return staysEmpty
	case ok && last < 0 && b.Control() && b.ProducerEpoch() == epoch:
		return staysEmpty
	}
	return goes
}

// choose sets keep for each record of b and leaves the reader at the end.
func (f *Filter) choose(b record.Batch) (kept int, tombstones bool, err error) {
	if err := readable(&f.reader, b); err != nil {
		return 0, false, err
	}
	f.reader.Rewind(b)
	f.keep = f.keep[:0]
	for f.reader.Next() {
		v := &f.reader.View
		stays := b.Control() || f.stays(b, v)
		f.keep = append(f.keep, stays)
		if stays {
			kept++
			tombstones = tombstones || v.Value == nil
		}
	}
	return kept, tombstones, nil
}

func (f *Filter) stays(b record.Batch, v *record.View) bool {
	if v.Offset > f.Map.Latest() {
		return true
	}
	if v.Key == nil {
		f.Stats.Keyless++
		return false
	}
	due := v.Value == nil && b.HasDeleteHorizon() && b.BaseTimestamp() <= f.Now
	return !due && v.Offset >= f.Map.get(v.Key)
}

// build makes the batch again from the records that stay, with its own head, offsets and
// compression.
func (f *Filter) build(dst []byte, b record.Batch, setHorizon bool) ([]byte, error) {
	cfg := record.ConfigOf(b)
	if setHorizon {
		cfg.DeleteHorizon = f.Now + f.DeleteRetentionMs
	}
	f.builder.Reset(cfg)
	f.reader.Rewind(b)
	for i := 0; f.reader.Next(); i++ {
		if f.keep[i] {
			f.builder.AppendView(&f.reader.View, f.reader.View.Offset)
		}
	}
	return f.builder.AppendTo(dst, b.LastOffset())
}
