package quorum

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/odradek/odradek/internal/base/vfs"
)

// alter calls the leader of the time until a change of the voters is done.
func (w *world) alter(within time.Duration, f func(context.Context, *Quorum) error) error {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), within)
	defer cancel()
	for {
		_, q := w.leads()
		err := error(kerr.NotController)
		if q != nil {
			err = f(ctx, q)
		}
		if err == nil || ctx.Err() != nil || !errors.Is(err, kerr.NotController) && !errors.Is(err, kerr.RequestTimedOut) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func add(id int32) func(context.Context, *Quorum) error {
	return func(ctx context.Context, q *Quorum) error { return q.AddVoter(ctx, id) }
}

func remove(id int32) func(context.Context, *Quorum) error {
	return func(ctx context.Context, q *Quorum) error { return q.RemoveVoter(ctx, id) }
}

func votersOf(s Status) (ids []int32) {
	for _, r := range s.Voters {
		ids = append(ids, r.Node)
	}
	return ids
}

// fill proposes until the log has had several snapshots.
func (w *world) fill(n int) {
	w.t.Helper()
	for i := range n {
		w.agree(fmt.Sprint("fill ", i, strings.Repeat("x", 500)), 3*time.Second)
	}
}

// One voter becomes five while entries are proposed, from snapshots; then all the first
// ones go, the leader among them, and those that came last go on.
func TestGrowAndShrink(t *testing.T) {
	for seed := range seeds(3, 15) {
		inWorld(t, uint64(seed), 1, func(w *world) {
			w.fill(150)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for i := range 200 {
					w.agree(fmt.Sprint("meanwhile ", i), 5*time.Second)
					time.Sleep(2 * time.Millisecond)
				}
			}()
			for id := int32(2); id <= 5; id++ {
				w.start(id)
				if err := w.alter(5*time.Second, add(id)); err != nil {
					t.Fatalf("add voter %d: %v", id, err)
				}
			}
			if err := w.alter(time.Second, add(3)); !errors.Is(err, kerr.DuplicateVoter) {
				t.Errorf("a second time: %v", err)
			}
			if err := w.alter(time.Second, remove(9)); !errors.Is(err, kerr.VoterNotFound) {
				t.Errorf("a stranger: %v", err)
			}
			_, q := w.leader(time.Second)
			if got := votersOf(q.Status()); !slices.Equal(got, []int32{1, 2, 3, 4, 5}) {
				t.Fatalf("voters %v", got)
			}
			for id := int32(1); id <= 4; id++ {
				began, leader := time.Now(), q.Status().Leader
				if err := w.alter(5*time.Second, remove(id)); err != nil {
					t.Fatalf("remove voter %d: %v", id, err)
				}
				w.agree(fmt.Sprint("without ", id), time.Second)
				if took := time.Since(began); took > 300*time.Millisecond {
					t.Errorf("seed %d: to go on without voter %d (node %d led) took %v", seed, id, leader, took)
				}
				_, q = w.leader(time.Second)
			}
			<-done
			w.settle(time.Second, 5)
			if err := w.alter(time.Second, remove(5)); !errors.Is(err, kerr.InvalidRequest) {
				t.Errorf("the last one: %v", err)
			}
			w.kill(5)
			w.start(5) // it knows that it is alone
			w.agree("alone", time.Second)
			term := w.q(5).term.Load()
			time.Sleep(time.Minute)
			for id := int32(1); id <= 4; id++ {
				if s := w.q(id).Status(); s.Term > term || slices.Contains(votersOf(s), id) {
					t.Errorf("node %d was removed and is not quiet: %+v", id, s)
				}
			}
		})
	}
}

// A voter that was away when it was removed hears of it when it campaigns, and is quiet;
// added again, it has a part again.
func TestRemovedWhileAway(t *testing.T) {
	for seed := range seeds(3, 15) {
		inWorld(t, uint64(seed), 3, func(w *world) {
			id, q := w.leader(5 * time.Second)
			away := id%3 + 1
			w.isolate(away, true)
			w.agree("without it", time.Second)
			if err := w.alter(time.Second, remove(away)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
			term := q.term.Load()
			w.heal()
			time.Sleep(3 * time.Second)
			s := w.q(away).Status()
			if s.Votes(away) || !slices.Equal(votersOf(s), votersOf(q.Status())) {
				t.Errorf("the removed node thinks the voters are %v", votersOf(s))
			}
			synctest.Wait()
			sent := w.count(away)
			time.Sleep(10 * time.Second)
			if n := w.count(away) - sent; n > 0 {
				t.Errorf("it sent %d messages after it knew", n)
			}
			if now := q.term.Load(); now != term {
				t.Errorf("the removed node has deposed the leader: term %d, then %d", term, now)
			}
			if err := w.alter(3*time.Second, add(away)); err != nil {
				t.Fatal(err)
			}
			w.agree("with it", time.Second)
			w.settle(3 * time.Second)
			if s := w.q(away).Status(); !s.Votes(away) {
				t.Errorf("it was added again and does not know: %+v", s)
			}
			w.kill(id)
			w.agree("it counts", 3*time.Second)
		})
	}
}

// count is how many messages a node has sent.
func (w *world) count(from int32) int { w.mu.Lock(); defer w.mu.Unlock(); return w.sent[from] }

// A voter whose disk is gone is replaced under its own id: removed, and added with an
// empty folder. Started as if nothing had happened, it stops and says what to do, and
// never votes.
func TestReplaceVoter(t *testing.T) {
	for seed := range seeds(3, 15) {
		inWorld(t, uint64(seed), 3, func(w *world) {
			id, q := w.leader(5 * time.Second)
			w.fill(60)
			lost := id%3 + 1
			w.kill(lost)
			wipe := func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				h := w.nodes[lost]
				h.disk = vfs.NewMem()
				h.fs, h.join = vfs.NewFaulty(h.disk, nil), true
			}
			wipe()
			w.start(lost)
			p := w.process(lost)
			select {
			case err := <-p.ended:
				if !errors.Is(err, errLost) || !strings.Contains(err.Error(), "remove this node from the voters") {
					t.Errorf("it ended with %v", err)
				}
				p.ended <- nil
			case <-time.After(10 * time.Second):
				t.Error("a voter that has lost its log goes on")
			}
			w.stop(lost)
			wipe()
			if err := w.alter(3*time.Second, remove(lost)); err != nil {
				t.Fatal(err)
			}
			w.start(lost)
			time.Sleep(time.Second)
			if s := w.q(lost).Status(); s.Last != 0 || len(s.Voters) > 0 {
				t.Errorf("it waits to be added, with %+v", s)
			}
			if err := w.alter(3*time.Second, add(lost)); err != nil {
				t.Fatal(err)
			}
			w.agree("with the new one", time.Second)
			w.settle(time.Second)
			if s := q.Status(); len(s.Voters) != 3 || len(s.Learners) != 0 {
				t.Errorf("%+v", s)
			}
			w.kill(id)
			w.agree("the new one counts", 3*time.Second)
		})
	}
}

// An empty node gives nobody its vote: it may have lost what it had promised.
func TestBlankDoesNotVote(t *testing.T) {
	inWorld(t, 1, 1, func(w *world) {
		w.agree("before", time.Second)
		q := w.start(7)
		for _, kind := range []raftpb.MessageType{raftpb.MsgPreVote, raftpb.MsgVote} {
			q.Step(&raftpb.Message{
				Type: kind.Enum(), From: new(raftID(1)), To: new(raftID(7)), Term: new(uint64(9)), Index: new(uint64(99)), LogTerm: new(uint64(8)),
			})
		}
		time.Sleep(time.Second)
		if n := w.count(7); n > 0 || q.Status().Term != 0 {
			t.Errorf("it sent %d messages; %+v", n, q.Status())
		}
	})
}

// A voter that cannot be reached is not promoted, and costs nothing; a second attempt
// succeeds once it is there.
func TestAddVoterThatIsAway(t *testing.T) {
	inWorld(t, 1, 3, func(w *world) {
		_, q := w.leader(5 * time.Second)
		w.fill(60)
		if err := w.alter(2*time.Second, add(4)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a node that is away: %v", err)
		}
		if s := q.Status(); len(s.Voters) != 3 || len(s.Learners) != 1 {
			t.Errorf("%+v", s)
		}
		w.start(4)
		if err := w.alter(3*time.Second, add(4)); err != nil {
			t.Fatal(err)
		}
		if s := q.Status(); len(s.Voters) != 4 || len(s.Learners) != 0 {
			t.Errorf("%+v", s)
		}
		w.agree("with four", time.Second)
		w.settle(time.Second, 1, 2, 3, 4)
	})
}

// What was known of a node is forgotten when it is added anew: its folder may be another.
func TestAddVoterAnew(t *testing.T) {
	inWorld(t, 1, 3, func(w *world) {
		_, q := w.leader(5 * time.Second)
		w.fill(60)
		w.start(4)
		if err := q.alter(w.t.Context(), q.term.Load(), raftpb.ConfChangeAddLearnerNode, 4); err != nil { // and no more
			t.Fatal(err)
		}
		w.settle(3*time.Second, 4)
		w.kill(4)
		w.mu.Lock()
		w.nodes[4].disk = vfs.NewMem()
		w.nodes[4].fs = vfs.NewFaulty(w.nodes[4].disk, nil)
		w.mu.Unlock()
		if err := w.alter(time.Second, add(4)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while it is away: %v", err)
		}
		w.start(4)
		if err := w.alter(3*time.Second, add(4)); err != nil {
			t.Error(err)
		}
		w.settle(3*time.Second, 1, 2, 3, 4)
	})
}

// The quorum is not talked into a state in which it could agree on nothing.
func TestRemoveLeavesMajority(t *testing.T) {
	inWorld(t, 1, 3, func(w *world) {
		id, q := w.leader(5 * time.Second)
		dead, alive := id%3+1, (id+1)%3+1
		w.kill(dead)
		time.Sleep(3 * time.Second)
		if err := w.alter(time.Second, remove(alive)); !errors.Is(err, kerr.InvalidRequest) || !strings.Contains(err.Error(), fmt.Sprint(dead)) {
			t.Errorf("removing one of two that live: %v", err)
		}
		if err := w.alter(time.Second, remove(dead)); err != nil {
			t.Error(err)
		}
		w.agree("with two", time.Second)
		if got := votersOf(q.Status()); len(got) != 2 {
			t.Errorf("voters %v", got)
		}
	})
}

// What no member would send is not taken.
func TestCheckMessage(t *testing.T) {
	entry := func(index, term uint64) *raftpb.Entry { return &raftpb.Entry{Index: &index, Term: &term} }
	snap := func(index, term uint64, voters, learners []uint64) *raftpb.Snapshot {
		return &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{Index: &index, Term: &term, ConfState: &raftpb.ConfState{Voters: voters, Learners: learners}}}
	}
	msg := func(kind raftpb.MessageType, change func(*raftpb.Message)) *raftpb.Message {
		m := &raftpb.Message{Type: kind.Enum(), From: new(uint64(3)), To: new(uint64(2)), Term: new(uint64(5)), Index: new(uint64(10)), LogTerm: new(uint64(4))}
		if change != nil {
			change(m)
		}
		return m
	}
	for name, m := range map[string]*raftpb.Message{
		"to another":          msg(raftpb.MsgApp, func(m *raftpb.Message) { m.To = new(uint64(4)) }),
		"from itself":         msg(raftpb.MsgApp, func(m *raftpb.Message) { m.From = new(uint64(2)) }),
		"from nobody":         msg(raftpb.MsgApp, func(m *raftpb.Message) { m.From = nil }),
		"a local one":         msg(raftpb.MsgHup, nil),
		"a proposal":          msg(raftpb.MsgProp, nil),
		"an unknown one":      msg(99, nil),
		"a gap":               msg(raftpb.MsgApp, func(m *raftpb.Message) { m.Entries = []*raftpb.Entry{entry(12, 5)} }),
		"terms that fall":     msg(raftpb.MsgApp, func(m *raftpb.Message) { m.Entries = []*raftpb.Entry{entry(11, 5), entry(12, 4)} }),
		"a term to come":      msg(raftpb.MsgApp, func(m *raftpb.Message) { m.Entries = []*raftpb.Entry{entry(11, 6)} }),
		"no snapshot":         msg(raftpb.MsgSnap, nil),
		"a snapshot of none":  msg(raftpb.MsgSnap, func(m *raftpb.Message) { m.Snapshot = snap(7, 1, nil, nil) }),
		"twice the same":      msg(raftpb.MsgSnap, func(m *raftpb.Message) { m.Snapshot = snap(7, 1, []uint64{2, 2}, nil) }),
		"a voter that learns": msg(raftpb.MsgSnap, func(m *raftpb.Message) { m.Snapshot = snap(7, 1, []uint64{2}, []uint64{2}) }),
		"the node nobody":     msg(raftpb.MsgSnap, func(m *raftpb.Message) { m.Snapshot = snap(7, 1, []uint64{0, 2}, nil) }),
	} {
		if err := checkMessage(m, 2); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for name, m := range map[string]*raftpb.Message{
		"entries":    msg(raftpb.MsgApp, func(m *raftpb.Message) { m.Entries = []*raftpb.Entry{entry(11, 4), entry(12, 5)} }),
		"a snapshot": msg(raftpb.MsgSnap, func(m *raftpb.Message) { m.Snapshot = snap(7, 1, []uint64{2, 3}, []uint64{4}) }),
		"a vote":     msg(raftpb.MsgVote, nil),
	} {
		if err := checkMessage(m, 2); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
