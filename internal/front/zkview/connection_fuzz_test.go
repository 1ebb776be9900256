package zkview

import (
	"context"
	"io"
	"net"
	"runtime"
	"testing"

	"github.com/odradek/odradek/internal/base/bubble"
)

// greeting is a connect request as ZooKeeper's clients send it.
var greeting = append([]byte{0, 0, 0, 45}, append(make([]byte, 4+8+4+8), append([]byte{0, 0, 0, 16}, make([]byte, 17)...)...)...)

// FuzzConnection sends any bytes to a whole connection: it ends, whatever they are.
func FuzzConnection(f *testing.F) {
	f.Add([]byte("ruok"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(greeting)
	f.Add(append(append([]byte{}, greeting...), 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 11))
	f.Add(append(append([]byte{}, greeting...), 0, 0, 0, 15, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 1, '/', 1, 9))
	f.Fuzz(func(t *testing.T, b []byte) {
		bubble.Test(t, func(t *testing.T) {
			c := newCluster(t)
			near, far := net.Pipe()
			s := &session{server: New(c.feed, "", nil), conn: far, watches: newWatches(), seen: c.feed.Image(), more: make(chan struct{}, 1)}
			over := make(chan struct{})
			go func() {
				defer close(over)
				_ = s.run(context.Background()) // it tells what was wrong, or nothing
			}()
			go io.Copy(io.Discard, near)
			_, _ = near.Write(b) // it fails when the connection has ended
			near.Close()
			<-over
		})
	})
}

// A length that is claimed takes no memory until its bytes come.
func TestClaimedLength(t *testing.T) {
	const tries = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range tries {
		near, far := net.Pipe()
		go func() {
			_, _ = near.Write([]byte{0, 0x0f, 0xff, 0xff, 1, 2, 3})
			near.Close()
		}()
		s := &session{conn: far}
		if _, err := s.read(); err == nil {
			t.Fatal("three bytes are a frame of a million")
		}
		far.Close()
	}
	runtime.ReadMemStats(&after)
	if spent := (after.TotalAlloc - before.TotalAlloc) / tries; spent > 128<<10 {
		t.Errorf("%d bytes of room for three", spent)
	}
}
