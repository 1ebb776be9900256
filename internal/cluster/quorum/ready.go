package quorum

import (
	"context"
	"fmt"
	"slices"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/invariant"
	"github.com/twmb/franz-go/pkg/kerr"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

var _ = failpoint.Register(
	"quorum.step.before_save", "quorum.step.after_save", "quorum.step.before_apply", "quorum.step.after_apply",
	"quorum.install.before_write", "quorum.install.before_restore",
)

// work does what Raft asks for until it asks for nothing: durable first, then told to
// others, then applied.
func (q *Quorum) work(ctx context.Context) error {
	q.beginWork()
	defer q.stall.end()
	for q.ready() {
		rd := q.node.Ready()
		failpoint.Hit("quorum.step.before_save", q.c.FS)
		if err := q.persist(ctx, rd); err != nil {
			return err
		}
		failpoint.Hit("quorum.step.after_save", q.c.FS)
		q.match(rd.Entries)
		q.matchChange(rd.Entries)
		if len(rd.Messages) > 0 {
			q.c.Send(rd.Messages)
		}
		failpoint.Hit("quorum.step.before_apply", q.c.FS)
		if err := q.apply(rd.CommittedEntries); err != nil {
			return err
		}
		failpoint.Hit("quorum.step.after_apply", q.c.FS)
		q.node.Advance(rd)
		q.publish()
		q.follow()
	}
	q.follow()
	return q.maybeSnapshot()
}

// ready reports whether Raft asks for anything. Who is the only member leads at once.
func (q *Quorum) ready() bool {
	if q.node.HasReady() {
		return true
	}
	if !q.alone() || q.node.BasicStatus().RaftState != raft.StateFollower {
		return false
	}
	if err := q.node.Campaign(); err != nil {
		panic(fmt.Sprintf("bug: the only voter cannot campaign: %v", err))
	}
	return q.node.HasReady()
}

func (q *Quorum) save(rd raft.Ready) error {
	if err := q.store.wal.confirm(); err != nil {
		return err
	}
	var hard *raftpb.HardState
	if !raft.IsEmptyHardState(rd.HardState) {
		hard = rd.HardState
	}
	if !raft.IsEmptySnap(rd.Snapshot) {
		if err := q.install(rd.Snapshot, hard); err != nil {
			return err
		}
	}
	if rd.MustSync || hard != nil && altersMembers(rd.CommittedEntries) {
		return q.store.save(hard, rd.Entries)
	}
	if hard != nil { // only the commit index moved, which is found again after a crash
		q.store.hard = hard
	}
	return nil
}

// altersMembers reports whether a change of the members is about to become true. That it
// is committed must be durable: a node that did not know after a crash would ask for the
// votes of nodes that have been taken away for good.
func altersMembers(entries []*raftpb.Entry) bool {
	return slices.ContainsFunc(entries, func(e *raftpb.Entry) bool { return e.GetType() != raftpb.EntryNormal })
}

func (q *Quorum) install(snap *raftpb.Snapshot, hard *raftpb.HardState) error {
	failpoint.Hit("quorum.install.before_write", q.c.FS)
	if err := q.store.install(snap, hard); err != nil {
		return err
	}
	failpoint.Hit("quorum.install.before_restore", q.c.FS)
	index := snap.GetMetadata().GetIndex()
	if err := q.c.Restore(snap.GetData()); err != nil {
		return fmt.Errorf("restore snapshot %d: %w", index, err)
	}
	if err := q.c.Apply(int64(index), nil); err != nil {
		return fmt.Errorf("restore snapshot %d: %w", index, err)
	}
	q.applied, q.conf, q.told = index, snap.GetMetadata().GetConfState(), nil
	q.latest.Store(nil)
	if q.change != nil && q.change.index <= index {
		q.settleChange(errUnknown)
	}
	for i, p := range q.waiting {
		if i <= index { // it may be in the snapshot or not: nobody here knows
			delete(q.waiting, i)
			p.settle(0, errUnknown)
		}
	}
	return nil
}

// match finds the index of each proposal that Raft took since the last step. Raft
// appends them in order; if another leader has overwritten them meanwhile, they are
// not among the entries and have failed.
func (q *Quorum) match(entries []*raftpb.Entry) {
	for _, e := range entries {
		if len(q.proposed) == 0 {
			return
		}
		p := q.proposed[0]
		if e.GetType() == raftpb.EntryNormal && len(e.GetData()) > 0 && e.GetTerm() == uint64(p.term) {
			q.waiting[e.GetIndex()] = p
			q.proposed = q.proposed[1:]
		}
	}
	for _, p := range q.proposed {
		p.settle(0, kerr.NotController)
	}
	q.proposed = nil
}

func (q *Quorum) apply(entries []*raftpb.Entry) error {
	for _, e := range entries {
		if e.GetIndex() != q.applied+1 {
			invariant.Break("entry %d is committed after entry %d", e.GetIndex(), q.applied)
		}
		if err := q.applyOne(e); err != nil {
			return fmt.Errorf("apply entry %d: %w", e.GetIndex(), err)
		}
		q.applied = e.GetIndex()
		if p, ok := q.waiting[q.applied]; ok {
			delete(q.waiting, q.applied)
			if e.GetTerm() == uint64(p.term) {
				p.settle(int64(q.applied), nil)
			} else {
				p.settle(0, kerr.NotController)
			}
		}
	}
	return nil
}

func (q *Quorum) applyOne(e *raftpb.Entry) error {
	switch e.GetType() {
	case raftpb.EntryConfChange:
		var cc raftpb.ConfChange
		if err := proto.Unmarshal(e.GetData(), &cc); err != nil {
			return err
		}
		q.alterMembers(e, &cc)
		return q.c.Apply(int64(e.GetIndex()), nil)
	case raftpb.EntryConfChangeV2:
		var cc raftpb.ConfChangeV2
		if err := proto.Unmarshal(e.GetData(), &cc); err != nil {
			return err
		}
		q.alterMembers(e, &cc)
		return q.c.Apply(int64(e.GetIndex()), nil)
	default: // a leader begins its term with an empty one
		return q.c.Apply(int64(e.GetIndex()), e.GetData())
	}
}

// follow tells the state machine when this node begins and ceases to lead. It leads a
// term once an entry of that term is applied, and every other entry of its log.
func (q *Quorum) follow() {
	st := q.node.BasicStatus()
	leads := st.RaftState == raft.StateLeader && st.LeadTransferee == raft.None
	if q.led != 0 && (!leads || st.GetTerm() != q.led) {
		q.resign()
	}
	if !leads || q.led != 0 || q.applied != q.store.last() || len(q.proposed) > 0 {
		return
	}
	if term, err := q.store.Term(q.applied); err == nil && term == st.GetTerm() {
		q.led = term
		q.term.Store(int64(term))
		q.c.Lead(int64(term))
	}
}

// maybeSnapshot takes a snapshot when the log has grown to SnapshotBytes or to the
// size of the last snapshot, whichever is more.
func (q *Quorum) maybeSnapshot() error {
	s := q.store
	if s.wal.bytes() < max(q.c.SnapshotBytes, s.snapBytes) || q.applied <= s.snapshot {
		return nil
	}
	data := q.c.Snapshot()
	err := s.snap(q.applied, proto.CloneOf(q.conf), data)
	if isFull(err) {
		return nil // the log has it all; it is tried again when the log has grown
	}
	if err != nil {
		return err
	}
	q.c.Log.Info("quorum snapshot", "offset", q.applied, "bytes", len(data))
	return nil
}
