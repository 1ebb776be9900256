package peers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/proto/model"
)

// Quorum is this node's part in the quorum.
type Quorum interface {
	Step(*raftpb.Message)
	Status() quorum.Status
	Tail(ctx context.Context, from int64, maxBytes int) (quorum.Chunk, error)
}

// Envelope is a request that one node passes on to the controller, and who had asked it.
type Envelope struct {
	Key, Version int16
	ClientID     *string
	Listener     string
	Principal    string
	Body         []byte // without the header
}

// Config is what Peers is made of. Feed, Directory and Incarnation must be given, and
// Dial where there are other nodes.
type Config struct {
	Node        int32
	ClusterID   func() string // "" while the cluster is forming; default: what Feed says
	Directory   model.ID      // of the metadata folder
	Incarnation model.ID      // drawn when the process starts
	Release     string

	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Voters are the first addresses of the quorum (controller.quorum.voters), Bootstrap
	// those at which the rest is asked for (controller.quorum.bootstrap.servers).
	Voters    map[int32]string
	Bootstrap []string
	// Listener is the name of the listener at which nodes of the quorum are dialed
	// (controller.listener.names). Default: the first that they have registered.
	Listener string

	Feed *metadata.Feed
	// Quorum is nil on a node without the controller role.
	Quorum Quorum
	// Leading reports whether this node decides for the cluster now. Default: Quorum does
	// say so.
	Leading func() bool
	// Answer decides a request as the active controller. See SetAnswer.
	Answer func(context.Context, Envelope) ([]byte, error)
	// LeaderGone is told that the process of a node has died, whether it led or not:
	// quorum.LeaderGone. It must not wait.
	LeaderGone func(node int32)
	// LineLost is told that the line of a node to this one has ended, which is a hint that
	// its process may have died. It must not wait.
	LineLost func(node int32)
	// Refused is told that this node does not belong to the cluster, and what to do about
	// it: the node must stop with these words. It must not wait.
	Refused func(error)

	LongPoll time.Duration // for which the leader holds the tail when nothing comes; default 500 ms
	Log      *slog.Logger  // default: discards
}

func (c *Config) validate() error {
	var errs []error
	if c.Feed == nil {
		errs = append(errs, errors.New("no Feed"))
	}
	if c.Incarnation.IsZero() {
		errs = append(errs, errors.New("no Incarnation"))
	}
	if c.Node < 0 {
		errs = append(errs, fmt.Errorf("node id %d is negative", c.Node))
	}
	if c.ClusterID == nil && c.Feed != nil {
		c.ClusterID = func() string { return c.Feed.Image().ClusterID }
	}
	if c.LeaderGone == nil {
		c.LeaderGone = func(int32) {}
	}
	if c.LineLost == nil {
		c.LineLost = func(int32) {}
	}
	if c.Refused == nil {
		c.Refused = func(error) {}
	}
	c.LongPoll = cmp.Or(c.LongPoll, 500*time.Millisecond)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if len(errs) > 0 {
		return fmt.Errorf("peers: %w", errors.Join(errs...))
	}
	return nil
}
