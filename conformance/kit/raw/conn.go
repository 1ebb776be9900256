// Package raw sends the same requests to any node, each in every version that the node
// advertises, byte for byte as one client would, and writes down every field of the
// answers. It knows the requests; it does not know what answers are right: that is for
// who compares two nodes. A Conn belongs to one goroutine.
package raw

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const patience = 8 * time.Second

// conn is a connection that sends one request at a time and redials after a failure.
type conn struct {
	address string
	c       net.Conn
	next    int32
	format  *kmsg.RequestFormatter
}

func newConn(address string) *conn {
	return &conn{address: address, format: kmsg.NewRequestFormatter(kmsg.FormatterClientID("raw"))}
}

func (c *conn) close() {
	if c.c != nil {
		c.c.Close()
		c.c = nil
	}
}

// ask sends a request in a version and returns the answer, or why there is none, in
// words that do not depend on the node.
func (c *conn) ask(req kmsg.Request, version int16) (kmsg.Response, error) {
	if c.c == nil {
		var err error
		if c.c, err = net.DialTimeout("tcp", c.address, patience); err != nil {
			return nil, err
		}
	}
	req.SetVersion(version)
	resp, err := c.exchange(req)
	if err != nil {
		c.close()
	}
	return resp, err
}

func (c *conn) exchange(req kmsg.Request) (kmsg.Response, error) {
	c.next++
	c.c.SetDeadline(time.Now().Add(patience))
	if _, err := c.c.Write(c.format.AppendRequest(nil, req, c.next)); err != nil {
		return nil, errors.New("closed")
	}
	if p, ok := req.(*kmsg.ProduceRequest); ok && p.Acks == 0 {
		return nil, errors.New("no answer is due")
	}
	var head [4]byte
	if _, err := io.ReadFull(c.c, head[:]); err != nil {
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			return nil, errors.New("no answer")
		}
		return nil, errors.New("closed")
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(c.c, body); err != nil || len(body) < 4 {
		return nil, errors.New("cut")
	}
	if got := int32(binary.BigEndian.Uint32(body)); got != c.next {
		return nil, fmt.Errorf("correlation id is %d, want %d", got, c.next)
	}
	body = body[4:]
	resp := req.ResponseKind()
	if resp.IsFlexible() && req.Key() != 18 {
		if len(body) == 0 || body[0] != 0 {
			return nil, errors.New("the header has tags")
		}
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("the answer cannot be read: %w", err)
	}
	return resp, nil
}

// versions asks which versions of which requests the node serves.
func (c *conn) versions() (map[int16][2]int16, error) {
	resp, err := c.ask(kmsg.NewPtrApiVersionsRequest(), 0)
	if err != nil {
		return nil, fmt.Errorf("api versions: %w", err)
	}
	list := make(map[int16][2]int16)
	for _, k := range resp.(*kmsg.ApiVersionsResponse).ApiKeys {
		list[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
	}
	return list, nil
}
