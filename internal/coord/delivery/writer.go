package delivery

import (
	"context"
	"errors"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/twmb/franz-go/pkg/kerr"
)

var _ = failpoint.Register("delivery.write.before_store", "delivery.write.after_store")

// retryAfter is how long what nobody waits for rests after a write that failed.
const retryAfter = time.Second

// flush has what waits for it written, unless someone is about it: then it goes with the
// next write. mu is held.
func (sh *Share) flush() {
	if sh.writing || sh.fence != nil || !sh.state.unwritten && !sh.state.restate {
		return
	}
	sh.writing = true
	sh.service.crew.start("write", sh.write)
}

// write writes until nothing waits for it.
func (sh *Share) write(ctx context.Context) error {
	for {
		w, verdict, ok := sh.next()
		if !ok {
			sh.mayGo()
			return nil
		}
		failpoint.Hit("delivery.write.before_store", sh.service.cfg.On)
		err := sh.service.cfg.Persister.WriteState(ctx, sh.key, sh.stateEpoch, sh.epoch, w.start, w.completed, w.batches)
		failpoint.Hit("delivery.write.after_store", sh.service.cfg.On)
		if isAny(err, kerr.InvalidRequest) {
			sh.forgotten(err)
		}
		if sh.finish(w, verdict, told(ctx, err)); err != nil {
			return nil
		}
	}
}

// forgotten ends the Share when the coordinator has no such state any more, as of a group
// that was deleted, or takes no state like this one. Nothing that is written later helps;
// whoever reads the partition next begins with what is stored.
func (sh *Share) forgotten(err error) {
	sh.service.log.Warn("the state of a share partition cannot be stored", "group", sh.key.Group, "partition", sh.tp, "err", err)
	sh.service.drop(sh, kerr.NotLeaderForPartition)
}

// next takes what is to be written, and who waits for it; ok is false if there is nothing,
// and then the writer's work is done.
func (sh *Share) next() (w write, v *Verdict, ok bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.fence != nil {
		sh.writing = false
		return w, nil, false
	}
	w, ok = sh.state.prepare()
	v, sh.open = sh.open, newVerdict()
	if !ok {
		sh.writing = false
		v.decide(nil) // what it was about the log has no longer
	}
	return w, v, ok
}

// finish takes over what became of a write, and tells who waits.
func (sh *Share) finish(w write, verdict *Verdict, err error) {
	set := sh.settings()
	if fences(err) {
		sh.service.drop(sh, err)
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer verdict.decide(err)
	news := false
	if err == nil {
		news, sh.wrote = sh.state.written(w), time.Now()
		sh.bury()
		sh.tidy()
	} else {
		news = sh.state.failed(w.ticket, set.rules(), time.Now())
		sh.rest()
	}
	if news {
		sh.wakeLocked()
	}
}

// rest ends the writer's work after a failure: what was acknowledged since is written by a
// new one at once, and the rest when the alarm rings. mu is held.
func (sh *Share) rest() {
	sh.writing = false
	if sh.fence != nil {
		return
	}
	sh.arm()
	if sh.state.waits() {
		sh.flush()
	} else if sh.state.unwritten || sh.state.stale() {
		sh.service.alarms.set(sh, time.Now().Add(retryAfter))
	}
}

// tidyAfter is how long a start that has moved waits for a write that takes it along.
const tidyAfter = time.Second

// tidy has the start stored, once there was no write for a while. mu is held.
func (sh *Share) tidy() {
	if !sh.state.stale() || sh.writing && sh.state.restate {
		return
	}
	if at := sh.wrote.Add(tidyAfter); at.After(time.Now()) {
		sh.service.alarms.set(sh, at)
		return
	}
	sh.state.restate = true
	sh.flush()
}

// told is the error of the share coordinator as members are told of it.
func told(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case isAny(err, kerr.FencedLeaderEpoch, kerr.FencedStateEpoch, kerr.NotLeaderForPartition):
		return kerr.NotLeaderForPartition
	case isAny(err, kerr.GroupIDNotFound, kerr.UnknownTopicOrPartition):
		return err
	case ctx.Err() != nil, isAny(err, kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.RequestTimedOut):
		return kerr.CoordinatorNotAvailable
	}
	return kerr.UnknownServerError
}

// fences reports whether an error, as told, means that another Share is to be made.
func fences(err error) bool {
	return isAny(err, kerr.NotLeaderForPartition, kerr.GroupIDNotFound, kerr.UnknownTopicOrPartition)
}

func isAny(err error, of ...*kerr.Error) bool {
	for _, e := range of {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
