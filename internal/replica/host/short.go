package host

import (
	"fmt"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/odradek/odradek/internal/store/journal"
)

// had is how far a log once reached, as the checkpoints and the journal tell. Before a log is
// cut they are lowered, so that it never ends below unless the disk has lost something.
//
// The recovery point was synced. The high watermark was, where a topic is durable. What the
// journal has was acknowledged, or could have been; behind a hole it cannot be replayed, and
// stays there.
type had struct {
	synced, hw int64
	rest       []journal.Entry // what lies behind the hole
	told       bool            // that the partition is offline
}

// behind takes in what the journal has behind a hole.
func (h *had) behind(rest []journal.Entry) {
	h.rest = rest
	h.synced = max(h.synced, rest[len(rest)-1].End)
}

// latest is the leader epoch of the last record behind the hole.
func (h *had) latest() int32 {
	epoch := int32(model.NoEpoch)
	for _, e := range h.rest {
		for b, err := range commitlog.Batches(e.Batches) {
			if err == nil {
				epoch = max(epoch, b.LeaderEpoch())
			}
		}
	}
	return epoch
}

// settle decides what becomes of a log that may be short, and returns how far it reached and
// the latest leader epoch of what is lost; 0 if that does not matter any more. If there are other replicas they know what is lost, see
// partition.ErrShort. Else the log is kept closed until the operator allows that what is
// lost is given up.
func (f *folder) settle(p *partition.Partition, log *commitlog.Log, h had) (end int64, epoch int32, err error) {
	end = h.synced
	if p.Settings().Durable {
		end = max(end, h.hw)
	}
	if end <= log.End() {
		return 0, model.NoEpoch, nil
	}
	if len(p.Role().Replicas) != 1 {
		return end, log.Lost(end, h.latest()), nil
	}
	if !p.Settings().Unclean {
		if !h.told {
			f.host.cfg.Log.Error("partition is offline: the disk has lost the end of its log, and there is no other replica. "+
				"Put back what the folder had; or, to go on without, set unclean.leader.election.enable=true on the topic, for a while",
				"partition", p.TP(), "folder", f.path(p.TP()), "lost_from", log.End(), "lost_upto", h.lostUpto(end))
		}
		h.told = true
		f.note(p.TP(), log, kept{h.hw, end}, false)
		f.keepReady(p, log, h)
		return 0, model.NoEpoch, fmt.Errorf("%w: %s ends at %d, and reached %d", partition.ErrShort, p.TP(), log.End(), end)
	}
	if err := f.giveUp(p, log, h); err != nil {
		f.keepReady(p, log, h)
		return 0, model.NoEpoch, err
	}
	return 0, model.NoEpoch, nil
}

// keepReady has a log wait for who opens it next.
func (f *folder) keepReady(p *partition.Partition, log *commitlog.Log, h had) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ready[p.ID()] = replayed{p.TP(), log, h}
}

// lostUpto is where what is lost ends: what the journal has behind it is not.
func (h *had) lostUpto(end int64) int64 {
	if len(h.rest) > 0 {
		return h.rest[0].Base
	}
	return end
}

// giveUp has a log that is the only one go on without what it has lost.
func (f *folder) giveUp(p *partition.Partition, log *commitlog.Log, h had) error {
	f.host.cfg.Log.Error("records that were acknowledged are given up, as unclean.leader.election.enable allows",
		"partition", p.TP(), "from", log.End(), "upto", h.lostUpto(max(h.synced, h.hw)))
	for _, e := range h.rest {
		if e.End <= log.End() {
			continue // there was no room for the next ones
		}
		if _, err := log.AppendFollower(e.Batches); err != nil {
			return fmt.Errorf("replay behind what is lost: %w", err)
		}
	}
	if _, err := log.Sync(); err != nil {
		return err
	}
	f.note(p.TP(), log, kept{hw: min(h.hw, log.End())}, false)
	if err := f.writeCheckpoints(); err != nil {
		return partition.StorageError(err)
	}
	f.journal.Replayed(p, p.ID())
	return nil
}
