package link

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/base/run"
)

// mostCalls is how many calls of one line may be under way at once.
const mostCalls = 1024

// handlers are the calls that an accepted line has under way.
type handlers struct {
	n *line
	g *run.Group

	mu      sync.Mutex // guards what follows
	cancels map[uint64]context.CancelFunc
	running int
}

// begin answers a call on a goroutine of its own. An error ends the line: nodes have no
// more calls under way than they may, and give each an id of its own.
func (hs *handlers) begin(kind uint8, id uint64, payload []byte) error {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if _, twice := hs.cancels[id]; twice {
		return fmt.Errorf("call %d begins twice", id)
	}
	// Calls that were cancelled may need a moment to end.
	if hs.running+hs.n.out.unanswered() >= 2*mostCalls {
		return errors.New("too many calls are under way")
	}
	// Reserved before the goroutine begins, so that a cancel that follows finds it.
	hs.cancels[id] = func() {}
	hs.running++
	hs.g.Go("call", func(ctx context.Context) error {
		defer hs.ended()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if hs.begun(id, cancel) {
			hs.answer(ctx, kind, id, payload)
		}
		return nil
	})
	return nil
}

func (hs *handlers) answer(ctx context.Context, kind uint8, id uint64, payload []byte) {
	answer, err := hs.n.l.c.Handle(ctx, *hs.n.remote.Load(), kind, payload)
	if !hs.end(id) {
		return // nobody waits for it
	}
	if err == nil && len(answer) > hs.n.l.c.MaxPayload {
		err = fmt.Errorf("an answer of %d bytes: %w", len(answer), kerr.MessageTooLarge)
	}
	if err != nil {
		hs.n.out.answer(frameFailure, id, encodeError(err))
		return
	}
	hs.n.out.answer(frameAnswer, id, answer)
}

func (hs *handlers) ended() {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.running--
}

func (hs *handlers) begun(id uint64, cancel context.CancelFunc) bool {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if _, ok := hs.cancels[id]; !ok {
		return false
	}
	hs.cancels[id] = cancel
	return true
}

// end reports whether the caller still waits.
func (hs *handlers) end(id uint64) bool {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	_, ok := hs.cancels[id]
	delete(hs.cancels, id)
	return ok
}

func (hs *handlers) cancel(id uint64) {
	hs.mu.Lock()
	cancel, ok := hs.cancels[id]
	delete(hs.cancels, id)
	hs.mu.Unlock()
	if ok {
		cancel()
	}
}
