package chaos

import (
	"context"
	"math/rand/v2"
	"time"
)

// Target says whom a fault befalls.
type Target struct {
	Name string
	Pick func(ctx context.Context, r *Rig, rng *rand.Rand) ([]*Node, error)
}

// Targets are those that know nothing of the load.
func Targets() []Target { return []Target{One, Controller, Minority, Majority, All} }

var (
	// One is any node.
	One = Target{"one", func(_ context.Context, r *Rig, rng *rand.Rand) ([]*Node, error) {
		return some(r, rng, 1), nil
	}}
	// Minority is the most nodes that the others can do without.
	Minority = Target{"minority", func(_ context.Context, r *Rig, rng *rand.Rand) ([]*Node, error) {
		return some(r, rng, minority(r)), nil
	}}
	// Majority is one more than the others can do without.
	Majority = Target{"majority", func(_ context.Context, r *Rig, rng *rand.Rand) ([]*Node, error) {
		return some(r, rng, minority(r)+1), nil
	}}
	// All is every node.
	All = Target{"all", func(_ context.Context, r *Rig, rng *rand.Rand) ([]*Node, error) {
		return some(r, rng, len(r.Nodes)), nil
	}}
	// Controller is the node that leads the metadata quorum.
	Controller = Target{"controller", func(ctx context.Context, r *Rig, rng *rand.Rand) ([]*Node, error) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		id, err := r.Cluster.ControllerLeader(ctx)
		if err != nil {
			return some(r, rng, 1), nil // nobody leads: then any
		}
		return []*Node{r.Node(id)}, nil
	}}
)

// LeaderOf is the node that leads a partition.
func LeaderOf(topic string, partition int32) Target {
	return Target{"leader", func(ctx context.Context, r *Rig, rng *rand.Rand) ([]*Node, error) {
		for _, n := range r.Cluster.Running() {
			l := n.Line()
			one, cancel := context.WithTimeout(ctx, 3*time.Second)
			_, views, err := l.Metadata(one, topic)
			cancel()
			l.Close()
			for _, v := range views {
				if err == nil && v.Partition == partition && r.Node(v.Leader) != nil {
					return []*Node{r.Node(v.Leader)}, nil
				}
			}
		}
		return some(r, rng, 1), nil
	}}
}

func minority(r *Rig) int { return (len(r.Nodes) - 1) / 2 }

// some are that many nodes, in any order.
func some(r *Rig, rng *rand.Rand, n int) (nodes []*Node) {
	for _, i := range rng.Perm(len(r.Nodes))[:n] {
		nodes = append(nodes, r.Nodes[i])
	}
	return nodes
}
