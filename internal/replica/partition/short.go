package partition

import (
	"errors"
	"fmt"
	"slices"

	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A log is short if it ends below where it once did for good: the disk has lost the end of
// it. That is rot from its end on, see rot, and worse. What is rotten in the middle can be
// told from what is there; here offsets that others have records at would be given to new
// ones. So a replica that is short does not lead, whoever tells it to, nor does it answer
// readers.
//
// If it is the only replica nobody has what is lost. Its home keeps it closed then (ErrShort)
// until the operator would rather go on without.

// ErrShort is wrapped by the error of a home that keeps a log closed because its end is lost.
var ErrShort = errors.New("the end of the log is lost")

// errShort has clients look for who has all of it.
var errShort = fmt.Errorf("%w: %w", kerr.NotLeaderForPartition, ErrShort)

// lacks takes in how far a log once reached that was just opened. mu is held.
func (p *Partition) lacks(log *commitlog.Log, had int64) {
	if had <= max(log.End(), p.rot.missing) {
		return
	}
	p.logger.Error("the disk has lost the end of a log: the replica does not lead, and fetches it from others",
		"partition", p.tp, "end", log.End(), "had", had)
	if p.rot.at == unknown || p.rot.at > log.End() {
		p.rot.at, p.rot.next = log.End(), had
	}
	p.rot.missing, p.rot.epoch = had, p.role.Epoch
	p.rot.told, p.rot.asked, p.rot.reported = false, false, false
	p.rot.had = !p.role.Lost || slices.Contains(p.role.ISR, p.role.Self)
}

// Missing is where the log ended before the disk lost its end, or 0 if it did not.
func (p *Partition) Missing() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.missing()
}

// missing is Missing with mu held.
func (p *Partition) missing() int64 {
	if p.rot.missing == 0 || !p.isRotten() {
		return 0
	}
	return p.rot.missing
}

// Kept is what the home is to write down of a log that ends at end: the high watermark, and
// how far the log reached if it is short, which is not forgotten before it has healed. A high
// watermark of what may be in memory only, on a topic that has no other replica, would be
// taken for a promise once the topic is to be durable.
func (p *Partition) Kept(durable int64) (hw, had int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if hw = p.hw.Load(); p.role.sole() && !p.settings.Load().Durable {
		hw = min(hw, durable)
	}
	if !p.rot.healing {
		had = p.missing()
	}
	return hw, had
}

// waive has a short log go on without what it lacks: nobody has it, and the operator would
// rather do without. It waits for the disk.
func (p *Partition) waive() error {
	p.writing.Lock()
	defer p.writing.Unlock()
	log := p.log.Load()
	if log == nil {
		return p.Err()
	}
	p.mu.Lock()
	missing := p.missing()
	p.rot.healing = true // nothing is kept of it
	p.mu.Unlock()
	p.logger.Error("records that were committed are given up, as unclean.leader.election.enable allows",
		"partition", p.tp, "from", log.End(), "upto", missing)
	err := p.home.Truncated(p, log, log.End())
	p.mu.Lock()
	if p.rot.healing = false; err == nil {
		p.rot.missing = 0
	}
	p.mu.Unlock()
	return p.storage(err)
}
