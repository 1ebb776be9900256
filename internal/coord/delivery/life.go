package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
)

// load gets the state that the leader before has left. While somebody waits for it, it is
// tried again and again: members know nothing of coordinators. If nobody does, whoever asks
// next begins anew.
func (sh *Share) load(ctx context.Context) error {
	pause := loadPause
	for {
		st, epoch, err := sh.stored(ctx)
		if err == nil {
			sh.loaded(st, epoch)
			return nil
		}
		sh.service.log.Info("share partition is not loaded", "group", sh.key.Group, "partition", sh.tp, "err", err)
		if fences(err) || isAny(err, kerr.UnknownServerError) || !sh.awaited() {
			sh.service.drop(sh, err)
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			sh.service.drop(sh, kerr.NotLeaderForPartition)
			return nil
		}
		pause = min(2*pause, loadMaxPause)
	}
}

// The pauses between attempts to load, each twice the one before.
const (
	loadPause    = 100 * time.Millisecond
	loadMaxPause = time.Second
)

// stored is what the coordinator has.
func (sh *Share) stored(ctx context.Context) (*state, int32, error) {
	stored, err := sh.service.cfg.Persister.ReadState(ctx, sh.key, sh.epoch)
	if err = loading(ctx, err); err == nil && stored.Start == share.NoStart {
		stored.Start, err = sh.begin(ctx, stored.StateEpoch)
	}
	if err != nil {
		return nil, 0, err
	}
	st, err := newState(stored)
	if err != nil {
		sh.service.log.Error("the state of a share partition is of no use", "group", sh.key.Group, "partition", sh.tp, "err", err)
		return nil, 0, kerr.UnknownServerError
	}
	return st, stored.StateEpoch, nil
}

// loading is an error of the share coordinator while a state is loaded: what does not fence
// may go away, such as that the group is not known there yet.
func loading(ctx context.Context, err error) error {
	if err = told(ctx, err); err == nil || fences(err) {
		return err
	}
	return kerr.CoordinatorNotAvailable
}

func (sh *Share) loaded(st *state, stateEpoch int32) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.fence != nil {
		return
	}
	sh.state, sh.stateEpoch = st, stateEpoch
	sh.tidy() // it was behind already
	sh.bury()
	sh.wakeLocked()
}

// awaited reports whether somebody waits.
func (sh *Share) awaited() bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return len(sh.waiters) > 0 && sh.fence == nil
}

// begin finds where a group starts that has never read the partition, and has it stored:
// if it were found out anew by the next leader, that would pass over what was delivered
// meanwhile and not acknowledged.
func (sh *Share) begin(ctx context.Context, stateEpoch int32) (int64, error) {
	start, err := sh.find(ctx, sh.settings().Reset)
	if err != nil {
		return 0, err
	}
	err = sh.service.cfg.Persister.WriteState(ctx, sh.key, stateEpoch, sh.epoch, start, 0, nil)
	return start, loading(ctx, err)
}

// find looks a reset up in the log. A leader that does not know yet what is committed is
// waited for.
func (sh *Share) find(ctx context.Context, reset Reset) (int64, error) {
	w := partition.NewWaiter()
	sh.source.Watch(w)
	defer sh.source.Unwatch(w)
	for {
		found, err := sh.lookUp(reset)
		if !isAny(err, kerr.OffsetNotAvailable) {
			return found, err
		}
		select {
		case <-w.C:
		case <-ctx.Done():
			return 0, kerr.CoordinatorNotAvailable
		}
	}
}

func (sh *Share) lookUp(reset Reset) (int64, error) {
	spec := model.OffsetLatest
	switch {
	case reset.Earliest:
		spec = model.OffsetEarliest
	case reset.Back > 0:
		spec = max(0, sh.service.cfg.Clock.Millis(time.Now().Add(-reset.Back)))
	}
	f, err := sh.source.ListOffset(spec, sh.epoch, false)
	if err == nil && f.Offset < 0 { // nothing is as new as that
		f, err = sh.source.ListOffset(model.OffsetLatest, sh.epoch, false)
	}
	if isAny(err, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch) {
		err = kerr.NotLeaderForPartition
	}
	if err != nil {
		return 0, fmt.Errorf("find the start of a share partition: %w", err)
	}
	return f.Offset, nil
}

// is reports whether a Share is that of a replica in a leader epoch.
func (sh *Share) is(p *partition.Partition, epoch int32) bool {
	return sh.source == p && sh.epoch == epoch
}

// current reports whether this broker still leads as it did when the Share was made; if
// not the Share ends.
func (sh *Share) current() bool {
	p, epoch, err := sh.service.led(sh.tp, sh.key.TopicID)
	if err == nil && sh.is(p, epoch) {
		return true
	}
	sh.service.drop(sh, kerr.NotLeaderForPartition)
	return false
}

// end fences a Share: who waits, or asks from now on, is told why.
func (sh *Share) end(why error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.fence != nil {
		return
	}
	sh.fence = why
	sh.service.alarms.unset(sh)
	sh.open.decide(why)
	sh.open = newVerdict()
	sh.wakeLocked()
}

// stay takes back that nobody reads here. The service is locked.
func (sh *Share) stay() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.leaving = nil
}

// leave has the Share given up as soon as nothing waits, if alone still says so then.
func (sh *Share) leave(alone func() bool) {
	sh.mu.Lock()
	sh.leaving = alone
	if sh.state != nil && sh.fence == nil && sh.state.stale() {
		sh.state.restate = true
		sh.flush()
	}
	sh.mu.Unlock()
	sh.mayGo()
}

// mayGo gives the Share up if it leaves and nothing waits.
func (sh *Share) mayGo() {
	s := sh.service
	s.mu.Lock()
	sh.mu.Lock()
	idle := sh.leaving != nil && !sh.writing && !sh.burying && (sh.state == nil || !sh.state.unwritten && !sh.state.restate) && sh.leaving()
	sh.mu.Unlock()
	if idle && s.shares[sh.key] == sh {
		delete(s.shares, sh.key)
	}
	s.mu.Unlock()
	if idle {
		sh.end(kerr.NotLeaderForPartition)
	}
}
