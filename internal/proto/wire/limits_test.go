package wire

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestClientsThatDoNotReadAreClosed(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
		b := start(t, &Server{
			Limits:  Limits{MaxConns: 5, MaxConnsPerIP: 3, ConnsPerIP: map[string]int{"big": 4, "never": -1}},
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
		wantClosed(t, dial("never"))
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
	bubble.Test(t, func(t *testing.T) {
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

// Time that the server makes a client wait is not held against its half-sent frame.
func TestWaitingForTheServerIsNotStalling(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := start(t, &Server{Limits: Limits{MaxPending: 1}, Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
			return func(ctx context.Context) (Reply, error) { return text("ok"), sleep(ctx, 5*time.Minute) }
		})})
		defer b.stop()
		c := b.dial()
		defer c.Close()
		last := frame(3, "", 100)
		c.Write(append(append(append(frame(0, "", 0), frame(1, "", 0)...), frame(2, "", 0)...), last[:50]...))
		wantAnswer(t, c, 0, "ok")
		time.Sleep(time.Second)
		c.Write(last[50:])
		for id := range int32(3) {
			wantAnswer(t, c, id+1, "ok")
		}
	})
}
