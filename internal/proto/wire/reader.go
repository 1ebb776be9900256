package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/odradek/odradek/internal/base/pool"
)

// The reader's chunk is small while a connection is quiet, so that thousands of idle
// ones cost little, and large once a read has filled it.
const (
	smallChunk = 4 * kib
	largeChunk = 64 * kib
	quiet      = 5 * time.Second // without a byte: back to a small chunk
	headRoom   = 512             // what is read of a frame that is most likely large, to learn its length
)

// reader cuts a connection's bytes into frames and serves them in order. Frames that
// fit into its chunk alias it; larger ones get a buffer of their own.
type reader struct {
	c     *Conn
	chunk *pool.Buf
	r, w  int // unread: chunk.B[r:w]

	now      time.Time // when the last byte came, or reading began again
	deadline time.Time // that the connection has, or zero
	looked   time.Time // when the last deadline passed
	frameAt  time.Time // when the unfinished frame began, or zero
	wasLarge bool      // the last frame did not fit into a chunk
	holding  bool      // the unfinished frame holds memory that others may wait for
	windowAt time.Time // of such a frame: since when its speed is measured,
	windowN  int       // and how much had come by then
}

func (rd *reader) run() error {
	rd.now = rd.c.opened
	rd.chunk = pool.Get(smallChunk)
	for {
		if err := rd.step(); err != nil {
			return err
		}
	}
}

func (rd *reader) close() {
	if rd.chunk != nil {
		rd.chunk.Release()
		rd.chunk = nil
	}
}

// step serves one frame, or reads more bytes.
func (rd *reader) step() error {
	have := rd.w - rd.r
	if have < 4 {
		return rd.fill(4)
	}
	size := int(int32(binary.BigEndian.Uint32(rd.chunk.B[rd.r:])))
	if err := rd.c.checkSize(size); err != nil {
		return err
	}
	switch {
	case have >= 4+size:
		return rd.small(size)
	case 4+size > largeChunk:
		return rd.large(size)
	}
	return rd.fill(4 + size)
}

func (c *Conn) checkSize(size int) error {
	most := c.srv.limits.MaxFrame
	if !c.authenticated.Load() {
		most = min(most, c.srv.limits.MaxFramePreauth)
	}
	if size < 0 || size > most {
		return violation("frame of %d bytes, most is %d", size, most)
	}
	return nil
}

// fill reads at least one byte into a chunk that has room for need bytes from r on.
// What was answered is flushed first: the client may wait for it.
func (rd *reader) fill(need int) error {
	if err := rd.c.flushIfIdle(); err != nil {
		return err
	}
	rd.makeRoom(need)
	rd.resume()
	if rd.r == rd.w {
		rd.frameAt = time.Time{}
	} else if rd.frameAt.IsZero() {
		rd.frameAt = rd.now
	}
	room := rd.chunk.B[rd.w:]
	if need == 4 && rd.wasLarge { // a chunk of the next one would only be copied
		room = room[:min(headRoom, len(room))]
	}
	n, err := rd.read(room)
	if err != nil {
		return err
	}
	if rd.w += n; rd.tooSlow(rd.w - rd.r) {
		return errTooSlow
	}
	if rd.w == len(rd.chunk.B) {
		rd.enlarge()
	}
	return nil
}

// makeRoom makes the chunk hold need bytes from r on, with at least one free.
func (rd *reader) makeRoom(need int) {
	shared := rd.chunk.Shared()
	if rd.r == rd.w && !shared {
		rd.r, rd.w = 0, 0
	}
	if rd.r+need <= len(rd.chunk.B) && rd.w < len(rd.chunk.B) {
		return
	}
	if need <= len(rd.chunk.B) && !shared {
		rd.w = copy(rd.chunk.B, rd.chunk.B[rd.r:rd.w])
		rd.r = 0
		return
	}
	rd.swap(max(need, len(rd.chunk.B)))
}

// swap moves the unread bytes to a new chunk; the old one lives on while requests
// alias it.
func (rd *reader) swap(size int) {
	next := pool.Get(size)
	n := copy(next.B, rd.chunk.B[rd.r:rd.w])
	rd.chunk.Release()
	rd.chunk, rd.r, rd.w = next, 0, n
}

// enlarge follows a read that has filled the chunk: there is traffic.
func (rd *reader) enlarge() {
	if len(rd.chunk.B) < largeChunk {
		rd.swap(largeChunk)
	}
}

// small serves a frame that lies whole in the chunk.
func (rd *reader) small(size int) error {
	r := &Request{Conn: rd.c, Received: rd.now, size: 4 + size}
	if err := rd.c.admit(&r.hold, r.size, true); err != nil {
		return err
	}
	frame := rd.chunk.B[rd.r+4 : rd.r+4+size : rd.r+4+size]
	rd.chunk.Retain()
	r.lease.buf = rd.chunk
	rd.r += r.size
	rd.frameAt, rd.wasLarge = time.Time{}, false
	return rd.c.serve(r, frame)
}

// large reads a frame into a buffer of its own. The buffer starts at the size of the
// largest frame that the connection has completed, and grows as bytes come: a length
// that was only claimed costs no memory.
func (rd *reader) large(size int) error {
	r := &Request{Conn: rd.c, size: 4 + size}
	buf, err := rd.body(r, size)
	if err != nil {
		r.hold.release()
		return err
	}
	r.lease.buf = buf
	r.Received = rd.now
	rd.c.largest = max(rd.c.largest, size)
	rd.frameAt, rd.wasLarge = time.Time{}, true
	return rd.c.serve(r, buf.B[:size:size])
}

// body admits and reads the bytes of a large frame.
func (rd *reader) body(r *Request, size int) (_ *pool.Buf, err error) {
	step := min(size, max(largeChunk, rd.c.largest))
	if err := rd.c.admit(&r.hold, step, false); err != nil {
		return nil, err
	}
	if rd.frameAt.IsZero() {
		rd.frameAt = rd.now
	}
	buf := pool.Get(step)
	defer func() {
		if err != nil {
			buf.Release()
		}
	}()
	rd.holding = true
	defer func() { rd.holding = false }()
	n := rd.drain(buf.B[:step])
	rd.windowAt, rd.windowN = rd.now, n
	if err := rd.c.flushIfIdle(); err != nil {
		return nil, err
	}
	rd.resume()
	for n < size {
		if n == step {
			next := min(size, 4*step)
			if err := rd.c.srv.Budget.grow(rd.c.ctx, &r.hold, next-step); err != nil {
				return nil, err
			}
			rd.resume()
			buf, step = regrow(buf, n, next), next
		}
		m, err := rd.read(buf.B[n:step])
		if err != nil {
			return nil, err
		}
		if n += m; rd.tooSlow(n) {
			return nil, errTooSlow
		}
	}
	return buf, nil
}

// drain moves what the chunk has of a large frame to its own buffer.
func (rd *reader) drain(b []byte) int {
	n := copy(b, rd.chunk.B[rd.r+4:rd.w])
	rd.r, rd.w = 0, 0
	if rd.chunk.Shared() {
		rd.swap(len(rd.chunk.B))
	}
	return n
}

func regrow(buf *pool.Buf, n, size int) *pool.Buf {
	if len(buf.B) >= size {
		return buf
	}
	next := pool.Get(size)
	copy(next.B, buf.B[:n])
	buf.Release()
	return next
}

// read reads at least one byte. It rides out deadlines that were only reminders.
func (rd *reader) read(b []byte) (int, error) {
	for {
		if err := rd.arm(); err != nil {
			return 0, err
		}
		n, err := rd.c.nc.Read(b)
		if n > 0 {
			rd.now = time.Now()
			return n, nil
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if err := rd.remind(time.Now()); err != nil {
				return 0, err
			}
			if rd.shrink() {
				return 0, nil
			}
		default:
			return 0, rd.ended(err)
		}
	}
}

// ended says why there are no more bytes.
func (rd *reader) ended(err error) error {
	if errors.Is(err, io.EOF) && !rd.frameAt.IsZero() {
		return violation("the connection ended within a frame")
	}
	if errors.Is(err, net.ErrClosed) && rd.c.ctx.Err() != nil {
		return rd.c.ctx.Err()
	}
	return err
}
