package partition

import (
	"fmt"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Role is what the cluster's metadata says of this replica. Its slices are not changed.
type Role struct {
	Self           int32 // node id of this replica
	Leader         int32 // node id, or model.NoLeader
	Leading        bool  // this replica is the leader
	Epoch          int32 // leader epoch
	PartitionEpoch int32
	ISR            []int32
	Replicas       []int32
	Recovery       metadata.Recovery
	// Lost says that the cluster takes this replica for lost: it is not elected, in no way.
	Lost bool
}

// safe reports whether enough replicas are in sync to acknowledge what they all have. A
// topic cannot ask for more than it has replicas (KIP-966).
func (r Role) safe(minISR int) bool {
	return len(r.ISR) >= min(minISR, len(r.Replicas)) || planted.Is(planted.AckBelowMinISR)
}

// sole reports whether there is no other replica.
func (r Role) sole() bool { return len(r.Replicas) == 1 }

// Role is the present role. Its ISR is what the controller is known to have agreed to.
func (p *Partition) Role() Role {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.role
}

// Assign takes a role from the cluster's metadata. Whoever waits for the old role's
// epoch is told that it has ended. A role of an older partition epoch than is known is
// late news and ignored.
func (p *Partition) Assign(r Role) {
	p.opening.Lock() // so that a log that is just being opened learns of the epoch
	defer p.opening.Unlock()
	if p.Role().Epoch != r.Epoch {
		// What is being appended or truncated in the old epoch ends before the new one begins.
		p.writing.Lock()
		defer p.writing.Unlock()
		if log := p.log.Load(); planted.Is(planted.TruncateByHW) && log != nil && !r.Leading {
			_ = p.storage(p.cut(log, p.hw.Load())) // what is beyond may not be the leader's
		}
	}
	if err := p.take(r); err != nil {
		p.Failed(err)
		return
	}
	if log := p.log.Load(); log != nil {
		_ = p.storage(p.begin(log, r))
	}
}

func (p *Partition) take(r Role) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Epoch < p.role.Epoch {
		return fmt.Errorf("%w: leader epoch of %s falls from %d to %d", commitlog.ErrInvariant, p.tp, p.role.Epoch, r.Epoch)
	}
	changed := r.Epoch != p.role.Epoch
	if !changed && r.Leader != p.role.Leader && r.PartitionEpoch >= p.role.PartitionEpoch {
		return fmt.Errorf("%w: %d and %d lead %s in epoch %d", commitlog.ErrInvariant, p.role.Leader, r.Leader, p.tp, r.Epoch)
	}
	if !changed && r.PartitionEpoch < p.role.PartitionEpoch {
		return nil
	}
	news := changed || !slices.Equal(r.ISR, p.role.ISR) // who waits may have to give up
	if p.role = r; r.Leading && r.sole() {
		p.spent = model.NoEpoch // there is nobody whom it could contradict
	}
	if changed {
		p.following = newFollowing()
		p.tracker = nil
	}
	switch {
	case !r.Leading:
		p.tracker = nil
	case p.tracker == nil:
		p.tracker = newTracker(r, time.Now())
	default:
		p.tracker.update(r)
	}
	if !p.advance() && news {
		p.wake()
	}
	return nil
}

// begin prepares the log for a role. Of a leader it notes where the epoch begins, though nothing is written in
// it yet: clients that ask where an epoch ends are answered by it (KIP-101), and a
// follower must reach it before it joins the ISR. opening is held.
func (p *Partition) begin(log *commitlog.Log, r Role) error {
	if !r.Leading {
		// Another leader may see the ends of transactions which this replica, if it leads
		// again, may never have seen: its log may begin anew behind them.
		log.VoidGuards()
		// An epoch that this replica led without a record may not be in its leader's log.
		return log.ForgetEmptyEpochs()
	}
	if p.Missing() > 0 {
		return nil // nothing begins here
	}
	if log.LatestEpoch() != r.Epoch {
		if err := log.AssignEpoch(r.Epoch); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tracker != nil {
		p.tracker.epochStart = log.EpochStart(r.Epoch)
	}
	return nil
}

// leading returns the leader epoch if this replica leads and its disk works. epoch is
// what the client believes, or model.NoEpoch (KIP-320).
func (p *Partition) leading(epoch int32) (int32, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stillLeading(epoch)
}

// stillLeading is leading with mu held.
func (p *Partition) stillLeading(epoch int32) (int32, error) {
	if p.failed != nil {
		return 0, p.failed
	}
	if err := p.role.checkEpoch(epoch); err != nil {
		return 0, err
	}
	if !p.leads() {
		return 0, kerr.NotLeaderForPartition
	}
	return p.role.Epoch, nil
}

// leads reports whether this replica may act as the leader. mu is held.
func (p *Partition) leads() bool {
	return p.role.Leading && (p.role.sole() || p.role.Epoch > p.spent && p.missing() == 0)
}

// followsIn returns nil if this replica follows a leader in the epoch given.
func (p *Partition) followsIn(epoch int32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.failed != nil:
		return p.failed
	case p.role.Epoch != epoch:
		return fmt.Errorf("%w: the epoch is %d, not %d", kerr.FencedLeaderEpoch, p.role.Epoch, epoch)
	case p.role.Leading || p.role.Leader == model.NoLeader:
		return fmt.Errorf("%w: nobody is followed in epoch %d", kerr.FencedLeaderEpoch, epoch)
	}
	return nil
}

func (r Role) checkEpoch(epoch int32) error {
	switch {
	case epoch == model.NoEpoch || epoch == r.Epoch || epoch < r.Epoch && planted.Is(planted.OldEpoch):
		return nil
	case epoch < r.Epoch:
		return kerr.FencedLeaderEpoch
	default:
		return kerr.UnknownLeaderEpoch
	}
}

// has reports whether a node is one of the replicas.
func (r Role) has(node int32) bool { return slices.Contains(r.Replicas, node) }
