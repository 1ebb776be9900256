package memnet

import (
	"bytes"
	"context"
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

// pairOf is a connection from host a to host b.
func pairOf(t *testing.T, n *Network) (near, far net.Conn) {
	t.Helper()
	ln, err := n.Listen("tcp", "b:1")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if near, err = n.Host("a").Dial(context.Background(), "tcp", "b:1"); err != nil {
		t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// What is delayed comes whole, in order, no earlier than it should, each write at an instant
// of its own; what was sent before the delay, and after it, keeps its place.
func TestDelay(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New(0)
		near, far := pairOf(t, n)
		began := time.Now()
		near.Write([]byte("0"))
		n.Delay("a", "b", time.Second, time.Second, rand.New(rand.NewPCG(1, 1)))
		for i := range 20 {
			near.Write([]byte{byte('a' + i)})
		}
		n.Delay("a", "b", 0, 0, nil)
		near.Write([]byte("!"))
		near.Close()
		var all []byte
		seen := map[time.Duration]bool{}
		for b := make([]byte, 1); ; {
			if _, err := far.Read(b); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			all = append(all, b[0])
			switch at := time.Since(began); {
			case len(all) == 1 && at != 0:
				t.Errorf("what was sent before the delay comes after %v", at)
			case len(all) > 1 && (at < time.Second || at >= 2*time.Second):
				t.Errorf("byte %d comes after %v", len(all), at)
			case len(all) > 1 && len(all) < 22:
				seen[at] = true
			}
		}
		if string(all) != "0abcdefghijklmnopqrst!" {
			t.Errorf("%q comes", all)
		}
		if len(seen) != 20 {
			t.Errorf("all comes at %d instants", len(seen))
		}
	})
}

// A delay holds one way only, and a deadline passes during it.
func TestDelayIsOneWay(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New(0)
		near, far := pairOf(t, n)
		n.Delay("a", "b", time.Hour, 1, rand.New(rand.NewPCG(1, 1)))
		near.Write([]byte("late"))
		far.Write([]byte("soon"))
		b := make([]byte, 10)
		began := time.Now()
		if got, err := near.Read(b); got != 4 || err != nil || time.Since(began) != 0 {
			t.Errorf("Read = %d, %v after %v", got, err, time.Since(began))
		}
		far.SetReadDeadline(time.Now().Add(time.Minute))
		if got, err := far.Read(b); got != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %d, %v before the bytes are there", got, err)
		}
		far.SetReadDeadline(time.Time{})
		if got, err := far.Read(b); got != 4 || err != nil || time.Since(began) != time.Hour {
			t.Errorf("Read = %d, %v after %v", got, err, time.Since(began))
		}
	})
}

// Who reads a chopped way gets everything, a few bytes at a time.
func TestChop(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New(0)
		near, far := pairOf(t, n)
		n.Chop("a", "b", 3, rand.New(rand.NewPCG(1, 1)))
		want := bytes.Repeat([]byte("abc"), 30)
		near.Write(want)
		near.Close()
		var all []byte
		for b := make([]byte, 100); ; {
			got, err := far.Read(b)
			if err == io.EOF {
				break
			}
			if err != nil || got > 3 {
				t.Fatalf("Read = %d, %v", got, err)
			}
			all = append(all, b[:got]...)
		}
		if !bytes.Equal(all, want) {
			t.Errorf("%q comes", all)
		}
	})
}

// A reset is told to both ends, and what was in flight is gone.
func TestReset(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New(0)
		near, far := pairOf(t, n)
		other, _ := connect(t, n)
		near.Write([]byte("lost"))
		if got := n.Reset("b", "a"); got != 1 {
			t.Errorf("%d connections were reset", got)
		}
		if _, err := far.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the far end reads %v", err)
		}
		if _, err := near.Write([]byte("x")); err == nil {
			t.Error("the near end writes")
		}
		if _, err := other.Write([]byte("x")); err != nil {
			t.Errorf("another connection: %v", err)
		}
	})
}

// A swallowed connection says nothing any more, not even that it was closed, until it is
// reset; a new one works.
func TestSwallow(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New(10)
		near, far := pairOf(t, n)
		near.Write([]byte("before"))
		if got := n.Swallow("a", "b"); got != 1 {
			t.Errorf("%d connections were swallowed", got)
		}
		if got, err := near.Write([]byte("1234")); got != 4 || err != nil {
			t.Errorf("Write = %d, %v within the window", got, err)
		}
		near.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := near.Write([]byte("beyond")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("beyond the window Write says %v", err)
		}
		far.Write([]byte("unread"))
		near.Close()
		far.SetReadDeadline(time.Now().Add(time.Minute))
		if got, err := far.Read(make([]byte, 10)); got != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the far end reads %d, %v", got, err)
		}
		far.SetReadDeadline(time.Time{})
		later, there := pairOf(t, n)
		later.Write([]byte("x"))
		if got, err := there.Read(make([]byte, 10)); got != 1 || err != nil {
			t.Errorf("on a new one Read = %d, %v", got, err)
		}
		far.(*conn).Reset()
		if _, err := far.Read(make([]byte, 10)); err == nil {
			t.Error("the far end does not hear of the reset")
		}
	})
}

// A host that is frozen from and to all others is reached by none, and later by all.
func TestFreezeAll(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New(0)
		near, far := pairOf(t, n)
		n.Freeze("a", "b", true) // is not healed by what follows
		n.Freeze("b", "", true)
		n.Freeze("", "b", true)
		near.Write([]byte("to b"))
		far.Write([]byte("to a"))
		heard := func(c net.Conn) bool {
			c.SetReadDeadline(time.Now().Add(time.Minute))
			_, err := c.Read(make([]byte, 10))
			return err == nil
		}
		if heard(near) || heard(far) {
			t.Error("something arrives")
		}
		n.Freeze("b", "", false)
		n.Freeze("", "b", false)
		if !heard(near) || heard(far) {
			t.Error("what was frozen by all is not let on, or more than that")
		}
	})
}
