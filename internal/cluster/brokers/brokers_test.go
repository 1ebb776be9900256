package brokers

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/memnet"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// neighbour answers FindCoordinator with the name of the host that it stands on, and
// keeps who asks for "slow" waiting.
type neighbour struct {
	name string
	slow chan struct{}
}

func (n *neighbour) Serve(_ *wire.Conn, r *wire.Request) wire.Pending {
	if r.Key == int16(kmsg.ApiVersions) {
		resp := kmsg.NewPtrApiVersionsResponse()
		for _, key := range []int16{int16(kmsg.ApiVersions), int16(kmsg.FindCoordinator), int16(kmsg.Heartbeat)} {
			s, _ := wire.Lookup(key)
			resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: key, MinVersion: s.Min, MaxVersion: s.Max})
		}
		return r.Ready(wire.Message(resp))
	}
	if r.Key == int16(kmsg.Heartbeat) {
		return func(ctx context.Context) (wire.Reply, error) {
			select {
			case <-n.slow:
			case <-ctx.Done():
			}
			resp := kmsg.NewPtrHeartbeatResponse()
			resp.SetVersion(r.Version)
			return wire.Message(resp), nil
		}
	}
	resp := kmsg.NewPtrFindCoordinatorResponse()
	c := kmsg.NewFindCoordinatorResponseCoordinator()
	c.Key = n.name
	resp.Coordinators = append(resp.Coordinators, c)
	return r.Ready(wire.Message(resp))
}

// street has brokers 1 and 2, and an image that names them.
type street struct {
	*testing.T
	net     *memnet.Network
	image   *metadata.Image
	brokers *Brokers
	slow    chan struct{}
}

func onStreet(t *testing.T, test func(*street)) {
	bubble.Test(t, func(t *testing.T) {
		s := &street{T: t, net: memnet.New(0), image: metadata.Empty(), slow: make(chan struct{})}
		s.serve("one:9092", "one")
		s.brokers = New(Config{
			Node: 7, Image: func() *metadata.Image { return s.image }, Listener: "PLAINTEXT",
			Dial: s.net.Host("seven").Dial,
			Local: func(_ context.Context, req kmsg.Request) (kmsg.Response, error) {
				resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
				resp.Coordinators = append(resp.Coordinators, kmsg.FindCoordinatorResponseCoordinator{Key: "myself"})
				return resp, nil
			},
		})
		s.move(1, "one", 9092)
		test(s)
		s.brokers.Close()
	})
}

// serve has a broker answer at an address until the test ends.
func (s *street) serve(address, name string) (stop func()) {
	ln, err := s.net.Listen("tcp", address)
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.Context())
	done := make(chan struct{})
	server := &wire.Server{Handler: &neighbour{name: name, slow: s.slow}}
	go func() {
		defer close(done)
		if err := server.Serve(ctx, ln, "PLAINTEXT"); err != nil {
			s.Error(err)
		}
	}()
	stop = func() { cancel(); <-done }
	s.Cleanup(stop)
	return stop
}

func (s *street) move(id int32, host string, port int32) {
	s.Helper()
	b := metadata.RegisterBroker{Broker: metadata.Broker{ID: id, Endpoints: []metadata.Endpoint{{Listener: "PLAINTEXT", Host: host, Port: port}}}}
	next, err := s.image.Apply([]metadata.Record{b}, s.image.Offset+1)
	if err != nil {
		s.Fatal(err)
	}
	s.image = next
}

func (s *street) ask(ctx context.Context, node int32) (string, error) {
	resp, err := s.brokers.Ask(ctx, node, kmsg.NewPtrFindCoordinatorRequest())
	if err != nil {
		return "", err
	}
	return resp.(*kmsg.FindCoordinatorResponse).Coordinators[0].Key, nil
}

func (s *street) want(node int32, name string) {
	s.Helper()
	if got, err := s.ask(s.Context(), node); err != nil || got != name {
		s.Fatalf("broker %d answers as %q, %v; want %q", node, got, err, name)
	}
}

// A broker is asked over a line that is kept, and this node itself without one.
func TestAsk(t *testing.T) {
	onStreet(t, func(s *street) {
		dials := 0
		s.net.OnDial(func(_, _ string) error { dials++; return nil })
		s.want(1, "one")
		s.want(1, "one")
		s.want(7, "myself")
		if dials != 1 {
			s.Fatalf("dialed %d times, want once", dials)
		}
		if _, err := s.ask(s.Context(), 3); !errors.Is(err, kerr.BrokerNotAvailable) {
			s.Fatalf("a broker that nobody knows: %v", err)
		}
	})
}

// Who goes to another address is found there, and so is one that comes back.
func TestMoves(t *testing.T) {
	onStreet(t, func(s *street) {
		s.want(1, "one")
		stop := s.serve("two:9092", "two")
		s.move(1, "two", 9092)
		s.want(1, "two")
		stop()
		synctest.Wait()
		if _, err := s.ask(s.Context(), 1); err == nil {
			s.Fatal("a broker that is gone has answered")
		}
		s.serve("two:9092", "two again")
		s.want(1, "two again")
	})
}

// A request that has to wait holds up its own kind only, and nobody longer than it wants.
func TestLanes(t *testing.T) {
	onStreet(t, func(s *street) {
		answered := make(chan error, 1)
		go func() {
			_, err := s.brokers.Ask(s.Context(), 1, kmsg.NewPtrHeartbeatRequest())
			answered <- err
		}()
		synctest.Wait()
		s.want(1, "one")
		ctx, cancel := context.WithTimeout(s.Context(), time.Second)
		defer cancel()
		if _, err := s.brokers.Ask(ctx, 1, kmsg.NewPtrHeartbeatRequest()); !errors.Is(err, context.DeadlineExceeded) {
			s.Fatalf("who waits behind another one: %v", err)
		}
		close(s.slow)
		if err := <-answered; err != nil {
			s.Fatal(err)
		}
	})
}

// What is under way ends with the brokers.
func TestClose(t *testing.T) {
	onStreet(t, func(s *street) {
		answered := make(chan error, 1)
		go func() {
			_, err := s.brokers.Ask(s.Context(), 1, kmsg.NewPtrHeartbeatRequest())
			answered <- err
		}()
		synctest.Wait()
		s.brokers.Close()
		if err := <-answered; !errors.Is(err, net.ErrClosed) {
			s.Fatalf("who waited was told %v", err)
		}
		if _, err := s.ask(s.Context(), 1); !errors.Is(err, net.ErrClosed) {
			s.Fatalf("who came late was told %v", err)
		}
		close(s.slow)
	})
}
