package link

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/proto/model"
)

// mostCalls is how many calls of one line may be under way at once.
const mostCalls = 1024

// handlers are the calls that an accepted line has under way.
type handlers struct {
	n *line
	g *run.Group

	mu      sync.Mutex // guards cancels
	cancels map[uint64]context.CancelFunc
}

// begin answers a call on a goroutine of its own.
func (hs *handlers) begin(kind uint8, id uint64, payload []byte) {
	hs.mu.Lock()
	_, twice := hs.cancels[id]
	full := len(hs.cancels)+hs.n.out.unanswered() >= 2*mostCalls
	if twice || full {
		hs.mu.Unlock()
		err := model.Explain(kerr.ThrottlingQuotaExceeded, "too many calls are under way on one line")
		if !full {
			hs.n.out.answer(frameFailure, id, encodeError(err))
		} else {
			hs.n.nc.Close()
		}
		return
	}
	// Reserved before the goroutine begins, so that a cancel that follows finds it.
	hs.cancels[id] = func() {}
	hs.mu.Unlock()
	hs.g.Go("call", func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if !hs.begun(id, cancel) {
			return nil
		}
		from := *hs.n.remote.Load()
		answer, err := hs.n.l.c.Handle(ctx, from, kind, payload)
		if !hs.end(id) {
			return nil // nobody waits for it
		}
		if err != nil {
			hs.n.out.answer(frameFailure, id, encodeError(err))
		} else if len(answer) > hs.n.l.c.MaxPayload {
			hs.n.out.answer(frameFailure, id, encodeError(kerr.MessageTooLarge))
		} else {
			hs.n.out.answer(frameAnswer, id, answer)
		}
		return nil
	})
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
