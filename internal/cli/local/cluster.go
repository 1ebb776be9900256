// Package local keeps a cluster on this machine: a folder with a state file and, for each
// node, its settings, data, log and process. It knows pids, ports and files; what a node
// is and what it says to clients it does not know. A process that it started outlives the
// program; for each there is one goroutine that awaits it, which ends with either.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
)

// Cluster is the cluster in a folder. Nodes are changed by Up, Down and Reset alone.
type Cluster struct {
	Dir string
	// Program runs a node when a file of settings is appended, and then writes a Welcome
	// to standard output; Environ is what it is given.
	Program []string
	Environ []string

	State State
	lock  io.Closer
}

// ErrBusy says that another command works on the cluster.
var ErrBusy = errors.New("another command works on this cluster right now")

// Look reads the cluster in a folder as it is. A folder that has none yet is a cluster
// without nodes.
func Look(dir string) (*Cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: dir}
	return c, c.load()
}

// Open is Look for who changes the cluster: nobody else does until Close.
func Open(dir string) (*Cluster, error) {
	c, err := Look(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, err
	}
	c.lock, err = vfs.OS.Lock(c.file(lockName))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, ErrBusy
	}
	if err != nil {
		return nil, err
	}
	return c, c.load() // what the one before left
}

// Close lets others change the cluster.
func (c *Cluster) Close() error {
	if c.lock == nil {
		return nil
	}
	lock := c.lock
	c.lock = nil
	return lock.Close()
}

func (c *Cluster) file(name string) string { return filepath.Join(c.Dir, name) }

// SettingsFile is a node's server.properties, LogFile what it says, and DataDir where it
// keeps data unless its settings say otherwise.
func (c *Cluster) SettingsFile(n Node) string { return c.file(n.Name + ".properties") }

// LogFile is where a node's log goes.
func (c *Cluster) LogFile(n Node) string { return c.file(n.Name + ".log") }

// DataDir is where a node keeps data.
func (c *Cluster) DataDir(n Node) string { return c.file(n.Name) }

func (c *Cluster) welcomeFile(n Node) string { return c.file(n.Name + ".ready") }

// Running are the nodes whose process lives.
func (c *Cluster) Running() []Node {
	return slices.DeleteFunc(slices.Clone(c.State.Nodes), func(n Node) bool { return !n.Alive() })
}

// Up starts the nodes that do not run, all at once, and returns when they serve clients.
// Those that were started are named by id, also beside an error. A *PortError says that
// another program has a port of a node: it had it before any was started, or took it
// before the node did.
func (c *Cluster) Up(ctx context.Context) (started []int32, err error) {
	var waits []func() error
	for i := range c.State.Nodes {
		n := &c.State.Nodes[i]
		if n.Alive() {
			continue
		}
		if err := c.portsFree(ctx, *n); err != nil {
			return nil, err
		}
	}
	for i := range c.State.Nodes {
		n := &c.State.Nodes[i]
		if n.Alive() {
			continue
		}
		wait, err := c.spawn(n)
		if err != nil {
			return started, fmt.Errorf("start node %d: %w", n.ID, err)
		}
		started = append(started, n.ID)
		waits = append(waits, func() error { return wait(ctx) })
		// At once: a process whose pid nobody wrote down could not be stopped.
		if err := c.Save(); err != nil {
			return started, err
		}
	}
	var errs []error
	for _, wait := range waits {
		errs = append(errs, wait())
	}
	return started, errors.Join(errs...)
}

// portsFree says which port of a node another program has.
func (c *Cluster) portsFree(ctx context.Context, n Node) error {
	for _, address := range n.Addresses() {
		if err := portFree(ctx, address); err != nil {
			return &PortError{Node: n.ID, Address: address, Err: err}
		}
	}
	return nil
}

// portPatience is how long a port may be taken still: a process that was killed counts as
// dead when its first thread is, and has its sockets until the last one is.
const portPatience = time.Second

func portFree(ctx context.Context, address string) error {
	for began := time.Now(); ; {
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err == nil {
			return ln.Close()
		}
		if time.Since(began) > portPatience {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// PortError is a port that a node cannot have.
type PortError struct {
	Node    int32
	Address string
	Err     error
}

func (e *PortError) Error() string {
	return fmt.Sprintf("node %d cannot listen on %s: %v", e.Node, e.Address, e.Err)
}

func (e *PortError) Unwrap() error { return e.Err }

// Stopped is how a node ended.
type Stopped struct {
	Node
	Killed bool // it did not stop in order within its time
}

// Down stops one node: it is told to, and killed if it still runs after patience. Its
// process is that of the state file or it is left alone.
func (c *Cluster) Down(id int32, patience time.Duration) (Stopped, error) {
	i := slices.IndexFunc(c.State.Nodes, func(n Node) bool { return n.ID == id })
	if i < 0 {
		panic(fmt.Sprintf("bug: node %d is not of this cluster", id))
	}
	n := &c.State.Nodes[i]
	out := Stopped{Node: *n}
	if n.Alive() {
		killed, err := n.stop(patience)
		if err != nil {
			return out, fmt.Errorf("stop node %d (pid %d): %w", n.ID, n.PID, err)
		}
		out.Killed = killed
	}
	n.PID, n.Born = 0, ""
	return out, c.Save()
}

// Reset deletes what the nodes keep and the cluster's own files, and the folder if that
// leaves it empty, and closes the cluster. No node may run.
func (c *Cluster) Reset() error {
	if r := c.Running(); len(r) > 0 {
		panic(fmt.Sprintf("bug: reset while node %d runs", r[0].ID))
	}
	for _, n := range c.State.Nodes {
		for _, name := range []string{c.DataDir(n), c.LogFile(n), c.SettingsFile(n), c.welcomeFile(n)} {
			if err := os.RemoveAll(name); err != nil {
				return err
			}
		}
	}
	c.State = State{}
	if err := c.Close(); err != nil { // an open file cannot be removed everywhere
		return err
	}
	for _, name := range []string{stateName, stateName + ".new", lockName} {
		if err := os.Remove(c.file(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	_ = os.Remove(c.Dir) // stays if somebody else's files are in it
	return nil
}
