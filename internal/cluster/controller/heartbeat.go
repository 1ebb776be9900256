package controller

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// Heartbeat takes what a broker says of itself: it is unfenced when it has caught up,
// fenced when it asks for it, and emptied of leaders before it shuts down.
//
// An answer that repeats what is agreed already does not wait for decisions under way:
// a slow disk here must not cost brokers their lease.
func (s *Service) Heartbeat(ctx context.Context, h Heartbeat) (HeartbeatResult, error) {
	r, wait, refusal := s.heartbeat(h)
	if wait == nil {
		return r, refusal
	}
	if _, err := wait(ctx); err != nil {
		return HeartbeatResult{}, explain(err)
	}
	return r, refusal
}

func (s *Service) heartbeat(h Heartbeat) (HeartbeatResult, Wait, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var told, changes bool // told by the image: nothing is to be waited for
	r, wait, err := decideLocked(s, func(st State) (result[HeartbeatResult], []metadata.Record) {
		r, recs, err := st.Heartbeat(h)
		if err != nil {
			return result[HeartbeatResult]{err: err}, nil
		}
		s.live.heartbeat(h.ID, h.Epoch, st.Now)
		s.offsets[h.ID] = h.MetadataOffset
		changes = len(recs) > 0
		s.tell(st, h.ID, recs)
		told = len(recs) == 0 && s.agreed(st, h)
		return result[HeartbeatResult]{answer: r}, recs
	})
	switch {
	case err != nil:
		return r.answer, nil, err
	case told:
		wait = nil
	}
	if r.err == nil {
		s.noteShutdown(h, r.answer, changes)
	}
	return r.answer, wait, r.err
}

// tell logs what becomes of a broker by its own word.
func (s *Service) tell(st State, id int32, recs []metadata.Record) {
	was, _ := st.Image.Broker(id)
	for _, rec := range recs {
		is, ok := rec.(metadata.ChangeBroker)
		var what string
		switch {
		case !ok || is.ID != id:
			continue
		case is.Fenced && !was.Fenced:
			what = "broker fenced at its wish"
		case !is.Fenced && was.Fenced:
			what = "broker unfenced"
		case is.InControlledShutdown && !was.InControlledShutdown:
			what = "broker hands its leaders over"
		default:
			what = "broker has lost log folders"
		}
		s.o.Log.Info(what, "broker", id, "epoch", is.Epoch, "partitions", len(recs)-1, "folders", len(is.LogDirs))
	}
}

// noteShutdown remembers where a controlled shutdown began.
func (s *Service) noteShutdown(h Heartbeat, r HeartbeatResult, changes bool) {
	switch {
	case !h.WantShutDown || r.ShouldShutDown:
		delete(s.leaving, h.ID)
	case changes:
		s.leaving[h.ID] = s.image.Offset
	}
}

// agreed reports whether the broker stands in this node's image as decisions take it.
func (s *Service) agreed(st State, h Heartbeat) bool {
	decided, _ := st.Image.Broker(h.ID)
	is, ok := s.o.Feed.Image().Broker(h.ID)
	return ok && !h.WantShutDown && is.Epoch == decided.Epoch &&
		is.Fenced == decided.Fenced && is.InControlledShutdown == decided.InControlledShutdown
}
