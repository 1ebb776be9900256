package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"

	"github.com/odradek/odradek/conformance/cluster"
)

// Config says what rig to build.
type Config struct {
	Program  cluster.Program
	Dir      string   // is made; default: a temporary one that Close removes
	Nodes    int      // default 3, all of them brokers and voters
	Seed     uint64   // of the network's luck
	Settings []string // lines of server.properties; they win over the rig's
	Log      *slog.Logger
}

// Rig is a cluster and what is needed to hurt it. Its methods, and those of its nodes, may
// be called from one goroutine at a time, be it the test's or the nemesis's; Bootstrap,
// Lacks and Close from any.
type Rig struct {
	Config
	Cluster *cluster.Cluster // to ask: Until, ControllerLeader, ElectPreferred, LastWords
	Nodes   []*Node

	lacks   map[Need]string
	harms   []*Harm // not undone yet
	temp    bool    // Dir is the rig's own
	closing sync.Once
}

// New builds a rig and starts no node. What it cannot have here is no error: Lacks tells.
func New(cfg Config) (r *Rig, err error) {
	r = &Rig{Config: cfg, lacks: make(map[Need]string)}
	if r.Config.Nodes == 0 {
		r.Config.Nodes = 3
	}
	if r.Log == nil {
		r.Log = slog.New(slog.DiscardHandler)
	}
	if r.Dir == "" {
		r.temp = true
		if r.Dir, err = os.MkdirTemp("", "odradek-chaos-"); err != nil {
			return nil, err
		}
	}
	c, err := cluster.New(cluster.Config{
		Program: cfg.Program, Dir: filepath.Join(r.Dir, "nodes"), Nodes: r.Config.Nodes, Settings: cfg.Settings,
	})
	if err != nil {
		r.Close()
		return nil, err
	}
	r.Cluster = c
	for _, n := range c.All {
		r.Nodes = append(r.Nodes, &Node{Node: n, rig: r})
	}
	return r, nil
}

// Start launches every node that does not run and waits until all know one another.
func (r *Rig) Start(ctx context.Context) error {
	if err := r.Cluster.Launch(); err != nil {
		return err
	}
	if err := r.Cluster.Ready(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, r.Cluster.LastWords(30))
	}
	return nil
}

// Bootstrap are the addresses of all nodes, for clients in the namespace of this process.
func (r *Rig) Bootstrap() []string { return r.Cluster.Addrs() }

// Node is the one with an id.
func (r *Rig) Node(id int32) *Node {
	for _, n := range r.Nodes {
		if n.ID == id {
			return n
		}
	}
	return nil
}

// Do hurts nodes by a fault that the machine has what it needs for. Heal undoes it, if the
// Harm's own Undo did not before.
func (r *Rig) Do(ctx context.Context, f Fault, on ...*Node) (*Harm, error) {
	if why := f.Lacks(r); why != "" {
		return nil, fmt.Errorf("%s: %s", f.Name, why)
	}
	h := &Harm{Fault: f.Name, On: on, alone: f.Alone}
	r.harms = append(r.harms, h) // also if it was done by half
	for _, n := range on {
		n.excused = n.excused || f.Fatal
	}
	err := f.do(ctx, r, h)
	if err != nil {
		return h, fmt.Errorf("%s: %w", f.Name, err)
	}
	r.Log.Info("hurt", "fault", f.Name, "nodes", h.IDs(), "detail", h.Detail)
	return h, nil
}

// Heal undoes what is not undone, the last first, starts every node that does not run,
// and waits until all know one another and all replicas are in sync.
func (r *Rig) Heal(ctx context.Context) error {
	var errs []error
	for i := len(r.harms) - 1; i >= 0; i-- {
		errs = append(errs, r.harms[i].Undo(ctx))
	}
	r.harms = nil
	if err := errors.Join(append(errs, r.Unasked())...); err != nil {
		return err
	}
	for _, n := range r.Nodes {
		n.excused = false
	}
	if err := r.Start(ctx); err != nil {
		return err
	}
	return r.Cluster.Until(ctx, "in sync", cluster.WholeISR)
}

// Unasked is an error if a node has ended that no harm which is undone explains, or one
// has panicked, with its last words. To be asked when what was killed is launched again.
func (r *Rig) Unasked() error {
	var errs []error
	for _, n := range r.Nodes {
		if line := n.panicked(); line != "" {
			errs = append(errs, fmt.Errorf("node %d: %s\n%s", n.ID, line, n.LastWords(60)))
		} else if !n.Running() && !n.excused {
			errs = append(errs, fmt.Errorf("node %d ended and nobody killed it\n%s", n.ID, n.LastWords(40)))
		}
	}
	return errors.Join(errs...)
}

// Rand is a source of chances of the rig's seed, another one for each use.
func (r *Rig) Rand(use uint64) *rand.Rand { return rand.New(rand.NewPCG(r.Seed, use)) }

// Close kills what still runs and takes everything away that New made. It undoes no harm
// that goes with the processes.
func (r *Rig) Close() {
	r.closing.Do(func() {
		if r.Cluster != nil {
			r.Cluster.Close()
		}
		if r.temp {
			_ = os.RemoveAll(r.Dir)
		}
	})
}
