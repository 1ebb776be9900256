package quorum

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Members change one at a time and by one, so that any majority of before and any of
// after have a node in common. A change is an entry of the log: it counts once applied.

// change is one change of the members, under way.
type change struct {
	term  uint64
	cc    *raftpb.ConfChange // its Context is unlike that of any other
	index uint64             // 0 until Raft has given it a place
	done  chan struct{}
	err   error
}

// AddVoter makes a node a voter. It must have been started with Join, or have been a
// member before. First it is given the log without a vote; only when it has caught up
// does it count, so that the others never wait for one that is far behind. If ctx ends
// before, it stays a learner, and another AddVoter starts over.
//
// It fails with kerr.NotController where this node does not lead, with
// kerr.DuplicateVoter for a voter.
func (q *Quorum) AddVoter(ctx context.Context, id int32) error {
	release, term, err := q.beginChange(ctx)
	if err != nil {
		return err
	}
	defer release()
	s := q.Status()
	if s.Votes(id) {
		return fmt.Errorf("node %d: %w", id, kerr.DuplicateVoter)
	}
	if slices.ContainsFunc(s.Learners, func(r Replica) bool { return r.Node == id }) {
		// What is known of it may be of a folder that it has no more.
		if err := q.alter(ctx, term, raftpb.ConfChangeRemoveNode, id); err != nil {
			return err
		}
	}
	if err := q.alter(ctx, term, raftpb.ConfChangeAddLearnerNode, id); err != nil {
		return err
	}
	if err := q.waitCaughtUp(ctx, term, id); err != nil {
		return err
	}
	return q.alter(ctx, term, raftpb.ConfChangeAddNode, id)
}

// waitCaughtUp waits until a learner has got, in less than the time of an election, all
// that there was at its beginning.
func (q *Quorum) waitCaughtUp(ctx context.Context, term int64, id int32) error {
	round, began := q.Status().Last, time.Now()
	return q.await(ctx, term, func(s Status) bool {
		i := slices.IndexFunc(s.Learners, func(r Replica) bool { return r.Node == id })
		if i < 0 || s.Learners[i].Match < round {
			return false
		}
		if time.Since(began) < q.c.Tick*time.Duration(q.c.ElectionTicks) {
			return true
		}
		round, began = s.Last, time.Now()
		return s.Learners[i].Match >= round
	})
}

// await waits until the status is as wanted, while this node leads term.
func (q *Quorum) await(ctx context.Context, term int64, ok func(Status) bool) error {
	for {
		changed := q.changed.listen()
		if q.term.Load() != term {
			return kerr.NotController
		}
		if ok(q.Status()) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-q.done:
			return q.cause()
		}
	}
}

// RemoveVoter takes a node's vote, and the log with it. Removing the node that leads makes
// another lead. It refuses to leave the quorum with voters of whom no majority answers.
//
// It fails with kerr.NotController where this node does not lead, with
// kerr.VoterNotFound for a node that is no member.
func (q *Quorum) RemoveVoter(ctx context.Context, id int32) error {
	release, term, err := q.beginChange(ctx)
	if err != nil {
		return err
	}
	defer release()
	s := q.Status()
	member := func(r Replica) bool { return r.Node == id }
	if !slices.ContainsFunc(s.Voters, member) && !slices.ContainsFunc(s.Learners, member) {
		return fmt.Errorf("node %d: %w", id, kerr.VoterNotFound)
	}
	// A new leader may not have heard of everybody yet.
	hearing, cancel := context.WithTimeout(ctx, q.c.Tick*time.Duration(q.c.ElectionTicks))
	defer cancel()
	var refused error
	err = q.await(hearing, term, func(s Status) bool {
		refused = q.checkRest(slices.DeleteFunc(slices.Clone(s.Voters), member))
		return refused == nil
	})
	if refused != nil && hearing.Err() != nil {
		return fmt.Errorf("remove voter %d: %w", id, refused)
	}
	if err != nil {
		return err
	}
	return q.alter(ctx, term, raftpb.ConfChangeRemoveNode, id)
}

// checkRest refuses voters that could agree on nothing.
func (q *Quorum) checkRest(rest []Replica) error {
	var silent []int32
	for _, r := range rest {
		lately := time.Since(r.Heard) < 2*q.c.Tick*time.Duration(q.c.ElectionTicks)
		if r.Node != q.c.Node && !lately {
			silent = append(silent, r.Node)
		}
	}
	if len(rest) == 0 {
		return fmt.Errorf("it is the only one: %w", kerr.InvalidRequest)
	}
	if len(rest)-len(silent) <= len(rest)/2 {
		return fmt.Errorf("of the voters that would be left, %v do not answer, and the others are no majority: "+
			"start them or remove them first: %w", silent, kerr.InvalidRequest)
	}
	return nil
}

// beginChange waits for its turn: one change of the voters at a time.
func (q *Quorum) beginChange(ctx context.Context) (release func(), term int64, err error) {
	select {
	case <-q.altered:
	case <-ctx.Done():
		return nil, 0, context.Cause(ctx)
	case <-q.done:
		return nil, 0, q.cause()
	}
	release = func() { q.altered <- struct{}{} }
	if term = q.term.Load(); term < 0 {
		release()
		return nil, 0, kerr.NotController
	}
	return release, term, nil
}

// alter proposes one change and waits until it is applied here.
func (q *Quorum) alter(ctx context.Context, term int64, kind raftpb.ConfChangeType, id int32) error {
	c := &change{term: uint64(term), done: make(chan struct{})}
	c.cc = &raftpb.ConfChange{
		Type: kind.Enum(), NodeId: new(raftID(id)), Context: binary.BigEndian.AppendUint64(nil, q.changes.Add(1)),
	}
	if err := q.do(func() { q.begin(c) }); err != nil {
		return err
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-q.done:
		return q.cause()
	}
}

func (q *Quorum) begin(c *change) {
	if q.led == 0 || q.led != c.term {
		c.settle(kerr.NotController)
		return
	}
	if q.change != nil {
		c.settle(fmt.Errorf("an earlier change of the voters has not been agreed on yet: %w", kerr.RequestTimedOut))
		return
	}
	if err := q.node.ProposeConfChange(c.cc); err != nil {
		q.c.Log.Info("change of the voters dropped", "term", c.term, "error", err)
		c.settle(kerr.NotController)
		return
	}
	q.change = c
}

func (c *change) settle(err error) {
	c.err = err
	close(c.done)
}

func (q *Quorum) settleChange(err error) {
	if q.change != nil {
		q.change.settle(err)
		q.change = nil
	}
}

// matchChange finds the place of a change among what Raft has appended. Raft puts an
// empty entry in the place of one that it refuses.
func (q *Quorum) matchChange(entries []*raftpb.Entry) {
	if q.change == nil || q.change.index != 0 {
		return
	}
	for _, e := range entries {
		var cc raftpb.ConfChange
		if e.GetType() == raftpb.EntryConfChange && e.GetTerm() == q.change.term &&
			proto.Unmarshal(e.GetData(), &cc) == nil && slices.Equal(cc.GetContext(), q.change.cc.GetContext()) {
			q.change.index = e.GetIndex()
			return
		}
	}
	q.settleChange(fmt.Errorf("the voters are being changed: %w", kerr.RequestTimedOut))
}

// alterMembers makes a change of the members true here.
func (q *Quorum) alterMembers(e *raftpb.Entry, cc raftpb.ConfChangeI) {
	q.changing = true
	was := q.conf
	heir := q.heir()
	q.conf = q.node.ApplyConfChange(cc)
	q.changing = false
	q.told = nil
	q.c.Log.Info("quorum members", "offset", e.GetIndex(), "voters", nodes(q.conf.GetVoters()), "learners", nodes(q.conf.GetLearners()))
	q.dismiss(was, heir)
	if q.change != nil && q.change.index == e.GetIndex() {
		q.publish() // who has waited finds it so
		err := error(nil)
		if e.GetTerm() != q.change.term {
			err = kerr.NotController
		}
		q.settleChange(err)
	}
}

func nodes(ids []uint64) []int32 {
	list := make([]int32, len(ids))
	for i, id := range ids {
		list[i] = nodeID(id)
	}
	return list
}
