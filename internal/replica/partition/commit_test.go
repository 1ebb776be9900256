package partition

import (
	"testing"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// writes is what a home was asked to make durable.
type writes struct {
	awaited []bool // of each append
	commits int
	behind  int64 // what Commit makes durable, if it is not 0
}

func (h *home) Submit(p *Partition, _, end int64, _ []byte, awaited bool) error {
	h.awaited = append(h.awaited, awaited)
	if !h.held {
		p.Durable(end)
	}
	return nil
}

func (h *home) Commit(p *Partition) {
	h.commits++
	if h.behind > 0 {
		p.Durable(h.behind)
	}
}

// Who waits for an append commits it, also if there is nothing to wait for any more; where nobody
// waits it is not left to anybody.
func TestWhoWaitsCommits(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p, h := newPartition(t)
		h.held = true
		appended := func(acks int16) Appended {
			t.Helper()
			a, err := p.Append(batch(t, 1), AppendArgs{ProduceVersion: 12, Acks: acks})
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		check := func(what string, awaited bool, commits int) {
			t.Helper()
			if last := h.awaited[len(h.awaited)-1]; last != awaited || h.commits != commits {
				t.Errorf("%s: awaited is %v, %d commits; want %v, %d", what, last, h.commits, awaited, commits)
			}
		}
		appended(0)
		check("acks 0", false, 0)
		for i, wait := range []func() error{
			func() error { a := appended(1); h.behind = a.End; return p.WaitLocal(t.Context(), a.End, a.Epoch) },
			func() error { a := appended(-1); h.behind = a.End; return p.Wait(t.Context(), a.End, a.Epoch) },
		} {
			if err := wait(); err != nil {
				t.Fatal(err)
			}
			check("acks 1 and all", true, i+1)
		}
		if err := p.Wait(t.Context(), h.behind, p.Role().Epoch); err != nil {
			t.Fatal(err)
		}
		check("what is durable", true, 2)

		a := appended(-1)
		r := leader
		r.Leading, r.Leader, r.Epoch = false, 2, r.Epoch+1
		p.Assign(r)
		if err := p.Wait(t.Context(), a.End, a.Epoch); err != kerr.NotLeaderForPartition {
			t.Errorf("Wait after the leader has changed: %v", err)
		}
		check("the leader has changed", true, 3)
	})
}

// What a coordinator appends it does not wait for.
func TestRecordsAreNotAwaited(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p, h := newPartition(t)
		if _, err := p.AppendRecords(record.Batch(batch(t, 1)), p.Role().Epoch); err != nil {
			t.Fatal(err)
		}
		if h.awaited[0] {
			t.Error("nobody waits, and it was left to who waits")
		}
	})
}
