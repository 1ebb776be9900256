package runtime

import (
	"fmt"
	"iter"

	"github.com/odradek/odradek/internal/proto/record"
)

// recordOverhead is the most that a record takes in a batch besides key and value:
// five varints of at most 5 bytes, one of 10, and the attributes.
const recordOverhead = 5*5 + 10 + 1

// buildBatch makes a batch of as many of the records as stay below maxBytes, one at
// least, and returns how many they are.
func buildBatch(records []Record, cfg record.BuilderConfig, millis int64, maxBytes int) (record.Batch, int, error) {
	b := record.NewBuilder(cfg)
	n := 0
	for _, r := range records {
		size := len(r.Key) + len(r.Value) + recordOverhead
		if n > 0 && b.Size()+size > maxBytes {
			break
		}
		b.Append(record.Record{Timestamp: millis, Key: r.Key, Value: r.Value})
		n++
	}
	batch, err := b.Build()
	if err != nil {
		return nil, 0, fmt.Errorf("build a batch of %d records: %w", n, err)
	}
	return batch, n, nil
}

// entries yields the records of a batch as the log holds it.
func entries(b record.Batch) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := b.Verify(); err != nil {
			yield(Entry{}, err)
			return
		}
		e := Entry{
			ProducerID:    b.ProducerID(),
			ProducerEpoch: b.ProducerEpoch(),
			Transactional: b.Transactional(),
			Control:       b.Control(),
		}
		for r, err := range b.Records(record.Limits{}) {
			if err != nil {
				yield(Entry{}, err)
				return
			}
			e.Offset, e.Timestamp, e.Key, e.Value = r.Offset, r.Timestamp, r.Key, r.Value
			if !yield(e, nil) {
				return
			}
		}
	}
}
