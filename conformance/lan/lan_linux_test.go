package lan

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newLAN(t testing.TB, machines int) *LAN {
	t.Helper()
	l, err := New(Config{Name: fmt.Sprintf("odl%d", os.Getpid()), Machines: machines, Seed: 1})
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	t.Cleanup(l.Close)
	return l
}

// inside calls f in a machine's namespace. Sockets that f makes belong there.
func inside(t testing.TB, l *LAN, machine int, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		done <- func() error {
			space, err := os.Open("/var/run/netns/" + l.spaces[machine])
			if err != nil {
				return err
			}
			defer space.Close()
			if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			return f()
		}()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// udp is a socket of a machine's, or of the outside.
func udp(t testing.TB, l *LAN, addr netip.Addr) (c *net.UDPConn) {
	t.Helper()
	listen := func() (err error) {
		c, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
		return err
	}
	if addr == l.Outside {
		if err := listen(); err != nil {
			t.Fatal(err)
		}
	}
	for i, h := range l.Hosts {
		if h == addr {
			inside(t, l, i, listen)
		}
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// say sends a word, and tells whether it was heard. That it is not is known only in time.
func say(t testing.TB, from, to *net.UDPConn, word string) bool {
	t.Helper()
	if _, err := from.WriteTo([]byte(word), to.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	_ = to.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	buf := make([]byte, 100)
	n, err := to.Read(buf)
	return err == nil && string(buf[:n]) == word
}

// Every machine hears every other and the outside; a cut is one way, between two, and
// nobody else notices.
func TestMachines(t *testing.T) {
	l := newLAN(t, 3)
	all := []*net.UDPConn{udp(t, l, l.Outside)}
	addrs := append([]netip.Addr{l.Outside}, l.Hosts...)
	for _, h := range l.Hosts {
		all = append(all, udp(t, l, h))
	}
	for _, cut := range [][2]int{{-1, -1}, {1, 2}, {2, 1}, {0, 3}, {3, 0}} {
		if cut[0] >= 0 {
			l.Cut(addrs[cut[0]], addrs[cut[1]])
		}
		for from := range all {
			for to := range all {
				if from == to {
					continue
				}
				word := fmt.Sprint(cut, from, to)
				if heard := say(t, all[from], all[to], word); heard == (cut == [2]int{from, to}) {
					t.Errorf("cut from %d to %d: what %d says, %d hears: %v", cut[0], cut[1], from, to, heard)
				}
			}
		}
		l.Heal()
	}
}

// A delay of a link is seen on the way there, and one of the other link on the way back.
func TestRoundTrip(t *testing.T) {
	l := newLAN(t, 2)
	x, y := udp(t, l, l.Hosts[0]), udp(t, l, l.Hosts[1])
	l.Set(l.Hosts[0], l.Hosts[1], Link{Delay: 50 * time.Millisecond})
	l.Set(l.Hosts[1], l.Hosts[0], Link{Delay: 70 * time.Millisecond})
	began := time.Now()
	if !say(t, x, y, "there") || !say(t, y, x, "and back") {
		t.Fatal("not heard")
	}
	if took := time.Since(began); took < 120*time.Millisecond { // more is the machine's business
		t.Errorf("there and back took %v", took)
	}
}

// BenchmarkTCP says what a connection between two machines carries.
func BenchmarkTCP(b *testing.B) {
	l := newLAN(b, 2)
	var ln net.Listener
	inside(b, l, 0, func() (err error) {
		ln, err = net.Listen("tcp4", net.JoinHostPort(l.Hosts[0].String(), "0"))
		return err
	})
	defer ln.Close()
	var c net.Conn
	inside(b, l, 1, func() (err error) { c, err = net.Dial("tcp4", ln.Addr().String()); return err })
	defer c.Close()
	s, err := ln.Accept()
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, s)
		done <- n
	}()
	block := make([]byte, 1<<20)
	b.SetBytes(int64(len(block)))
	n := int64(0)
	for b.Loop() {
		if _, err := c.Write(block); err != nil {
			b.Fatal(err)
		}
		n += int64(len(block))
	}
	c.Close()
	if got := <-done; got != n {
		b.Errorf("%d of %d bytes arrived", got, n)
	}
}
