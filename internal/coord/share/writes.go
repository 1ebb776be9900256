package share

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// writes are those to one share partition: one is on its way, the others wait, in order.
type writes struct {
	waiting []*write
}

// write is what one caller wants to store.
type write struct {
	question
	turn chan bool // true: store what waits; false: err stands
}

// errOvertaken says that whoever stored for others gave up before there was an answer.
var errOvertaken = errors.New("the write was not sent to its end")

// WriteState is Persister's. Writes to the same share partition that wait for each other
// go as one.
func (c *Client) WriteState(ctx context.Context, k Key, stateEpoch, leaderEpoch int32, start int64, completeCount int32, batches []StateBatch) error {
	for {
		w := &write{turn: make(chan bool, 1), question: question{
			kind: kmsg.WriteShareGroupState, key: k, stateEpoch: stateEpoch, leaderEpoch: leaderEpoch,
			start: start, complete: completeCount, batches: batches,
		}}
		if c.await(ctx, k, w) {
			c.store(ctx, k)
		}
		if !errors.Is(w.err, errOvertaken) {
			return w.err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// await waits for the write's turn, which is at once if nobody else writes to the key. It
// reports false if another has stored it, or ctx has ended before.
func (c *Client) await(ctx context.Context, k Key, w *write) bool {
	if c.queueWrite(k, w) {
		return true
	}
	select {
	case mine := <-w.turn:
		return mine
	case <-ctx.Done():
		if c.withdraw(k, w) {
			w.err = context.Cause(ctx)
			return false
		}
		return <-w.turn // on its way already
	}
}

// withdraw takes back a write that still waits.
func (c *Client) withdraw(k Key, w *write) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ws := c.writes[k]
	if ws == nil {
		return false
	}
	i := slices.Index(ws.waiting, w)
	if i < 0 {
		return false
	}
	ws.waiting = slices.Delete(ws.waiting, i, i+1)
	select {
	case <-w.turn:
		c.nextWrite(k)
	default:
	}
	return true
}

// nextWrite has the next one that waits store, if there is one; mu is held.
func (c *Client) nextWrite(k Key) {
	if ws := c.writes[k]; len(ws.waiting) > 0 {
		ws.waiting[0].turn <- true
	} else {
		delete(c.writes, k)
	}
}

// queueWrite reports whether nobody else writes to the key.
func (c *Client) queueWrite(k Key, w *write) (alone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ws := c.writes[k]
	if ws == nil {
		ws, alone = &writes{}, true
		c.writes[k] = ws
	}
	ws.waiting = append(ws.waiting, w)
	return alone
}

// store sends what waits, the caller's own write first, and has the next one send.
func (c *Client) store(ctx context.Context, k Key) {
	these := c.takeWrites(k)
	sum := together(these)
	c.pursue(ctx, []*question{sum})
	for i, w := range these {
		w.err = sum.err
		if i == 0 {
			continue
		}
		if ctx.Err() != nil && w.err != nil {
			w.err = errOvertaken // the first has no more time; the others may
		}
		w.turn <- false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nextWrite(k)
}

// takeWrites takes those that can go as one: of the same epochs.
func (c *Client) takeWrites(k Key) []*write {
	c.mu.Lock()
	defer c.mu.Unlock()
	ws := c.writes[k]
	first := ws.waiting[0]
	n := 1
	for n < len(ws.waiting) && ws.waiting[n].stateEpoch == first.stateEpoch && ws.waiting[n].leaderEpoch == first.leaderEpoch {
		n++
	}
	these := ws.waiting[:n:n]
	ws.waiting = ws.waiting[n:]
	return these
}

// together is what several writes amount to.
func together(these []*write) *question {
	sum := these[0].question
	sum.batches = sum.batches[:len(sum.batches):len(sum.batches)]
	for _, w := range these[1:] {
		sum.start = max(sum.start, w.start)
		sum.complete = w.complete
		sum.batches = append(sum.batches, w.batches...)
	}
	return &sum
}
