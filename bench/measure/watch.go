package measure

import (
	"context"
	"time"
)

// Memory is what a Watch has seen of the resident set of all processes together, in bytes.
type Memory struct {
	Peak int64 `json:"peak"`
	Mean int64 `json:"mean"`
}

// Watch looks at memory again and again.
type Watch struct {
	stop context.CancelFunc
	done chan struct{}
	seen Memory
}

// NewWatch begins to look at processes, every so often.
func NewWatch(every time.Duration, pids ...int) *Watch {
	ctx, stop := context.WithCancel(context.Background())
	w := &Watch{stop: stop, done: make(chan struct{})}
	go w.run(ctx, every, pids)
	return w
}

func (w *Watch) run(ctx context.Context, every time.Duration, pids []int) {
	defer close(w.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var sum, looks int64
	for {
		if now, err := Resident(pids...); err == nil { // else one has ended, which others notice
			sum, looks = sum+now, looks+1
			w.seen = Memory{Peak: max(w.seen.Peak, now), Mean: sum / looks}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// End looks no more, and says what was seen.
func (w *Watch) End() Memory {
	w.stop()
	<-w.done
	return w.seen
}

// Quiet waits until processes use less than a twentieth of a processor, or ctx ends: what a load
// has left for them to do is part of its price. It says what they used in the end.
func Quiet(ctx context.Context, pids ...int) (Usage, error) {
	const look, little = 500 * time.Millisecond, 0.05
	last, err := Of(pids...)
	if err != nil {
		return last, err
	}
	for {
		began := time.Now()
		select {
		case <-ctx.Done():
			return last, nil
		case <-time.After(look):
		}
		now, err := Of(pids...)
		if err != nil {
			return last, err
		}
		busy := now.Since(last).CPU() / time.Since(began).Seconds()
		last = now
		if busy < little {
			return last, nil
		}
	}
}
