package enlist

import (
	"context"
	"slices"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// lane is the way to a broker that owes an answer, and who waits for it: one of them is
// sent on its way when that has come, and sends for all.
type lane struct{ waiting []*ask }

// queue has an ask answered by another broker, with those that wait for the same.
func (e *Enlister) queue(ctx context.Context, node int32, a *ask) map[model.TopicPartition]error {
	if !e.enter(node, a) {
		select {
		case first := <-a.woken:
			if !first {
				return a.errs
			}
		case <-ctx.Done():
			e.giveUp(node, a)
			return all(a.partitions, kerr.NetworkException)
		}
	}
	defer e.handOn(node)
	asks := e.take(node, a)
	if !e.send(ctx, node, asks) {
		e.putBack(node, asks[1:])
		return all(a.partitions, kerr.NetworkException)
	}
	for _, other := range asks[1:] {
		other.woken <- false
	}
	return a.errs
}

// enter reports whether the way is free; otherwise the ask waits.
func (e *Enlister) enter(node int32, a *ask) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.lanes[node]
	if l == nil {
		e.lanes[node] = &lane{waiting: []*ask{a}}
		return true
	}
	l.waiting = append(l.waiting, a)
	return false
}

// take takes what may go with a, a first. A request names a transaction once: what more is
// asked of it waits for the next.
func (e *Enlister) take(node int32, a *ask) []*ask {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.lanes[node]
	asks, named := []*ask{a}, map[string]bool{a.txn.ID: true}
	l.waiting = slices.DeleteFunc(l.waiting, func(w *ask) bool {
		if w == a {
			return true
		}
		if named[w.txn.ID] {
			return false
		}
		named[w.txn.ID] = true
		asks = append(asks, w)
		return true
	})
	return asks
}

// putBack has asks wait again whose sender has left.
func (e *Enlister) putBack(node int32, asks []*ask) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.lanes[node]
	asks = slices.DeleteFunc(asks, func(a *ask) bool { return a.left })
	l.waiting = append(asks, l.waiting...)
}

// handOn lets the first that waits send, or frees the way.
func (e *Enlister) handOn(node int32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.lanes[node]
	if len(l.waiting) == 0 {
		delete(e.lanes, node)
		return
	}
	l.waiting[0].woken <- true
}

// giveUp has an ask wait no longer. If its turn has come meanwhile, it is the next one's;
// if it is on its way already, nobody looks at its answer.
func (e *Enlister) giveUp(node int32, a *ask) {
	e.mu.Lock()
	a.left = true
	if l := e.lanes[node]; l != nil {
		l.waiting = slices.DeleteFunc(l.waiting, func(w *ask) bool { return w == a })
	}
	e.mu.Unlock()
	select {
	case turn := <-a.woken:
		if turn {
			e.handOn(node)
		}
	default:
	}
}
