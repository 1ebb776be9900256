package share

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// lead takes a share partition over, again and again, and stores what it likes.
func (h *history) lead(rng *rand.Rand, k Key) {
	for h.over.Err() == nil {
		h.pause(rng, 3000)
		h.mu.Lock()
		if rng.IntN(2) == 0 {
			h.keys[k].leaderEpoch++
		}
		epoch := h.keys[k].leaderEpoch
		h.mu.Unlock()
		s, ok := h.read(rng, k, epoch)
		if !ok {
			continue
		}
		for range rng.IntN(12) {
			if !h.write(rng, k, epoch, &s) {
				break
			}
			h.pause(rng, 300)
		}
	}
}

// read reads and checks what it is told.
func (h *history) read(rng *rand.Rand, k Key, epoch int32) (PartitionState, bool) {
	asked := h.tick()
	s, err := h.clients[rng.IntN(nodes)].ReadState(h.over, k, epoch)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	if err != nil {
		h.refused(k, asked, err)
		return s, false
	}
	h.reads++
	h.accepted(k, epoch, asked)
	h.check(k, asked, s)
	return s, true
}

func (h *history) tick() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	return h.clock
}

// refused counts errors that must be possible; mu is held.
func (h *history) refused(k Key, asked int, err error) {
	switch {
	case errors.Is(err, kerr.FencedLeaderEpoch), errors.Is(err, kerr.FencedStateEpoch):
		h.fenced++
	case errors.Is(err, kerr.CoordinatorNotAvailable), errors.Is(err, context.Canceled):
	case errors.Is(err, kerr.InvalidRequest):
		for _, b := range h.keys[k].begun {
			if b.done > 0 && b.done < asked {
				h.problems = append(h.problems, k.String()+": a state that had begun is not there")
				return
			}
		}
	default:
		h.problems = append(h.problems, k.String()+": "+err.Error())
	}
}

// accepted notes that a leader was heard, and that no later one had been; mu is held.
func (h *history) accepted(k Key, epoch int32, asked int) {
	r := h.keys[k]
	for _, l := range r.leaders {
		if l.epoch > epoch && l.done < asked {
			h.problems = append(h.problems, k.String()+": an earlier leader was heard after a later one")
		}
	}
	r.leaders = append(r.leaders, &seenLeader{epoch, h.clock})
}

// check holds a state that was read to what is known; mu is held.
func (h *history) check(k Key, asked int, s PartitionState) {
	r := h.keys[k]
	known := false
	for _, b := range r.begun {
		if b.done > 0 && b.done < asked && b.stateEpoch > s.StateEpoch {
			h.problems = append(h.problems, k.String()+": a state was read that had ended")
		}
		known = known || b.stateEpoch == s.StateEpoch
	}
	if !known {
		h.problems = append(h.problems, k.String()+": a state was read that nobody began")
	}
	at := map[int64]StateBatch{}
	for _, b := range s.Batches {
		for o := b.First; o <= b.Last; o++ {
			at[o] = b
		}
	}
	wrote := map[[3]int64]bool{}
	for _, w := range append(r.sent[:len(r.sent):len(r.sent)], r.begun...) {
		if w.stateEpoch != s.StateEpoch {
			continue
		}
		sure := w.done > 0 && w.done < asked
		if sure && w.start > s.Start {
			h.problems = append(h.problems, k.String()+": the start went back")
		}
		for _, b := range w.batches {
			for o := b.First; o <= b.Last; o++ {
				wrote[[3]int64{o, int64(b.State), int64(b.Deliveries)}] = true
				have, ok := at[o]
				if sure && o >= s.Start && (!ok || have.Deliveries < b.Deliveries || have.Deliveries == b.Deliveries && have.State < b.State) {
					h.problems = append(h.problems, k.String()+": what was stored is not read")
				}
			}
		}
	}
	for o, b := range at {
		if o < s.Start || !wrote[[3]int64{o, int64(b.State), int64(b.Deliveries)}] {
			h.problems = append(h.problems, k.String()+": something was read that nobody wrote")
		}
	}
}

// write stores what a leader might: batches from its start on, and sometimes a new start.
func (h *history) write(rng *rand.Rand, k Key, epoch int32, s *PartitionState) bool {
	if rng.IntN(3) == 0 {
		s.Start = max(s.Start, 0) + rng.Int64N(4)
	}
	w := &stored{stateEpoch: s.StateEpoch, start: s.Start}
	if rng.IntN(4) == 0 {
		w.start = NoStart
	}
	for range rng.IntN(3) {
		first := max(s.Start, 0) + rng.Int64N(10)
		w.batches = append(w.batches, StateBatch{first, first + rng.Int64N(3), [...]int8{Available, Acknowledged, Archived}[rng.IntN(3)], int16(rng.IntN(4))})
	}
	h.mu.Lock()
	h.clock++
	w.asked = h.clock
	h.keys[k].sent = append(h.keys[k].sent, w)
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(h.over, time.Duration(rng.IntN(4000)+1)*time.Millisecond)
	defer cancel()
	err := h.clients[rng.IntN(nodes)].WriteState(ctx, k, s.StateEpoch, epoch, w.start, 0, w.batches)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	if err != nil {
		if !errors.Is(err, context.DeadlineExceeded) {
			h.refused(k, w.asked, err)
		}
		return false
	}
	h.stored++
	w.done = h.clock
	h.accepted(k, epoch, w.asked)
	return true
}

// begin begins states anew.
func (h *history) begin(rng *rand.Rand, k Key) {
	for h.over.Err() == nil {
		h.mu.Lock()
		r := h.keys[k]
		h.clock++
		r.stateEpoch++
		b := &stored{asked: h.clock, stateEpoch: r.stateEpoch, start: NoStart}
		if rng.IntN(2) == 0 {
			b.start = rng.Int64N(20)
		}
		r.begun = append(r.begun, b)
		h.mu.Unlock()
		err := h.clients[rng.IntN(nodes)].InitializeState(h.over, k, b.stateEpoch, b.start)
		h.mu.Lock()
		h.clock++
		if err == nil {
			b.done = h.clock
		} else {
			h.refused(k, b.asked, err)
		}
		h.mu.Unlock()
		h.pause(rng, 60000)
	}
}
