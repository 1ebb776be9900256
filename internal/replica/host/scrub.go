package host

import (
	"context"
	"math/rand/v2"
	"time"
)

// keepScrubbing reads every log against its checksums once in an interval, one after the
// other in a new order each time: wherever a node ends, none has been passed over for good.
// A log of which somebody could not read a batch comes at once.
func (h *Host) keepScrubbing(ctx context.Context) error {
	rng := rand.New(rand.NewPCG(h.cfg.Random(), h.cfg.Random()))
	for ctx.Err() == nil {
		list := h.replicas()
		pause := h.cfg.ScrubInterval / time.Duration(len(list)+1)
		h.scrubDoubts(ctx, pause)
		for _, i := range rng.Perm(len(list)) {
			if r := list[i]; h.replica(r.ID()) == r && (r.Opened() != nil || r.dir().has(r.TP())) {
				h.scrub(ctx, r)
			}
			h.scrubDoubts(ctx, pause)
		}
	}
	return nil
}

// scrubDoubts waits, and reads meanwhile what cannot wait. Without an interval it waits
// for that alone.
func (h *Host) scrubDoubts(ctx context.Context, pause time.Duration) {
	var over <-chan time.Time
	if h.cfg.ScrubInterval > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		over = t.C
	}
	for {
		select {
		case <-h.doubts.kick:
			ids, _ := h.doubts.take()
			for id := range ids {
				if r := h.replica(id); r != nil && !r.Rotten() {
					h.scrub(ctx, r)
				}
			}
		case <-over:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (h *Host) scrub(ctx context.Context, r *replica) {
	if ctx.Err() != nil || r.Err() != nil || r.dir().err() != nil || r.Rotten() && len(r.Role().Replicas) > 1 {
		return
	}
	found, err := r.Scrub(ctx, func(n int) error { return pace(ctx, n, h.cfg.ScrubRate) })
	if err != nil && ctx.Err() == nil && r.Err() == nil {
		h.cfg.Log.Warn("a log cannot be read through", "partition", r.TP(), "err", err)
	}
	if found > 0 && len(r.Role().Replicas) == 1 {
		h.cfg.Log.Error("records are damaged of which there is no other replica: they cannot be read any more", "partition", r.TP(), "places", found)
	}
}

// pace waits as long as n bytes take at a rate.
func pace(ctx context.Context, n int, rate int64) error {
	if rate <= 0 || n == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
