package quorum

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// Quorum is this node's part in the agreement. The fields below mu belong to Run.
type Quorum struct {
	c      Config
	status atomic.Pointer[Status]
	term   atomic.Int64 // the term this node leads and has caught up in, -1 if none
	wake   chan struct{}
	done   chan struct{} // closed when Run has ended

	mu      sync.Mutex // guards pending, inbox and stopped; held over no wait
	pending []*proposal
	inbox   []*raftpb.Message
	stopped error

	store    *store
	node     *raft.RawNode
	conf     *raftpb.ConfState
	applied  uint64
	proposed []*proposal          // given to Raft, index not known yet
	waiting  map[uint64]*proposal // by index
	led      uint64               // the term for which Lead was called, 0 if resigned
}

// proposal is an entry on its way. done is closed when offset and err are set.
type proposal struct {
	term   int64
	data   []byte
	done   chan struct{}
	offset int64
	err    error
}

func (p *proposal) settle(offset int64, err error) {
	p.offset, p.err = offset, err
	close(p.done)
}

// raftID is a node's id in Raft, where 0 means nobody.
func raftID(node int32) uint64 { return uint64(node) + 1 }
func nodeID(id uint64) int32   { return int32(int64(id) - 1) }

// Open reads the log and restores the newest snapshot. Entries after it are applied
// by Run.
func Open(c Config) (*Quorum, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("quorum: %w", err)
	}
	voters := make([]uint64, len(c.Voters))
	for i, v := range c.Voters {
		voters[i] = raftID(v)
	}
	st, data, err := openStore(c, voters)
	if err != nil {
		return nil, fmt.Errorf("quorum: %w", err)
	}
	if len(data) > 0 {
		if err := c.Restore(data); err != nil {
			return nil, errors.Join(fmt.Errorf("quorum: restore snapshot %d: %w", st.snapshot, err), st.wal.close())
		}
	}
	q := &Quorum{
		c: c, store: st, conf: st.conf, applied: st.snapshot, waiting: map[uint64]*proposal{},
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	q.term.Store(-1)
	if q.node, err = raft.NewRawNode(q.raftConfig()); err != nil {
		return nil, errors.Join(fmt.Errorf("quorum: %w", err), st.wal.close())
	}
	q.publish()
	return q, nil
}

func (q *Quorum) raftConfig() *raft.Config {
	return &raft.Config{
		ID: raftID(q.c.Node), Storage: q.store, Applied: q.applied,
		ElectionTick: q.c.ElectionTicks, HeartbeatTick: 1,
		MaxSizePerMsg: 1 << 20, MaxCommittedSizePerReady: 16 << 20, MaxInflightMsgs: 256,
		PreVote: true, CheckQuorum: true, StepDownOnRemoval: true, DisableProposalForwarding: true,
		Logger: &logger{q.c.Log},
	}
}

// Begin gives an entry its place in the order in which entries are proposed, for the
// given term only, and does not wait. If an entry of a term fails, every later one of
// that term fails: with kerr.NotController when this node does not lead the term, with
// kerr.KafkaStorageError when its disk has failed.
func (q *Quorum) Begin(term int64, entry []byte) Wait {
	p := &proposal{term: term, data: entry, done: make(chan struct{})}
	if err := q.enqueue(p); err != nil {
		p.settle(0, err)
	}
	return func(ctx context.Context) (int64, error) {
		select {
		case <-p.done:
			return p.offset, p.err
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

func (q *Quorum) enqueue(p *proposal) error {
	if len(p.data) == 0 {
		return errors.New("quorum: an empty entry")
	}
	if len(p.data) > q.c.MaxEntryBytes {
		return fmt.Errorf("quorum: an entry of %d bytes is over the limit of %d: %w",
			len(p.data), q.c.MaxEntryBytes, kerr.PolicyViolation)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped != nil {
		return q.stopped
	}
	q.pending = append(q.pending, p)
	q.rouse()
	return nil
}

// Propose appends an entry and returns its offset when it is committed and applied
// here. If it fails after it was sent to others, it may still be committed later.
func (q *Quorum) Propose(ctx context.Context, entry []byte) (int64, error) {
	term := q.term.Load()
	if term < 0 {
		return 0, kerr.NotController
	}
	return q.Begin(term, entry)(ctx)
}

// Step takes a message from another member, without waiting.
func (q *Quorum) Step(m *raftpb.Message) {
	const most = 4096
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped == nil && len(q.inbox) < most { // Raft repeats what is lost
		q.inbox = append(q.inbox, m)
		q.rouse()
	}
}

func (q *Quorum) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Run takes part in the quorum until ctx ends, which is no error, or the disk or the
// state machine fails. It runs once.
func (q *Quorum) Run(ctx context.Context) error {
	err := q.run(ctx)
	q.resign()
	cause := fmt.Errorf("the quorum has stopped: %w", kerr.NotController)
	if err != nil {
		q.c.Log.Error("quorum stopped", "error", err)
		cause = fmt.Errorf("the quorum has failed: %w", kerr.KafkaStorageError)
	}
	q.stop(cause)
	return errors.Join(err, q.store.wal.close())
}

func (q *Quorum) run(ctx context.Context) error {
	if q.alone() {
		if err := q.node.Campaign(); err != nil {
			return fmt.Errorf("campaign: %w", err)
		}
	}
	timer := time.NewTimer(q.c.Tick + q.c.Phase)
	defer timer.Stop()
	for {
		if err := q.work(ctx); err != nil {
			if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
				return nil
			}
			return err
		}
		var tick <-chan time.Time
		if !q.alone() { // who has nobody to hear from needs no clock
			tick = timer.C
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
			timer.Reset(q.c.Tick)
			q.node.Tick()
		case <-q.wake:
			q.take()
		}
	}
}

// alone reports whether this node is the only member.
func (q *Quorum) alone() bool {
	c := q.conf
	return len(c.GetVoters()) == 1 && c.GetVoters()[0] == raftID(q.c.Node) &&
		len(c.GetLearners())+len(c.GetVotersOutgoing())+len(c.GetLearnersNext()) == 0
}

// take gives Raft what has come in: all of it, so that it becomes durable at once.
func (q *Quorum) take() {
	q.mu.Lock()
	pending, inbox := q.pending, q.inbox
	q.pending, q.inbox = nil, nil
	q.mu.Unlock()
	for _, m := range inbox {
		if err := q.node.Step(m); err != nil {
			q.c.Log.Debug("quorum message refused", "from", nodeID(m.GetFrom()), "type", m.GetType(), "error", err)
		}
	}
	for _, p := range pending {
		q.propose(p)
	}
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
		q.c.Resign()
	}
}

// stop ends every wait.
func (q *Quorum) stop(cause error) {
	q.mu.Lock()
	q.stopped = cause
	pending := append(q.proposed, q.pending...)
	q.pending, q.inbox, q.proposed = nil, nil, nil
	q.mu.Unlock()
	for _, p := range pending {
		p.settle(0, cause)
	}
	for i, p := range q.waiting {
		delete(q.waiting, i)
		p.settle(0, cause)
	}
	q.publish()
	close(q.done)
}
