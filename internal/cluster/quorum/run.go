package quorum

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.etcd.io/raft/v3"
)

// Run takes part in the quorum until ctx ends, which is no error, or the disk or the
// state machine fails. It runs once.
func (q *Quorum) Run(ctx context.Context) error {
	err := q.run(ctx)
	q.stall.end()
	q.resign()
	cause, begun := fmt.Errorf("the quorum has stopped: %w", kerr.NotController), errUnknown
	if err != nil {
		q.c.Log.Error("quorum stopped", "error", err)
		cause = fmt.Errorf("the quorum has failed: %w", kerr.KafkaStorageError)
		begun = cause
	}
	q.stop(cause, begun)
	return errors.Join(err, q.store.wal.close())
}

func (q *Quorum) run(ctx context.Context) error {
	q.clock = newClock(q.c)
	defer q.clock.stop()
	q.hurry.init()
	defer q.hurry.timer.Stop()
	// A cluster that comes up whole has nobody to wait for. Where one leads already, those
	// who hear it refuse their votes.
	q.hurryUp()
	for {
		if q.c.pause != nil {
			q.c.pause()
		}
		if err := q.work(ctx); err != nil {
			if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
				return nil
			}
			return err
		}
		q.clock.run(!q.settled())
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-q.clock.C():
			err = q.tick()
		case <-q.hurry.timer.C:
			q.campaign()
		case <-q.wake:
			err = q.take()
		}
		if err != nil {
			return err
		}
	}
}

// tick lets a moment pass. What has come in meanwhile comes first: a late tick must not
// overtake the word of the leader that it would miss.
func (q *Quorum) tick() error {
	q.clock.next()
	if err := q.take(); err != nil {
		return err
	}
	state := q.node.BasicStatus().RaftState
	if q.member() || state == raft.StateLeader {
		q.node.Tick()
	}
	if state == raft.StateCandidate || state == raft.StatePreCandidate {
		q.tryAgain()
	}
	if state == raft.StateLeader {
		q.resendSnapshots()
		q.orphaned = 0
	} else if q.abandon(); q.clock.ticks%600 == 0 {
		clear(q.resent)
	}
	if q.clock.ticks%300 == 0 {
		q.tidy()
	}
	return nil
}

// abandon fails what was proposed in a term that is over and has not been agreed on for
// a while: whether it will be, nobody here can know.
func (q *Quorum) abandon() {
	if len(q.waiting) == 0 && q.change == nil {
		q.orphaned = 0
		return
	}
	if q.orphaned++; q.orphaned < q.c.ElectionTicks {
		return
	}
	for i, p := range q.waiting {
		delete(q.waiting, i)
		p.settle(0, errUnknown)
	}
	q.settleChange(errUnknown)
}

// alone reports whether this node is the only member.
func (q *Quorum) alone() bool {
	c := q.conf
	return len(c.GetVoters()) == 1 && c.GetVoters()[0] == raftID(q.c.Node) &&
		len(c.GetLearners())+len(c.GetVotersOutgoing())+len(c.GetLearnersNext()) == 0
}

// settled reports that no clock is needed: who leads and has nobody to hear from.
func (q *Quorum) settled() bool {
	return q.alone() && q.node.BasicStatus().RaftState == raft.StateLeader
}

// take gives Raft what has come in: all of it, so that it becomes durable at once.
func (q *Quorum) take() error {
	q.mu.Lock()
	pending, inbox, orders := q.pending, q.inbox, q.orders
	q.pending, q.inbox, q.orders = nil, nil, nil
	q.mu.Unlock()
	for _, m := range inbox {
		if err := q.receive(m); err != nil {
			return err
		}
	}
	for _, p := range pending {
		q.propose(p)
	}
	for _, f := range orders {
		f()
	}
	return nil
}

func (q *Quorum) propose(p *proposal) {
	if q.led == 0 || uint64(p.term) != q.led {
		p.settle(0, kerr.NotController)
		return
	}
	if err := q.node.Propose(p.data); err != nil {
		// What follows it in this term was decided on top of it.
		q.c.Log.Info("quorum proposal dropped", "term", p.term, "error", err)
		q.resign()
		p.settle(0, kerr.NotController)
		return
	}
	q.proposed = append(q.proposed, p)
}

func (q *Quorum) resign() {
	if q.led != 0 {
		q.led = 0
		q.term.Store(-1)
		clear(q.tracks)
		q.c.Resign()
	}
}

// stop ends every wait: by begun for what was given to Raft.
func (q *Quorum) stop(cause, begun error) {
	q.mu.Lock()
	q.stopped = cause
	pending := q.pending
	q.pending, q.inbox, q.orders = nil, nil, nil
	q.mu.Unlock()
	for _, p := range q.proposed {
		p.settle(0, begun)
	}
	q.proposed = nil
	for _, p := range pending {
		p.settle(0, cause)
	}
	for i, p := range q.waiting {
		delete(q.waiting, i)
		p.settle(0, begun)
	}
	q.settleChange(begun)
	q.publish()
	close(q.done)
}
