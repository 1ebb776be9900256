package api

import (
	"cmp"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/replica/partition"
)

// rackAware is the end of the class that replica.selector.class names to have consumers
// read from their own rack. It is the only selector that Kafka comes with.
const rackAware = "RackAwareReplicaSelector"

// nearest is the follower that a consumer of the request's rack had better ask, -1 if that
// is this replica, or it does not lead and so does not know (KIP-392). It is one that is in
// sync, alive, and has the offset; of several the one that has most.
func (f *fetching) nearest(r *fetched) int32 {
	class := config.ReplicaSelectorClass.Get(f.server.cfg.Settings())
	if !strings.HasSuffix(class, rackAware) || f.inRack(f.server.cfg.NodeID) {
		return -1
	}
	near := slices.DeleteFunc(r.replica.Followers(), func(o partition.Follower) bool {
		return !o.InSync || o.End < r.want.FetchOffset || o.Start > r.want.FetchOffset || !f.inRack(o.Node)
	})
	if len(near) == 0 {
		return -1
	}
	return slices.MaxFunc(near, func(a, b partition.Follower) int {
		return cmp.Or(cmp.Compare(a.End, b.End), a.CaughtUp.Compare(b.CaughtUp), cmp.Compare(a.Node, b.Node))
	}).Node
}

// inRack reports whether a broker is alive, can be reached over the client's listener and
// stands in the client's rack.
func (f *fetching) inRack(id int32) bool {
	n, ok := aliveNode(f.server.cfg.Feed.Image(), f.listener, id)
	return ok && n.rack != nil && *n.rack == f.req.Rack
}
