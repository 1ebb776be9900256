package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/odradek/odradek/sim/history"
)

// ProveLife proves, when all faults are over, that the cluster lives: within a time every
// partition has a leader and all its replicas in sync, and takes a record.
func (l *Load) ProveLife(within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	failures := make(chan error)
	places := l.Mix.places()
	for _, at := range places {
		a := l.actor(ctx, "probe") // here: in the order of places
		go func() {
			if err := a.probe(at); err != nil {
				err = fmt.Errorf("a record for %s-%d: %w", at.Topic, at.Partition, err)
				failures <- err
				return
			}
			failures <- nil
		}()
	}
	var all []error
	for range places {
		all = append(all, <-failures)
	}
	for ctx.Err() == nil && l.w.Unsettled(false) != "" {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	if what := l.w.Unsettled(false); what != "" {
		all = append(all, errors.New("not all replicas are in sync: "+what))
	}
	return errors.Join(all...)
}

// NothingOpen proves, when nobody writes any more, that no transaction holds readers back
// for longer than its time and a little more.
func (l *Load) NothingOpen(within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), transactionTimeout+within)
	defer cancel()
	a := l.actor(ctx, "life")
	a.reborn()
	c := a.client()
	defer c.Close()
	var all []error
	for _, at := range l.Mix.places() {
		w := watcher{actor: a, t: l.Mix.topic(at.Topic), c: c}
		for what := "nobody leads"; what != ""; {
			w.forget()
			if leader := w.leader(ctx, at.Partition); leader >= 0 {
				stable := w.list(ctx, at.Partition, leader, history.Latest, history.Committed)
				end := w.list(ctx, at.Partition, leader, history.Latest, history.Uncommitted)
				what = fmt.Sprintf("the last stable offset is %d, the high watermark %d", stable, end)
				if stable >= 0 && stable == end {
					break
				}
			}
			a.wait(20 * time.Millisecond)
			if ctx.Err() != nil {
				all = append(all, fmt.Errorf("a transaction hangs in %s-%d: %s", at.Topic, at.Partition, what))
				break
			}
		}
	}
	return errors.Join(all...)
}

// Caught proves that every reader has come to the end of what it reads.
func (l *Load) Caught(within time.Duration) error {
	behind := func() string {
		l.mu.Lock()
		told := make(map[string]func() string, len(l.lag))
		for name, f := range l.lag {
			told[name] = f
		}
		l.mu.Unlock()
		for name, f := range told {
			if what := f(); what != "" {
				return name + ": " + what
			}
		}
		return ""
	}
	if l.w.Within(within, func() bool { return behind() == "" }) {
		return nil
	}
	return errors.New("a reader does not come to the end: " + behind())
}
