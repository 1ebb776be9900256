package share

import (
	"context"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// lane is what can go in one request: questions of one kind about one group, to one
// broker.
type lane struct {
	node  int32
	kind  kmsg.Key
	group string
}

// maxTogether is how many questions go in one request.
const maxTogether = 1000

// queue are the loads of questions that wait for a lane. Whoever comes to a lane that is
// free sends; when the answer is there, who came first meanwhile sends next, for all who
// wait.
type queue struct {
	waiting []*load
	busy    bool
}

// load is what one caller has for a lane.
type load struct {
	questions []*question
	turn      chan bool // true: send for all; false: it is answered
}

// send asks the questions that have a coordinator, and returns when each has an answer or
// an error.
func (c *Client) send(ctx context.Context, open []*question) {
	loads := map[lane]*load{}
	for _, q := range open {
		if q.err != nil {
			continue
		}
		at := lane{q.node, q.kind, q.key.Group}
		if loads[at] == nil {
			loads[at] = &load{turn: make(chan bool, 1)}
		}
		loads[at].questions = append(loads[at].questions, q)
	}
	var group sync.WaitGroup
	left := len(loads)
	for at, l := range loads {
		if left--; left == 0 {
			c.ride(ctx, at, l)
		} else {
			group.Go(func() { c.ride(ctx, at, l) })
		}
	}
	group.Wait()
}

// ride brings a load to its answer: with a request of its own, or with another's.
func (c *Client) ride(ctx context.Context, at lane, l *load) {
	drive := c.enter(at, l)
	if !drive {
		select {
		case drive = <-l.turn:
		case <-ctx.Done():
			if c.leave(at, l) {
				for _, q := range l.questions {
					q.err = context.Cause(ctx)
				}
				return
			}
			drive = <-l.turn // under way already
		}
	}
	if drive {
		c.drive(ctx, at)
	}
}

// enter puts a load into its lane and reports whether it must be driven at once.
func (c *Client) enter(at lane, l *load) (drive bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.lanes[at]
	if q == nil {
		q = &queue{}
		c.lanes[at] = q
	}
	q.waiting = append(q.waiting, l)
	drive, q.busy = !q.busy, true
	return drive
}

// leave takes a load out of its lane if it still waits there, and hands on its turn to
// drive if that has come.
func (c *Client) leave(at lane, l *load) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.lanes[at]
	if q == nil {
		return false
	}
	i := slices.Index(q.waiting, l)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	select {
	case <-l.turn:
		c.handOver(at)
	default:
	}
	return true
}

// drive sends what waits, the driver's own load first, and hands the lane over.
func (c *Client) drive(ctx context.Context, at lane) {
	riders := c.board(at)
	var all []*question
	for _, l := range riders {
		all = append(all, l.questions...)
	}
	req := ask(at, all)
	resp, err := c.cfg.Ask(ctx, at.node, req)
	settle(all, resp, err)
	for _, l := range riders[1:] {
		l.turn <- false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handOver(at)
}

// handOver has the next in a lane drive, if there is one; mu is held.
func (c *Client) handOver(at lane) {
	if q := c.lanes[at]; len(q.waiting) > 0 {
		q.waiting[0].turn <- true
	} else {
		delete(c.lanes, at)
	}
}

// board takes the loads that fit one request off the lane, one at least. A request names
// no share partition twice.
func (c *Client) board(at lane) []*load {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.lanes[at]
	named := map[Key]bool{}
	n := 0
	for n < len(q.waiting) && fits(named, q.waiting[n]) {
		for _, question := range q.waiting[n].questions {
			named[question.key] = true
		}
		n++
	}
	riders := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return riders
}

func fits(named map[Key]bool, l *load) bool {
	if len(named) > 0 && len(named)+len(l.questions) > maxTogether {
		return false
	}
	return !slices.ContainsFunc(l.questions, func(q *question) bool { return named[q.key] })
}
