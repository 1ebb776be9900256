package chaos

import (
	"context"
	"os"
	"strings"

	"github.com/odradek/odradek/conformance/cluster"
)

// Node is one process of a rig. Launch, Start, Kill (-9), Pause, Resume (SIGSTOP, SIGCONT),
// Stop and Running are those of a cluster's.
type Node struct {
	*cluster.Node
	rig     *Rig
	excused bool // a harm gives it a reason to end itself
}

// Restart ends the node in good order and starts it again.
func (n *Node) Restart(ctx context.Context) error {
	if err := n.Stop(ctx); err != nil {
		return err
	}
	return n.Start(ctx)
}

// begin starts a node that does not run, and waits for nobody: it may not be able to serve
// before others are healed.
func (n *Node) begin() error {
	if n.Running() {
		return nil
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
