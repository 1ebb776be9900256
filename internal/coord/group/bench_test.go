package group

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// blackHole is a log that keeps nothing, takes no transactions and commits at once.
type blackHole struct {
	runtime.Log
	end, appends atomic.Int64
}

func (l *blackHole) AppendRecords(b record.Batch, _ int32) (int64, error) {
	l.appends.Add(1)
	return l.end.Add(int64(b.Count())), nil
}
func (l *blackHole) Wait(context.Context, int64, int32) error { return nil }
func (l *blackHole) ReadLog(from int64, _ int) ([]byte, int64, error) {
	return nil, from, nil
}

// One commit of ten partitions, by one client and by many at once.
func BenchmarkOffsetCommit(b *testing.B) {
	b.Run("alone", func(b *testing.B) { benchCommit(b, false) })
	b.Run("together", func(b *testing.B) { benchCommit(b, true) })
}

func benchCommit(b *testing.B, together bool) {
	ctx, cancel := context.WithCancel(context.Background())
	s := New(Config{Partitions: func() int32 { return 1 }, Rand: func([]byte) {}})
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	defer func() { cancel(); <-done }()
	log := &blackHole{}
	s.Lead(0, 0, log)
	req := commitRequest("g", map[string]string{})
	topic := kmsg.OffsetCommitRequestTopic{Topic: "topic"}
	for p := range int32(10) {
		topic.Partitions = append(topic.Partitions, kmsg.OffsetCommitRequestTopicPartition{Partition: p, Offset: 5})
	}
	req.Topics = append(req.Topics, topic)
	commit := func() int16 { return s.OffsetCommit(ctx, Caller{}, req).Topics[0].Partitions[0].ErrorCode }
	for commit() != 0 { // until it is loaded
	}
	b.ReportAllocs()
	before := log.appends.Load()
	if together {
		b.SetParallelism(50)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if commit() != 0 {
					b.Error("a commit failed")
				}
			}
		})
	} else {
		for b.Loop() {
			if commit() != 0 {
				b.Fatal("a commit failed")
			}
		}
	}
	b.ReportMetric(float64(log.appends.Load()-before)/float64(b.N), "appends/op")
}

// A rebalance of a stable group: all join again, the leader assigns, all sync.
func BenchmarkRebalance(b *testing.B) {
	for _, size := range []int{10, 500} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			m := newBareMachine(b)
			for range size {
				m.join("", 3)
			}
			for m.st.groups["g"].phase == preparing {
				m.st.Fire(m.turn(), timerKey{kind: joinTimer, group: "g"})
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, member := range m.st.groups["g"].members {
					m.join(member.id, 9)
				}
				m.sync()
			}
			if g := m.st.groups["g"]; g.phase != stable || len(g.members) != size {
				b.Fatalf("group is %v with %d members", g.phase, len(g.members))
			}
		})
	}
}

// bareMachine is a machine without a runtime: what it writes is replayed by hand.
type bareMachine struct {
	testing.TB
	st    *state
	now   time.Time
	drawn int
	next  int64
	t     *runtime.Turn
}

func newBareMachine(tb testing.TB) *bareMachine {
	m := &bareMachine{TB: tb, now: epochStart}
	s := New(Config{})
	m.st = newState(doors{settings: s.settings, newID: func() string { m.drawn++; return fmt.Sprint(m.drawn) }, log: s.cfg.Log})
	m.st.Loaded(m.turn())
	return m
}

// turn ends the turn before and starts the next.
func (m *bareMachine) turn() *runtime.Turn {
	if m.t != nil {
		for _, r := range m.t.Written() {
			if err := m.st.Replay(runtime.Entry{Offset: m.next, Key: r.Key, Value: r.Value}); err != nil {
				m.Fatal(err)
			}
			m.next++
		}
	}
	m.t = runtime.NewTurn(m.now)
	return m.t
}

func (m *bareMachine) join(id string, version int16) {
	req := joinRequest("g", map[string]string{})
	req.MemberID, req.Version = id, version
	m.st.join(m.turn(), Caller{ClientID: "c"}, req, &runtime.Deferred[joined]{})
}

// sync sends the SyncGroup of every member, the leader's with an assignment for all.
func (m *bareMachine) sync() {
	g := m.st.groups["g"]
	for _, member := range g.members {
		req := kmsg.NewPtrSyncGroupRequest()
		req.Group, req.MemberID, req.Generation = "g", member.id, g.generation
		if member.id == g.leader {
			for _, to := range g.members {
				req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: to.id, MemberAssignment: []byte("assignment")})
			}
		}
		m.st.sync(m.turn(), req, &runtime.Deferred[synced]{})
	}
	m.turn()
}
