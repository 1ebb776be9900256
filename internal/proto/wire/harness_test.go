package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/odradek/odradek/internal/proto/memnet"
)

// handlerFunc is a Handler.
type handlerFunc func(c *Conn, r *Request) Pending

func (f handlerFunc) Serve(c *Conn, r *Request) Pending { return f(c, r) }

// echo answers at once with the client id in a SaslHandshake's error-free shape: the
// tests look at order, not at meaning.
func echo(_ *Conn, r *Request) Pending { return r.Ready(text(*r.ClientID)) }

func text(s string) Reply {
	return Append(func(dst []byte) []byte { return append(dst, s...) })
}

// bench is a server on a network of its own.
type bench struct {
	t    *testing.T
	net  *memnet.Network
	srv  *Server
	stop func()
	logs *bytes.Buffer
}

func start(t *testing.T, srv *Server) *bench {
	t.Helper()
	b := &bench{t: t, net: memnet.New(0), srv: srv, logs: new(bytes.Buffer)}
	srv.Log = slog.New(slog.NewTextHandler(&lockedWriter{w: b.logs}, nil))
	ln, err := b.net.Listen("tcp", "s:1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln, "PLAINTEXT") }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if used := srv.Budget.Used(); used != 0 {
			t.Errorf("%d bytes of the budget are held after the end", used)
		}
	})
	return b
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func (b *bench) dial() net.Conn {
	b.t.Helper()
	c, err := b.net.Dial(context.Background(), "tcp", "s:1")
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// frame is a Heartbeat v0 whose client id is text and whose group id has extra bytes.
func frame(id int32, text string, extra int) []byte {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group = strings.Repeat("g", extra)
	return framed(req, id, text)
}

func framed(req kmsg.Request, id int32, clientID string) []byte {
	b := []byte{0, 0, 0, 0}
	b = binary.BigEndian.AppendUint16(b, uint16(req.Key()))
	b = binary.BigEndian.AppendUint16(b, uint16(req.GetVersion()))
	b = binary.BigEndian.AppendUint32(b, uint32(id))
	b = binary.BigEndian.AppendUint16(b, uint16(len(clientID)))
	b = append(b, clientID...)
	if req.IsFlexible() {
		b = append(b, 0)
	}
	b = req.AppendTo(b)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// answer reads one reply.
func answer(c io.Reader) (id int32, body string, err error) {
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return 0, "", err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:])-4)
	_, err = io.ReadFull(c, b)
	return int32(binary.BigEndian.Uint32(head[4:])), string(b), err
}

func wantAnswer(t *testing.T, c io.Reader, id int32, body string) {
	t.Helper()
	gotID, got, err := answer(c)
	if err != nil || gotID != id || got != body {
		t.Fatalf("answer %d %.40q (%d bytes), %v; want %d %.40q (%d bytes)", gotID, got, len(got), err, id, body, len(body))
	}
}

func wantClosed(t *testing.T, c io.Reader) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Fatalf("the connection is open: read %d, %v", n, err)
	}
}
