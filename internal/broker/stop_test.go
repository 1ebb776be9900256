package broker

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/memnet"
)

// A node that is told to stop while it waits for the others stops in order: that is no
// failure.
func TestStopsWhileItStarts(t *testing.T) {
	for _, cause := range []error{nil, ErrAtOnce} {
		t.Run(fmt.Sprint(cause), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				network := memnet.New(0)
				b, err := New(Config{
					NodeID: 1, LogDirs: []string{"/data"}, FS: vfs.NewMem(), Random: func(p []byte) { clear(p) },
					Broker: true, Controller: true,
					Voters:      map[int32]string{1: "a:9093", 2: "b:9093", 3: "c:9093"},
					Listeners:   []Listener{{Name: "PLAINTEXT", Bind: "a:9092"}},
					Controllers: []Listener{{Name: "CONTROLLER", Bind: "a:9093"}},
					Listen:      func(_ context.Context, a string) (net.Listener, error) { return network.Listen("tcp", a) },
					Dial:        network.Host("a").Dial,
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancelCause(t.Context())
				done := make(chan error, 1)
				go func() { done <- b.Run(ctx) }()
				time.Sleep(3 * time.Second)
				stop(cause)
				if err := <-done; err != nil {
					t.Errorf("it stopped: %v", err)
				}
			})
		})
	}
}
