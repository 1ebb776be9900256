package lan

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
)

var a, b = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")

// wire is a machine's end of a switch: what it sends, and what it gets, with the times.
type wire struct {
	out  chan []byte
	got  []string
	when []time.Duration
	born time.Time
	gone chan struct{}
}

func newWire() *wire {
	return &wire{out: make(chan []byte), born: time.Now(), gone: make(chan struct{})}
}

func (w *wire) Read(p []byte) (int, error) {
	select {
	case packet := <-w.out:
		return copy(p, packet), nil
	case <-w.gone:
		return 0, io.EOF
	}
}

func (w *wire) Write(p []byte) (int, error) {
	w.got = append(w.got, string(p[24:]))
	w.when = append(w.when, time.Since(w.born))
	return len(p), nil
}

func (w *wire) Close() error { close(w.gone); return nil }

// packet is as much of IPv4 and TCP as a switch looks at.
func packet(from, to netip.Addr, port uint16, text string) []byte {
	p := make([]byte, 24, 24+len(text))
	p[0], p[9] = 0x45, 6
	copy(p[12:], from.AsSlice())
	copy(p[16:], to.AsSlice())
	p[22], p[23] = byte(port>>8), byte(port)
	return append(p, text...)
}

// between runs a test on a switch with two machines.
func between(t *testing.T, seed uint64, f func(s *Switch, wa, wb *wire)) {
	bubble.Test(t, func(t *testing.T) {
		s, wa, wb := NewSwitch(seed), newWire(), newWire()
		s.Plug(a, wa)
		s.Plug(b, wb)
		s.Start()
		f(s, wa, wb)
		s.Close()
	})
}

func want(t *testing.T, w *wire, texts ...string) {
	t.Helper()
	synctest.Wait()
	if !slices.Equal(w.got, texts) {
		t.Errorf("%q arrived; %q should have", w.got, texts)
	}
}

func TestCarries(t *testing.T) {
	between(t, 1, func(s *Switch, wa, wb *wire) {
		wa.out <- packet(a, b, 1, "to b")
		wb.out <- packet(b, a, 1, "to a")
		wa.out <- packet(a, netip.MustParseAddr("10.0.0.9"), 1, "to nobody")
		wa.out <- []byte{0x60, 1, 2} // IPv6, and torn
		want(t, wb, "to b")
		want(t, wa, "to a")
		if wb.when[0] != 0 {
			t.Errorf("a link that nothing was asked of takes %v", wb.when[0])
		}
	})
}

func TestCutsOneWay(t *testing.T) {
	between(t, 1, func(s *Switch, wa, wb *wire) {
		s.Set(a, b, Link{Cut: true})
		wa.out <- packet(a, b, 1, "lost")
		wb.out <- packet(b, a, 1, "heard")
		want(t, wa, "heard")
		want(t, wb)
		if got := s.Traffic(a, b); got != (Traffic{Dropped: 1}) {
			t.Errorf("the traffic of a cut link is %+v", got)
		}
		s.Heal()
		wa.out <- packet(a, b, 1, "healed")
		want(t, wb, "healed")
	})
}

func TestCutsPorts(t *testing.T) {
	between(t, 1, func(s *Switch, wa, wb *wire) {
		s.Set(a, b, Link{Cut: true, Ports: []uint16{9093}})
		wa.out <- packet(a, b, 9093, "to the voter")
		wa.out <- packet(a, b, 9092, "to the broker")
		want(t, wb, "to the broker")
	})
}

func TestDelays(t *testing.T) {
	between(t, 1, func(s *Switch, wa, wb *wire) {
		s.Set(a, b, Link{Delay: 50 * time.Millisecond})
		wa.out <- packet(a, b, 1, "first")
		time.Sleep(10 * time.Millisecond)
		wa.out <- packet(a, b, 1, "second")
		time.Sleep(time.Second)
		want(t, wb, "first", "second")
		if !slices.Equal(wb.when, []time.Duration{50 * time.Millisecond, 60 * time.Millisecond}) {
			t.Errorf("arrived after %v", wb.when)
		}
	})
}

// Packets that are held up for different times overtake one another; each arrives, no
// later than it may.
func TestJitter(t *testing.T) {
	between(t, 1, func(s *Switch, wa, wb *wire) {
		s.Set(a, b, Link{Delay: 5 * time.Millisecond, Jitter: 20 * time.Millisecond})
		var sent []string
		for i := range 100 {
			text := fmt.Sprintf("%03d", i)
			sent = append(sent, text)
			wa.out <- packet(a, b, 1, text)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if slices.IsSorted(wb.got) {
			t.Error("none overtook another")
		}
		first, last := slices.Min(wb.when), slices.Max(wb.when)
		if first < 5*time.Millisecond || last > 25*time.Millisecond {
			t.Errorf("arrived after %v to %v", first, last)
		}
		if slices.Sort(wb.got); !slices.Equal(wb.got, sent) {
			t.Errorf("%d of %d arrived", len(wb.got), len(sent))
		}
	})
}

// As many are lost as was asked for, and the same ones each time.
func TestLoss(t *testing.T) {
	lose := func(seed uint64) (got []string) {
		between(t, seed, func(s *Switch, wa, wb *wire) {
			s.Set(a, b, Link{Loss: 0.3})
			for i := range 1000 {
				wa.out <- packet(a, b, 1, fmt.Sprint(i))
			}
			synctest.Wait()
			got = wb.got
		})
		return got
	}
	one, again, other := lose(7), lose(7), lose(8)
	if len(one) < 650 || len(one) > 750 {
		t.Errorf("of 1,000 packets with a loss of 0.3, %d arrived", len(one))
	}
	if !slices.Equal(one, again) {
		t.Error("a seed loses other packets the second time")
	}
	if slices.Equal(one, other) {
		t.Error("two seeds lose the same packets")
	}
}

// What is held up is bounded: the rest is lost, and counted.
func TestHoldsSoMuch(t *testing.T) {
	between(t, 1, func(s *Switch, wa, wb *wire) {
		s.Set(a, b, Link{Delay: time.Hour})
		big := packet(a, b, 1, string(make([]byte, 60000)))
		for range maxHeld/len(big) + 10 {
			wa.out <- big
		}
		synctest.Wait()
		if got := s.Traffic(a, b); got.Dropped != 10 {
			t.Errorf("%d were lost", got.Dropped)
		}
	})
}
