package memnet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
)

func TestBytesArriveInOrder(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		near, far := connect(t, New(1000))
		rng := rand.New(rand.NewPCG(1, 2))
		sent, got := sha256.New(), sha256.New()
		go func() {
			defer near.Close()
			for range 500 {
				b := make([]byte, rng.IntN(3000))
				for i := range b {
					b[i] = byte(rng.Uint32())
				}
				sent.Write(b)
				if n, err := near.Write(b); n != len(b) || err != nil {
					t.Errorf("Write = %d, %v, want %d", n, err, len(b))
				}
			}
		}()
		if _, err := io.CopyBuffer(struct{ io.Writer }{got}, struct{ io.Reader }{far}, make([]byte, 777)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(sent.Sum(nil), got.Sum(nil)) {
			t.Error("what was read is not what was written")
		}
		far.Close()
	})
}

func TestWriterWaitsForTheWindow(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		near, far := connect(t, New(100))
		near.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := near.Write(make([]byte, 250))
		if n != 100 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write = %d, %v, want 100 and a timeout", n, err)
		}
		near.SetWriteDeadline(time.Time{})
		done := make(chan error, 1)
		go func() { _, err := near.Write(make([]byte, 150)); done <- err }()
		if _, err := io.ReadFull(far, make([]byte, 250)); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		near.Close()
		far.Close()
	})
}

func TestDeadlinePassesAndMoves(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		near, far := connect(t, New(0))
		defer near.Close()
		defer far.Close()
		start := time.Now()
		near.SetReadDeadline(start.Add(time.Hour))
		go func() {
			time.Sleep(time.Minute)
			near.SetReadDeadline(start.Add(2 * time.Minute))
		}()
		_, err := near.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 2*time.Minute {
			t.Errorf("Read: %v after %v, want a timeout after 2m", err, time.Since(start))
		}
		near.SetReadDeadline(time.Time{})
		far.Write([]byte{7})
		if n, err := near.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("Read = %d, %v after the deadline was taken away", n, err)
		}
	})
}

func TestCloseEndsAfterTheBytesInFlight(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		near, far := connect(t, New(0))
		near.Write([]byte("last words"))
		near.Close()
		if b, err := io.ReadAll(far); string(b) != "last words" || err != nil {
			t.Errorf("read %q, %v", b, err)
		}
		if _, err := far.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write to a closed end: %v, want EPIPE", err)
		}
		if _, err := near.Read(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read after Close: %v, want net.ErrClosed", err)
		}
		far.Close()
	})
}

func TestHalfClosedStillReads(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		near, far := connect(t, New(0))
		near.(*conn).CloseWrite()
		if _, err := far.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("Read: %v, want EOF", err)
		}
		far.Write([]byte("answer"))
		far.Close()
		if b, err := io.ReadAll(near); string(b) != "answer" || err != nil {
			t.Errorf("read %q, %v", b, err)
		}
		near.Close()
	})
}

func TestUnreadBytesTurnCloseIntoReset(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		near, far := connect(t, New(0))
		near.Write([]byte("nobody reads this"))
		far.Close()
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("Read: %v, want ECONNRESET", err)
		}
		near.Close()
	})
}

func TestKillDropsBytesInFlight(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New(0)
		near, far := connect(t, n)
		far.Write([]byte("in flight"))
		n.Kill("server")
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("Read: %v, want an error and no bytes", err)
		}
		if _, err := n.Dial(t.Context(), "tcp", "server:9092"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial: %v, want ECONNREFUSED", err)
		}
	})
}

func TestAddresses(t *testing.T) {
	n := New(0)
	l, err := n.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Listen("tcp", l.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("second Listen: %v, want EADDRINUSE", err)
	}
	c, err := n.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil || far.RemoteAddr() != c.LocalAddr() || far.LocalAddr() != c.RemoteAddr() {
		t.Errorf("ends do not agree about their addresses: %v", err)
	}
	l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v, want net.ErrClosed", err)
	}
	if _, err := n.Listen("tcp", l.Addr().String()); err != nil {
		t.Errorf("Listen on a freed address: %v", err)
	}
	all, _ := n.Listen("tcp", ":700")
	if _, err := n.Host("a").Dial(t.Context(), "tcp", "b:700"); err != nil {
		t.Errorf("Dial of a listener on all hosts: %v", err)
	}
	all.Close()
}

func TestDialGivesUpWithItsContext(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New(0)
		l, _ := n.Listen("tcp", "s:1")
		defer l.Close()
		for range backlog {
			if _, err := n.Dial(t.Context(), "tcp", "s:1"); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Dial(ctx, "tcp", "s:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial with a full backlog: %v", err)
		}
	})
}

func connect(t *testing.T, n *Network) (near, far net.Conn) {
	t.Helper()
	l, err := n.Listen("tcp", "server:9092")
	if err != nil {
		t.Fatal(err)
	}
	if near, err = n.Host("client").Dial(t.Context(), "tcp", "server:9092"); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// A cut one way holds what is sent, the end included, and lets it arrive when it heals;
// the other way goes on.
func TestFreeze(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New(0)
		near, far := connect(t, n)
		n.Freeze("client", "server", true)
		if _, err := near.Write([]byte("held")); err != nil {
			t.Fatal(err)
		}
		if _, err := far.Write([]byte("back")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 8)
		if k, err := near.Read(buf); err != nil || string(buf[:k]) != "back" {
			t.Errorf("the other way: %q, %v", buf[:k], err)
		}
		near.Close()
		far.SetReadDeadline(time.Now().Add(time.Second))
		if k, err := far.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes came through: %v", k, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Host("client").Dial(ctx, "tcp", "server:9092"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial: %v", err)
		}
		n.Freeze("client", "server", false)
		far.SetReadDeadline(time.Time{})
		if k, err := far.Read(buf); err != nil || string(buf[:k]) != "held" {
			t.Errorf("healed: %q, %v", buf[:k], err)
		}
		if _, err := far.Read(buf); err != io.EOF {
			t.Errorf("the end: %v", err)
		}
		far.Close()
	})
}
