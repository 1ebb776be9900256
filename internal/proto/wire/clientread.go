package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/base/pool"
)

// answerHead is the length of an answer and its correlation id.
const answerHead = 8

// read hands every answer to its call, until the connection ends.
func (c *Client) read() {
	defer close(c.ended)
	for {
		if err := c.readOne(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = fmt.Errorf("no answer in time: %w", err)
			}
			c.fail(err)
			c.drop()
			return
		}
	}
}

func (c *Client) readOne() error {
	var head [answerHead]byte
	if _, err := io.ReadFull(c.nc, head[:]); err != nil {
		return err
	}
	size := int(int32(binary.BigEndian.Uint32(head[:]))) - 4
	if size < 0 || size > c.cfg.MaxResponse {
		return violation("answer of %d bytes, at most %d are taken", size, c.cfg.MaxResponse)
	}
	cl, err := c.front(int32(binary.BigEndian.Uint32(head[4:])))
	if err != nil {
		return err
	}
	buf, err := c.readBody(size)
	if err != nil {
		return err
	}
	body := buf.B[:size]
	if cl.flexible {
		if body, err = skipTags(body); err != nil {
			buf.Release()
			return fmt.Errorf("answer header: %w", err)
		}
	}
	c.deliver(cl, answered{buf, body})
	return nil
}

// front is the call whose answer is next.
func (c *Client) front(id int32) (*call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 || c.queue[0].id != id {
		return nil, violation("answer to request %d, which is not the next one", id)
	}
	return c.queue[0], nil
}

// firstTaken is how much of an answer is believed to come before any of it has.
const firstTaken = mib

// readBody reads n bytes. What is declared is not allocated before half of it has come,
// unless answers have been as large before. Bytes that go on coming are waited for.
func (c *Client) readBody(n int) (*pool.Buf, error) {
	buf := pool.Get(min(n, max(firstTaken, 2*c.largest)))
	for at := 0; at < n; {
		if at == len(buf.B) {
			next := pool.Get(min(n, 2*at))
			copy(next.B, buf.B[:at])
			buf.Release()
			buf = next
		}
		got, err := c.nc.Read(buf.B[at:min(n, len(buf.B))])
		at += got
		if at < n && err != nil {
			buf.Release()
			return nil, err
		}
		if at < n && got > 0 {
			if err := c.nc.SetReadDeadline(time.Now().Add(c.cfg.Timeout)); err != nil {
				buf.Release()
				return nil, err
			}
		}
	}
	c.largest = max(c.largest, n)
	return buf, nil
}

// deliver takes the first call from the queue and gives it its answer.
func (c *Client) deliver(cl *call, a answered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = slices.Delete(c.queue, 0, 1)
	c.arm()
	if cl.answer == nil || c.failed != nil {
		a.buf.Release()
		return
	}
	cl.answer <- a
}

// drop forgets those who wait; they see that the connection has failed.
func (c *Client) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = nil
}
