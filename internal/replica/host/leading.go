package host

import (
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
)

// role is what an image says of a partition to this node.
//
// What it was told to lead in an earlier life it does not lead on: it may have lost records
// of that epoch that followers have, and would write others in their place. The controller
// takes leadership away with a new registration, but the image of a start, and what comes
// until that is done, tell of the time before. A partition without other replicas has
// nobody to contradict.
func (h *Host) role(is *metadata.Image, p *metadata.Partition) partition.Role {
	r := partition.Role{
		Self: h.cfg.NodeID, Leader: p.Leader, Leading: p.Leader == h.cfg.NodeID,
		Epoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch, ISR: p.ISR, Replicas: p.Replicas, Recovery: p.Recovery,
		Lost: isLost(assignedDir(p, h.cfg.NodeID)),
	}
	if b, ok := is.Broker(h.cfg.NodeID); r.Leading && len(p.Replicas) > 1 && ok && b.Epoch != h.cfg.BrokerEpoch() {
		r.Leader, r.Leading = model.NoLeader, false
	}
	return r
}
