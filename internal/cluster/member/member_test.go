package member_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/cluster/member"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// controller answers one broker as the active controller would, by changing the feed.
type controller struct {
	t      *testing.T
	feed   *metadata.Feed
	mu     sync.Mutex
	epochs int64
	dead   bool               // answers nothing
	refuse func() *kerr.Error // of registrations
	beats  []kmsg.BrokerHeartbeatRequest
	keep   int // heartbeats before a broker that wants to leave may
}

func (c *controller) ask(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		c.mu.Unlock()
		<-ctx.Done()
		c.mu.Lock()
		return nil, kerr.RequestTimedOut
	}
	switch r := req.(type) {
	case *kmsg.BrokerRegistrationRequest:
		return c.register(r), nil
	case *kmsg.BrokerHeartbeatRequest:
		return c.heartbeat(r), nil
	}
	panic("unexpected request")
}

func (c *controller) apply(recs ...metadata.Record) {
	if err := c.feed.ApplyEntry(c.feed.Image().Offset+1, metadata.Encode(nil, recs)); err != nil {
		c.t.Error(err)
	}
}

func (c *controller) register(r *kmsg.BrokerRegistrationRequest) kmsg.Response {
	resp := kmsg.NewPtrBrokerRegistrationResponse()
	if c.refuse != nil {
		if err := c.refuse(); err != nil {
			resp.ErrorCode = err.Code
			resp.UnknownTags.Set(member.MessageTag, []byte("because of "+err.Message))
			return resp
		}
	}
	c.epochs++
	resp.BrokerEpoch = c.epochs
	b := metadata.Broker{ID: r.BrokerID, Epoch: c.epochs, Incarnation: r.IncarnationID, Fenced: true}
	c.apply(metadata.RegisterBroker{Broker: b})
	return resp
}

func (c *controller) heartbeat(r *kmsg.BrokerHeartbeatRequest) kmsg.Response {
	c.beats = append(c.beats, *r)
	resp := kmsg.NewPtrBrokerHeartbeatResponse()
	b, ok := c.feed.Image().Broker(r.BrokerID)
	if !ok || b.Epoch != r.BrokerEpoch {
		resp.ErrorCode = kerr.StaleBrokerEpoch.Code
		return resp
	}
	fenced := r.WantFence
	if r.WantShutdown {
		if c.keep--; c.keep < 0 {
			fenced, resp.ShouldShutdown = true, true
		}
	}
	if fenced != b.Fenced {
		c.apply(metadata.ChangeBroker{ID: b.ID, Epoch: b.Epoch, Fenced: fenced})
	}
	resp.IsFenced = fenced
	return resp
}

func (c *controller) setDead(dead bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = dead
}

func start(t *testing.T, c *controller) (*member.Member, chan error) {
	t.Helper()
	c.t, c.feed = t, metadata.NewFeed()
	m, err := member.New(member.Config{
		Ask: c.ask, Feed: c.feed, Node: 1, Incarnation: model.ID{1},
		Registration: func() member.Registration { return member.Registration{PreviousEpoch: -1} },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(cancel)
	return m, ended
}

// A broker registers fenced, serves when it is ready, and leaves when it has no leaders.
func TestLife(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := &controller{keep: 3}
		m, _ := start(t, c)
		time.Sleep(time.Second)
		if b, ok := c.feed.Image().Broker(1); !ok || !b.Fenced || m.Lease() || m.Epoch() != 1 {
			t.Fatalf("before it is ready: %+v, lease %v, epoch %d", b, m.Lease(), m.Epoch())
		}
		if err := m.Unfenced(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b, _ := c.feed.Image().Broker(1); b.Fenced || !m.Lease() {
			t.Fatalf("serving: %+v, lease %v", b, m.Lease())
		}
		before := time.Now()
		if err := m.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(before); took > 200*time.Millisecond {
			t.Errorf("left after %v", took)
		}
		n := len(c.beats)
		time.Sleep(time.Second)
		if len(c.beats) != n || m.Lease() {
			t.Errorf("after it has left: %d heartbeats, lease %v", len(c.beats)-n, m.Lease())
		}
	})
}

// The lease ends a session after the last answered heartbeat was sent, and comes back.
func TestLease(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := &controller{}
		m, _ := start(t, c)
		if err := m.Unfenced(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // between heartbeats
		c.setDead(true)
		time.Sleep(2900 * time.Millisecond)
		if !m.Lease() {
			t.Error("the lease ended early")
		}
		time.Sleep(200 * time.Millisecond)
		if m.Lease() {
			t.Error("the lease outlives the session")
		}
		c.setDead(false)
		time.Sleep(time.Second)
		if !m.Lease() {
			t.Error("no lease although heartbeats are answered")
		}
	})
}

// A broker that is not known any more registers anew; one whose id another process has
// taken gives up.
func TestStaleEpoch(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := &controller{}
		m, ended := start(t, c)
		if err := m.Unfenced(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		c.apply(metadata.UnregisterBroker{ID: 1, Epoch: 1})
		c.mu.Unlock()
		time.Sleep(time.Second)
		if b, ok := c.feed.Image().Broker(1); !ok || b.Fenced || m.Epoch() != 2 || !m.Lease() {
			t.Fatalf("after it was unregistered: %+v, epoch %d", b, m.Epoch())
		}
		c.mu.Lock()
		c.epochs++
		c.apply(metadata.RegisterBroker{Broker: metadata.Broker{ID: 1, Epoch: c.epochs, Incarnation: model.ID{9}}})
		c.mu.Unlock()
		if err := <-ended; !errors.Is(err, member.ErrReplaced) {
			t.Errorf("Run ended with %v", err)
		}
	})
}

// A registration waits for the session of a process of before, and ends with the
// controller's words when the cluster will not have the broker.
func TestRegistrationRefused(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		until := time.Now().Add(2 * time.Second)
		c := &controller{refuse: func() *kerr.Error {
			if time.Now().Before(until) {
				return kerr.DuplicateBrokerRegistration
			}
			return kerr.UnsupportedVersion
		}}
		m, ended := start(t, c)
		err := <-ended
		if !errors.Is(err, kerr.UnsupportedVersion) || !strings.Contains(err.Error(), "because of") || m.Epoch() != -1 {
			t.Errorf("Run ended with %v", err)
		}
		if time.Now().Before(until) {
			t.Error("it did not wait for the process of before")
		}
	})
}
