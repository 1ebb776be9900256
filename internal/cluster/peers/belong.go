package peers

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/proto/link"
	"github.com/odradek/odradek/internal/proto/model"
)

// check refuses a node that does not belong here. The words are for its operator.
func (p *Peers) check(remote link.Hello) error {
	ours := p.c.ClusterID()
	switch {
	case ours != "" && remote.ClusterID != "" && ours != remote.ClusterID:
		return model.Explain(kerr.InconsistentClusterID, fmt.Sprintf(
			"node %d is of cluster %s, but node %d, to which it spoke, is of cluster %s: give it the addresses of its own cluster (controller.quorum.voters), or, if it is to join this one, empty folders in log.dirs",
			remote.Node, remote.ClusterID, p.c.Node, ours))
	case remote.Node == p.c.Node && remote.Incarnation != p.c.Incarnation:
		return sameID(remote.Node)
	}
	image := p.c.Feed.Image()
	c, known := image.Controller(remote.Node)
	// Who does not vote has heard lately who does, or long ago.
	voter := known && p.votes() && p.c.Quorum.Status().Votes(remote.Node)
	// Who has seen more of the metadata than this node may know of a later registration.
	if voter && !c.Directory.IsZero() && c.Directory != remote.Directory && remote.Offset <= image.Offset {
		if p.isUp(remote.Node, c.Directory) {
			return sameID(remote.Node)
		}
		return model.Explain(kerr.InvalidVoterKey, fmt.Sprintf(
			"node %d's metadata folder is new, but node %d voted before with another (directory.id %s): if the old folder is lost, run `odradek cluster voters replace %d`; if not, put it back",
			remote.Node, remote.Node, c.Directory, remote.Node))
	}
	if ours != "" && remote.ClusterID == ours {
		p.joined.Store(true)
	}
	return nil
}

func sameID(node int32) error {
	return model.Explain(kerr.DuplicateBrokerRegistration, fmt.Sprintf("two nodes have node.id=%d: give one of them another", node))
}

// isUp reports whether a line is up to the node that keeps a folder.
func (p *Peers) isUp(node int32, directory model.ID) bool {
	return slices.ContainsFunc(p.link.Up(), func(h link.Hello) bool { return h.Node == node && h.Directory == directory })
}

// refused hears that a node does not want to speak to this one. That of another cluster
// is wrong itself if this node has been welcome among its own; and one that has not seen
// that this node's folder was replaced has yet to catch up.
func (p *Peers) refused(node int32, err error) {
	p.c.Log.Warn("peers: a node refuses this one", "node", node, "error", err)
	switch {
	case errors.Is(err, kerr.InvalidVoterKey):
		if c, ok := p.c.Feed.Image().Controller(p.c.Node); ok && c.Directory == p.c.Directory {
			return
		}
	case errors.Is(err, kerr.InconsistentClusterID), errors.Is(err, kerr.DuplicateBrokerRegistration):
		if p.joined.Load() {
			return
		}
	default:
		return
	}
	p.c.Refused(err)
}
