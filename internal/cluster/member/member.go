package member

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// Member is a broker as the controller sees it. Safe for concurrent use.
type Member struct {
	c     Config
	epoch atomic.Int64 // of the registration, -1 before the first
	lease atomic.Int64 // when the lease ends, in nanoseconds since born
	born  time.Time
	kick  chan struct{} // holds a token: a heartbeat is wanted now

	mu      sync.Mutex // guards what follows; not held over a wait
	stage   stage
	stopped chan struct{} // closed when the controller lets the broker go
	answer  chan struct{} // closed by the next answer, and made anew
	silent  bool          // the last heartbeat was not answered
}

// stage is how far the broker is in its life.
type stage int8

const (
	starting stage = iota // alive, but not to be used yet
	serving
	leaving // wants to be relieved of its leaders
	left    // the controller lets it go
)

// New returns a member that is not registered yet.
func New(c Config) (*Member, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	m := &Member{c: c, born: time.Now(), kick: make(chan struct{}, 1),
		stopped: make(chan struct{}), answer: make(chan struct{})}
	m.epoch.Store(-1)
	m.lease.Store(-1)
	return m, nil
}

// Epoch is the broker's epoch in the cluster, -1 while it has none.
func (m *Member) Epoch() int64 { return m.epoch.Load() }

// Lease reports whether the cluster takes this broker for alive, as far as the broker
// can know: a heartbeat that was sent less than the session timeout ago was answered,
// and not by fencing. Without its lease others may lead what this broker led.
func (m *Member) Lease() bool { return int64(time.Since(m.born)) < m.lease.Load() }

// Hurry has the next heartbeat sent at once, as when a folder has failed.
func (m *Member) Hurry() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// Run sends heartbeats until ctx ends, and registers the broker when it is not
// registered. It returns an error only if the broker can be no member: another process
// has its id, or the cluster refuses it.
func (m *Member) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		case <-m.kick:
		}
		sent := time.Now()
		if err := m.live(ctx); err != nil {
			return err
		}
		timer.Reset(max(0, time.Until(sent.Add(m.pause()))))
	}
}

// pause is the time from one heartbeat to the next. A broker that leaves is in a hurry:
// what it still leads is served by nobody else.
func (m *Member) pause() time.Duration {
	if m.stageNow() == leaving {
		return min(m.c.Interval, 50*time.Millisecond)
	}
	return m.c.Interval
}

// live sends one heartbeat, or a registration if there is none.
func (m *Member) live(ctx context.Context) error {
	if m.stageNow() == left {
		return nil
	}
	if m.Epoch() < 0 {
		return m.Register(ctx)
	}
	err := m.beat(ctx)
	switch {
	case errors.Is(err, kerr.StaleBrokerEpoch), errors.Is(err, kerr.BrokerIDNotRegistered):
		m.lease.Store(-1)
		return m.Register(ctx)
	case err != nil && ctx.Err() == nil:
		m.missed(err)
	}
	return nil
}

// Unfenced says that the broker is ready to serve and waits until the cluster uses it.
// Run must be running.
func (m *Member) Unfenced(ctx context.Context) error {
	m.mu.Lock()
	m.stage = max(m.stage, serving)
	m.mu.Unlock()
	m.Hurry()
	for {
		m.mu.Lock()
		answer := m.answer
		m.mu.Unlock()
		if b, ok := m.c.Feed.Image().Broker(m.c.Node); ok && b.Epoch == m.Epoch() && !b.Fenced && m.Lease() {
			return nil
		}
		select {
		case <-answer: // an answer comes when the image shows what it tells
		case <-ctx.Done():
			return fmt.Errorf("wait until the cluster uses broker %d: %w", m.c.Node, context.Cause(ctx))
		}
	}
}

// Shutdown has the controller move the broker's leaders to others and returns when the
// broker may stop. Run must be running.
func (m *Member) Shutdown(ctx context.Context) error {
	if m.Epoch() < 0 {
		return nil
	}
	m.mu.Lock()
	m.stage = max(m.stage, leaving)
	m.mu.Unlock()
	m.Hurry()
	select {
	case <-m.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("controlled shutdown of broker %d: %w", m.c.Node, context.Cause(ctx))
	}
}

func (m *Member) stageNow() stage {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stage
}

// beat sends one heartbeat and takes its answer over. It does not wait for an answer so
// long that the next would be late: the controller counts a heartbeat when it comes in.
func (m *Member) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, max(m.c.Session/4, m.c.Interval))
	defer cancel()
	now := m.stageNow()
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.Version = 1
	req.BrokerID, req.BrokerEpoch = m.c.Node, m.Epoch()
	req.CurrentMetadataOffset = m.c.Feed.Image().Offset
	req.WantFence, req.WantShutdown = now == starting, now == leaving
	for _, id := range m.c.OfflineDirs() {
		req.OfflineLogDirs = append(req.OfflineLogDirs, id)
	}
	sent := time.Since(m.born)
	answer, err := m.c.Ask(ctx, req)
	if err != nil {
		return err
	}
	resp := answer.(*kmsg.BrokerHeartbeatResponse)
	if resp.ErrorCode != 0 {
		return kerr.ErrorForCode(resp.ErrorCode)
	}
	m.answered(sent, resp)
	return nil
}

func (m *Member) answered(sent time.Duration, resp *kmsg.BrokerHeartbeatResponse) {
	if resp.IsFenced {
		m.lease.Store(-1)
	} else {
		m.lease.Store(int64(sent + m.c.Session))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.answer)
	m.answer = make(chan struct{})
	if m.silent {
		m.silent = false
		m.c.Log.Info("the controller answers heartbeats again", "broker", m.c.Node)
	}
	if resp.ShouldShutdown && m.stage == leaving {
		m.stage = left
		close(m.stopped)
	}
}

// missed tells once that heartbeats are not answered.
func (m *Member) missed(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.silent {
		m.silent = true
		m.c.Log.Warn("the controller does not answer heartbeats", "broker", m.c.Node, "err", err)
	}
}

// ErrReplaced is why a member must stop whose node id another process has taken.
var ErrReplaced = errors.New("another process has registered with this node id: give every broker a node.id of its own, and stop one of the two")

// replaced reports whether the image has another process in this broker's place.
func (m *Member) replaced(image *metadata.Image) bool {
	b, ok := image.Broker(m.c.Node)
	return ok && b.Epoch > m.Epoch() && b.Incarnation != m.c.Incarnation
}
