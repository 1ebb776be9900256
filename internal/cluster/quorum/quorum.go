package quorum

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// Quorum is this node's part in the agreement. The fields below mu belong to Run.
type Quorum struct {
	c       Config
	status  atomic.Pointer[Status]
	view    atomic.Pointer[view]
	latest  atomic.Pointer[state] // written by Run only
	term    atomic.Int64          // the term this node leads and has caught up in, -1 if none
	moved   bell                  // rung when entries are applied or another node leads
	changed bell                  // rung when anything in Status may have changed
	altered chan struct{}         // holds a token while nobody changes the voters
	wake    chan struct{}
	done    chan struct{} // closed when Run has ended
	stall   stall
	changes atomic.Uint64 // of the voters, asked for here: makes each unlike the others

	mu      sync.Mutex // guards what follows, down to stopped; held over no wait
	pending []*proposal
	inbox   []*raftpb.Message
	orders  []func()
	stopped error

	store    *store
	node     *raft.RawNode
	conf     *raftpb.ConfState
	told     *raftpb.ConfState // the members, of whom this node is none any more; nil if it is
	applied  uint64
	proposed []*proposal          // given to Raft, index not known yet
	waiting  map[uint64]*proposal // by index
	led      uint64               // the term for which Lead was called, 0 if resigned
	orphaned int                  // ticks since this node ceased to lead, while proposals wait
	change   *change              // of the voters, under way
	changing bool                 // while one is applied
	clock    clock
	hurry    hurry
	tracks   map[uint64]*track    // of the others, while this node leads
	resent   map[uint64]*snapping // who has been sent a snapshot
	lost     []uint64             // room for resendSnapshots
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

// errUnknown is how it ends for what is in the log of a node that leads no more, and may be
// in those of others.
var errUnknown = fmt.Errorf("this node does not lead any more, and what it had proposed may be agreed on without it: %w",
	kerr.RequestTimedOut)

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
		wake: make(chan struct{}, 1), done: make(chan struct{}), altered: make(chan struct{}, 1),
		tracks: map[uint64]*track{}, resent: map[uint64]*snapping{},
	}
	q.term.Store(-1)
	q.altered <- struct{}{}
	st.fresh = q.freshSnapshot
	q.stall.init(c)
	if err := c.Apply(int64(q.applied), nil); err != nil { // the snapshot stands there
		return nil, errors.Join(fmt.Errorf("quorum: %w", err), st.wal.close())
	}
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
// that term fails: with kerr.NotController when this node does not lead the term and the
// entry is agreed on nowhere, ever; with kerr.RequestTimedOut when it may have been or may
// be yet, and nobody here will know; with kerr.KafkaStorageError when its disk has failed.
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

// Step takes a message from another member, without waiting. It is not changed.
func (q *Quorum) Step(m *raftpb.Message) {
	const most = 4096
	if err := checkMessage(m, raftID(q.c.Node)); err != nil {
		q.c.Log.Warn("quorum message refused", "from", nodeID(m.GetFrom()), "type", m.GetType(), "error", err)
		return
	}
	q.stall.answer(m)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped == nil && len(q.inbox) < most { // Raft repeats what is lost
		q.inbox = append(q.inbox, m)
		q.rouse()
	}
}

// do has Run's goroutine call f, without waiting for it.
func (q *Quorum) do(f func()) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped != nil {
		return q.stopped
	}
	q.orders = append(q.orders, f)
	q.rouse()
	return nil
}

// cause is why the quorum has stopped.
func (q *Quorum) cause() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stopped
}

func (q *Quorum) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
