package zkview

import (
	"encoding/binary"
	"errors"
)

// Jute is ZooKeeper's encoding: big-endian numbers; strings, buffers and vectors after
// their length as an int, -1 for null.

var errJute = errors.New("a request does not follow ZooKeeper's schema")

// decoder reads jute; after an error it yields zeroes.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.b, d.err = nil, errJute
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) int() int32 {
	if b := d.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (d *decoder) long() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (d *decoder) bool() bool {
	b := d.take(1)
	return b != nil && b[0] != 0
}

func (d *decoder) buffer() []byte {
	n := d.int()
	if n == -1 {
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) string() string { return string(d.buffer()) }

func (d *decoder) strings() []string {
	n := int(d.int())
	if n < 0 || n > len(d.b)/4 {
		if n != -1 {
			d.err = errJute
		}
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.string()
	}
	return list
}

// encoder writes jute.
type encoder struct{ b []byte }

func (e *encoder) int(v int32)  { e.b = binary.BigEndian.AppendUint32(e.b, uint32(v)) }
func (e *encoder) long(v int64) { e.b = binary.BigEndian.AppendUint64(e.b, uint64(v)) }

func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) buffer(v []byte) {
	if v == nil {
		e.int(-1)
		return
	}
	e.int(int32(len(v)))
	e.b = append(e.b, v...)
}

func (e *encoder) string(v string) {
	e.int(int32(len(v)))
	e.b = append(e.b, v...)
}

func (e *encoder) strings(list []string) {
	e.int(int32(len(list)))
	for _, s := range list {
		e.string(s)
	}
}

// frame is a message with its length before it, begun with room for that.
func newFrame() *encoder { return &encoder{b: make([]byte, 4, 128)} }

func (e *encoder) frame() []byte {
	binary.BigEndian.PutUint32(e.b, uint32(len(e.b)-4))
	return e.b
}

// header begins an answer: which request, as of which change, and an error or 0.
func (e *encoder) header(xid int32, zxid int64, code int32) {
	e.int(xid)
	e.long(zxid)
	e.int(code)
}

func (e *encoder) stat(s stat) {
	e.long(s.created)
	e.long(s.modified)
	e.long(0) // ctime
	e.long(0) // mtime
	e.int(s.version)
	e.int(int32(s.children))
	e.int(0) // version of the ACL
	e.long(s.owner)
	e.int(int32(s.bytes))
	e.int(int32(s.children))
	e.long(s.modified)
}
