package delivery

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// alarms wake share partitions when their next lock ends: one timer for all of them. A
// partition keeps its alarm until it rings, even if that lock was given up meanwhile, and
// sets the next then; so records that come and go set none.
type alarms struct {
	sooner chan struct{} // to watch: the first alarm has changed

	mu   sync.Mutex // guards list and what it lists; taken last of all locks
	list alarmHeap
}

// alarm is that of one Share.
type alarm struct {
	at    time.Time
	place int // in the heap, counted from 1; 0 if it is not set
}

// set has a Share rung at a time, or when it is to be rung anyway, if that is before.
func (a *alarms) set(sh *Share, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case sh.alarm.place == 0:
		sh.alarm.at = at
		heap.Push(&a.list, sh)
	case at.Before(sh.alarm.at):
		sh.alarm.at = at
		heap.Fix(&a.list, sh.alarm.place-1)
	default:
		return
	}
	if a.list[0] == sh {
		select {
		case a.sooner <- struct{}{}:
		default:
		}
	}
}

// unset takes the alarm of a Share away.
func (a *alarms) unset(sh *Share) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if sh.alarm.place > 0 {
		heap.Remove(&a.list, sh.alarm.place-1)
	}
}

// due takes those whose time has come, and tells when the next is.
func (a *alarms) due(now time.Time) (list []*Share, next time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.list) > 0 {
		if sh := a.list[0]; sh.alarm.at.After(now) {
			return list, sh.alarm.at
		}
		list = append(list, heap.Pop(&a.list).(*Share))
	}
	return list, time.Time{}
}

// watch rings until ctx ends.
func (a *alarms) watch(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		list, next := a.due(time.Now())
		for _, sh := range list {
			sh.ring()
		}
		if len(list) > 0 {
			continue // they have set new ones
		}
		if wait := time.Hour; !next.IsZero() {
			timer.Reset(min(wait, time.Until(next)))
		} else {
			timer.Reset(wait)
		}
		select {
		case <-timer.C:
		case <-a.sooner:
		case <-ctx.Done():
			return nil
		}
	}
}

// alarmHeap has the next alarm first.
type alarmHeap []*Share

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].alarm.at.Before(h[j].alarm.at) }
func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].alarm.place, h[j].alarm.place = i+1, j+1
}

func (h *alarmHeap) Push(x any) {
	sh := x.(*Share)
	*h = append(*h, sh)
	sh.alarm.place = len(*h)
}

func (h *alarmHeap) Pop() any {
	last := len(*h) - 1
	sh := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	sh.alarm.place = 0
	return sh
}
