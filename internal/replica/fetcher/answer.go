package fetcher

import (
	"context"
	"errors"
	"time"

	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
)

// take does what the answer says: everything is appended first, then waited for, so that
// a round costs one wait for the disk, however many partitions it moved. Only then the
// leader is told of the new ends.
func (f *Fetcher) take(ctx context.Context) {
	r := &f.resp
	defer r.Release()
	if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
		f.session.refused(err)
		if !sessionError(err) {
			f.unreachable(ctx, err)
		}
		return
	}
	f.session.answered(r.SessionID)
	f.reached()
	f.now = time.Now()
	for i := range r.Partitions {
		p := &r.Partitions[i]
		if st := f.states[p.ID]; st != nil && st.phase == fetching {
			f.takeOne(st, p)
		}
	}
	f.findRange(ctx)
	r.Release() // what was appended is not needed any more
	f.settle(ctx)
}

// sessionError reports whether a new session is all it takes.
func sessionError(err error) bool {
	return err == kerr.FetchSessionIDNotFound || err == kerr.InvalidFetchSessionEpoch || err == kerr.FetchSessionTopicIDError
}

func (f *Fetcher) takeOne(st *state, p *wire.FetchedPartition) {
	err := kerr.ErrorForCode(p.ErrorCode)
	switch {
	case err == nil && p.DivergingEpoch >= 0, err == nil && p.DivergingEnd >= 0:
		f.truncate(st, partition.EpochEnd{Epoch: p.DivergingEpoch, End: p.DivergingEnd})
	case err == nil:
		f.append(st, p)
	case err == kerr.OffsetOutOfRange:
		f.strayed = append(f.strayed, st)
	case err == kerr.FencedLeaderEpoch:
		f.fenced(st)
	default:
		f.complain(st, err)
	}
}

// append takes records and marks.
func (f *Fetcher) append(st *state, p *wire.FetchedPartition) {
	end, err := st.replica.AppendFetched(st.epoch, p.Records, p.HW)
	if err != nil {
		f.trouble(st, "append what the leader sent", err)
		return
	}
	st.failures = 0
	st.lag = max(0, p.HW-end)
	f.moved(st, len(p.Records), f.now)
	st.full = len(p.Records) >= f.maxBytes/2
	if end != st.offset || p.LogStart > st.start {
		st.end, st.leaderStart = end, p.LogStart
		f.grown = append(f.grown, st)
	}
}

// settle waits until what was appended is durable, and notes what the leader is to be
// told.
func (f *Fetcher) settle(ctx context.Context) {
	for _, st := range f.grown {
		if st.phase != fetching {
			continue
		}
		if err := st.replica.WaitDurable(ctx, st.end); err != nil {
			if ctx.Err() == nil {
				f.trouble(st, "make durable what the leader sent", err)
			}
			continue
		}
		if st.leaderStart > st.start {
			if err := st.replica.FollowStart(st.epoch, st.leaderStart); err != nil {
				f.trouble(st, "move the log start to the leader's", err)
				continue
			}
		}
		if f.ask(st); st.phase == fetching && f.misplaced(st) {
			f.drop(st)
			f.shift(st)
		}
	}
	clear(f.grown)
	f.grown = f.grown[:0]
}

// misplaced reports whether a replica belongs in the other lane of its leader. One that is
// in sync lacks nothing that is committed, however much is written; one that lacks so much
// that an answer does not hold it is far behind.
func (f *Fetcher) misplaced(st *state) bool {
	if f.catchingUp {
		return st.lag == 0
	}
	return st.lag > 0 && st.full
}

// truncate cuts off what the leader does not have (KIP-279, by the answer to a Fetch).
func (f *Fetcher) truncate(st *state, d partition.EpochEnd) {
	f.log.Info("truncating: the leader's history is another one", "partition", st.replica.TP(),
		"epoch", st.epoch, "end", st.offset, "leader_epoch", d.Epoch, "leader_end", d.End)
	if err := st.replica.Truncate(st.epoch, d); err != nil {
		f.trouble(st, "truncate", err)
		return
	}
	f.ask(st)
}

// fenced ends the fetching of a partition until the image names another epoch: the leader
// has one already.
func (f *Fetcher) fenced(st *state) {
	f.log.Debug("the leader has a newer epoch", "partition", st.replica.TP(), "epoch", st.epoch)
	f.giveUp(st)
}

// complain has a partition rest after an error of its leader. Those that pass when both
// sides have the same image are no news.
func (f *Fetcher) complain(st *state, err error) {
	switch err {
	case kerr.NotLeaderForPartition, kerr.UnknownLeaderEpoch, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InconsistentTopicID:
		f.log.Debug("the leader does not lead yet or any more", "partition", st.replica.TP(), "epoch", st.epoch, "err", err)
	default:
		if st.failures == 0 {
			f.log.Warn("the leader answers with an error", "partition", st.replica.TP(), "offset", st.offset, "err", err)
		}
	}
	f.backOff(st)
}

// trouble has a partition rest after an error on this side, or gives it up if its disk
// has failed. Other partitions are not touched by it.
func (f *Fetcher) trouble(st *state, what string, err error) {
	if errors.Is(err, kerr.KafkaStorageError) && !partition.Passing(err) {
		f.log.Error("a replica is given up: its disk has failed", "partition", st.replica.TP(), "to", what, "err", err)
		f.giveUp(st)
		return
	}
	if st.failures == 0 && !stale(err) {
		f.log.Warn("cannot follow, trying again", "partition", st.replica.TP(), "to", what, "offset", st.offset, "err", err)
	}
	f.backOff(st)
}

// stale reports whether an error tells that the role has changed, of which the inbox will
// tell, or that the replica waits for the controller.
func stale(err error) bool {
	return errors.Is(err, kerr.NotLeaderForPartition) || errors.Is(err, kerr.FencedLeaderEpoch) || errors.Is(err, kerr.UnknownLeaderEpoch) ||
		errors.Is(err, partition.ErrRotten)
}
