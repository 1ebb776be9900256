package partition

import (
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/store/commitlog"
)

// HighWatermark is the offset below which everything is committed; 0 until the log is
// open.
func (p *Partition) HighWatermark() int64 { return p.hw.Load() }

// DurableEnd is the offset below which everything is on stable storage here; 0 until the
// log is open.
func (p *Partition) DurableEnd() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.durable
}

// Durable reports that everything below end is on stable storage here. It is quick and
// never blocks; the journal calls it, with its lock held.
func (p *Partition) Durable(end int64) {
	if log := p.log.Load(); log != nil && end > log.End() {
		p.Failed(fmt.Errorf("%w: %s is reported durable up to %d and ends at %d", commitlog.ErrInvariant, p.tp, end, log.End()))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil || end <= p.durable {
		return
	}
	p.durable = end
	if !p.advance() {
		p.wakeLocal()
	}
}

// advance moves the high watermark to what is committed by what is known, and tells
// whether it moved. mu is held.
func (p *Partition) advance() bool {
	hw := p.committed()
	if hw <= p.hw.Load() {
		return false
	}
	p.hw.Store(hw)
	p.wake()
	return true
}

// committed is how far the records are known to be committed: by a leader what every
// replica that may be in the ISR has made durable, if those are enough (KIP-966); by a
// follower what its leader says, as far as it has the same on stable storage. mu is held.
func (p *Partition) committed() int64 {
	switch {
	case p.failed != nil || p.log.Load() == nil:
		return unknown
	case p.role.sole():
		return p.durable
	case !p.role.Leading:
		return min(p.following.leaderHW, p.following.same, p.durable)
	case !p.leads() || !p.role.safe(p.settings.Load().MinISR):
		return unknown
	}
	return p.tracker.committed(p.durable, time.Now())
}

// Audit stops the node if the marks contradict each other, whatever moved them: it is
// cheap, and done from time to time. The marks of a replica that is rotten are in dispute.
func (p *Partition) Audit() {
	if err := p.contradiction(); err != nil {
		p.Failed(err)
	}
}

func (p *Partition) contradiction() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, hw := p.log.Load(), p.hw.Load()
	switch {
	case log == nil || p.failed != nil || p.isRotten():
		return nil
	case hw > p.durable:
		return fmt.Errorf("%w: the high watermark of %s is %d and only %d is durable", commitlog.ErrInvariant, p.tp, hw, p.durable)
	case !p.leads():
		return nil // it may be about to be cut, which takes a while
	case log.Start() > hw || p.durable > log.End():
		return fmt.Errorf("%w: %s is led from %d to %d, committed to %d and durable to %d", commitlog.ErrInvariant, p.tp, log.Start(), log.End(), hw, p.durable)
	}
	return nil
}

// Lag is how far a replica is behind what it knows of its leader: its high watermark, or
// its own if it leads.
func (p *Partition) Lag() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, max(p.hw.Load(), p.following.leaderHW)-p.durable)
}
