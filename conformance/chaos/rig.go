package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/odradek/odradek/conformance/cluster"
	"github.com/odradek/odradek/conformance/lan"
)

// Config says what rig to build.
type Config struct {
	Program       cluster.Program
	Dir           string   // is made; default: a temporary one that Close removes
	Nodes         int      // default 3, all of them brokers and voters
	Seed          uint64   // of the network's luck
	Settings      []string // lines of server.properties; they win over the rig's
	DiskBytes     int64    // of each node's disk; default 1 GiB, of files with holes
	MetadataApart bool     // so that a node may lose its partitions and keep its vote
	Skewed        bool     // the program was built with the tag skewed: its hour can be wrong
	Without       []Need   // what not to have: the network through the switch costs time
	Log           *slog.Logger
}

// Rig is a cluster and what is needed to hurt it. Its methods, and those of its nodes, may
// be called from one goroutine at a time, be it the test's or the nemesis's; Bootstrap,
// Lacks and Close from any.
type Rig struct {
	Config
	Cluster *cluster.Cluster // to ask: Until, ControllerLeader, ElectPreferred, LastWords
	LAN     *lan.LAN         // nil where there is none: then all listen on the loopback
	Nodes   []*Node

	rng     *rand.Rand // of what faults draw
	lacks   map[Need]string
	harms   []*Harm // not undone yet
	temp    bool    // Dir is the rig's own
	unhook  func()
	closing sync.Once
}

// New builds a rig and starts no node. What it cannot have here is no error: Lacks tells.
func New(cfg Config) (r *Rig, err error) {
	Sweep()
	r = &Rig{Config: cfg, lacks: make(map[Need]string)}
	if r.Config.Nodes == 0 {
		r.Config.Nodes = 3
	}
	if r.DiskBytes == 0 {
		r.DiskBytes = 1 << 30
	}
	if r.Log == nil {
		r.Log = slog.New(slog.DiscardHandler)
	}
	r.rng = r.Rand(1)
	r.unhook = cluster.OnInterrupt(r.Close)
	if err := r.build(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// build makes everything; what it cannot have, it remembers.
func (r *Rig) build() (err error) {
	if err := r.folder(); err != nil {
		return err
	}
	for i := range r.Config.Nodes {
		r.Nodes = append(r.Nodes, &Node{rig: r, dir: filepath.Join(r.Dir, fmt.Sprintf("disk-%d", i+1))})
	}
	for need, have := range map[Need]func() error{Network: r.network, Disks: r.disks, Memory: r.groups, Tracer: tracer} {
		if slices.Contains(r.Without, need) {
			r.lacks[need] = "the rig was built without"
		} else if err := have(); err != nil {
			r.lacks[need] = err.Error()
		}
	}
	if !r.Skewed {
		r.lacks[Clock] = "the program was built without the tag skewed"
	}
	if !r.MetadataApart {
		r.lacks[Metadata] = "the rig was built with the metadata among the partitions"
	}
	cfg := cluster.Config{
		Program: r.Program, Dir: filepath.Join(r.Dir, "nodes"), Nodes: r.Config.Nodes, Settings: r.Settings,
		MetadataApart: r.MetadataApart, Owned: true,
	}
	for i, n := range r.Nodes {
		cfg.Data = append(cfg.Data, n.data())
		cfg.Exec = append(cfg.Exec, slices.Concat(n.group.exec(), r.exec(i), n.skewing()))
		if r.LAN != nil {
			cfg.Hosts = append(cfg.Hosts, r.LAN.Hosts[i].String())
		}
	}
	if r.Cluster, err = cluster.New(cfg); err != nil {
		return err
	}
	for i, n := range r.Cluster.All {
		r.Nodes[i].Node = n
	}
	return nil
}

// folder makes Dir, and says in it whose it is.
func (r *Rig) folder() (err error) {
	if r.Dir == "" {
		r.temp = true
		if r.Dir, err = os.MkdirTemp("", "odradek-chaos-"); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.Dir, pidFile), fmt.Append(nil, os.Getpid()), 0o644)
}

func (r *Rig) network() (err error) {
	r.LAN, err = lan.New(lan.Config{Name: unique("odc"), Machines: r.Config.Nodes, Seed: r.Seed})
	return err
}

// exec is what the command of a node begins with that has a namespace.
func (r *Rig) exec(i int) []string {
	if r.LAN == nil {
		return nil
	}
	return r.LAN.Exec(i)
}

// Lacks says what this rig cannot do and why, a line each: empty where everything works.
func (r *Rig) Lacks() (lines []string) {
	for need, why := range r.lacks {
		lines = append(lines, fmt.Sprintf("%s: %s", need, why))
	}
	slices.Sort(lines)
	return lines
}

// Start launches every node that does not run and waits until all know one another.
func (r *Rig) Start(ctx context.Context) error {
	for _, n := range r.Nodes {
		if err := n.begin(); err != nil {
			return err
		}
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
	if err := f.do(ctx, r, h); err != nil {
		return h, fmt.Errorf("%s: %w", f.Name, err)
	}
	r.Log.Info("hurt", "fault", f.Name, "nodes", h.IDs(), "detail", h.Detail)
	return h, nil
}

// Heal undoes what is not undone, the last first, starts every node that does not run,
// and waits until all know one another and all replicas are in sync.
func (r *Rig) Heal(ctx context.Context) error {
	if err := errors.Join(r.undo(ctx), r.Unasked()); err != nil {
		return err
	}
	for _, n := range r.Nodes {
		n.excused = false
	}
	if err := r.Start(ctx); err != nil {
		return err
	}
	return r.whole(ctx)
}

// whole waits until all replicas are in sync. Nobody waits for a node that is gone.
func (r *Rig) whole(ctx context.Context) error {
	for {
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		err := r.Cluster.Until(short, "in sync", cluster.WholeISR)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if err := r.Unasked(); err != nil {
			return err
		}
	}
}

func (r *Rig) undo(ctx context.Context) error {
	var errs []error
	for i := len(r.harms) - 1; i >= 0; i-- {
		if err := r.harms[i].Undo(ctx); err != nil {
			errs = append(errs, fmt.Errorf("undo %s: %w", r.harms[i].Fault, err))
		}
	}
	r.harms = nil
	return errors.Join(errs...)
}

// Unasked is an error if a node has ended that no harm explains, or one has panicked, with
// its last words. To be asked when what was killed is launched again.
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

// Close kills what still runs and takes everything away that New made.
func (r *Rig) Close() {
	r.closing.Do(func() {
		if r.Cluster != nil {
			r.Cluster.Close()
		}
		for _, n := range r.Nodes {
			n.remove()
		}
		if r.LAN != nil {
			r.LAN.Close()
		}
		if r.temp {
			_ = os.RemoveAll(r.Dir)
		}
		r.unhook()
	})
}

// String says what the rig is, in a line.
func (r *Rig) String() string {
	text := fmt.Sprintf("%d nodes", len(r.Nodes))
	if lacks := r.Lacks(); len(lacks) > 0 {
		text += "; without " + strings.Join(lacks, "; without ")
	}
	return text
}
