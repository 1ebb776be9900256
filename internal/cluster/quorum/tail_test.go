package quorum

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func tailing(t *testing.T, q *Quorum, from int64, maxBytes int, within time.Duration) Chunk {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	c, err := q.Tail(ctx, from, maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(from); err != nil {
		t.Fatal(err)
	}
	return c
}

// A reader gets what is committed from where it asks, in pieces, and waits at the end; one
// that is behind the beginning gets a snapshot and goes on after it.
func TestTail(t *testing.T) {
	inWorld(t, 1, 3, func(w *world) {
		id, q := w.leader(5 * time.Second)
		t := w.t
		for i := range 20 {
			w.agree(fmt.Sprint(i, strings.Repeat("x", 100)), time.Second)
		}
		other := w.q(id%3 + 1)
		w.settle(time.Second)
		for _, q := range []*Quorum{q, other} { // whoever is asked, it is the same log
			var got []string
			for from := int64(2); ; {
				c := tailing(t, q, from, 500, 100*time.Millisecond)
				if c.Leader != id || c.Commit != q.Status().Commit || len(c.Entries) > 5 {
					t.Fatalf("%d entries, leader %d, commit %d", len(c.Entries), c.Leader, c.Commit)
				}
				if len(c.Entries) == 0 {
					break
				}
				for _, e := range c.Entries {
					if w.log[e.Offset] != string(e.Data) {
						t.Errorf("%d is %q", e.Offset, e.Data)
					}
					got = append(got, string(e.Data))
				}
				from = c.Entries[len(c.Entries)-1].Offset + 1
			}
			if len(got) != len(w.log)-1 { // the first snapshot stands at 1
				t.Errorf("%d entries, of %d", len(got), len(w.log))
			}
		}
		// At the end: it waits, and is woken by the next.
		end := q.Status().Commit + 1
		next := make(chan Chunk, 1)
		go func() { next <- tailing(t, other, end, 1, 5*time.Second) }()
		synctest.Wait()
		w.agree("new", time.Second)
		if c := <-next; len(c.Entries) != 1 || string(c.Entries[0].Data) != "new" || c.Entries[0].Offset != end {
			t.Errorf("%+v", c)
		}
		// From the beginning: a snapshot, the same for all who ask.
		c := tailing(t, q, 1, 1, time.Second)
		again := tailing(t, q, 0, 1, time.Second)
		if c.Snapshot == nil || &c.Snapshot[0] != &again.Snapshot[0] || c.SnapshotOffset != end {
			t.Errorf("snapshot at %d, want %d", c.SnapshotOffset, end)
		}
		m := &judged{w: w, node: 9}
		if err := m.restore(c.Snapshot); err != nil || m.at != c.SnapshotOffset {
			t.Errorf("restored to %d, %v", m.at, err)
		}
		// A reader learns at once that another node leads.
		go func() { next <- tailing(t, other, q.Status().Commit+9, 1, 10*time.Second) }()
		synctest.Wait()
		began := time.Now()
		if err := q.TransferLeadership(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c := <-next; len(c.Entries) > 0 || time.Since(began) > time.Second {
			t.Errorf("%+v after %v", c, time.Since(began))
		}
		w.stop(id)
		if _, err := q.Tail(t.Context(), 1<<40, 1); err == nil {
			t.Error("a quorum that has stopped has a tail")
		}
	})
}

// The tail of a log that is cut short again and again, by readers of every speed, while
// it grows: nobody gets anything but the log.
func TestTailBehindSnapshots(t *testing.T) {
	inWorld(t, 2, 3, func(w *world) {
		_, q := w.leader(5 * time.Second)
		ctx, cancel := context.WithCancel(w.t.Context())
		snapshots := 0
		done := make(chan struct{})
		readers := []*judged{{w: w, node: 91}, {w: w, node: 92}, {w: w, node: 93}}
		for i, m := range readers {
			go func() {
				defer func() { done <- struct{}{} }()
				for ctx.Err() == nil {
					c, err := q.Tail(ctx, m.offset()+1, 2000)
					if err == nil && c.Snapshot != nil {
						w.mu.Lock()
						snapshots++
						w.mu.Unlock()
						err = m.restore(c.Snapshot)
					}
					for _, e := range c.Entries {
						if err == nil {
							err = m.apply(e.Offset, e.Data)
						}
					}
					if err != nil {
						w.fault("reader %d: %v", i, err)
						return
					}
					time.Sleep(time.Duration(i*i) * 40 * time.Millisecond)
				}
			}()
		}
		for i := range 20 {
			w.fill(100)
			if i%5 == 4 {
				_ = q.do(func() { q.store.forget(q.applied - 10) }) // as if keepEntries were few
			}
		}
		time.Sleep(10 * time.Second)
		for _, m := range readers {
			if m.offset() != q.Status().Commit {
				w.t.Errorf("a reader is at %d of %d", m.offset(), q.Status().Commit)
			}
		}
		cancel()
		for range readers {
			<-done
		}
		if snapshots < 4 {
			w.t.Errorf("%d snapshots", snapshots)
		}
	})
}

// Chunks that cannot be a part of the log are found out.
func TestCheckChunk(t *testing.T) {
	entries := []Entry{{Offset: 5}, {Offset: 6}}
	for _, c := range []struct {
		chunk Chunk
		from  int64
		ok    bool
	}{
		{Chunk{}, 5, true}, {Chunk{Entries: entries}, 5, true}, {Chunk{Entries: entries}, 4, false}, {Chunk{Entries: entries}, 6, false},
		{Chunk{Entries: []Entry{{Offset: 5}, {Offset: 7}}}, 5, false}, {Chunk{Snapshot: []byte{1}, SnapshotOffset: 9}, 5, true},
		{Chunk{Snapshot: []byte{1}, SnapshotOffset: 9, Entries: entries}, 5, false},
	} {
		if err := c.chunk.Check(c.from); (err == nil) != c.ok {
			t.Errorf("%+v from %d: %v", c.chunk, c.from, err)
		}
	}
}

// A bell wakes all who listened before it rang, and nobody else.
func TestBell(t *testing.T) {
	var b bell
	b.ring()
	first := []<-chan struct{}{b.listen(), b.listen()}
	b.ring()
	later := b.listen()
	for _, ch := range slices.Clone(first) {
		<-ch
	}
	select {
	case <-later:
		t.Error("it rang for who came later")
	default:
	}
}
