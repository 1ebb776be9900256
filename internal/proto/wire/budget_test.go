package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
)

func TestBudgetWaitsInLine(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := NewBudget(100)
		var first hold
		if err := b.admit(t.Context(), &first, 60); err != nil {
			t.Fatal(err)
		}
		var order []int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i, n := range []int{50, 10, 200, 30} {
			time.Sleep(time.Nanosecond) // each stands behind the one before
			wg.Go(func() {
				var h hold
				if err := b.admit(t.Context(), &h, n); err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				time.Sleep(time.Second)
				h.release()
			})
			synctest.Wait()
		}
		if b.Used() != 60 {
			t.Errorf("%d used: somebody has passed the one in front", b.Used())
		}
		first.release()
		first.release() // does nothing
		wg.Wait()
		if len(order) != 4 || order[2] != 2 || order[3] != 3 {
			t.Errorf("order %v", order)
		}
		if b.Used() != 0 {
			t.Errorf("%d used at the end", b.Used())
		}
	})
}

func TestBudgetLeavesTheLine(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := NewBudget(100)
		var first, second hold
		b.admit(t.Context(), &first, 60)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			var h hold
			if err := b.admit(ctx, &h, 90); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("admit: %v", err)
			}
			h.release()
		})
		synctest.Wait()
		// Blocked by the one in front only, and so let in when that one leaves.
		if err := b.admit(t.Context(), &second, 40); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if b.Used() != 100 {
			t.Errorf("%d used", b.Used())
		}
	})
}

// Frames that have begun cannot lock each other out, and what is held stays below
// the limit and one largest frame.
func TestGrowingFramesFinish(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const limit, frame, step = 1000, 900, 100
		b := NewBudget(limit)
		rng := rand.New(rand.NewPCG(4, 4))
		var wg sync.WaitGroup
		for range 30 {
			delay := time.Duration(rng.IntN(1000))
			wg.Go(func() {
				for range 5 {
					var h hold
					if err := b.admit(t.Context(), &h, step); err != nil {
						t.Error(err)
					}
					for n := step; n < frame; n += step {
						time.Sleep(delay)
						if err := b.grow(t.Context(), &h, step); err != nil {
							t.Error(err)
						}
						if used := b.Used(); used > limit+frame {
							t.Errorf("%d used", used)
						}
					}
					h.release()
				}
			})
		}
		wg.Wait()
		if b.Used() != 0 || b.overdraw {
			t.Errorf("%d used at the end, overdraw %v", b.Used(), b.overdraw)
		}
	})
}

// A server whose budget is used up reads no more, and goes on when there is room. A
// length that was only claimed takes nothing from the others.
func TestServerKeepsToItsBudget(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		budget := NewBudget(10_000)
		free := make(chan struct{})
		b := start(t, &Server{Budget: budget, Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
			return func(ctx context.Context) (Reply, error) {
				<-free
				return text("ok"), nil
			}
		})})
		defer b.stop()
		boaster := b.dial()
		boaster.Write(binary.BigEndian.AppendUint32(nil, 60_000))
		clients := make([]interface {
			Read([]byte) (int, error)
			Close() error
		}, 10)
		for i := range clients {
			c := b.dial()
			c.Write(frame(int32(i), "", 3000))
			clients[i] = c
		}
		synctest.Wait()
		if used := budget.Used(); used < 9000 || used > 10_000 {
			t.Errorf("%d of the budget are used", used)
		}
		close(free)
		for i, c := range clients {
			wantAnswer(t, c, int32(i), "ok")
			c.Close()
		}
		boaster.Close()
	})
}

func TestReleaseGivesTheBudgetBackEarly(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := start(t, &Server{Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
			r.Release()
			r.Release()
			return func(ctx context.Context) (Reply, error) { return text("ok"), sleep(ctx, time.Second) }
		})})
		defer b.stop()
		c := b.dial()
		defer c.Close()
		c.Write(frame(1, "", 2000))
		synctest.Wait()
		if used := b.srv.Budget.Used(); used != 0 {
			t.Errorf("%d used", used)
		}
		wantAnswer(t, c, 1, "ok")
	})
}

// A length that is only claimed costs a first step of memory, no more.
func TestClaimsCostNothing(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := start(t, &Server{Handler: handlerFunc(echo)})
		defer b.stop()
		for range 20 {
			c := b.dial()
			defer c.Close()
			c.Write(binary.BigEndian.AppendUint32(nil, 100<<20))
			c.Write(make([]byte, 1000))
		}
		synctest.Wait()
		if used := b.srv.Budget.Used(); used != 20*largeChunk {
			t.Errorf("%d bytes are held for 20 claims of 100 MiB", used)
		}
	})
}
