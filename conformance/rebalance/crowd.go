package rebalance

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	group = "crowd"
	topic = "crowd"
)

// crowd is the members of a group.
type crowd struct {
	ctx     context.Context
	address string
	topicID [16]byte
	work    func(*member) error

	wg      sync.WaitGroup
	mu      sync.Mutex // guards what follows; held across nothing that waits
	members map[*member]bool
	count   int32 // partitions of the topic
	failed  error
	changed chan struct{} // closed and made anew when a member's state changes
	moved   int           // partitions that were given to a member that had them not
}

// member is one of them. What it has belongs to its goroutine; the crowd has a copy.
type member struct {
	*crowd
	ctx   context.Context // ends when it is to leave
	leave context.CancelFunc
	done  chan struct{}

	epoch int32   // the generation, or the member's epoch
	owned []int32 // partitions, as of then
}

func newCrowd(ctx context.Context, address string, topicID [16]byte, count int32, work func(*member) error) *crowd {
	return &crowd{ctx: ctx, address: address, topicID: topicID, work: work, count: count, members: make(map[*member]bool), changed: make(chan struct{})}
}

// join adds so many members.
func (c *crowd) join(n int) {
	for range n {
		m := &member{crowd: c, done: make(chan struct{}), epoch: -1}
		m.ctx, m.leave = context.WithCancel(c.ctx)
		c.mu.Lock()
		c.members[m] = true
		c.mu.Unlock()
		c.wg.Go(func() {
			defer close(m.done)
			err := c.work(m)
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.members, m)
			if err != nil && c.ctx.Err() == nil && c.failed == nil {
				c.failed = err
			}
			c.tell()
		})
	}
}

// leaveOne lets one member leave and waits until it is gone.
func (c *crowd) leaveOne() {
	c.mu.Lock()
	var one *member
	for m := range c.members {
		one = m
		break
	}
	c.mu.Unlock()
	one.leave()
	<-one.done
}

// grow tells the crowd how many partitions there are.
func (c *crowd) grow(count int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count = count
	c.tell()
}

func (c *crowd) partitions() int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// tell wakes who waits; c.mu is held.
func (c *crowd) tell() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// has takes note of what a member has now.
func (m *member) has(epoch int32, owned []int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := make(map[int32]bool, len(m.owned))
	for _, p := range m.owned {
		old[p] = true
	}
	for _, p := range owned {
		if !old[p] {
			m.moved++
		}
	}
	m.epoch, m.owned = epoch, owned
	m.tell()
}

// settle waits until all members are of one epoch, beyond the given one, and have each
// partition once; it returns that epoch, and how many partitions have moved since the last
// time.
func (c *crowd) settle(ctx context.Context, beyond int32) (epoch int32, moved int, err error) {
	for {
		c.mu.Lock()
		changed, failed := c.changed, c.failed
		epoch, why := c.settled()
		if why == "" && epoch > beyond {
			moved, c.moved = c.moved, 0
			c.mu.Unlock()
			return epoch, moved, nil
		}
		c.mu.Unlock()
		if failed != nil {
			return 0, 0, failed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("the group does not settle: %s, epoch %d: %w", why, epoch, context.Cause(ctx))
		}
	}
}

// settled tells the one epoch of all members, or why there is none; c.mu is held.
func (c *crowd) settled() (epoch int32, why string) {
	seen, n := make([]bool, c.count), int32(0)
	epoch = -1
	for m := range c.members {
		if epoch >= 0 && m.epoch != epoch {
			return epoch, fmt.Sprintf("members are in %d and %d", epoch, m.epoch)
		}
		epoch = m.epoch
		for _, p := range m.owned {
			if p >= c.count || seen[p] {
				return epoch, fmt.Sprintf("partition %d has two members, or none should have it", p)
			}
			seen[p] = true
			n++
		}
	}
	if n != c.count || epoch < 0 {
		return epoch, fmt.Sprintf("%d partitions of %d have a member", n, c.count)
	}
	return epoch, ""
}

// pause waits, and tells whether the member stays.
func (m *member) pause(d time.Duration) bool {
	select {
	case <-m.ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
