package record

import "iter"

// Header is a header of a record. A nil Value is null.
type Header struct {
	Key   string
	Value []byte
}

// Record is one record. A nil Key or Value is null, which is not the empty one.
type Record struct {
	Offset     int64
	Timestamp  int64 // milliseconds
	Attributes int8  // unused by the format, 0
	Key, Value []byte
	Headers    []Header
}

// Records yields the records of b in order, or one error and nothing after it. Keys and
// values alias the batch, or a buffer of their own if it was compressed; they may be
// kept. To walk without any allocation use a Reader.
func (b Batch) Records(l Limits) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		payload := b.Payload()
		if b.Codec() != None {
			var err error
			if payload, err = Decompress(nil, b.Codec(), payload, l); err != nil {
				yield(Record{}, err)
				return
			}
		}
		var r Reader
		r.start(b, payload)
		for r.Next() {
			if !yield(r.View.Record(), nil) {
				return
			}
		}
		if r.err != nil {
			yield(Record{}, r.err)
		}
	}
}

// Record is the view as a record that aliases the same bytes.
func (v *View) Record() Record {
	return Record{Offset: v.Offset, Timestamp: v.Timestamp, Attributes: v.Attributes,
		Key: v.Key, Value: v.Value, Headers: v.Headers()}
}

// Headers reads the headers, nil for none.
func (v *View) Headers() []Header {
	count, n := varint(v.headers)
	if count <= 0 {
		return nil
	}
	// Sound headers take two bytes each at least, so the count is no more than that.
	headers := make([]Header, 0, count)
	for rest := v.headers[n:]; count > 0; count-- {
		var key, value []byte
		key, rest, _ = nullable(rest)
		value, rest, _ = nullable(rest)
		headers = append(headers, Header{Key: string(key), Value: value})
	}
	return headers
}
