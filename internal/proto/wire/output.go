package wire

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/base/pool"
)

// Replies gather in a buffer that is flushed when there is nothing more to answer at
// once, or when it is full. A connection without unsent answers has no buffer.
const (
	smallOutput = 4 * kib
	largeOutput = 256 * kib // also the piece in which files are read
)

// output gathers replies. Its owner is told at Conn.
type output struct {
	c     *Conn
	buf   *pool.Buf // what b is in, or nil if b has outgrown it
	b     []byte    // unsent
	until time.Time // the connection's write deadline
	err   error     // after the first failure nothing is written any more
}

func (o *output) empty() bool { return len(o.b) == 0 }

// reply writes a whole reply and returns its size.
func (o *output) reply(r *Request, reply Reply) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	if p, ok := reply.(*Parts); ok {
		return o.parts(r, p)
	}
	o.reserve(smallOutput)
	start := len(o.b)
	o.header(r, 0)
	o.adopt(reply.encode(o.b, r))
	n := len(o.b) - start
	binary.BigEndian.PutUint32(o.b[start:], uint32(n-4))
	if len(o.b) >= largeOutput/4 {
		return n, o.flush()
	}
	return n, nil
}

// header writes the length of the rest of the frame and the response header.
func (o *output) header(r *Request, size int) {
	start := len(o.b)
	b := append(o.b, 0, 0, 0, 0)
	b = appendResponseHeader(b, r.CorrelationID, r.flexibleReply())
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4+size))
	o.adopt(b)
}

// reserve makes sure that n bytes fit, if a buffer of any sensible size can: it takes
// a larger one or flushes.
func (o *output) reserve(n int) {
	switch {
	case cap(o.b)-len(o.b) >= n:
		return
	case o.buf == nil && o.b == nil:
		o.take(pool.Get(n))
		return
	}
	o.take(pool.Get(max(largeChunk, len(o.b)+n)))
}

// take moves the unsent bytes to another buffer.
func (o *output) take(next *pool.Buf) {
	n := copy(next.B, o.b)
	if o.buf != nil {
		o.buf.Release()
	}
	o.buf, o.b = next, next.B[:n]
}

// adopt makes b, which append has returned, the unsent bytes.
func (o *output) adopt(b []byte) {
	if o.buf != nil && &b[0] != &o.buf.B[0] {
		o.buf.Release()
		o.buf = nil
	}
	o.b = b
}

// flush sends what is unsent and gives the buffer back.
func (o *output) flush() error {
	if len(o.b) > 0 && o.err == nil {
		o.send(o.b)
	}
	o.drop()
	return o.err
}

// send writes b to the connection.
func (o *output) send(b []byte) {
	if err := o.arm(); err != nil {
		o.err = err
		return
	}
	if _, err := o.c.nc.Write(b); err != nil {
		o.err = fmt.Errorf("write reply: %w", err)
	}
}

// arm gives the peer between half of MaxIdle and all of it to take what is written.
func (o *output) arm() error {
	now := time.Now()
	idle := o.c.srv.limits.MaxIdle
	if o.until.Sub(now) > idle/2 {
		return nil
	}
	o.until = now.Add(idle)
	return o.c.nc.SetWriteDeadline(o.until)
}

// drop forgets what is unsent.
func (o *output) drop() {
	if o.buf != nil {
		o.buf.Release()
	}
	o.buf, o.b = nil, nil
}

// parts writes a reply of bytes and file slices: its first piece together with
// whatever was unsent, and nothing of it is ever held whole.
func (o *output) parts(r *Request, p *Parts) (int, error) {
	size := 0
	for i := range p.List {
		size += p.List[i].size()
	}
	o.reserve(min(size+64, largeOutput))
	before := len(o.b)
	o.header(r, size)
	n := len(o.b) - before + size
	for i := range p.List {
		if err := o.part(&p.List[i]); err != nil {
			o.err = err
			return 0, err
		}
	}
	return n, nil
}

func (o *output) part(p *Part) error {
	if p.File == nil {
		return o.bytes(p.Bytes)
	}
	return o.file(p)
}

func (o *output) bytes(b []byte) error {
	if err := o.space(len(b)); err != nil {
		return err
	}
	if len(b) > cap(o.b)-len(o.b) {
		if err := o.flush(); err != nil {
			return err
		}
		o.send(b)
		return o.err
	}
	o.b = append(o.b, b...)
	return nil
}

// space makes room for n bytes, or for a piece if n is larger.
func (o *output) space(n int) error {
	n = min(n, largeOutput)
	if cap(o.b)-len(o.b) >= n {
		return nil
	}
	if err := o.flush(); err != nil {
		return err
	}
	o.reserve(n)
	return nil
}

// file sends a slice of a file: by the kernel if it is long and that is asked for,
// else it is read piece by piece into the buffer.
func (o *output) file(p *Part) error {
	if least := o.c.srv.limits.Sendfile; least > 0 && p.Len >= least && canSendfile(o.c.nc, p.File) {
		return o.sendfile(p)
	}
	for pos, left := p.Pos, p.Len; left > 0; {
		if cap(o.b)-len(o.b) < min(left, largeOutput/4) {
			if err := o.flush(); err != nil {
				return err
			}
			o.reserve(min(left, largeOutput))
		}
		room := o.b[len(o.b):min(cap(o.b), len(o.b)+left)]
		n, err := p.File.ReadAt(room, pos)
		if n < len(room) {
			return fmt.Errorf("read %d bytes at %d of %s for a reply: got %d: %w", len(room), pos, p.File.Name(), n, err)
		}
		o.b = o.b[:len(o.b)+n]
		pos, left = pos+int64(n), left-n
	}
	return nil
}

func (o *output) sendfile(p *Part) error {
	if err := o.flush(); err != nil {
		return err
	}
	if err := o.arm(); err != nil {
		return err
	}
	return sendfile(o.c.nc, p.File, p.Pos, p.Len)
}
