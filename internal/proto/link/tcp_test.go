package link

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
)

// onTCP runs two links on the loopback interface: the first dials the second. kill ends
// the second as the death of its process does.
func onTCP(t testing.TB) (dials *Link, gone chan int32, kill func()) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone = make(chan int32, 1)
	config := func(id int32) Config {
		return Config{
			Self: func() Hello { return Hello{Node: id, Incarnation: model.ID{byte(id)}} },
			Dial: func(ctx context.Context, address string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", address)
			},
			Handle: func(ctx context.Context, _ Hello, kind uint8, payload []byte) ([]byte, error) {
				return echo(ctx, kind, payload)
			},
			Gone: func(id int32) { gone <- id },
		}
	}
	dials, err = New(config(1))
	if err != nil {
		t.Fatal(err)
	}
	serves, err := New(config(2))
	if err != nil {
		t.Fatal(err)
	}
	dials.SetPeers(map[int32][]string{2: {ln.Addr().String()}})
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	serving, kill := context.WithCancel(ctx)
	wg.Go(func() { _ = dials.Run(ctx) }) // it echoes the end of ctx
	wg.Go(func() {
		if err := serves.Listen(serving, ln); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return dials, gone, kill
}

// On a real network: payloads of all sizes, and a death that is noticed.
func TestTCP(t *testing.T) {
	l, gone, kill := onTCP(t)
	for _, size := range []int{0, 100, 1 << 20, 64 << 20} {
		if testing.Short() && size > 1<<20 {
			continue
		}
		answer, err := l.Call(t.Context(), 2, kindEcho, make([]byte, size))
		if err != nil || len(answer) != size {
			t.Fatalf("%d bytes: %d, %v", size, len(answer), err)
		}
	}
	kill()
	if id := <-gone; id != 2 {
		t.Errorf("node %d is gone", id)
	}
}

func BenchmarkCall(b *testing.B) {
	for _, size := range []int{100, 64 << 10, 1 << 20, 64 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l, _, _ := onTCP(b)
			payload := make([]byte, size)
			if _, err := l.Call(b.Context(), 2, kindEcho, nil); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Call(b.Context(), 2, kindEcho, payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What a flood of messages costs: one way, without waiting.
func BenchmarkSend(b *testing.B) {
	l, _, _ := onTCP(b)
	payload := make([]byte, 200)
	if _, err := l.Call(b.Context(), 2, kindEcho, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	dropped := 0
	for b.Loop() {
		if !l.Send(2, 1, payload) {
			dropped++
		}
	}
	b.ReportMetric(float64(dropped)/float64(b.N), "dropped/op")
}
