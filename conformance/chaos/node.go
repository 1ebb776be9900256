package chaos

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/odradek/odradek/conformance/cluster"
	"github.com/odradek/odradek/conformance/disk"
)

// Node is one process of a rig. Launch, Start, Kill (-9), Pause, Resume (SIGSTOP, SIGCONT),
// Stop and Running are those of a cluster's.
type Node struct {
	*cluster.Node
	Disk *disk.Disk // holds Data; nil where there is none

	rig     *Rig
	dir     string // where the disk is, or the folder in its place
	group   *group // nil where there is none
	off     bool   // its disk has no power
	tracing bool   // strace has hold of it
	excused bool   // a harm gives it a reason to end itself
}

// home is the folder of all that the node keeps: its disk, if it has one.
func (n *Node) home() string {
	if n.Disk != nil {
		return n.Disk.Mount
	}
	return n.dir
}

func (n *Node) data() string { return filepath.Join(n.home(), "data") }

// skew is the file that says how wrong the node's hour is, as a duration.
func (n *Node) skew() string { return filepath.Join(n.rig.Dir, filepath.Base(n.dir)+".skew") }

// skewing is what the command begins with of a node whose hour can be wrong.
func (n *Node) skewing() []string {
	if !n.rig.Skewed {
		return nil
	}
	return []string{"env", "SKEW_FILE=" + n.skew()}
}

// Restart ends the node in good order and starts it again.
func (n *Node) Restart(ctx context.Context) error {
	if err := n.Stop(ctx); err != nil {
		return err
	}
	return n.Start(ctx)
}

// CutPower takes the power from the node and its disk. It needs Disks.
func (n *Node) CutPower() error { return cutPower(n) }

// PowerOn mounts the disk again after CutPower, and starts nothing.
func (n *Node) PowerOn() error {
	if !n.off {
		return nil
	}
	n.End()
	if err := n.Disk.Remount(); err != nil {
		return err
	}
	n.off = false
	return nil
}

// begin starts a node that does not run, and waits for nobody: it may not be able to serve
// before others are healed.
func (n *Node) begin() error {
	if n.Running() {
		return nil
	}
	if err := n.PowerOn(); err != nil {
		return err
	}
	return n.Launch()
}

// panicked is the first line of what a life printed that ended as none should.
func (n *Node) panicked() string {
	text, err := os.ReadFile(n.Output)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		for _, sign := range []string{"panic: ", "fatal error: ", "WARNING: DATA RACE"} {
			if strings.HasPrefix(line, sign) {
				return strings.TrimSpace(line)
			}
		}
	}
	return ""
}

// remove takes the node's disk and group away.
func (n *Node) remove() {
	if n.Disk != nil {
		_ = n.Disk.Close()
	}
	n.group.remove()
}
