package peers

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/proto/link"
)

// maxTail is how much of the log an answer has, about.
const maxTail = 1 << 20

// tails answers who follows the metadata. Hundreds may ask for the same, at the same time
// or soon after each other: it is read and written once.
type tails struct {
	mu      sync.Mutex // guards all below
	flights map[ask]*flight
	order   []ask // of flights that have ended, oldest first
	bytes   int   // that those hold
}

type ask struct {
	from int64
	term int64 // of the leader: one of an older term may not hold any more
}

// flight is one answer, under way until done is closed.
type flight struct {
	done   chan struct{}
	answer []byte
	err    error
	empty  bool
	tries  bool // whoever has begun it has given up: another may begin anew
}

// What ended flights may hold.
const (
	keptFlights = 16
	keptBytes   = 4 << 20
)

// serveTail answers: varint offset from which on the metadata is wanted.
func (p *Peers) serveTail(ctx context.Context, payload []byte) ([]byte, error) {
	r := link.Fields{B: payload}
	from := r.Varint()
	if err := sane(&r); err != nil {
		return nil, err
	}
	if p.c.Quorum == nil {
		return other(p.leads()), nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.c.LongPoll)
	defer cancel()
	for {
		st := p.c.Quorum.Status()
		if st.Leader != p.c.Node {
			return other(p.leads()), nil
		}
		f, mine := p.tails.join(ask{from, st.Term})
		if mine {
			f.fill(ctx, p.c.Quorum, from)
			p.tails.landed(ask{from, st.Term}, f)
			return f.answer, f.err
		}
		select {
		case <-f.done:
			if !f.tries || ctx.Err() != nil {
				return f.answer, f.err
			}
		case <-ctx.Done():
			return appendChunk(nil, quorum.Chunk{Commit: st.Commit, Leader: st.Leader, Term: st.Term}), nil
		}
	}
}

// join finds the flight for what is asked, or begins one.
func (t *tails) join(a ask) (f *flight, mine bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f, ok := t.flights[a]; ok {
		return f, false
	}
	f = &flight{done: make(chan struct{})}
	t.flights[a] = f
	return f, true
}

func (f *flight) fill(ctx context.Context, q Quorum, from int64) {
	defer close(f.done)
	c, err := q.Tail(ctx, from, maxTail)
	f.err = err
	f.empty = len(c.Entries) == 0 && c.Snapshot == nil
	f.tries = f.empty && errors.Is(ctx.Err(), context.Canceled)
	if err == nil {
		f.answer = appendChunk(nil, c)
	}
}

// landed keeps an answer for those who ask a little later, and forgets the oldest.
func (t *tails) landed(a ask, f *flight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.empty || f.err != nil || len(f.answer) > keptBytes {
		delete(t.flights, a)
		return
	}
	t.order = append(t.order, a)
	t.bytes += len(f.answer)
	for len(t.order) > keptFlights || t.bytes > keptBytes {
		t.bytes -= len(t.flights[t.order[0]].answer)
		delete(t.flights, t.order[0])
		t.order = slices.Delete(t.order, 0, 1)
	}
}

// A chunk is, after saysDone:
//
//	varint  leader, term, commit
//	u8      1: a snapshot follows; 0: entries do
//	varint  offset that the snapshot has at least; bytes
//	uvarint entries, each: varint offset, varint term, bytes
func appendChunk(dst []byte, c quorum.Chunk) []byte {
	n := 64 + len(c.Snapshot)
	for _, e := range c.Entries {
		n += len(e.Data) + 3*binary.MaxVarintLen64
	}
	dst = append(slices.Grow(dst, n), saysDone)
	dst = binary.AppendVarint(dst, int64(c.Leader))
	dst = binary.AppendVarint(dst, c.Term)
	dst = binary.AppendVarint(dst, c.Commit)
	if c.Snapshot != nil {
		dst = binary.AppendVarint(append(dst, 1), c.SnapshotOffset)
		return link.AppendBytes(dst, c.Snapshot)
	}
	dst = binary.AppendUvarint(append(dst, 0), uint64(len(c.Entries)))
	for _, e := range c.Entries {
		dst = binary.AppendVarint(binary.AppendVarint(dst, e.Offset), e.Term)
		dst = link.AppendBytes(dst, e.Data)
	}
	return dst
}

// parseChunk reads what follows saysDone. The chunk aliases it.
func parseChunk(b []byte) (quorum.Chunk, error) {
	r := link.Fields{B: b}
	c := quorum.Chunk{Leader: r.Int32(), Term: r.Varint(), Commit: r.Varint()}
	if r.U8() == 1 {
		c.SnapshotOffset, c.Snapshot = r.Varint(), r.Bytes()
		return c, sane(&r)
	}
	n, k := binary.Uvarint(r.B)
	if k <= 0 || n > uint64(len(r.B)) {
		r.Fail()
		return c, sane(&r)
	}
	r.B = r.B[k:]
	for i := uint64(0); i < n && !r.Bad; i++ {
		c.Entries = append(c.Entries, quorum.Entry{Offset: r.Varint(), Term: r.Varint(), Data: r.Bytes()})
	}
	return c, sane(&r)
}

// serveWhere answers who leads and what is committed, if this node is it.
func (p *Peers) serveWhere() ([]byte, error) {
	if p.c.Quorum == nil {
		return other(p.leads()), nil
	}
	st := p.c.Quorum.Status()
	if st.Leader != p.c.Node {
		return other(p.leads()), nil
	}
	return appendChunk(nil, quorum.Chunk{Leader: st.Leader, Term: st.Term, Commit: st.Commit}), nil
}
