// Package broker is the roof: it builds the rooms of one node, passes each what it needs
// of the others, and runs them. It knows every room and decides nothing itself. Run owns
// the goroutines of all of them.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/coord/group"
	"github.com/odradek/odradek/internal/front/api"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/odradek/odradek/internal/replica/host"
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

	Listeners []Listener
	// Static are the settings as they were given, by Kafka's names.
	Static map[string]string
	// CreateTopics are made at the start if they do not exist.
	CreateTopics []config.TopicSpec

	FS     vfs.FS
	Listen func(ctx context.Context, address string) (net.Listener, error)
	// LookupHost finds the addresses of a host that a setting names; default: the
	// system's resolver.
	LookupHost func(ctx context.Context, host string) ([]string, error)
	// Random fills its argument with random bytes. Safe for concurrent use.
	Random func([]byte)
	// Phase spreads the ticks of nodes, so that they do not tick as one.
	Phase time.Duration
	Log   *slog.Logger
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
	need(len(c.Listeners) > 0, "no listener")
	need(c.FS != nil, "no FS")
	need(c.Listen != nil, "no Listen")
	need(c.Random != nil, "no Random")
	need(c.NodeID >= 0, "node id is negative")
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.LookupHost == nil {
		c.LookupHost = lookupHost
	}
	if c.MetadataDir == "" && len(c.LogDirs) > 0 {
		c.MetadataDir = c.LogDirs[0]
	}
	return errors.Join(errs...)
}

// Broker is one node. Make it with New, then Run it once.
type Broker struct {
	cfg   Config
	ready chan struct{}

	clusterID string
	dirs      []host.Dir
	settings  *settings
	feed      *metadata.Feed
	quorum    *quorum.Quorum
	control   *controller.Service
	host      *host.Host
	groups    *group.Service
	front     *api.Server
	wire      *wire.Server
	metrics   *Metrics
	epoch     atomic.Int64 // of the registration, -1 before it

	mu   sync.Mutex // guards open
	open []opened
}

// opened is a listener that is bound.
type opened struct {
	Listener
	ln net.Listener
}

// New returns a node that has touched nothing yet.
func New(cfg Config) (*Broker, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	b := &Broker{cfg: cfg, ready: make(chan struct{}), feed: metadata.NewFeed()}
	b.epoch.Store(-1)
	b.settings = newSettings(cfg.NodeID, cfg.Static, b.feed)
	b.metrics = newMetrics(b)
	return b, nil
}

// Ready is closed when clients are served.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// ClusterID is the id of the cluster that the node belongs to, "" before Ready.
func (b *Broker) ClusterID() string {
	select {
	case <-b.ready:
		return b.clusterID
	default:
		return ""
	}
}

// Addr is the address that a listener was bound to, nil before Ready.
func (b *Broker) Addr(listener string) net.Addr {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.open {
		if l.Name == listener {
			return l.ln.Addr()
		}
	}
	return nil
}

// Run runs the node until ctx ends or a room fails that it cannot do without. It stops
// in order: no more requests, then groups and partitions, then the quorum.
func (b *Broker) Run(ctx context.Context) (err error) {
	var floors []*floor
	defer func() {
		for i := len(floors) - 1; i >= 0; i-- {
			err = errors.Join(err, floors[i].stop())
		}
	}()
	for _, build := range []func(context.Context, *run.Group) error{b.ground, b.rooms, b.desk} {
		f := newFloor(ctx)
		floors = append(floors, f)
		err := build(ctx, f.group)
		f.watch()
		if err != nil {
			return err
		}
	}
	close(b.ready)
	select {
	case <-ctx.Done():
	case <-floors[0].ended:
	case <-floors[1].ended:
	case <-floors[2].ended:
	}
	return nil
}

// floor is a part of the house that stops as one.
type floor struct {
	group *run.Group
	ended chan struct{} // closed when all of it has ended; err is set then
	err   error
}

// newFloor begins a floor that does not end with ctx by itself: its turn comes.
func newFloor(ctx context.Context) *floor {
	return &floor{group: run.New(context.WithoutCancel(ctx), "broker"), ended: make(chan struct{})}
}

// watch waits for the floor's end, once everything in it was started.
func (f *floor) watch() {
	go func() {
		f.err = f.group.Wait()
		close(f.ended)
	}()
}

var errStopping = errors.New("the node is stopping")

// stop asks the floor to end and waits until it has.
func (f *floor) stop() error {
	f.group.Stop(errStopping)
	<-f.ended
	if f.err != nil {
		return fmt.Errorf("node: %w", f.err)
	}
	return nil
}
