package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAnswersComeInOrder(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
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
			bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
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

// Everything that has come is served before what must wait begins, so that it waits for all of it at
// once; unless a handler is to wait on the reader itself.
func TestAllIsServedBeforeAnythingWaits(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var served atomic.Int32
		b := start(t, &Server{Handler: handlerFunc(func(c *Conn, r *Request) Pending {
			served.Add(1)
			if *r.ClientID == "flush" {
				c.Flush()
				time.Sleep(time.Second)
			}
			return func(context.Context) (Reply, error) { return text(fmt.Sprint(served.Load())), nil }
		})})
		defer b.stop()
		c := b.dial()
		defer c.Close()
		c.Write(slices.Concat(frame(0, "", 0), frame(1, "", 0), frame(2, "", 0)))
		for id := range int32(3) {
			wantAnswer(t, c, id, "3")
		}
		c.Write(slices.Concat(frame(3, "", 0), frame(4, "flush", 0), frame(5, "", 0)))
		wantAnswer(t, c, 3, "5")
		wantAnswer(t, c, 4, "6")
		wantAnswer(t, c, 5, "6")
	})
}

// What waits runs, also if what came with it ends the connection.
func TestPendingsRunBesideABadFrame(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var ran atomic.Int32
		b := start(t, &Server{Handler: handlerFunc(func(*Conn, *Request) Pending {
			return func(context.Context) (Reply, error) { ran.Add(1); return text(""), nil }
		})})
		c := b.dial()
		c.Write(slices.Concat(frame(0, "", 0), frame(1, "", 0), []byte{0xff, 0xff, 0xff, 0xff}))
		wantClosed(t, c)
		b.stop()
		if n := ran.Load(); n != 2 {
			t.Errorf("%d of 2 have run", n)
		}
	})
}

// Requests are served while an earlier one waits, up to MaxPending.
func TestPipelineIsBounded(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
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

func TestConnectionStorm(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
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

// A body stays as it came until its request is answered, however much comes after it.
func TestBodiesStayUntilTheAnswer(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const requests = 100
		b := start(t, &Server{Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
			return func(ctx context.Context) (Reply, error) {
				err := sleep(ctx, time.Second)
				return text(string(r.Body)), err
			}
		})})
		defer b.stop()
		c := b.dial()
		defer c.Close()
		bodies := make([]string, requests)
		for i := range bodies {
			req := kmsg.NewPtrHeartbeatRequest()
			req.Group = strings.Repeat(fmt.Sprintf("%02d", i), 1+i*37%2000)
			bodies[i] = string(req.AppendTo(nil))
			go c.Write(framed(req, int32(i), ""))
			synctest.Wait()
		}
		for i, body := range bodies {
			wantAnswer(t, c, int32(i), body)
		}
	})
}
