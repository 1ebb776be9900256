package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/cli/local"
	"github.com/spf13/cobra"
)

func init() { nouns = append(nouns, statusCommand) }

// localNode is a node of a cluster of this machine.
type localNode struct {
	Node       int32  `json:"node"`
	State      string `json:"state"` // running, starting or stopped
	PID        int    `json:"pid"`   // 0: it does not run
	Kafka      string `json:"kafka"`
	Controller string `json:"controller,omitempty"`
	ZooKeeper  string `json:"zookeeper,omitempty"`
	Admin      string `json:"admin,omitempty"`
	Data       string `json:"data"`
	Log        string `json:"log"`

	Role    string `json:"role"`          // in the quorum: leader, voter, observer, or zookeeper for what looks like it; - if not known
	Leads   int    `json:"leads"`         // partitions; -1: not known
	Follows int    `json:"follows"`       // partitions; -1: not known
	OutSync int    `json:"outOfSync"`     // of those, not in sync; -1: not known
	Behind  int64  `json:"behindRecords"` // records that its followers do not have yet; -1: not known
	Memory  int64  `json:"memoryBytes"`   // -1: not known
}

func newLocalNode(c *local.Cluster, n local.Node) localNode {
	out := localNode{
		Node: n.ID, State: "stopped", Kafka: n.Kafka, Controller: n.Controller, ZooKeeper: n.ZooKeeper, Admin: n.Admin,
		Data: c.DataDir(n), Log: c.LogFile(n), Role: "-", Leads: -1, Follows: -1, OutSync: -1, Behind: -1, Memory: n.Memory(),
	}
	if n.ZooKeeper != "" {
		out.Role = "zookeeper"
	}
	if n.Alive() {
		out.State, out.PID = "starting", n.PID
		if _, err := c.Welcome(n); err == nil {
			out.State = "running"
		}
	}
	return out
}

func statusCommand(a *App) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the nodes of the cluster that up started",
		Long: `Show the nodes of the cluster that up started on this machine: their processes, ports
and memory, and what they do in the cluster: who leads the quorum, how many partitions
each leads and follows, and how many records it is behind. The exit code is 7 if a node
does not run.`,
		Example: `  odradek status
  odradek status -o json`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := a.clusterDir(data)
			if err != nil {
				return err
			}
			lc, err := local.Look(dir)
			if err != nil {
				return err
			}
			return a.localStatus(c.Context(), lc)
		},
	}
	dataFlag(c, &data)
	return c
}

// statusPatience is how long status waits for a cluster that may be half dead.
const statusPatience = 3 * time.Second

func (a *App) localStatus(ctx context.Context, c *local.Cluster) error {
	l := &listing{kind: "LocalCluster", noun: "node"}
	var nodes []localNode
	for _, n := range c.State.Nodes {
		nodes = append(nodes, newLocalNode(c, n))
	}
	trouble := a.addRoles(ctx, c, nodes)
	t := &listing{columns: []string{"node", "state", "pid", "kafka", "quorum", "leads", "follows", "out-of-sync", "behind", "memory"}}
	for _, n := range nodes {
		l.add(n, fmt.Sprint(n.Node))
		t.add(nil, fmt.Sprint(n.Node), n.State, orDash(positive(n.PID)), firstOf(n.Kafka, n.ZooKeeper, "-"), n.Role,
			known(int64(n.Leads)), known(int64(n.Follows)), known(int64(n.OutSync)), known(n.Behind), knownSize(n.Memory))
	}
	l.text = func(w io.Writer) error {
		if len(nodes) == 0 {
			_, err := fmt.Fprintf(w, "there is no cluster in %s. odradek up starts one.\n", c.Dir)
			return err
		}
		fmt.Fprintf(w, "cluster  %s\ndata     %s\nkafka    %s\n\n", c.State.ClusterID, c.Dir, strings.Join(bootstrap(c), ","))
		return a.out.table(w, t)
	}
	if err := a.print(l); err != nil {
		return err
	}
	if trouble != nil && a.out.format == "text" {
		a.warn("the cluster does not say what its nodes do: %v", trouble)
	}
	if slices.ContainsFunc(nodes, func(n localNode) bool { return n.State != "running" }) {
		return &codedError{errSilent, exitCheck}
	}
	return nil
}

func positive(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// known prints a number that may be unknown.
func known(n int64) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func knownSize(n int64) string {
	if n < 0 {
		return "-"
	}
	return size(n)
}

// addRoles asks the cluster what its nodes do. A part that it does not tell stays
// unknown; the error is why nothing is known.
func (a *App) addRoles(ctx context.Context, c *local.Cluster, nodes []localNode) error {
	var alive []string
	for i, n := range c.State.Nodes {
		if nodes[i].PID != 0 && n.Kafka != "" {
			alive = append(alive, n.Kafka)
		}
	}
	if len(alive) == 0 {
		return nil
	}
	cl, err := a.at(alive).client(fresh)
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, min(statusPatience, a.conn.timeout))
	defer cancel()
	v, err := lookAround(ctx, cl)
	if err != nil {
		return err
	}
	for i := range nodes {
		if nodes[i].ZooKeeper != "" {
			continue // no part of the cluster
		}
		nodes[i].Role = v.role(nodes[i].Node)
		if b, ok := v.broker(nodes[i].Node); ok {
			nodes[i].Leads, nodes[i].Follows, nodes[i].OutSync, nodes[i].Behind = b.Leads, b.Replicas-b.Leads, b.OutOfSync, b.Behind
		}
	}
	return nil
}
