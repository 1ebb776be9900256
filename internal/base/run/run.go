// Package run gives every goroutine an owner, a name and an end. It knows that a part
// of a room that fails takes the room down; it does not know what they do. A Group owns
// the goroutines that it starts, and its Wait is their end.
package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/pprof"
	"slices"
	"sync"
)

// Group is the goroutines of one owner. The first that fails cancels the others.
type Group struct {
	owner string
	ctx   context.Context
	end   context.CancelCauseFunc
	wait  sync.WaitGroup

	mu      sync.Mutex
	failure error          // of the first that failed
	running map[string]int // by name
}

// New returns an empty group whose goroutines end with ctx. Someone must Wait.
func New(ctx context.Context, owner string) *Group {
	g := &Group{owner: owner, running: map[string]int{}}
	g.ctx, g.end = context.WithCancelCause(ctx)
	return g
}

// Go runs f on a goroutine of its own, which profiles show by owner and name. An error
// of f, but not the echo of a context that is over, cancels the group with that cause.
// Go may be called from within the group, or before Wait.
func (g *Group) Go(name string, f func(ctx context.Context) error) {
	g.count(name, +1)
	g.wait.Go(func() {
		defer g.count(name, -1)
		pprof.Do(g.ctx, pprof.Labels("owner", g.owner, "name", name), func(ctx context.Context) {
			if err := f(ctx); err != nil && !echoes(ctx, err) {
				g.fail(fmt.Errorf("%s: %s: %w", g.owner, name, err))
			}
		})
	})
}

func echoes(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)))
}

func (g *Group) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failure == nil {
		g.failure = err
	}
	g.end(err)
}

func (g *Group) count(name string, by int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running[name] += by; g.running[name] == 0 {
		delete(g.running, name)
	}
}

// Stop asks all to end; Wait waits until they have. cause is what context.Cause tells
// them, context.Canceled if nil.
func (g *Group) Stop(cause error) { g.end(cause) }

// Wait returns when every goroutine has ended: the first failure, or nil.
func (g *Group) Wait() error {
	g.wait.Wait()
	g.end(nil)
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failure
}

// Running lists the goroutines that have not ended, "owner: name", sorted; one that
// runs n times is followed by " ×n".
func (g *Group) Running() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []string
	for _, name := range slices.Sorted(maps.Keys(g.running)) {
		line := g.owner + ": " + name
		if n := g.running[name]; n > 1 {
			line += fmt.Sprintf(" ×%d", n)
		}
		list = append(list, line)
	}
	return list
}
