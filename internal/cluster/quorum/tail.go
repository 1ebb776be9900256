package quorum

import (
	"context"
	"fmt"
	"sync/atomic"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Chunk is a piece of the committed log: entries in offset order without gaps, or, for
// who is too far behind for entries, a snapshot of the state; or nothing, when nothing
// came in time. What it holds must not be changed: many share it.
type Chunk struct {
	Snapshot       []byte // nil if there are entries
	SnapshotOffset int64  // what the snapshot has at least
	Entries        []Entry
	Commit         int64 // offset of the last committed entry
	Leader         int32 // as far as this node knows, -1 if it does not
	Term           int64
}

// Entry is one committed entry. Data is empty for those of Raft itself.
type Entry struct {
	Offset int64
	Term   int64
	Data   []byte
}

// Check reports what is wrong with a chunk as the answer to who asked for the log from
// an offset on: somebody else's leftovers must not be taken for a part of the log.
func (c Chunk) Check(from int64) error {
	if c.Snapshot != nil {
		if len(c.Entries) > 0 || c.SnapshotOffset < 0 {
			return fmt.Errorf("quorum: a chunk has a snapshot at %d and %d entries", c.SnapshotOffset, len(c.Entries))
		}
		return nil
	}
	for i, e := range c.Entries {
		if want := from + int64(i); e.Offset != want {
			return fmt.Errorf("quorum: a chunk has entry %d where %d was due", e.Offset, want)
		}
	}
	return nil
}

// view is the applied part of the log, for Tail. Immutable: Run's goroutine overwrites
// only what is not committed.
type view struct {
	status  *Status
	base    uint64 // the offset before the first of entries
	entries []*raftpb.Entry
}

// state is a snapshot of the state machine, made for members and tails that are behind.
type state struct {
	index uint64
	term  uint64
	conf  *raftpb.ConfState
	data  []byte
	used  atomic.Bool // since the last look
}

// show publishes the view.
func (q *Quorum) show(s *Status) {
	v := &view{status: s, base: q.store.base.index}
	if n := int64(q.applied) - int64(v.base); n > 0 {
		v.entries = q.store.entries[:n:n]
	}
	q.view.Store(v)
}

// Tail returns the committed log from an offset on: no more than maxBytes of it, but at
// least one entry. If there is nothing yet it waits until there is, until another node
// leads, or until ctx ends; in the last two cases the Chunk has nothing but its Commit,
// Leader and Term. A reader that is behind the log's beginning gets a snapshot, which may
// stand at a later offset than the chunk says; it goes on after what it then has. Any
// member answers, whether it leads or not.
func (q *Quorum) Tail(ctx context.Context, from int64, maxBytes int) (Chunk, error) {
	began := q.view.Load().status
	for {
		moved := q.moved.listen()
		v := q.view.Load()
		if c, ok := v.chunk(from, maxBytes, q.latest.Load()); ok {
			return c, nil
		}
		if v.status.Leader != began.Leader || v.status.Term != began.Term {
			return v.empty(), nil
		}
		if from <= int64(v.base) && v.status.Applied > 0 {
			if err := q.do(func() { q.state() }); err != nil {
				return Chunk{}, err
			}
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return q.view.Load().empty(), nil
		case <-q.done:
			return Chunk{}, q.cause()
		}
	}
}

func (v *view) empty() Chunk {
	return Chunk{Commit: v.status.Commit, Leader: v.status.Leader, Term: v.status.Term}
}

func (v *view) chunk(from int64, maxBytes int, latest *state) (Chunk, bool) {
	c := v.empty()
	if from <= int64(v.base) {
		if latest == nil || latest.index < v.base {
			return c, false
		}
		latest.used.Store(true)
		c.Snapshot, c.SnapshotOffset = latest.data, int64(latest.index)
		return c, true
	}
	size := 0
	for i := from - int64(v.base) - 1; i < int64(len(v.entries)); i++ {
		e := v.entries[i]
		size += len(e.GetData())
		if len(c.Entries) > 0 && size > maxBytes {
			break
		}
		entry := Entry{Offset: int64(e.GetIndex()), Term: int64(e.GetTerm())}
		if e.GetType() == raftpb.EntryNormal {
			entry.Data = e.GetData()
		}
		c.Entries = append(c.Entries, entry)
	}
	return c, len(c.Entries) > 0
}

// state returns a snapshot after which the log goes on, made anew if there is none. It
// is Run's goroutine that asks the state machine for it.
func (q *Quorum) state() *state {
	if s := q.latest.Load(); s != nil && s.index >= q.store.base.index && proto.Equal(s.conf, q.conf) {
		s.used.Store(true)
		return s
	}
	term, err := q.store.Term(q.applied)
	if err != nil {
		panic(fmt.Sprintf("bug: the term of applied entry %d: %v", q.applied, err))
	}
	s := &state{index: q.applied, term: term, conf: proto.CloneOf(q.conf), data: q.c.Snapshot()}
	s.used.Store(true)
	q.latest.Store(s)
	q.moved.ring()
	return s
}

// tidy forgets a snapshot that nobody wants any more: it is as large as the cluster.
func (q *Quorum) tidy() {
	if s := q.latest.Load(); s != nil && !s.used.Swap(false) {
		q.latest.Store(nil)
	}
}

// freshSnapshot is what Raft sends to a member that is too far behind. The members in it
// must be those of now: who was added after the snapshot on disk would refuse that one.
func (q *Quorum) freshSnapshot() (*raftpb.Snapshot, error) {
	if q.changing || q.applied == 0 {
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	s := q.state()
	return &raftpb.Snapshot{Data: s.data, Metadata: &raftpb.SnapshotMetadata{
		ConfState: proto.CloneOf(s.conf), Index: new(s.index), Term: new(s.term),
	}}, nil
}
