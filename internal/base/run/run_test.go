package run_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/run"
)

var errBroken = errors.New("broken")

func untilDone(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// The first failure ends the others and is what Wait tells.
func TestFirstFailureEndsAll(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		g := run.New(t.Context(), "owner")
		g.Go("waits", untilDone)
		g.Go("waits", untilDone)
		g.Go("fails", func(context.Context) error { time.Sleep(time.Second); return errBroken })
		g.Go("fails later", func(ctx context.Context) error { <-ctx.Done(); return errors.New("other") })
		synctest.Wait()
		if got := g.Running(); !slices.Equal(got, []string{"owner: fails", "owner: fails later", "owner: waits ×2"}) {
			t.Errorf("running: %q", got)
		}
		err := g.Wait()
		if !errors.Is(err, errBroken) || err.Error() != "owner: fails: broken" {
			t.Errorf("wait: %v", err)
		}
		if got := g.Running(); len(got) != 0 {
			t.Errorf("still running: %q", got)
		}
	})
}

// An end that was asked for is no failure, whether by Stop or by the parent.
func TestEndThatWasAskedFor(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(t.Context())
		a, b := run.New(parent, "a"), run.New(t.Context(), "b")
		a.Go("waits", untilDone)
		b.Go("waits", untilDone)
		b.Go("tells less", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		b.Go("ends by itself", func(context.Context) error { return nil })
		cancel()
		b.Stop(errBroken)
		if err := errors.Join(a.Wait(), b.Wait()); err != nil {
			t.Error(err)
		}
	})
}
