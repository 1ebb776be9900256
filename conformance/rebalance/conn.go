package rebalance

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// conn is a connection that sends one request at a time. It belongs to one goroutine.
type conn struct {
	c      net.Conn
	next   int32
	format *kmsg.RequestFormatter
}

func dial(ctx context.Context, address string) (*conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { c.Close() })
	return &conn{c: c, format: kmsg.NewRequestFormatter(kmsg.FormatterClientID("rebalance"))}, nil
}

func (c *conn) close() { c.c.Close() }

// ask sends a request in a version and returns its answer in its own type.
func ask[R kmsg.Response](c *conn, req kmsg.Request, version int16) (r R, err error) {
	req.SetVersion(version)
	c.next++
	if err := c.c.SetDeadline(time.Now().Add(3 * time.Minute)); err != nil {
		return r, err
	}
	if _, err := c.c.Write(c.format.AppendRequest(nil, req, c.next)); err != nil {
		return r, err
	}
	var head [4]byte
	if _, err := io.ReadFull(c.c, head[:]); err != nil {
		return r, err
	}
	body := make([]byte, min(binary.BigEndian.Uint32(head[:]), 64<<20))
	if _, err := io.ReadFull(c.c, body); err != nil {
		return r, err
	}
	if len(body) < 5 || int32(binary.BigEndian.Uint32(body)) != c.next {
		return r, errors.New("an answer to another request")
	}
	resp := req.ResponseKind()
	body = body[4:]
	if resp.IsFlexible() && req.Key() != int16(kmsg.ApiVersions) {
		body = body[1:] // no tags in the header
	}
	if err := resp.ReadFrom(body); err != nil {
		return r, fmt.Errorf("answer to %s: %w", kmsg.NameForKey(req.Key()), err)
	}
	return resp.(R), nil
}
