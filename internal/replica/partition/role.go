package partition

import (
	"fmt"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Role is what the cluster's metadata says of this replica.
type Role struct {
	Leader         int32 // node id, or model.NoLeader
	Leading        bool  // this replica is the leader
	Epoch          int32 // leader epoch
	PartitionEpoch int32
	ISR            []int32
	Replicas       int // how many it has
}

// safe reports whether enough replicas are in sync to acknowledge what they all have. A
// topic cannot ask for more than it has replicas (KIP-966).
func (r Role) safe(minISR int) bool { return len(r.ISR) >= min(minISR, r.Replicas) }

// Role is the present role.
func (p *Partition) Role() Role {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.role
}

// Assign takes a role from the cluster's metadata. Whoever waits for the old role's
// epoch is told that it has ended.
func (p *Partition) Assign(r Role) {
	p.opening.Lock() // so that a log that is just being opened learns of the epoch
	defer p.opening.Unlock()
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
	if p.role = r; changed {
		p.wake()
	}
	return nil
}

// begin notes in the log where the epoch of a leader begins, though nothing is written in
// it yet: clients that ask where an epoch ends are answered by it (KIP-101). opening is
// held.
func (p *Partition) begin(log *commitlog.Log, r Role) error {
	if !r.Leading || log.LatestEpoch() == r.Epoch {
		return nil
	}
	return log.AssignEpoch(r.Epoch)
}

// leading returns the leader epoch if this replica leads and its disk works. epoch is
// what the client believes, or model.NoEpoch (KIP-320).
func (p *Partition) leading(epoch int32) (int32, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return 0, p.failed
	}
	if err := p.role.checkEpoch(epoch); err != nil {
		return 0, err
	}
	if !p.role.Leading {
		return 0, kerr.NotLeaderForPartition
	}
	return p.role.Epoch, nil
}

func (r Role) checkEpoch(epoch int32) error {
	switch {
	case epoch == model.NoEpoch || epoch == r.Epoch:
		return nil
	case epoch < r.Epoch:
		return kerr.FencedLeaderEpoch
	default:
		return kerr.UnknownLeaderEpoch
	}
}
