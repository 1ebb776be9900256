// Package broker is the roof: it builds the rooms of one node, passes each what it needs
// of the others, and runs them. It knows every room and decides nothing itself. Run owns
// the goroutines of all of them.
package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"

	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/cluster/brokers"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/identity"
	"github.com/odradek/odradek/internal/cluster/member"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/peers"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/coord/delivery"
	"github.com/odradek/odradek/internal/coord/group"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/coord/txn"
	"github.com/odradek/odradek/internal/front/api"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/host"
)

// Broker is one node. Make it with New, then Run it once.
type Broker struct {
	cfg         Config
	ready       chan struct{}
	incarnation model.ID // of this process
	refused     chan error
	led         chan struct{} // holds a token when this node has begun to lead the quorum

	who         *identity.Identity
	told        string // the cluster's id, as folders or settings say; "" while it is forming
	clusterID   string
	directory   model.ID // of the metadata folder
	dirs        []host.Dir
	settings    *settings
	feed        *metadata.Feed
	lock        io.Closer           // of the cluster's log
	quorum      *quorum.Quorum      // nil without the controller role
	control     *controller.Service // too
	controllers []opened
	peers       *peers.Peers
	member      *member.Member // nil without the broker role, as what follows
	previous    int64          // broker epoch since which nothing was lost, -1 if not known
	host        *host.Host
	groups      *group.Service
	txns        *txn.Service
	shares      *share.Service
	sharing     *share.Client // asks the shares of all brokers
	deliveries  *delivery.Service
	brokers     *brokers.Brokers
	rivalry     *election
	front       *api.Server
	fronted     chan struct{} // closed when front is there
	metrics     *Metrics

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
	b := &Broker{
		cfg: cfg, ready: make(chan struct{}), feed: metadata.NewFeed(), incarnation: model.NewID(cfg.Random),
		refused: make(chan error, 1), led: make(chan struct{}, 1), fronted: make(chan struct{}),
	}
	b.feed.Support(controller.Features)
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

// ErrAtOnce is the cause of a context that ends a node in order, but without handing over
// to others what it leads.
var ErrAtOnce = errors.New("stop at once")

// Run runs the node until ctx ends or a room fails that it cannot do without. It stops
// in order: no more requests, then groups and partitions, then the quorum.
func (b *Broker) Run(ctx context.Context) (err error) {
	var floors []*floor
	defer func() {
		for i := len(floors) - 1; i >= 0; i-- {
			err = errors.Join(err, floors[i].stop())
		}
		b.hangUp()
	}()
	stands := ctx // while no floor has failed: what is built above waits for nothing then
	for _, build := range []func(context.Context, *run.Group) error{b.ground, b.rooms, b.desk} {
		f := newFloor(stands)
		floors, stands = append(floors, f), f.stands
		err := build(stands, f.group)
		f.watch()
		if err != nil && stands.Err() != nil && ctx.Err() == nil {
			return nil // the floor that has failed says why
		}
		if err != nil && ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
			return nil // it was told to stop before it served
		}
		if err != nil {
			return err
		}
	}
	close(b.ready)
	select {
	case <-ctx.Done():
		if !errors.Is(context.Cause(ctx), ErrAtOnce) {
			b.leave()
		}
	case <-floors[0].ended:
	case <-floors[1].ended:
	case <-floors[2].ended:
	}
	return nil
}

// hangUp closes listeners that were opened and never served.
func (b *Broker) hangUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range slices.Concat(b.controllers, b.open) {
		_ = o.ln.Close() // most are closed already
	}
}

// floor is a part of the house that stops as one.
type floor struct {
	group  *run.Group
	stands context.Context // ends with what the floor was built on, or when it ends
	ended  chan struct{}   // closed when all of it has ended; err is set then
	err    error
}

// newFloor begins a floor that does not end with ctx by itself: its turn comes. One in
// which nothing runs, as on a node without the broker role, does not end either.
func newFloor(ctx context.Context) *floor {
	f := &floor{group: run.New(context.WithoutCancel(ctx), "broker"), ended: make(chan struct{})}
	stands, fell := context.WithCancel(ctx)
	f.stands = stands
	f.group.Go("floor", func(ctx context.Context) error {
		defer fell()
		<-ctx.Done()
		return nil
	})
	return f
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
