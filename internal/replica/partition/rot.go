package partition

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

// rot is what a replica knows of records here that are not what was written. Where others
// have them they are given up, and fetched again. But whoever gives up what is committed
// must not be elected, nor count, before it has it again:
//
//	at      it fetches from there only: a leader that sees this keeps it out of the ISR
//	Lost    of the role: the controller has been told that the replica is lost
//	        (AssignReplicasToDirs), by which it is neither leader nor in the ISR nor
//	        electable, in the ISR, in the ELR or uncleanly
//	owes    what was given up ends there; until the log is durable so far it stays lost
type rot struct {
	at, next int64 // from where on the log cannot be trusted, and where the first bad batch ends; -1 if it can
	owes     int64
	told     bool  // the leader has been asked from there since, in the epoch or a later one
	asked    bool  // it is being asked
	epoch    int32 // in which it was found
	reported bool  // the controller has decided that it is lost, since
	had      bool  // when it was found the replica had everything but for what is rotten
	healing  bool
	missing  int64 // the log once reached up to there, and ends at the rot: see short.go; 0 if it does not
	lost     int32 // the latest leader epoch of what is missing, model.NoEpoch if it is not known
}

// ErrRotten is wrapped by the error of a follower that takes nothing more, because what it
// has must be given up first.
var ErrRotten = errors.New("replica is rotten")

// Scrub reads the whole log against its checksums; see Suspect for what it finds. pace is
// called with the bytes that were read since, and may wait; its error ends the reading.
func (p *Partition) Scrub(ctx context.Context, pace func(n int) error) (found int, err error) {
	log, err := p.openUnused()
	if err != nil {
		return 0, err
	}
	for at := log.Start(); at < log.End() && ctx.Err() == nil && p.log.Load() == log; {
		next, rotten, err := log.Verify(at, pace)
		for _, r := range rotten {
			p.logger.Error("the disk has changed what was written", "partition", p.tp, "file", r.File,
				"position", r.Pos, "offset", r.Offset, "upto", r.Next, "err", r.Err)
			p.Suspect(log, r.Offset, r.Next)
			found++
		}
		if err != nil {
			return found, p.storageOf(log, err)
		}
		if next <= at {
			break
		}
		at = next
	}
	return found, ctx.Err()
}

// Suspect notes that nothing can be trusted from offset at on: the first bad batch ends at
// next. What lies below the log start does not matter.
func (p *Partition) Suspect(log *commitlog.Log, at, next int64) {
	p.mu.Lock()
	if next <= log.Start() || at >= log.End() || p.log.Load() != log {
		p.mu.Unlock()
		return
	}
	if p.rot.at == unknown || at < p.rot.at {
		if p.rot.at == unknown {
			r := p.role
			p.rot.had = !r.Lost || slices.Contains(r.ISR, r.Self) || p.rot.owes > 0 && p.durable >= p.rot.owes
		}
		p.rot.epoch = p.role.Epoch
		p.rot.told, p.rot.asked, p.rot.reported = false, false, false
		p.rot.at, p.rot.next = at, next
	}
	p.mu.Unlock()
	p.doubt()
}

func (p *Partition) doubt() {
	if p.doubts != nil {
		p.doubts(p)
	}
}

// doubted has the host look at a log of which somebody could not read a batch.
func (p *Partition) doubted(err error) error {
	if errors.Is(err, kerr.CorruptMessage) {
		p.doubt()
	}
	return err
}

// Rotten reports whether the log cannot be trusted.
func (p *Partition) Rotten() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isRotten()
}

// isRotten is Rotten with mu held.
func (p *Partition) isRotten() bool {
	log := p.log.Load()
	if log == nil || p.rot.at == unknown {
		return p.rot.at != unknown
	}
	if p.rot.missing <= log.Start() {
		p.rot.missing = 0
	}
	if p.rot.missing == 0 && (p.rot.next <= log.Start() || p.rot.at >= log.End()) {
		p.rot.at = unknown // it is not there any more
	}
	return p.rot.at != unknown
}

// Standing is how a replica stands with the controller.
type Standing struct {
	Role
	Eligible []int32 // to lead without being in the ISR: ELR and last known leader
}

// Report says what the controller must be told of this replica as it stands, if anything:
// that it is lost while it is rotten, if there are others to go on with; that it is not when
// it has again what it gave up. What it gave up in an earlier life it does not know: then it
// has everything when its leader had it join the ISR, or nobody counts on it anyway.
//
// Lost is reported when every leader that may propose an ISR from then on knows that the
// replica has nothing beyond what is trusted. Nothing is given up before the decision is
// known (Reported), so that who is in the ISR later has joined by what it had later.
func (p *Partition) Report(s Standing) (lost, report bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	inSync := slices.Contains(s.ISR, s.Self)
	others := slices.ContainsFunc(s.ISR, func(id int32) bool { return id != s.Self })
	if p.isRotten() {
		told := p.rot.told || s.Leading || p.role.Epoch > p.rot.epoch
		short := p.missing() > 0
		switch {
		case s.Lost && s.Leader == model.NoLeader && p.rot.had && !p.rot.healing && (!short || p.nobodyElse(s)):
			p.rot.reported = false // nothing is given up from now on
			return false, true     // what can be read of it is better than nothing
		case short && !s.sole():
			return true, (!p.nobodyElse(s) || p.settings.Load().Unclean) && !(p.rot.reported && !inSync) && (told || s.Leader == model.NoLeader)
		case p.rot.reported && !inSync || s.sole() || !others || s.Leader == model.NoLeader:
			return true, false
		}
		return true, told
	}
	switch {
	case !s.Lost || s.sole():
		return false, s.Lost
	case p.rot.healing:
		return true, false
	case inSync || p.rot.owes > 0 && p.durable >= p.rot.owes:
		return false, true
	}
	return false, p.rot.owes == 0 && !slices.Contains(s.Eligible, s.Self)
}

// Reported takes in that the controller has decided on a report, and that the present role
// is of that decision or a later one.
// If it is not to be lost though its log is short, it leads by name, or what it lacks is
// given up, if that is allowed.
func (p *Partition) Reported(lost bool) error {
	p.mu.Lock()
	p.rot.reported = lost && p.rot.at != unknown
	waived := !lost && p.missing() > 0 && p.settings.Load().Unclean
	p.mu.Unlock()
	if waived {
		return p.waive()
	}
	return nil
}

// Heal gives up what cannot be trusted, and everything after it, if others have it and
// the cluster does not count on this replica: it follows, is lost and not in the ISR.
// What is given up is fetched again. It waits for the disk.
func (p *Partition) Heal() (healed bool, err error) {
	if _, err := p.Log(); err != nil {
		return false, err
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	log := p.log.Load() // it may have been replaced meanwhile
	if log == nil {
		return false, p.Err()
	}
	at, owes, ok := p.mayHeal()
	if !ok {
		return false, nil
	}
	switch {
	case at <= log.Start():
		err = p.restart(log, log.Start())
	case at >= log.End():
		log.Lost(0, model.NoEpoch)
		err = p.home.Truncated(p, log, log.End()) // what it knows beyond is void
	default:
		err = p.cut(log, at)
	}
	p.mu.Lock()
	if p.rot.healing = false; err == nil {
		p.rot.at, p.rot.missing, p.rot.owes = unknown, 0, owes
	}
	// Who asked meanwhile from where to fetch, or waits for what is gone, asks anew.
	p.following.asked, p.following.cut = unknown, true
	p.wake()
	p.mu.Unlock()
	if err == nil {
		p.logger.Warn("what is rotten was given up, and is fetched again", "partition", p.tp, "from", at, "upto", owes)
	}
	return err == nil, p.storage(err)
}

// mayHeal reports whether, and says from where on the log is to be given up.
func (p *Partition) mayHeal() (at, owes int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.role
	if p.failed != nil || !p.isRotten() || r.Leading || r.Leader == model.NoLeader || !r.Lost || !p.rot.reported || slices.Contains(r.ISR, r.Self) {
		return 0, 0, false
	}
	p.rot.healing = true
	return p.rot.at, max(p.rot.owes, p.durable, p.missing()), true
}

// trusted returns nil if a follower may take what its leader sends.
func (p *Partition) trusted() error {
	p.mu.Lock()
	rotten := p.isRotten()
	first := rotten && p.rot.asked && !p.rot.told
	p.rot.told = p.rot.told || first
	p.mu.Unlock()
	if first {
		p.doubt()
	}
	if rotten {
		return fmt.Errorf("%w: %s waits until the cluster does not count on it", ErrRotten, p.tp)
	}
	return nil
}
