package delivery

import (
	"context"
	"sync"

	routines "github.com/odradek/odradek/internal/base/run"
)

// crew is the goroutines of a Service.
type crew struct {
	mu    sync.Mutex // guards what follows; taken last of all locks
	group *routines.Group
	early []task // what is to start with run
	over  bool
}

type task struct {
	name string
	do   func(context.Context) error
}

// run has others started until ctx ends; it does main itself, which ends with ctx.
func (c *crew) run(ctx context.Context, owner, name string, main func(context.Context) error) error {
	g := routines.New(ctx, owner)
	g.Go(name, func(ctx context.Context) error {
		defer c.close()
		return main(ctx)
	})
	c.mu.Lock()
	c.group = g
	for _, t := range c.early {
		g.Go(t.name, t.do)
	}
	c.early = nil
	c.mu.Unlock()
	return g.Wait()
}

// close lets nothing start any more.
func (c *crew) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
}

// start does something on a goroutine of its own; after the end of run it does nothing.
func (c *crew) start(name string, do func(context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over:
	case c.group == nil:
		c.early = append(c.early, task{name, do})
	default:
		c.group.Go(name, do)
	}
}
