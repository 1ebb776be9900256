package quorum

import (
	"sync"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"
)

// stallTicks is for how long a node speaks for itself while its disk stalls. Then others
// had better go on without it.
const stallTicks = 20

// stall keeps a node's word while Run's goroutine waits for the disk or the state machine.
// Disks take a second now and then, all those of one machine at once, and to elect another
// leader for that would only add to the delay. So heartbeats go out, and are answered,
// meanwhile: they promise nothing that is not durable.
type stall struct {
	tick time.Duration
	send func([]*raftpb.Message)

	mu    sync.Mutex // guards what follows; held over no wait
	beats []*raftpb.Message
	reply *raftpb.Message // to the heartbeats of the leader
	since time.Time
	timer *time.Timer
	busy  bool
}

func (s *stall) init(c Config) {
	s.tick, s.send = c.Tick, c.Send
	s.timer = time.AfterFunc(time.Hour, s.beat)
	s.timer.Stop()
}

// beginWork says what to tell the others if this takes long.
func (q *Quorum) beginWork() {
	if q.settled() {
		return
	}
	s := &q.stall
	st := q.node.BasicStatus()
	var beats []*raftpb.Message
	var reply *raftpb.Message
	self := raftID(q.c.Node)
	switch {
	case st.RaftState == raft.StateLeader:
		q.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
			if id != self {
				beats = append(beats, &raftpb.Message{
					Type: raftpb.MsgHeartbeat.Enum(), From: &self, To: &id, Term: new(st.GetTerm()), Commit: new(min(pr.Match, st.GetCommit())),
				})
			}
		})
	case st.Lead != raft.None:
		reply = &raftpb.Message{Type: raftpb.MsgHeartbeatResp.Enum(), From: &self, To: new(st.Lead), Term: new(st.GetTerm())}
	default:
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy, s.beats, s.reply, s.since = true, beats, reply, time.Now()
	if len(beats) > 0 {
		s.timer.Reset(s.tick)
	}
}

func (s *stall) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy {
		s.busy = false
		s.timer.Stop()
	}
}

// beat sends the heartbeats of a leader that is held up.
func (s *stall) beat() {
	s.mu.Lock()
	late := time.Since(s.since)
	if !s.busy || late > stallTicks*s.tick {
		s.mu.Unlock()
		return
	}
	beats := make([]*raftpb.Message, len(s.beats))
	for i, m := range s.beats {
		beats[i] = proto.CloneOf(m)
	}
	s.timer.Reset(s.tick)
	s.mu.Unlock()
	s.send(beats)
}

// answer answers a heartbeat for a follower that is held up.
func (s *stall) answer(m *raftpb.Message) {
	if m.GetType() != raftpb.MsgHeartbeat {
		return
	}
	s.mu.Lock()
	late := time.Since(s.since)
	r := s.reply
	if !s.busy || r == nil || late < s.tick || late > stallTicks*s.tick || r.GetTo() != m.GetFrom() || r.GetTerm() != m.GetTerm() {
		s.mu.Unlock()
		return
	}
	r = proto.CloneOf(r)
	s.mu.Unlock()
	s.send([]*raftpb.Message{r})
}
