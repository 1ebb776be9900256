// Package system starts what is compared: Odradek as it is built from this tree, and Apache Kafka as
// its documentation recommends. It gives each fresh folders and free ports of the loopback, knows their processes, and sees to it that none
// outlives the comparison. It knows nothing of loads and measures nothing. Its processes are owned
// by a Running until Stop.
package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/odradek/odradek/bench/load"
	"github.com/odradek/odradek/conformance/cluster"
)

// System is something that can be started.
type System struct {
	Name    string // on the command line and in the figures
	Title   string // on the page
	Version string
	About   string // how it is run, for the page: one sentence
	Load    string // the command that makes its load; "" if it speaks Kafka's protocol

	program  cluster.Program
	settings func(nodes int) []string
	does     func(load.Named) bool
}

// Does tells whether a load says something of this system.
func (s *System) Does(l load.Named) bool { return s.does == nil || s.does(l) }

// Running is a system that was started, or is about to be.
type Running struct {
	System  *System
	cluster *cluster.Cluster
	dir     string
}

// Prepare makes the folders and settings of so many nodes in a new folder, and formats what wants
// to be formatted. Nothing runs yet.
func (s *System) Prepare(nodes int, dir string) (*Running, error) {
	c, err := cluster.New(cluster.Config{
		Program: s.program, Dir: dir, Nodes: nodes, Bare: true, Owned: true, Settings: s.settings(nodes),
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", s.Name, err), os.RemoveAll(dir))
	}
	return &Running{System: s, cluster: c, dir: dir}, nil
}

// Start prepares a system, launches it and waits until it can be used.
func (s *System) Start(ctx context.Context, nodes int, dir string) (*Running, error) {
	r, err := s.Prepare(nodes, dir)
	if err != nil {
		return nil, err
	}
	if err := r.Launch(); err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	if err := r.Ready(ctx); err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	return r, nil
}

// Launch starts every process that does not run, and waits for nothing.
func (r *Running) Launch() error { return r.cluster.Launch() }

// Ready waits until every node answers, and knows of the others.
func (r *Running) Ready(ctx context.Context) (err error) {
	if r.System.Load == "" {
		err = r.cluster.Ready(ctx)
	} else {
		err = r.accepts(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", r.System.Name, err, r.cluster.LastWords(20))
	}
	return nil
}

// accepts waits until every node accepts connections.
func (r *Running) accepts(ctx context.Context) error {
	for _, n := range r.cluster.All {
		for {
			conn, err := net.DialTimeout("tcp", n.Addr, time.Second)
			if err == nil {
				conn.Close()
				break
			}
			if !n.Running() {
				return fmt.Errorf("node %d has ended", n.ID)
			}
			select {
			case <-ctx.Done():
				return errors.Join(err, ctx.Err())
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return nil
}

// Bootstrap are the addresses for clients, by commas.
func (r *Running) Bootstrap() string { return strings.Join(r.cluster.Addrs(), ",") }

// Alive tells whether every process runs.
func (r *Running) Alive() bool { return len(r.cluster.Running()) == len(r.cluster.All) }

// PIDs are the processes that run.
func (r *Running) PIDs() (pids []int) {
	for _, n := range r.cluster.Running() {
		pids = append(pids, n.PID())
	}
	return pids
}

// Data are the folders in which the nodes keep records.
func (r *Running) Data() (dirs []string) {
	for _, n := range r.cluster.All {
		dirs = append(dirs, n.Data)
	}
	return dirs
}

// Admins are the addresses at which the nodes tell of themselves, if they do: Odradek's first
// line says where.
func (r *Running) Admins() (urls []string) {
	for _, n := range r.cluster.Running() {
		text, err := os.ReadFile(n.Output)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			var first struct {
				Admin string `json:"admin"`
				PID   int    `json:"pid"`
			}
			if json.Unmarshal([]byte(line), &first) == nil && first.PID == n.PID() && first.Admin != "" {
				urls = append(urls, first.Admin)
			}
		}
	}
	return urls
}

// LastWords is the end of what the nodes printed.
func (r *Running) LastWords() string { return r.cluster.LastWords(15) }

// Spawn starts a process that does not outlive this one, however this one ends.
func (r *Running) Spawn(cmd *exec.Cmd) error { return r.cluster.Spawn(cmd) }

// Rest ends the processes in good order and keeps the folders: Launch starts upon them.
func (r *Running) Rest(ctx context.Context) error { return r.cluster.Stop(ctx) }

// Stop ends the processes, in good order if they are quick, and removes the folders.
func (r *Running) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_ = r.cluster.Stop(ctx) // who is not quick is killed: nothing is wanted of it any more
	r.cluster.Close()
	return os.RemoveAll(r.dir)
}

// root is the folder of the module, from wherever in it the command runs.
func root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("this is not a folder of the source tree")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}
