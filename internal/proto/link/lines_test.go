package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/memnet"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// dialed keeps the connections that a node has dialed, so that a test can cut them.
type dialed struct {
	mu    sync.Mutex
	conns []net.Conn
	count int
}

func (d *dialed) keep(n *node, c *Config) {
	dial := c.Dial
	c.Dial = func(ctx context.Context, address string) (net.Conn, error) {
		nc, err := dial(ctx, address)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.count++
		if err == nil {
			d.conns = append(d.conns, nc)
		}
		return nc, err
	}
}

// cut resets every connection: what is in flight is lost, the processes live.
func (d *dialed) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, nc := range d.conns {
		nc.(interface{ Reset() }).Reset()
	}
	d.conns = nil
}

// A line that is cut is up again at once, and nobody is thought dead for it.
func TestCutIsNoDeath(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem, wires := memnet.New(0), &dialed{}
		a, b := start(t, mem, 1, wires.keep), start(t, mem, 2)
		a.knows(2)
		synctest.Wait()
		began := time.Now()
		for range 5 {
			wires.cut()
			synctest.Wait()
			if _, err := a.link.Call(t.Context(), 2, kindEcho, nil); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
		}
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("five cuts took %v", took)
		}
		if gone := seen(a, &a.gone); len(gone) > 0 {
			t.Errorf("gone: %v", gone)
		}
		if lost := seen(b, &b.lost); !slices.Equal(lost, []int32{1, 1, 1, 1, 1}) {
			t.Errorf("lost: %v", lost)
		}
		a.stop()
		b.stop()
	})
}

// A process that was replaced before anybody noticed is told of, too.
func TestReplacedAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem, wires := memnet.New(0), &dialed{}
		a, b := start(t, mem, 1, wires.keep), start(t, mem, 2)
		a.knows(2)
		synctest.Wait()
		b.life = 9
		wires.cut()
		if gone := seen(a, &a.gone); !slices.Equal(gone, []int32{2}) {
			t.Errorf("gone: %v", gone)
		}
		a.stop()
		b.stop()
	})
}

// mute is a process that accepts connections, says hello once and then nothing, as one
// that is stopped.
func mute(t *testing.T, mem *memnet.Network, id int32) (stop func()) {
	ln, err := mem.Listen("tcp", address(id))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for first := true; ; first = false {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			defer nc.Close()
			if first {
				h := Hello{Node: id, Incarnation: model.ID{1}}
				if _, err := nc.Write(appendOpening(nil, h, 0)); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	return func() { ln.Close(); <-ended }
}

// A process that is silent is never thought dead; its line ends after a while, and what
// waits for it is told. It holds up nobody else.
func TestSilenceIsNoDeath(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem := memnet.New(0)
		a, b := start(t, mem, 1, func(_ *node, c *Config) { c.MaxQueue = 1 << 20 }), start(t, mem, 2)
		stop := mute(t, mem, 3)
		a.knows(2, 3)
		synctest.Wait()
		began := time.Now()
		asked := make(chan error, 1)
		go func() {
			_, err := a.link.Call(t.Context(), 3, kindEcho, []byte("are you there?"))
			asked <- err
		}()
		synctest.Wait()
		most := 0
		for a.link.Send(3, 1, make([]byte, 100<<10)) {
			if most++; most > 100 {
				t.Fatal("what waits for a silent node grows without end")
			}
		}
		if _, err := a.link.Call(t.Context(), 2, kindEcho, make([]byte, 2<<20)); err != nil {
			t.Errorf("the other node: %v", err)
		}
		if !a.link.Send(2, 1, []byte("x")) {
			t.Error("a message for the other node is dropped")
		}
		if err := <-asked; !errors.Is(err, ErrLost) {
			t.Errorf("the call: %v", err)
		}
		if took := time.Since(began); took != 6*time.Second {
			t.Errorf("the line ended after %v", took)
		}
		time.Sleep(time.Minute)
		if gone := seen(a, &a.gone); len(gone) > 0 {
			t.Errorf("gone: %v", gone)
		}
		if a.link.Send(3, 1, []byte("x")) {
			t.Error("a message waits for a node that says nothing")
		}
		a.stop()
		b.stop()
		stop()
	})
}

// A line over which nothing is said stays up.
func TestIdleLineStays(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem, wires := memnet.New(0), &dialed{}
		a, b := start(t, mem, 1, wires.keep), start(t, mem, 2)
		a.knows(2)
		time.Sleep(time.Hour)
		if synctest.Wait(); wires.count != 1 {
			t.Errorf("%d connections", wires.count)
		}
		if _, err := a.link.Call(t.Context(), 2, kindEcho, nil); err != nil {
			t.Error(err)
		}
		a.stop()
		b.stop()
	})
}

// A node that does not answer is dialed again and again, but not in a hurry.
func TestBackoff(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem, wires := memnet.New(0), &dialed{}
		a := start(t, mem, 1, wires.keep)
		a.knows(2)
		time.Sleep(time.Minute)
		if synctest.Wait(); wires.count < 120 || wires.count > 170 {
			t.Errorf("%d attempts in a minute", wires.count)
		}
		if gone := seen(a, &a.gone); len(gone) > 0 {
			t.Errorf("a node that was never there is gone: %v", gone)
		}
		a.stop()
	})
}

// While 16 MiB are on their way, small messages pass, those of the same kind wait, and
// calls that follow are answered.
func TestLargePayloadsHoldUpNobody(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem := memnet.New(0)
		var order []string
		a := start(t, mem, 1)
		b := start(t, mem, 2, func(n *node, c *Config) {
			c.Handle = func(_ context.Context, _ Hello, _ uint8, payload []byte) ([]byte, error) {
				n.note(&order, "call")
				return payload, nil
			}
			c.Receive = func(_ Hello, kind uint8, payload []byte) {
				n.note(&order, strings.Repeat("x", min(len(payload), 2))+string('0'+rune(kind)))
			}
		})
		a.knows(2)
		synctest.Wait()
		large := make([]byte, 16<<20)
		answered := make(chan error, 1)
		go func() {
			answer, err := a.link.Call(t.Context(), 2, kindEcho, large)
			if err == nil && len(answer) != len(large) {
				err = io.ErrUnexpectedEOF
			}
			answered <- err
		}()
		a.link.Send(2, 4, large[:5<<20])
		a.link.Send(2, 4, large[:1])
		a.link.Send(2, 5, large[:1])
		if _, err := a.link.Call(t.Context(), 2, kindEcho, nil); err != nil {
			t.Error(err)
		}
		b.mu.Lock()
		first := slices.Clone(order)
		b.mu.Unlock()
		if !slices.Contains(first, "call") || slices.Contains(first, "xx4") {
			t.Errorf("before the small call was answered: %q", first)
		}
		if err := <-answered; err != nil {
			t.Error(err)
		}
		got := seen(b, &order)
		if want := []string{"x5", "call", "xx4", "x4", "call"}; !slices.Equal(got, want) {
			t.Errorf("came in the order %q, not %q", got, want)
		}
		a.stop()
		b.stop()
	})
}

// Who gives up a call frees the other side of it, even when only a part was sent.
func TestCancel(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem := memnet.New(0)
		ended := make(chan error, 1)
		a := start(t, mem, 1)
		b := start(t, mem, 2, func(_ *node, c *Config) {
			c.Handle = func(ctx context.Context, _ Hello, _ uint8, payload []byte) ([]byte, error) {
				<-ctx.Done()
				ended <- ctx.Err()
				return nil, ctx.Err()
			}
		})
		a.knows(2)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.link.Call(ctx, 2, kindEcho, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 {
			if _, err := a.link.Call(gone, 2, kindEcho, make([]byte, 1<<20)); err == nil {
				t.Error("an answer to a call that was given up")
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		b.link.mu.Lock()
		for n := range b.link.accepted {
			if len(n.box.parts) > 0 || n.box.held > 0 || len(n.calls.cancels) > 0 {
				t.Errorf("%d bytes and %d calls are kept", n.box.held, len(n.calls.cancels))
			}
		}
		b.link.mu.Unlock()
		a.stop()
		b.stop()
	})
}

// A node that is not welcome hears why, whichever side finds out, and a node that was
// welcome, too, when that has changed.
func TestRefused(t *testing.T) {
	why := model.Explain(kerr.InconsistentClusterID, "another cluster: go there")
	for _, side := range []string{"who accepts", "who dials", "later"} {
		bubble.Test(t, func(t *testing.T) {
			mem := memnet.New(0)
			a, b := start(t, mem, 1), start(t, mem, 2)
			refuser, refused := b, a
			if side == "who dials" {
				refuser, refused = a, b
			}
			refuse := func() {
				refuser.mu.Lock()
				defer refuser.mu.Unlock()
				refuser.check = func(Hello) error { return why }
			}
			if side == "later" {
				a.knows(2)
				synctest.Wait()
				refuse()
				b.link.Greet()
			} else {
				refuse()
				a.knows(2)
			}
			time.Sleep(100 * time.Millisecond)
			wrong := seen(refused, &refused.wrong)
			if len(wrong) == 0 || !errors.Is(wrong[0], kerr.InconsistentClusterID) || wrong[0].Error() != why.Error() {
				t.Errorf("%s: %v", side, wrong)
			}
			if _, err := a.link.Call(t.Context(), 2, kindEcho, nil); !errors.Is(err, ErrDown) {
				t.Errorf("%s: a call passes: %v", side, err)
			}
			a.stop()
			b.stop()
		})
	}
}

// Whoever answers at an address says who it is, and whom else it knows.
func TestHello(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem := memnet.New(0)
		a := start(t, mem, 1)
		b := start(t, mem, 2, func(_ *node, c *Config) {
			c.Self = func() Hello {
				return Hello{
					ClusterID: "c", Node: 2, Directory: model.ID{7}, Incarnation: model.ID{8}, Release: "1.2", Leader: -1,
					Term: 5, Offset: 1 << 40, Voters: []Peer{{1, "a:1"}, {2, "b:2"}},
				}
			}
		})
		h, err := a.link.Hello(t.Context(), address(2))
		if err != nil || h.Offset != 1<<40 || h.Leader != -1 || h.Release != "1.2" || h.Directory != (model.ID{7}) ||
			!slices.Equal(h.Voters, []Peer{{1, "a:1"}, {2, "b:2"}}) {
			t.Errorf("%+v, %v", h, err)
		}
		if lost := seen(b, &b.lost); len(lost) > 0 {
			t.Errorf("a question is taken for a line: %v", lost)
		}
		if _, err := a.link.Hello(t.Context(), address(3)); err == nil {
			t.Error("nobody answers as somebody")
		}
		a.stop()
		b.stop()
	})
}

// A flipped bit ends the line, not the node.
func TestBitFlip(t *testing.T) {
	frame := appendFrame(nil, frameMessage, 3, 0, 9, []byte("payload"))
	for i := range len(frame) * 8 {
		b := bytes.Clone(frame)
		b[i/8] ^= 1 << (i % 8)
		f := newFrames(&patient{Conn: reads{bytes.NewReader(b)}})
		_, payload, err := f.next(func(head) ([]byte, error) { return nil, nil })
		if err == nil {
			t.Fatalf("bit %d: %q", i, payload)
		}
	}
}

// reads is a connection that only reads.
type reads struct{ io.Reader }

func (reads) Write(b []byte) (int, error)      { return len(b), nil }
func (reads) Close() error                     { return nil }
func (reads) LocalAddr() net.Addr              { return memnet.Addr("a:1") }
func (reads) RemoteAddr() net.Addr             { return memnet.Addr("b:1") }
func (reads) SetDeadline(time.Time) error      { return nil }
func (reads) SetReadDeadline(time.Time) error  { return nil }
func (reads) SetWriteDeadline(time.Time) error { return nil }
