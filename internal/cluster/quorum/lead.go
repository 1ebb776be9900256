package quorum

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// TransferLeadership has another voter lead, one that has everything and answers. It
// returns at once where this node does not lead or is the only voter, and otherwise when
// another node is known to lead.
func (q *Quorum) TransferLeadership(ctx context.Context) error {
	for {
		changed := q.changed.listen()
		s := q.Status()
		if s.Leader >= 0 && s.Leader != s.Node || len(s.Voters) == 1 && s.Votes(s.Node) || !s.Votes(s.Node) {
			return nil
		}
		if err := q.do(q.transfer); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("no other voter has taken the lead: %w", context.Cause(ctx))
		case <-q.done:
			return q.cause()
		}
	}
}

// transfer begins to hand over, unless that is under way.
func (q *Quorum) transfer() {
	st := q.node.BasicStatus()
	if heir := q.heir(); st.RaftState == raft.StateLeader && st.LeadTransferee == raft.None && heir != raft.None {
		q.node.TransferLeader(heir)
	}
}

// heir is the voter that could lead best, if this node leads: one that answers and has
// most of the log.
func (q *Quorum) heir() (heir uint64) {
	st := q.node.BasicStatus()
	if st.RaftState != raft.StateLeader {
		return raft.None
	}
	best := uint64(0)
	lately := 2 * q.c.Tick * time.Duration(q.c.ElectionTicks)
	q.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		t := q.tracks[id]
		if id != raftID(q.c.Node) && !pr.IsLearner && t != nil && time.Since(t.heard) < lately && pr.Match > best {
			heir, best = id, pr.Match
		}
	})
	return heir
}

// dismiss tells those who are members no more, and has another lead if this node was
// removed while it led: it cannot, and the others would wait for it in vain.
func (q *Quorum) dismiss(was *raftpb.ConfState, heir uint64) {
	for _, id := range slices.Concat(was.GetVoters(), was.GetLearners()) {
		if has(q.conf, id) || id == raftID(q.c.Node) {
			continue
		}
		delete(q.tracks, id)
		delete(q.resent, id)
		if q.led != 0 {
			q.tell(id)
		}
	}
	if !has(q.conf, raftID(q.c.Node)) && heir != raft.None {
		q.c.Send([]*raftpb.Message{{
			Type: raftpb.MsgTimeoutNow.Enum(), From: new(raftID(q.c.Node)), To: new(heir), Term: new(q.node.BasicStatus().GetTerm()),
		}})
	}
}

// LeaderGone says that a node's process is known to be dead. If it led, this node forgets
// it, and soon stands for election, as the others will that know it too. Of a member that
// did not lead, a leader learns that what it sent last is lost.
func (q *Quorum) LeaderGone(node int32) {
	// An error means that the quorum has stopped.
	_ = q.do(func() {
		st := q.node.BasicStatus()
		switch id := raftID(node); {
		case st.RaftState == raft.StateLeader:
			q.node.ReportUnreachable(id)
		case st.Lead == id:
			if err := q.node.ForgetLeader(); err != nil {
				panic(fmt.Sprintf("bug: forget the leader: %v", err))
			}
			q.c.Log.Info("quorum leader is gone", "leader", node, "term", st.GetTerm())
			q.hurryUp()
		}
	})
}

// hurry is a node's haste to have a leader when there is none: it campaigns within
// milliseconds of one's death, and again soon when a campaign has come to nothing, because
// others did not know yet, or stood for election as well. It cannot depose a leader who
// lives, since others then refuse their vote.
type hurry struct {
	timer *time.Timer
	armed bool
	until time.Time
	term  uint64
}

func (h *hurry) init() {
	h.timer = time.NewTimer(time.Hour)
	h.timer.Stop()
}

func (h *hurry) stop() {
	if h.timer != nil {
		h.timer.Stop()
		h.armed = false
	}
}

// in has the node campaign in a while.
func (h *hurry) in(d time.Duration, term uint64) {
	h.term, h.armed = term, true
	h.timer.Reset(d)
}

// hurryUp sets when this node stands for election: one after another, by their place
// among the voters, with some jitter.
func (q *Quorum) hurryUp() {
	rank := slices.Index(slices.Sorted(slices.Values(q.conf.GetVoters())), raftID(q.c.Node))
	if rank < 0 || !q.member() {
		return
	}
	q.hurry.until = time.Now().Add(q.c.Tick * time.Duration(q.c.ElectionTicks))
	q.hurry.in(time.Duration(rank)*q.c.Tick/4+q.jitter(q.c.Tick/5), q.node.BasicStatus().GetTerm())
}

// tryAgain sets when this node stands for election again, after a campaign that has not
// been won within a tick. Raft would wait as long as for a leader.
func (q *Quorum) tryAgain() {
	if !q.hurry.armed {
		q.hurry.until = time.Now().Add(q.c.Tick * time.Duration(q.c.ElectionTicks))
		q.hurry.in(q.jitter(2*q.c.Tick), q.node.BasicStatus().GetTerm())
	}
}

func (q *Quorum) jitter(most time.Duration) time.Duration {
	return time.Duration(q.c.Rand() % uint64(most))
}

// campaign is the hurry's turn. Somebody who has reached a later term is left some time
// to win it.
func (q *Quorum) campaign() {
	q.hurry.armed = false
	st := q.node.BasicStatus()
	if st.RaftState == raft.StateLeader || st.Lead != raft.None || !q.member() || time.Now().After(q.hurry.until) {
		return
	}
	if st.GetTerm() == q.hurry.term {
		if err := q.node.Campaign(); err != nil {
			q.c.Log.Debug("quorum campaign", "error", err)
		}
	}
	q.hurry.in(q.c.Tick+q.jitter(q.c.Tick), q.node.BasicStatus().GetTerm())
}
