package broker

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/odradek/odradek/internal/base/clock"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/proto/wire"
)

// Config is what a node is made of: who it is, where it keeps things, what was set, and
// the doors to the world.
type Config struct {
	NodeID    int32
	ClusterID string // "" draws one when the cluster is formed
	Rack      *string

	// LogDirs are the folders of partitions, at least one. MetadataDir is that of the
	// cluster's log; default: the first of LogDirs.
	LogDirs     []string
	MetadataDir string

	// Broker and Controller are the roles (process.roles); neither is both, unless the node
	// is an Observer, which follows what is agreed on and is no part of the cluster.
	Broker, Controller bool
	Observer           bool
	// Listeners are for clients and brokers; InterBroker names the one of them over which
	// brokers copy from each other, default the first. Controllers are for the other nodes
	// of the quorum, and may be left out where there are none.
	Listeners   []Listener
	InterBroker string
	Controllers []Listener
	// Voters are the addresses of the first voters by node id; none is this node alone, or,
	// with Bootstrap, those of the cluster that is found at one of these addresses.
	Voters    map[int32]string
	Bootstrap []string
	// ZooKeeper is HOST:PORT for tools that look for ZooKeeper, "" for none.
	ZooKeeper string
	// Static are the settings as they were given, by Kafka's names.
	Static map[string]string
	// CreateTopics are made at the start if they do not exist.
	CreateTopics []config.TopicSpec

	FS     vfs.FS
	Listen func(ctx context.Context, address string) (net.Listener, error)
	// Dial reaches other nodes. Needed where there are any.
	Dial wire.Dialer
	// LookupHost finds the addresses of a host that a setting names; default: the
	// system's resolver.
	LookupHost func(ctx context.Context, host string) ([]string, error)
	// Random fills its argument with random bytes. Safe for concurrent use.
	Random func([]byte)
	// Clock is the hour as this machine shows it; nil is the right one.
	Clock clock.Clock
	// Phase spreads the ticks of nodes, so that they do not tick as one.
	Phase time.Duration
	// FirstEpoch is the first epoch of a transactional producer, other than 0 to see what
	// comes after the last one.
	FirstEpoch int16
	// Release is told to those who ask what runs here.
	Release string
	Log     *slog.Logger
	// Level, if set, follows the configured level of the root logger.
	Level *slog.LevelVar
}

// Listener is an address that clients connect to, and what they are told of it.
type Listener struct {
	Name     string
	Protocol int16  // Kafka's number: 0 PLAINTEXT
	Bind     string // host:port; port 0 takes a free one
	// AdvertisedHost and AdvertisedPort are what clients are told; an empty host is that
	// of Bind, port 0 the one that was bound.
	AdvertisedHost string
	AdvertisedPort int32
}

func (c *Config) validate() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New("broker: "+what))
		}
	}
	need(len(c.LogDirs) > 0, "no log folder")
	need(!c.Observer || !c.Broker && !c.Controller, "an observer with other roles")
	if !c.Broker && !c.Controller && !c.Observer {
		c.Broker, c.Controller = true, true
	}
	need(len(c.Listeners) > 0 || !c.Broker, "no listener")
	need(c.Dial != nil || c.alone() && len(c.Controllers) == 0, "no Dial, and there may be other nodes")
	need(c.FS != nil, "no FS")
	need(c.Listen != nil, "no Listen")
	need(c.Random != nil, "no Random")
	need(c.NodeID >= 0, "node id is negative")
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.InterBroker == "" && len(c.Listeners) > 0 {
		c.InterBroker = c.Listeners[0].Name
	}
	if c.LookupHost == nil {
		c.LookupHost = lookupHost
	}
	if c.MetadataDir == "" && len(c.LogDirs) > 0 {
		c.MetadataDir = c.LogDirs[0]
	}
	return errors.Join(errs...)
}

// alone reports whether the node needs no others: it is the whole quorum.
func (c *Config) alone() bool {
	_, votes := c.Voters[c.NodeID]
	return c.Controller && (len(c.Voters)+len(c.Bootstrap) == 0 || len(c.Voters) == 1 && votes)
}
