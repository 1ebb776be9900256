package partition

import (
	"errors"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/twmb/franz-go/pkg/kerr"
)

// BrokerEpoch is a broker in one registration; the epoch is -1 where it is not known.
type BrokerEpoch struct {
	ID    int32
	Epoch int64
}

// ISRProposal is what a leader asks the controller for (AlterPartition).
type ISRProposal struct {
	LeaderEpoch    int32
	PartitionEpoch int32
	ISR            []BrokerEpoch
	Recovery       metadata.Recovery
}

// State is what the controller says it is now.
type State struct {
	Leader         int32
	LeaderEpoch    int32
	PartitionEpoch int32
	ISR            []int32
	Recovery       metadata.Recovery
}

// Propose returns the change that the ISR needs, if this replica leads and no other
// change is under way; Answered must follow. alive tells the registration of a broker,
// as the image has it: its epoch, and whether it is fenced or shutting down; ok is false
// if it is not registered.
//
// From here on the high watermark waits for those proposed, until the controller's answer
// or its next word is known.
func (p *Partition) Propose(now time.Time, lagMax time.Duration, alive func(id int32) (epoch int64, fenced, ok bool)) (ISRProposal, bool) {
	log := p.log.Load()
	if log == nil {
		// Nobody has fetched yet. What the ISR's members have will be seen when it is open.
		return ISRProposal{}, false
	}
	end := log.End()
	p.mu.Lock()
	defer p.mu.Unlock()
	hw := p.hw.Load()
	switch {
	case p.failed != nil || p.tracker == nil:
		return ISRProposal{}, false
	case p.mayVouch():
		hw, p.tracker.epochStart = p.rot.missing, p.rot.missing
	case !p.leads():
		return ISRProposal{}, false
	}
	isr, ok := p.tracker.propose(hw, end, now, lagMax, alive)
	p.advance() // those who were waited for may be gone
	if !ok {
		return ISRProposal{}, false
	}
	return ISRProposal{
		LeaderEpoch: p.role.Epoch, PartitionEpoch: p.role.PartitionEpoch, ISR: isr, Recovery: metadata.Recovered,
	}, true
}

// Answered tells what became of a proposal: the state that the controller answered, or
// an error: its own, or why it could not be asked.
func (p *Partition) Answered(pr ISRProposal, s *State, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tracker
	if t == nil || p.role.Epoch != pr.LeaderEpoch || p.role.PartitionEpoch != pr.PartitionEpoch {
		return // the image was faster
	}
	switch {
	case err == nil && s != nil && s.LeaderEpoch == pr.LeaderEpoch && s.PartitionEpoch >= pr.PartitionEpoch:
		p.role.ISR, p.role.PartitionEpoch, p.role.Recovery = s.ISR, s.PartitionEpoch, s.Recovery
		t.inFlight = false
		t.agree(s.ISR, s.PartitionEpoch, s.Recovery)
		p.wake()
	case errors.Is(err, kerr.IneligibleReplica), errors.Is(err, kerr.OperationNotAttempted):
		t.refused()
	case err == nil, errors.Is(err, kerr.FencedLeaderEpoch), errors.Is(err, kerr.InvalidUpdateVersion),
		errors.Is(err, kerr.NewLeaderElected), errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.UnknownTopicOrPartition):
		t.overtaken()
	default:
		t.forsaken()
	}
	p.advance()
}
