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

// Reset is where a group begins that has never read a partition. The zero value is the
// end: what comes from now on.
type Reset struct {
	Earliest bool
	Back     time.Duration // by_duration: so long ago
}

// load gets the state that the leader before has left. If that fails whoever asks next
// begins anew.
func (sh *Share) load(ctx context.Context) error {
	stored, err := sh.service.cfg.Persister.ReadState(ctx, sh.key, sh.epoch)
	if err = told(ctx, err); err == nil && stored.Start == share.NoStart {
		stored.Start, err = sh.begin(ctx, stored.StateEpoch)
	}
	var st *state
	if err == nil {
		st, err = newState(stored)
	}
	if err != nil {
		sh.service.log.Info("share partition is not loaded", "group", sh.key.Group, "partition", sh.tp, "err", err)
		sh.service.drop(sh, err)
		return nil
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.fence == nil {
		sh.state, sh.stateEpoch = st, stored.StateEpoch
		sh.bury()
		sh.wakeLocked()
	}
	return nil
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
	return start, told(ctx, err)
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
		spec = max(0, time.Now().Add(-reset.Back).UnixMilli())
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
	sh.leaving = false
}

// leave has the Share given up as soon as nothing waits.
func (sh *Share) leave() {
	sh.mu.Lock()
	sh.leaving = true
	sh.mu.Unlock()
	sh.mayGo()
}

// mayGo gives the Share up if it leaves and nothing waits.
func (sh *Share) mayGo() {
	s := sh.service
	s.mu.Lock()
	sh.mu.Lock()
	idle := sh.leaving && !sh.writing && !sh.burying && (sh.state == nil || !sh.state.unwritten)
	sh.mu.Unlock()
	if idle && s.shares[sh.key] == sh {
		delete(s.shares, sh.key)
	}
	s.mu.Unlock()
	if idle {
		sh.end(kerr.NotLeaderForPartition)
	}
}
