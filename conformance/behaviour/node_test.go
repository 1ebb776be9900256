package behaviour

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/server"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// node is a whole node inside a bubble, and the network to meet it on.
type node struct {
	t    *testing.T
	net  *server.Network
	addr string
}

type props = map[string]string

// onNode runs f with a node that has the given settings. Groups do not wait for others
// to come unless the settings say so.
func onNode(t *testing.T, settings props, f func(n *node)) {
	t.Helper()
	t.Parallel()
	onNodeAgain(t, settings, f)
}

// onNodeAgain is onNode for a second node of a test.
func onNodeAgain(t *testing.T, settings props, f func(n *node)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		all := props{"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "3"}
		maps.Copy(all, settings)
		network := server.NewNetwork()
		s, err := server.Start(t.Context(), server.Config{Address: "node:9092", Listen: network.Listen, Properties: all})
		if err != nil {
			t.Fatal(err)
		}
		n := &node{t: t, net: network, addr: s.Addr()}
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		f(n)
	})
}

// conn is a connection that sends any version of any request, and frames that are none.
type conn struct {
	t        *testing.T
	nc       net.Conn
	clientID string
	last     int32 // correlation id
}

func (n *node) dial() *conn { return n.dialAs("behaviour") }

func (n *node) dialAs(clientID string) *conn {
	n.t.Helper()
	nc, err := n.net.Dial(context.Background(), "tcp", n.addr)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { nc.Close() })
	return &conn{t: n.t, nc: nc, clientID: clientID}
}

// send writes a request and returns its correlation id.
func (c *conn) send(version int16, req kmsg.Request) int32 {
	c.t.Helper()
	req.SetVersion(version)
	c.last++
	f := kmsg.NewRequestFormatter(kmsg.FormatterClientID(c.clientID))
	c.write(f.AppendRequest(nil, req, c.last))
	return c.last
}

func (c *conn) write(b []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// frame reads the next answer, header and all.
func (c *conn) frame() ([]byte, error) {
	c.nc.SetReadDeadline(time.Now().Add(10 * time.Minute))
	var size [4]byte
	if _, err := io.ReadFull(c.nc, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(c.nc, b)
	return b, err
}

// receive reads the answer to req, which must be the next.
func (c *conn) receive(id int32, req kmsg.Request) kmsg.Response {
	c.t.Helper()
	b, err := c.frame()
	if err != nil {
		c.t.Fatalf("read the answer to %s: %v", kmsg.NameForKey(req.Key()), err)
	}
	if got := int32(binary.BigEndian.Uint32(b)); got != id {
		c.t.Fatalf("answer to request %d, want that to %d", got, id)
	}
	resp := req.ResponseKind()
	b = b[4:]
	if resp.IsFlexible() && req.Key() != 18 {
		if b[0] != 0 {
			c.t.Fatalf("response header has %d tags", b[0])
		}
		b = b[1:]
	}
	if err := resp.ReadFrom(b); err != nil {
		c.t.Fatalf("%s version %d: %v", kmsg.NameForKey(req.Key()), req.GetVersion(), err)
	}
	return resp
}

// closed fails the test unless the node has ended the connection, without a word.
func (c *conn) closed() {
	c.t.Helper()
	b, err := c.frame()
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Errorf("connection is open: %d bytes, %v", len(b), err)
	}
}

// ask sends a request and returns the answer.
func ask[R kmsg.Response](c *conn, version int16, req kmsg.Request) R {
	c.t.Helper()
	return c.receive(c.send(version, req), req).(R)
}

// expect fails the test unless an error code is the one of want, nil for none.
func expect(t *testing.T, what string, got int16, want error) {
	t.Helper()
	if err := kerr.ErrorForCode(got); !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// same fails the test unless got is want.
func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func ptr[T any](v T) *T { return &v }

func itoa(n int) string { return strconv.Itoa(n) }
