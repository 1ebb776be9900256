package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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

func TestAnswersComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, &Server{Limits: Limits{MaxPending: 5}, Handler: handlerFunc(func(c *Conn, r *Request) Pending {
			id := r.CorrelationID
			switch id % 4 {
			case 0:
				return echo(c, r)
			case 1: // the earlier, the longer it waits
				return func(ctx context.Context) (Reply, error) {
					return text(*r.ClientID), sleep(ctx, time.Duration(1000-id)*time.Millisecond)
				}
			case 2:
				return nil
			}
			r.WillWait = func() bool { return false }
			return func(context.Context) (Reply, error) { return text(*r.ClientID), nil }
		})})
		defer b.stop()
		c := b.dial()
		defer c.Close()
		go func() {
			var all []byte
			for id := range int32(400) {
				all = append(all, frame(id, fmt.Sprint("client ", id), int(id)*7%3000)...)
			}
			c.Write(all)
		}()
		for id := range int32(400) {
			if id%4 != 2 {
				wantAnswer(t, c, id, fmt.Sprint("client ", id))
			}
		}
	})
}

func TestFramesMayComeByteByByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, &Server{Handler: handlerFunc(echo)})
		defer b.stop()
		c := b.dial()
		defer c.Close()
		go func() {
			for _, x := range append(frame(1, "one", 10), frame(2, "two", 10)...) {
				time.Sleep(100 * time.Millisecond)
				c.Write([]byte{x})
			}
		}()
		wantAnswer(t, c, 1, "one")
		wantAnswer(t, c, 2, "two")
	})
}

// Frames larger than a chunk are read whole, whatever comes before and after.
func TestLargeFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, &Server{Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
			req := kmsg.NewPtrSyncGroupRequest()
			if err := req.ReadFrom(r.Body); err != nil {
				return func(context.Context) (Reply, error) { return nil, err }
			}
			return r.Ready(text(string(req.GroupAssignment[0].MemberAssignment)))
		})})
		defer b.stop()
		c := b.dial()
		defer c.Close()
		sizes := []int{10, 4000, 4096, 65490, 65536, 65537, 300_000, 5, 1_000_000, 4_000_000, 1_000_000, 1}
		payload := func(n int) []byte {
			p := make([]byte, n)
			for i := range p {
				p[i] = byte(i*i + n)
			}
			return p
		}
		go func() {
			for id, n := range sizes {
				req := kmsg.NewPtrSyncGroupRequest()
				req.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberAssignment: payload(n)}}
				c.Write(framed(req, int32(id), "x"))
			}
		}()
		for id, n := range sizes {
			wantAnswer(t, c, int32(id), string(payload(n)))
		}
	})
}

func TestBadFramesCloseTheirConnectionOnly(t *testing.T) {
	garbage := bytes.Repeat([]byte{0xCA, 0xFE}, 40)
	for _, c := range []struct {
		name  string
		bytes []byte
		half  bool // close the sending side: the frame is truncated
		log   string
	}{
		{"negative size", []byte{0xff, 0xff, 0xff, 0xff}, false, "frame of -1 bytes"},
		{"giant size", []byte{0x7f, 0xff, 0xff, 0xff}, false, "frame of 2147483647 bytes"},
		{"size zero", []byte{0, 0, 0, 0}, false, "truncated"},
		{"header cut short", []byte{0, 0, 0, 3, 0, 18, 0}, false, "truncated"},
		{"client id longer than the frame", []byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 0, 0x7f, 0xff}, false, "truncated"},
		{"client id of length -2", []byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 0, 0xff, 0xfe}, false, "client id has length -2"},
		{"garbage", append([]byte{0, 0, 0, 80}, garbage...), false, "unknown request key"},
		{"unknown key", []byte{0, 0, 0, 10, 0x03, 0xe8, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, false, "unknown request key 1000"},
		{"unknown version", []byte{0, 0, 0, 11, 0, 12, 0, 99, 0, 0, 0, 0, 0xff, 0xff, 0}, false, "version 99"},
		{"body against its schema", []byte{0, 0, 0, 10, 0, 12, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, false, "Heartbeat v0"},
		{"truncated", frame(1, "x", 50)[:40], true, "ended within a frame"},
		{"truncated, large", append([]byte{0, 1, 0x86, 0xa0}, garbage...), true, "ended within a frame"},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), false, "frame of 1195725856 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, &Server{Handler: handlerFunc(echo)})
				bystander, bad := b.dial(), b.dial()
				bystander.Write(frame(1, "before", 0))
				wantAnswer(t, bystander, 1, "before")
				bad.Write(c.bytes)
				if c.half {
					bad.(interface{ CloseWrite() error }).CloseWrite()
				}
				wantClosed(t, bad)
				bystander.Write(frame(2, "after", 0))
				wantAnswer(t, bystander, 2, "after")
				bystander.Close()
				b.stop()
				if n := strings.Count(b.logs.String(), "\n"); n != 1 || !strings.Contains(b.logs.String(), c.log) {
					t.Errorf("want one line with %q, got %d:\n%s", c.log, n, b.logs)
				}
			})
		})
	}
}

// An ApiVersions of a version from the future reaches the Handler without body, and
// is answered in version 0.
func TestFutureApiVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, &Server{Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
			if r.Version != 99 || len(r.Body) > 0 || *r.ClientID != "me" {
				t.Errorf("header %+v, body %x", r.Header, r.Body)
			}
			resp := kmsg.NewPtrApiVersionsResponse()
			resp.ErrorCode = 35
			return r.Ready(Message(resp))
		})})
		defer b.stop()
		c := b.dial()
		defer c.Close()
		c.Write([]byte{0, 0, 0, 16, 0, 18, 0, 99, 0, 0, 0, 7, 0, 2, 'm', 'e', 0, 1, 2, 3})
		wantAnswer(t, c, 7, "\x00\x23\x00\x00\x00\x00")
	})
}

func TestPanicClosesItsConnectionOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, &Server{Handler: handlerFunc(func(c *Conn, r *Request) Pending {
			switch *r.ClientID {
			case "serve":
				panic("in Serve")
			case "pending":
				return func(context.Context) (Reply, error) { panic("in Pending") }
			case "encode":
				return r.Ready(Append(func([]byte) []byte { panic("in Append") }))
			case "encode later":
				return func(context.Context) (Reply, error) {
					return Append(func([]byte) []byte { panic("in late Append") }), nil
				}
			}
			return echo(c, r)
		})})
		bystander := b.dial()
		for i, what := range []string{"serve", "pending", "encode", "encode later"} {
			c := b.dial()
			c.Write(frame(1, what, 0))
			wantClosed(t, c)
			bystander.Write(frame(int32(i), "fine", 0))
			wantAnswer(t, bystander, int32(i), "fine")
		}
		if n := b.srv.Panics(); n != 4 {
			t.Errorf("%d panics counted", n)
		}
		bystander.Close()
		b.stop()
		for _, s := range []string{"in Serve", "in Pending", "in Append", "in late Append", "server_test.go"} {
			if !strings.Contains(b.logs.String(), s) {
				t.Errorf("%q is not in the log:\n%s", s, b.logs)
			}
		}
	})
}

// Every Pending runs once, also after its connection has ended, so that it can let go
// of what Serve took hold of.
func TestPendingsRunAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran []error
		b := start(t, &Server{Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
			return func(ctx context.Context) (Reply, error) {
				<-ctx.Done()
				ran = append(ran, context.Cause(ctx))
				return nil, nil
			}
		})})
		c := b.dial()
		for id := range int32(10) {
			c.Write(frame(id, "x", 0))
		}
		synctest.Wait()
		c.Close()
		b.stop()
		if len(ran) != 10 {
			t.Errorf("%d of 10 have run", len(ran))
		}
	})
}

func TestPendingErrorClosesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, &Server{Handler: handlerFunc(func(*Conn, *Request) Pending {
			return func(context.Context) (Reply, error) { return nil, errors.New("it broke") }
		})})
		c := b.dial()
		c.Write(frame(1, "x", 0))
		wantClosed(t, c)
		b.stop()
		if !strings.Contains(b.logs.String(), "it broke") {
			t.Errorf("the reason is not in the log: %s", b.logs)
		}
	})
}

// What is ready leaves before a later request waits.
func TestReadyAnswersDoNotWaitForPendings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, &Server{Handler: handlerFunc(func(c *Conn, r *Request) Pending {
			if r.CorrelationID%2 == 0 {
				return echo(c, r)
			}
			return func(ctx context.Context) (Reply, error) { return text("late"), sleep(ctx, time.Hour) }
		})})
		defer b.stop()
		c := b.dial()
		defer c.Close()
		began := time.Now()
		c.Write(append(append(frame(0, "soon", 0), frame(1, "", 0)...), frame(2, "after", 0)...))
		wantAnswer(t, c, 0, "soon")
		if d := time.Since(began); d != 0 {
			t.Errorf("the first answer took %v", d)
		}
		wantAnswer(t, c, 1, "late")
		wantAnswer(t, c, 2, "after")
		if d := time.Since(began); d != time.Hour {
			t.Errorf("the last answer took %v", d)
		}
	})
}

// Requests are served while an earlier one waits, up to MaxPending.
func TestPipelineIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		served := 0
		release := make(chan struct{})
		b := start(t, &Server{Limits: Limits{MaxPending: 3}, Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
			served++
			return func(ctx context.Context) (Reply, error) {
				<-release
				return text("done"), nil
			}
		})})
		defer b.stop()
		c := b.dial()
		defer c.Close()
		for id := range int32(20) {
			c.Write(frame(id, "", 0))
		}
		synctest.Wait()
		if served != 5 { // one runs, three wait, one is served and waits for room
			t.Errorf("%d were served", served)
		}
		close(release)
		for id := range int32(20) {
			wantAnswer(t, c, id, "done")
		}
	})
}

func TestClientsThatDoNotReadAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, &Server{Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
			return r.Ready(text(strings.Repeat("x", 1<<20)))
		})})
		began := time.Now()
		slow, other := b.dial(), b.dial()
		slow.Write(frame(1, "", 0))
		synctest.Wait()
		other.Write(frame(1, "", 0))
		if _, body, err := answer(other); len(body) != 1<<20 || err != nil {
			t.Errorf("the other got %d bytes, %v", len(body), err)
		}
		other.Close()
		for b.srv.Conns() > 0 {
			time.Sleep(time.Second)
		}
		if d := time.Since(began); d > 11*time.Minute {
			t.Errorf("it took %v", d)
		}
		b.stop()
		slow.Close()
	})
}

func TestIdleConnectionsAreClosedBusyOnesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, &Server{Limits: Limits{MaxIdle: time.Minute}, Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
			return func(ctx context.Context) (Reply, error) { return text("at last"), sleep(ctx, time.Hour) }
		})})
		defer b.stop()
		idle, busy := b.dial(), b.dial()
		busy.Write(frame(1, "", 0))
		began := time.Now()
		wantClosed(t, idle)
		if d := time.Since(began); d != time.Minute {
			t.Errorf("the idle one was closed after %v", d)
		}
		wantAnswer(t, busy, 1, "at last")
		busy.Close()
		idle.Close()
	})
}

func TestStalledFramesAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, &Server{Handler: handlerFunc(echo)})
		defer b.stop()
		for _, n := range []int{2, 6, 30} {
			c := b.dial()
			c.Write(frame(1, "x", 50)[:n])
			began := time.Now()
			wantClosed(t, c)
			if d := time.Since(began); d < 30*time.Second || d > 61*time.Second {
				t.Errorf("%d bytes: closed after %v", n, d)
			}
			c.Close()
		}
		drip := b.dial()
		began := time.Now()
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() {
			head := []byte{0, 0x10, 0, 0}
			drip.Write(head)
			for {
				if _, err := drip.Write([]byte{1}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		wantClosed(t, drip)
		if d := time.Since(began); d > time.Minute {
			t.Errorf("a frame of a byte a second was closed after %v", d)
		}
		drip.Close()
	})
}

func TestBeforeAuthentication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, &Server{
			Preauth: func(listener string) bool { return listener == "PLAINTEXT" },
			Handler: handlerFunc(func(c *Conn, r *Request) Pending {
				if r.Key == keySaslAuthenticate {
					c.Authenticate("User:alice")
				}
				return r.Ready(text(c.Principal()))
			}),
		})
		defer b.stop()
		early := b.dial()
		early.Write(frame(1, "x", 0))
		wantClosed(t, early)
		big := b.dial()
		big.Write([]byte{0, 1, 0, 1})
		wantClosed(t, big)
		silent := b.dial()
		began := time.Now()
		wantClosed(t, silent)
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("closed after %v", d)
		}
		good := b.dial()
		good.Write(framed(kmsg.NewPtrSASLHandshakeRequest(), 1, "x"))
		wantAnswer(t, good, 1, "User:ANONYMOUS")
		good.Write(framed(kmsg.NewPtrSASLAuthenticateRequest(), 2, "x"))
		wantAnswer(t, good, 2, "User:alice")
		good.Write(frame(3, "x", 0))
		wantAnswer(t, good, 3, "User:alice")
		good.Close()
	})
}

func TestConnectionLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, &Server{
			Limits:  Limits{MaxConns: 5, MaxConnsPerIP: 3, ConnsPerIP: map[string]int{"big": 4}},
			Handler: handlerFunc(echo),
		})
		defer b.stop()
		dial := func(host string) net.Conn {
			c, err := b.net.Host(host).Dial(t.Context(), "tcp", "s:1")
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return c
		}
		a := []net.Conn{dial("a"), dial("a"), dial("a")}
		wantClosed(t, dial("a"))
		big := []net.Conn{dial("big"), dial("big")}
		waits := dial("big")
		waits.Write(frame(1, "in", 0))
		synctest.Wait()
		if n := b.srv.Conns(); n != 5 {
			t.Errorf("%d connections", n)
		}
		a[0].Close()
		wantAnswer(t, waits, 1, "in")
		for _, c := range append(append(a[1:], big...), waits) {
			c.Close()
		}
	})
}

func TestThrottleMutesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, &Server{Handler: handlerFunc(func(c *Conn, r *Request) Pending {
			if r.CorrelationID == 1 {
				r.Throttle(time.Minute)
			}
			return echo(c, r)
		})})
		defer b.stop()
		c := b.dial()
		defer c.Close()
		began := time.Now()
		c.Write(append(frame(1, "one", 0), frame(2, "two", 0)...))
		wantAnswer(t, c, 1, "one")
		if d := time.Since(began); d != 0 {
			t.Errorf("the throttled answer took %v", d)
		}
		wantAnswer(t, c, 2, "two")
		if d := time.Since(began); d != time.Minute {
			t.Errorf("the next answer took %v", d)
		}
	})
}

func TestConnectionStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, &Server{Handler: handlerFunc(echo)})
		defer b.stop()
		var wg sync.WaitGroup
		for i := range 300 {
			wg.Go(func() {
				c := b.dial()
				defer c.Close()
				rd := bufio.NewReader(c)
				for id := range int32(5) {
					c.Write(frame(id, fmt.Sprint(i), i))
					wantAnswer(t, rd, id, fmt.Sprint(i))
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if n := b.srv.Conns(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

func TestShutdownEndsLongPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, &Server{Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
			return func(ctx context.Context) (Reply, error) { return text(""), sleep(ctx, time.Hour) }
		})})
		c := b.dial()
		c.Write(frame(1, "x", 0))
		synctest.Wait()
		began := time.Now()
		b.stop()
		if d := time.Since(began); d != 0 {
			t.Errorf("it took %v", d)
		}
		wantClosed(t, c)
		c.Close()
	})
}
