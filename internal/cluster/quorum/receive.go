package quorum

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"
)

type progress = tracker.Progress

// errLost is matched by the end of a node whose log has less than it has promised.
var errLost = errors.New("this node's copy of the cluster's log has lost what it had acknowledged")

// checkMessage refuses what no member sends: Raft trusts its messages.
func checkMessage(m *raftpb.Message, self uint64) error {
	if m.GetTo() != self || m.GetFrom() == self || m.GetFrom() == raft.None || raft.IsLocalMsgTarget(m.GetFrom()) {
		return fmt.Errorf("it is from node %d to node %d", nodeID(m.GetFrom()), nodeID(m.GetTo()))
	}
	switch m.GetType() {
	case raftpb.MsgAppResp, raftpb.MsgVote, raftpb.MsgVoteResp, raftpb.MsgPreVote, raftpb.MsgPreVoteResp,
		raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp, raftpb.MsgTimeoutNow:
	case raftpb.MsgApp:
		return checkEntries(m)
	case raftpb.MsgSnap:
		return checkMembers(m.GetSnapshot().GetMetadata())
	default:
		return errors.New("members do not send such messages")
	}
	return nil
}

func checkEntries(m *raftpb.Message) error {
	term := m.GetLogTerm()
	for i, e := range m.GetEntries() {
		if e.GetIndex() != m.GetIndex()+1+uint64(i) || e.GetTerm() < term || e.GetTerm() > m.GetTerm() {
			return fmt.Errorf("entry %d of term %d follows entry %d of term %d", e.GetIndex(), e.GetTerm(), m.GetIndex()+uint64(i), term)
		}
		if e.GetType() > raftpb.EntryConfChangeV2 {
			return fmt.Errorf("entry %d is of type %d", e.GetIndex(), e.GetType())
		}
		term = e.GetTerm()
	}
	return nil
}

func checkMembers(meta *raftpb.SnapshotMetadata) error {
	c := meta.GetConfState()
	voters, learners := map[uint64]bool{}, map[uint64]bool{}
	for _, id := range c.GetVoters() {
		voters[id] = true
	}
	for _, id := range c.GetLearners() {
		learners[id] = true
	}
	if meta.GetIndex() == 0 || meta.GetTerm() == 0 || len(voters) == 0 || voters[raft.None] || learners[raft.None] ||
		len(voters) != len(c.GetVoters()) || len(learners) != len(c.GetLearners()) {
		return fmt.Errorf("a snapshot at %d of term %d has the members %v and %v", meta.GetIndex(), meta.GetTerm(), c.GetVoters(), c.GetLearners())
	}
	for id := range learners {
		if voters[id] {
			return fmt.Errorf("a snapshot has %d as a voter and as a learner", id)
		}
	}
	return nil
}

// receive gives one message to Raft.
func (q *Quorum) receive(m *raftpb.Message) error {
	switch m.GetType() {
	case raftpb.MsgVote, raftpb.MsgPreVote:
		if q.store.blank() {
			// Who votes has promised something before, or is told so by its configuration.
			// This node may be a voter that has lost its disk.
			return nil
		}
		if !has(q.conf, m.GetFrom()) {
			q.tell(m.GetFrom())
		}
	case raftpb.MsgHeartbeat:
		if m.GetCommit() > q.store.last() {
			return fmt.Errorf("%w: it ends at %d, and node %d says that %d was there: "+
				"remove this node from the voters, empty its metadata folder, and add it again",
				errLost, q.store.last(), nodeID(m.GetFrom()), m.GetCommit())
		}
		q.welcome(m)
	case raftpb.MsgApp:
		q.welcome(m)
	case raftpb.MsgSnap:
		if !has(m.GetSnapshot().GetMetadata().GetConfState(), raftID(q.c.Node)) {
			q.leave(m.GetSnapshot().GetMetadata())
			return nil
		}
		q.welcome(m)
	}
	if err := q.node.Step(m); err != nil {
		q.c.Log.Debug("quorum message dropped", "from", nodeID(m.GetFrom()), "type", m.GetType(), "error", err)
		return nil
	}
	q.hear(m)
	return nil
}

// has reports whether a node is a member, with a vote or without.
func has(c *raftpb.ConfState, id uint64) bool {
	for _, list := range [][]uint64{c.GetVoters(), c.GetLearners(), c.GetVotersOutgoing(), c.GetLearnersNext()} {
		for _, v := range list {
			if v == id {
				return true
			}
		}
	}
	return false
}

// member reports whether this node is one, as far as it knows.
func (q *Quorum) member() bool { return q.told == nil && has(q.conf, raftID(q.c.Node)) }

// A node that is removed is not sent the log any more, so it may never learn of it, and
// would campaign for ever. Whoever it asks for a vote tells it who the members are: by a
// snapshot that has their names only. A snapshot that it could use would have its own.

// tell sends a node that is none the members.
func (q *Quorum) tell(id uint64) {
	term, err := q.store.Term(q.applied)
	if err != nil || q.applied == 0 {
		return
	}
	q.c.Send([]*raftpb.Message{{
		Type: raftpb.MsgSnap.Enum(), From: new(raftID(q.c.Node)), To: new(id), Term: new(q.node.BasicStatus().GetTerm()),
		Snapshot: &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
			ConfState: proto.CloneOf(q.conf), Index: new(q.applied), Term: &term,
		}},
	}})
}

// leave takes note that this node is no member, unless it knows better: what it has
// applied is newer.
func (q *Quorum) leave(meta *raftpb.SnapshotMetadata) {
	if meta.GetIndex() <= q.applied || q.told != nil || !q.member() {
		return
	}
	q.c.Log.Info("this node is no member of the quorum any more", "node", q.c.Node, "offset", meta.GetIndex())
	q.told = proto.CloneOf(meta.GetConfState())
	q.publish()
}

// welcome takes note of a leader that counts on this node.
func (q *Quorum) welcome(m *raftpb.Message) {
	if m.GetTerm() < q.node.BasicStatus().GetTerm() {
		return
	}
	q.hurry.stop()
	if q.told != nil && m.GetType() != raftpb.MsgHeartbeat {
		q.told = nil
		q.publish()
	}
}
