package runtime

import (
	"container/heap"
	"time"
)

// timers are the deadlines of one machine, the earliest first; equal ones in the order
// in which they were armed. They are touched by whoever runs the machine's commands.
type timers struct {
	byKey map[any]*timer
	heap  timerHeap
	seq   uint64
}

type timer struct {
	key   any
	at    time.Time
	seq   uint64
	index int
}

func newTimers() *timers { return &timers{byKey: map[any]*timer{}} }

func (q *timers) arm(key any, at time.Time) {
	q.seq++
	if tm := q.byKey[key]; tm != nil {
		tm.at, tm.seq = at, q.seq
		heap.Fix(&q.heap, tm.index)
		return
	}
	tm := &timer{key: key, at: at, seq: q.seq}
	q.byKey[key] = tm
	heap.Push(&q.heap, tm)
}

func (q *timers) disarm(key any) {
	if tm := q.byKey[key]; tm != nil {
		delete(q.byKey, key)
		heap.Remove(&q.heap, tm.index)
	}
}

// pop removes and returns the earliest timer that is due.
func (q *timers) pop(now time.Time) (key any, ok bool) {
	if len(q.heap) == 0 || q.heap[0].at.After(now) {
		return nil, false
	}
	tm := heap.Pop(&q.heap).(*timer)
	delete(q.byKey, tm.key)
	return tm.key, true
}

// next is the earliest deadline, zero if there is none.
func (q *timers) next() time.Time {
	if len(q.heap) == 0 {
		return time.Time{}
	}
	return q.heap[0].at
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].seq < h[j].seq
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	tm := x.(*timer)
	tm.index = len(*h)
	*h = append(*h, tm)
}

func (h *timerHeap) Pop() any {
	old := *h
	tm := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return tm
}
