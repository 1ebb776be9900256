package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/cli/local"
	"github.com/spf13/cobra"
)

func init() { nouns = append(nouns, downCommand, resetCommand) }

// stopPatience is how long a node may take to hand over its leaderships and stop.
const stopPatience = 30 * time.Second

func downCommand(a *App) *cobra.Command {
	var data string
	var patience time.Duration
	c := &cobra.Command{
		Use:   "down [NODE...]",
		Short: "Stop the cluster that up started, or some of its nodes",
		Long: `Stop the nodes of the cluster that up started on this machine, the one that leads the
quorum last. Each is told to stop in order; one that does not within the time is killed.
Data stays: odradek up starts the nodes again.`,
		Example: `  odradek down
  odradek down 2
  odradek down --data ./five --patience 5s`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.withLocal(data, func(lc *local.Cluster) error {
				ids, err := a.pickNodes(lc, args)
				if err != nil {
					return err
				}
				return a.stopNodes(c.Context(), lc, ids, patience)
			})
		},
	}
	dataFlag(c, &data)
	c.Flags().DurationVar(&patience, "patience", stopPatience, "how long a node may take before it is killed")
	return c
}

// withLocal works on a cluster of this machine while nobody else does.
func (a *App) withLocal(data string, work func(*local.Cluster) error) (err error) {
	dir, err := a.clusterDir(data)
	if err != nil {
		return err
	}
	if c, err := local.Look(dir); err != nil {
		return err
	} else if len(c.State.Nodes) == 0 {
		return work(c) // do not make a folder to say that there is nothing in it
	}
	c, err := local.Open(dir)
	if err != nil {
		return busy(err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return work(c)
}

// pickNodes are the nodes that args name, all if there are none.
func (a *App) pickNodes(c *local.Cluster, args []string) ([]int32, error) {
	var ids []int32
	for _, n := range c.State.Nodes {
		if len(args) == 0 || slices.Contains(args, fmt.Sprint(n.ID)) || slices.Contains(args, n.Name) {
			ids = append(ids, n.ID)
		}
	}
	for _, arg := range args {
		if !slices.ContainsFunc(c.State.Nodes, func(n local.Node) bool { return fmt.Sprint(n.ID) == arg || n.Name == arg }) {
			return nil, &codedError{fmt.Errorf("the cluster in %s has no node %q", c.Dir, arg), exitNotFound}
		}
	}
	return ids, nil
}

// stoppedNode is what down says of a node.
type stoppedNode struct {
	Node   int32  `json:"node"`
	Status string `json:"status"` // stopped, killed, not-running
}

// stopNodes stops nodes one after the other: while a majority is left, each hands over
// its leaderships. The last ones, who would have nobody to hand them to, go together.
func (a *App) stopNodes(ctx context.Context, c *local.Cluster, ids []int32, patience time.Duration) error {
	l := &listing{kind: "NodeChange", noun: "node", columns: []string{"node", "status"}}
	running := len(c.Running())
	for _, id := range a.leaderLast(ctx, c, ids) {
		i := slices.IndexFunc(c.State.Nodes, func(n local.Node) bool { return n.ID == id })
		word := "not-running"
		if c.State.Nodes[i].Alive() {
			word = "stopped"
		}
		s, err := c.Down(id, patience)
		if err != nil {
			l.fail(fmt.Sprint(id), err)
			continue
		}
		if s.Killed {
			word = "killed"
		}
		l.add(stoppedNode{id, word}, fmt.Sprint(id), word)
	}
	if running == 0 && a.out.format == "text" {
		a.warn("nothing runs in %s", c.Dir)
		return nil
	}
	return a.print(l)
}

// leaderLast orders nodes so that the quorum's leader stops last: fewer elections, and
// the others have somebody to hand their partitions over to.
func (a *App) leaderLast(ctx context.Context, c *local.Cluster, ids []int32) []int32 {
	ids = slices.Clone(ids)
	if len(ids) < 2 || len(c.Running()) == 0 {
		return ids
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	leader, err := a.quorumLeader(ctx, c)
	if err != nil {
		return ids // any order is safe
	}
	slices.SortStableFunc(ids, func(x, y int32) int {
		switch {
		case x == leader && y != leader:
			return 1
		case y == leader && x != leader:
			return -1
		}
		return 0
	})
	return ids
}

// quorumLeader asks the nodes that run who leads the quorum.
func (a *App) quorumLeader(ctx context.Context, c *local.Cluster) (int32, error) {
	var addresses []string
	for _, n := range c.Running() {
		if n.Kafka != "" {
			addresses = append(addresses, n.Kafka)
		}
	}
	if len(addresses) == 0 {
		return -1, errors.New("no broker runs")
	}
	cl, err := a.at(addresses).client()
	if err != nil {
		return -1, err
	}
	defer cl.Close()
	q, err := describeQuorum(ctx, cl)
	return q.LeaderID, err
}

func resetCommand(a *App) *cobra.Command {
	var data string
	var dry bool
	c := &cobra.Command{
		Use:   "reset",
		Short: "Stop the cluster that up started and delete its data",
		Long: `Stop the nodes of the cluster that up started on this machine and delete everything
they keep: records, settings, logs. Nothing else in the folder is touched.`,
		Example: `  odradek reset --yes
  odradek reset --data ./five`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withLocal(data, func(lc *local.Cluster) error { return a.reset(lc, dry) })
		},
	}
	dataFlag(c, &data)
	dryRunFlag(c, &dry)
	return c
}

func (a *App) reset(c *local.Cluster, dry bool) error {
	if len(c.State.Nodes) == 0 {
		a.warn("there is no cluster in %s", c.Dir)
		return nil
	}
	preview := &listing{columns: []string{"node", "data"}}
	for _, n := range c.State.Nodes {
		preview.add(nil, fmt.Sprint(n.ID), c.DataDir(n))
	}
	l := &listing{kind: "NodeChange", noun: "node", columns: []string{"node", "status"}}
	if dry {
		for _, n := range c.State.Nodes {
			l.add(stoppedNode{n.ID, "would-delete"}, fmt.Sprint(n.ID), "would-delete")
		}
		return a.print(l)
	}
	if err := a.confirm(preview, fmt.Sprintf("Stop %s and delete all their data?", count(len(c.State.Nodes), "node"))); err != nil {
		return err
	}
	for _, n := range slices.Clone(c.State.Nodes) {
		if _, err := c.Down(n.ID, time.Second); err != nil { // what is deleted need not stop in order
			return err
		}
		l.add(stoppedNode{n.ID, "deleted"}, fmt.Sprint(n.ID), "deleted")
	}
	if err := c.Reset(); err != nil {
		return err
	}
	return a.print(l)
}
