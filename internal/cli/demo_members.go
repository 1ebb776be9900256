package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// demoMember is one consumer of the group.
type demoMember struct {
	name     string
	client   *kgo.Client
	mu       sync.Mutex // guards what follows
	has      map[int32]bool
	err      error         // the first record that was wrong
	assigned chan struct{} // told when has changed; holds one
}

// join lets two consumers join the group and waits until they share the partitions.
func (d *demo) join(ctx context.Context) (string, error) {
	for i := range 2 {
		m := &demoMember{name: fmt.Sprintf("consumer-%d", i+1), has: make(map[int32]bool), assigned: make(chan struct{}, 1)}
		var err error
		m.client, err = d.connect(
			kgo.ConsumerGroup(demoGroup), kgo.ConsumeTopics(demoTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.HeartbeatInterval(300*time.Millisecond), kgo.AutoCommitInterval(200*time.Millisecond),
			kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, a map[string][]int32) { m.change(a, true) }),
			kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, r map[string][]int32) { m.change(r, false) }),
			kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, r map[string][]int32) { m.change(r, false) }),
		)
		if err != nil {
			return "", err
		}
		d.members = append(d.members, m)
		d.readers.Go(func() { d.poll(ctx, m) })
	}
	for {
		a, b := d.members[0].partitions(), d.members[1].partitions()
		if len(a) > 0 && len(b) > 0 && len(a)+len(b) == demoPartitions {
			return fmt.Sprintf("%s: %s; %s: %s", d.members[0].name, spaced(a), d.members[1].name, spaced(b)), nil
		}
		select {
		case <-d.members[0].assigned:
		case <-d.members[1].assigned:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

func (m *demoMember) change(p map[string][]int32, has bool) {
	m.mu.Lock()
	for _, n := range p[demoTopic] {
		if has {
			m.has[n] = true
		} else {
			delete(m.has, n)
		}
	}
	m.mu.Unlock()
	select {
	case m.assigned <- struct{}{}:
	default:
	}
}

func (m *demoMember) partitions() []int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.has))
}

// poll reads until the client is closed or ctx ends. Errors of the node are the client's
// to get over: the node is killed in the middle.
func (d *demo) poll(ctx context.Context, m *demoMember) {
	for {
		fetches := m.client.PollFetches(ctx)
		if fetches.IsClientClosed() || ctx.Err() != nil {
			return
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if err := d.ledger.deliver(m.name, r); err != nil {
				m.mu.Lock()
				if m.err == nil {
					m.err = err
				}
				m.mu.Unlock()
			}
		})
	}
}

// leave commits what was read and leaves the group, and says how far the group came.
func (d *demo) leave(ctx context.Context) (string, error) {
	var errs []error
	for _, m := range d.members {
		m.mu.Lock()
		errs = append(errs, m.err)
		m.mu.Unlock()
		errs = append(errs, m.client.CommitUncommittedOffsets(ctx))
		m.client.Close()
	}
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	c, err := d.connect()
	if err != nil {
		return "", err
	}
	defer c.Close()
	lags, err := kadm.NewClient(c).Lag(ctx, demoGroup)
	if err != nil {
		return "", err
	}
	g := lags[demoGroup]
	if err := g.Error(); err != nil {
		return "", err
	}
	if lag := g.Lag.Total(); lag != 0 {
		return "", fmt.Errorf("the group lags by %d", lag)
	}
	return "lag 0", nil
}

func spaced(ns []int32) string { return strings.Trim(fmt.Sprint(ns), "[]") }
