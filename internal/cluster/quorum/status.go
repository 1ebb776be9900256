package quorum

import (
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// Status is the quorum as this node sees it.
type Status struct {
	Node     int32
	Leader   int32 // -1: not known
	Term     int64
	Commit   int64 // offset of the last committed entry
	Applied  int64
	Last     int64     // offset of the last entry in this node's log
	Voters   []Replica // sorted by node
	Learners []Replica // who gets the log but has no vote
}

// Votes reports whether a node is a voter.
func (s Status) Votes(node int32) bool {
	return slices.ContainsFunc(s.Voters, func(r Replica) bool { return r.Node == node })
}

// Replica is one member. Match is the last offset known to be durable on it: of other
// members only the leader knows it, and it says -1 otherwise. What follows, too, is the
// leader's knowledge.
type Replica struct {
	Node   int32
	Match  int64
	Active bool // it has answered lately
	// Heard is when it last answered; zero of the leader, and if it is not known.
	Heard time.Time
	// CaughtUp is the last time at which it had everything: now, of the leader.
	CaughtUp time.Time
}

// track is what a leader knows of another member by its answers.
type track struct {
	heard    time.Time
	caughtUp time.Time
	last     uint64 // the leader's last offset when it was heard
}

// answered notes that a member has everything up to match, at a time when the leader's
// log ends with last. Who now has all that there was at its last answer was caught up
// then: so a busy log does not make everybody seem late.
func (t *track) answered(now time.Time, match, last uint64) {
	switch {
	case match >= last:
		t.caughtUp = now
	case match >= t.last && !t.heard.IsZero():
		t.caughtUp = t.heard
	}
	t.heard, t.last = now, last
}

// hear notes who has answered this leader.
func (q *Quorum) hear(m *raftpb.Message) {
	if t := m.GetType(); t != raftpb.MsgAppResp && t != raftpb.MsgHeartbeatResp {
		return
	}
	if m.GetTerm() != q.led { // who campaigns has other worries
		return
	}
	id := m.GetFrom()
	q.node.WithProgress(func(of uint64, _ raft.ProgressType, pr progress) {
		if of != id {
			return
		}
		if q.tracks[id] == nil {
			q.tracks[id] = &track{}
		}
		q.tracks[id].answered(time.Now(), pr.Match, q.store.last())
	})
}

// Status is the quorum as this node saw it last.
func (q *Quorum) Status() Status { return *q.status.Load() }

// publish shows others where the quorum stands, and wakes those who wait for it.
func (q *Quorum) publish() {
	st := q.node.Status()
	s := Status{
		Node: q.c.Node, Leader: nodeID(st.Lead), Term: int64(st.GetTerm()),
		Commit: int64(st.GetCommit()), Applied: int64(q.applied), Last: int64(q.store.last()),
	}
	conf := q.conf
	if q.told != nil {
		conf = q.told
	}
	voters := append(slices.Clone(conf.GetVoters()), conf.GetVotersOutgoing()...)
	s.Voters = q.replicas(voters, st)
	s.Learners = q.replicas(append(slices.Clone(conf.GetLearners()), conf.GetLearnersNext()...), st)
	was := q.status.Swap(&s)
	q.show(&s)
	if was == nil || was.Applied != s.Applied || was.Leader != s.Leader || was.Term != s.Term {
		q.moved.ring()
	}
	q.changed.ring()
}

func (q *Quorum) replicas(ids []uint64, st raft.Status) []Replica {
	slices.Sort(ids)
	var list []Replica
	for _, id := range slices.Compact(ids) {
		r := Replica{Node: nodeID(id), Match: -1}
		if pr, ok := st.Progress[id]; ok {
			r.Match, r.Active = int64(pr.Match), pr.RecentActive
		}
		if t := q.tracks[id]; t != nil {
			r.Heard, r.CaughtUp = t.heard, t.caughtUp
		}
		if id == raftID(q.c.Node) {
			r.Match, r.Active = int64(q.store.last()), true
			if q.led != 0 {
				r.CaughtUp = time.Now()
			}
		}
		list = append(list, r)
	}
	return list
}
