package record

import (
	"errors"
	"fmt"
	"sync"
)

// A record inside a batch; all integers are varints but the attributes:
//
//	length            of everything after it
//	attributes        1 byte, unused, 0
//	timestamp delta   from the batch's base timestamp, 64 bits
//	offset delta      from the batch's base offset
//	key length, key   -1 for null
//	value length, value
//	header count, then for each: key length, key, value length (-1 for null), value
const (
	minRecordLen = 7
	// keptBuffer is the largest buffer that goes back to the pool.
	keptBuffer = 4 << 20
)

var errRecord = fmt.Errorf("record is malformed: %w", ErrCorrupt)

// View is one record where it lies, without a copy. It is valid until the Reader moves
// on or is closed.
type View struct {
	Offset     int64
	Timestamp  int64 // milliseconds; the append time where the batch says so
	Attributes int8
	Key, Value []byte // nil is null

	offsetDelta int32
	size        int    // with the length in front
	tail        []byte // from the key length to the end, as it stands in the batch
	headers     []byte // from the header count on
}

// Size is how many bytes the record takes in an uncompressed batch.
func (v *View) Size() int { return v.size }

// Reader walks over the records of a batch and allocates nothing for them. The zero
// Reader is ready for Open.
type Reader struct {
	View View

	rest       []byte
	left       int32
	base       int64
	time       int64
	appendTime bool
	err        error
	buf        *[]byte
	heavy      bool // holds opening
}

var buffers sync.Pool

// opening is held from Open to Close by whoever has a batch open that becomes more than
// heavyBytes, so that there is one of them at a time, however many clients send them:
// it is memory that nobody has admitted. Nothing between Open and Close may wait for
// anything but the processor, nor open a second batch.
var opening sync.Mutex

// heavyBuffers has the buffer of the last heavy batch, until the collector takes it.
var heavyBuffers sync.Pool

// heavyBytes is far beyond what honest batches become: a full one of 1 MiB, eight to one.
const heavyBytes = 8 << 20

func takeBuffer() *[]byte {
	b, _ := buffers.Get().(*[]byte)
	if b == nil {
		b = new([]byte)
	}
	return b
}

func giveBuffer(b *[]byte) {
	if cap(*b) <= keptBuffer {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

// Open starts at the first record of b, decompressing the batch into a pooled buffer if
// it must. Close it afterwards, unless Open failed; views are not valid any more then.
// A batch that becomes large waits until no other such is open.
func (r *Reader) Open(b Batch, l Limits) error {
	if b.Codec() == None {
		r.start(b, b.Payload())
		err := r.err
		if err != nil {
			r.Close()
		}
		return err
	}
	light := l
	light.MaxBytes = min(l.most(len(b.Payload())), heavyBytes)
	err := r.inflate(b, takeBuffer(), light)
	if errors.Is(err, ErrTooLarge) && l.most(len(b.Payload())) > heavyBytes {
		return r.openHeavy(b, l)
	}
	return err
}

func (r *Reader) openHeavy(b Batch, l Limits) error {
	opening.Lock()
	buf, _ := heavyBuffers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	if err := r.inflate(b, buf, l); err != nil {
		opening.Unlock()
		return err
	}
	r.heavy = true
	return nil
}

// inflate decompresses b into buf and starts there.
func (r *Reader) inflate(b Batch, buf *[]byte, l Limits) error {
	out, err := Decompress((*buf)[:0], b.Codec(), b.Payload(), l)
	*buf = out
	if err == nil {
		r.start(b, out)
		err = r.err
	}
	if err != nil {
		*r = Reader{}
		giveBuffer(buf)
		return err
	}
	r.buf = buf
	return nil
}

// start sets the reader on the uncompressed records of b.
func (r *Reader) start(b Batch, payload []byte) {
	*r = Reader{rest: payload, left: b.Count(), base: b.BaseOffset(), time: b.BaseTimestamp()}
	if b.LogAppendTime() {
		r.time, r.appendTime = b.MaxTimestamp(), true
	}
	if int64(r.left)*minRecordLen > int64(len(payload)) {
		r.left, r.err = 0, fmt.Errorf("%d records in %d bytes: %w", b.Count(), len(payload), ErrCorrupt)
	}
}

// Rewind goes back to the first record of b, which must be the batch that was opened.
func (r *Reader) Rewind(b Batch) {
	payload, buf, heavy := b.Payload(), r.buf, r.heavy
	if buf != nil {
		payload = *buf
	}
	r.start(b, payload)
	r.buf, r.heavy = buf, heavy
}

// Close gives the buffer back.
func (r *Reader) Close() {
	switch {
	case r.heavy:
		heavyBuffers.Put(r.buf)
		opening.Unlock()
	case r.buf != nil:
		giveBuffer(r.buf)
	}
	*r = Reader{}
}

// Err is why Next returned false: nil at the end of a sound batch.
func (r *Reader) Err() error { return r.err }

// Next sets View to the next record. It returns false at the end and at the first
// record that is malformed; bytes behind the last record are an error too.
func (r *Reader) Next() bool {
	if r.left == 0 || r.err != nil {
		if r.err == nil && len(r.rest) > 0 {
			r.err = fmt.Errorf("%d bytes behind the last record: %w", len(r.rest), ErrCorrupt)
		}
		return false
	}
	r.left--
	n, ok := r.View.parse(r.rest)
	if !ok {
		r.err = errRecord
		return false
	}
	r.rest = r.rest[n:]
	r.View.Offset = r.base + int64(r.View.offsetDelta)
	if r.appendTime {
		r.View.Timestamp = r.time
	} else {
		r.View.Timestamp += r.time
	}
	return true
}

// parse reads the record at the front of b and returns its whole size. Timestamp is
// left as the delta. It runs for every record of every batch that is not compressed, so
// varints of one byte are read here and not by a call.
func (v *View) parse(b []byte) (int, bool) {
	length, n := varint(b)
	if n == 0 || length < minRecordLen-1 || int64(length) > int64(len(b)-n) {
		return 0, false
	}
	v.size = n + int(length)
	body := b[n:v.size:v.size]
	v.Attributes = int8(body[0])
	if body = body[1:]; body[0] < 0x80 {
		v.Timestamp, body = int64(short(body[0])), body[1:]
	} else if v.Timestamp, n = varlong(body); n > 0 {
		body = body[n:]
	} else {
		return 0, false
	}
	if len(body) > 0 && body[0] < 0x80 {
		v.offsetDelta, body = short(body[0]), body[1:]
	} else if v.offsetDelta, n = varint(body); n > 0 {
		body = body[n:]
	} else {
		return 0, false
	}
	v.tail = body
	return v.size, v.parseTail(body)
}

// parseTail reads key, value and headers.
func (v *View) parseTail(b []byte) (ok bool) {
	if len(b) > 0 && b[0] < 0x80 && int(b[0]>>1) < len(b) && b[0]&1 == 0 {
		n := 1 + int(b[0]>>1)
		v.Key, b = b[1:n:n], b[n:]
	} else if v.Key, b, ok = nullable(b); !ok {
		return false
	}
	if v.Value, b, ok = nullable(b); !ok {
		return false
	}
	v.headers = b
	return len(b) == 1 && b[0] == 0 || soundHeaders(b)
}

// nullable cuts a length and that many bytes off b; any negative length is null.
func nullable(b []byte) (field, rest []byte, ok bool) {
	size, n := varint(b)
	if n == 0 {
		return nil, nil, false
	}
	b = b[n:]
	if size < 0 {
		return nil, b, true
	}
	if int64(size) > int64(len(b)) {
		return nil, nil, false
	}
	return b[:size:size], b[size:], true
}

// soundHeaders reports whether b is a header count and that many headers, no more.
func soundHeaders(b []byte) bool {
	count, n := varint(b)
	if n == 0 || count < 0 {
		return false
	}
	b = b[n:]
	for ; count > 0; count-- {
		key, rest, ok := nullable(b)
		if !ok || key == nil {
			return false
		}
		if _, b, ok = nullable(rest); !ok {
			return false
		}
	}
	return len(b) == 0
}
