package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/identity"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/coord/group"
	"github.com/odradek/odradek/internal/front/api"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/odradek/odradek/internal/replica/host"
)

// metadataFolder holds the cluster's log, as Kafka names it.
const (
	metadataFolder = model.ClusterMetadataTopic + "-0"
	metadataLock   = ".cluster_metadata.lock"
)

// ground starts what everything else stands on: the quorum and its log, and the
// controller. It returns when this node decides, on all that was agreed on before.
func (b *Broker) ground(ctx context.Context, g *run.Group) error {
	err := b.identify()
	if err != nil {
		return err
	}
	// Two processes that write one log would ruin it. Partitions have locks of their own,
	// but are opened later.
	lock, err := b.cfg.FS.Lock(filepath.Join(b.cfg.MetadataDir, metadataLock))
	if err != nil {
		return fmt.Errorf("is another node running on %s? %w", b.cfg.MetadataDir, err)
	}
	b.quorum, err = quorum.Open(quorum.Config{
		FS: b.cfg.FS, Dir: filepath.Join(b.cfg.MetadataDir, metadataFolder), Node: b.cfg.NodeID,
		Apply:    b.feed.ApplyEntry,
		Snapshot: func() []byte { _, data := b.feed.Snapshot(); return data },
		Restore:  b.feed.Restore,
		Lead:     func(term int64) { b.control.Lead(term) },
		Resign:   func() { b.control.Resign() },
		Phase:    b.cfg.Phase, Rand: b.random64, Log: b.cfg.Log,
	})
	if err != nil {
		return errors.Join(fmt.Errorf("open the cluster's log: %w", err), lock.Close())
	}
	b.control = controller.New(controller.Options{
		Node: b.cfg.NodeID, Feed: b.feed, Begin: b.quorum.Begin,
		Rules: b.settings.rules(), Rand: rand.New(rand.NewPCG(b.random64(), b.random64())), Log: b.cfg.Log,
	})
	g.Go("quorum", func(ctx context.Context) error { return errors.Join(b.quorum.Run(ctx), lock.Close()) })
	if err := b.control.WaitLead(ctx); err != nil {
		return err
	}
	return b.control.Bootstrap(ctx, b.clusterID)
}

// rooms starts the partitions and the coordinators.
func (b *Broker) rooms(ctx context.Context, g *run.Group) error {
	var err error
	if b.host, err = host.Open(b.hostConfig()); err != nil {
		return err
	}
	b.groups = group.New(group.Config{
		Partitions: b.offsetsPartitions, Settings: b.settings.groups, Rand: b.cfg.Random, Log: b.cfg.Log,
	})
	g.Go("host", b.host.Run)
	g.Go("groups", b.groups.Run)
	g.Go("coordinators", b.followCoordinators)
	g.Go("settings", b.followSettings)
	return nil
}

// identify finds out who the node is, and formats folders that are new.
func (b *Broker) identify() error {
	dirs := slices.Clone(b.cfg.LogDirs)
	if !slices.Contains(dirs, b.cfg.MetadataDir) {
		dirs = append(dirs, b.cfg.MetadataDir)
	}
	who, err := identity.Open(identity.Config{
		FS: b.cfg.FS, Dirs: dirs, Metadata: b.cfg.MetadataDir,
		NodeID: b.cfg.NodeID, ClusterID: b.cfg.ClusterID, Rand: b.cfg.Random,
	})
	if err != nil {
		return err
	}
	b.clusterID = who.ClusterID
	for i, path := range b.cfg.LogDirs {
		b.dirs = append(b.dirs, host.Dir{Path: path, ID: who.Dirs[i], Err: who.Errs[i], Vital: path == b.cfg.MetadataDir})
	}
	return nil
}

// desk opens the listeners, registers the broker by their addresses and serves.
func (b *Broker) desk(ctx context.Context, g *run.Group) error {
	var err error
	if b.front, err = api.New(b.apiConfig()); err != nil {
		return err
	}
	b.wire = b.wireServer(ctx)
	if err := b.listen(ctx); err != nil {
		return err
	}
	if err := b.register(ctx); err != nil {
		return err
	}
	if err := b.createTopics(ctx); err != nil {
		return err
	}
	for _, l := range b.open {
		g.Go("listener "+l.Name, func(ctx context.Context) error { return b.wire.Serve(ctx, l.ln, l.Name) })
	}
	return nil
}

func (b *Broker) listen(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.cfg.Listeners {
		ln, err := b.cfg.Listen(ctx, l.Bind)
		if err != nil {
			for _, o := range b.open {
				o.ln.Close()
			}
			return fmt.Errorf("listener %s on %s: %w", l.Name, l.Bind, err)
		}
		b.open = append(b.open, opened{Listener: l, ln: ln})
	}
	return nil
}

// endpoint is what clients are told of a listener.
func (o opened) endpoint() (metadata.Endpoint, error) {
	e := metadata.Endpoint{Listener: o.Name, Host: o.AdvertisedHost, Port: o.AdvertisedPort, Protocol: o.Protocol}
	host, _, err := net.SplitHostPort(o.Bind)
	if err != nil {
		return e, fmt.Errorf("listener %s: %w", o.Name, err)
	}
	if e.Host == "" {
		e.Host = host
	}
	if e.Port == 0 {
		_, port, err := net.SplitHostPort(o.ln.Addr().String())
		if err != nil {
			return e, fmt.Errorf("listener %s: %w", o.Name, err)
		}
		n, err := strconv.ParseInt(port, 10, 32)
		if err != nil {
			return e, fmt.Errorf("listener %s: port %q: %w", o.Name, port, err)
		}
		e.Port = int32(n)
	}
	return e, nil
}

// register tells the cluster that this broker is there, and that it may lead.
func (b *Broker) register(ctx context.Context) error {
	r := controller.Registration{
		ID: b.cfg.NodeID, ClusterID: b.feed.Image().ClusterID, Incarnation: model.NewID(b.cfg.Random),
		Rack: b.cfg.Rack, Features: controller.Features, LogDirs: b.host.DirIDs(), PreviousEpoch: b.previousEpoch(),
	}
	for _, o := range b.open {
		e, err := o.endpoint()
		if err != nil {
			return err
		}
		r.Endpoints = append(r.Endpoints, e)
	}
	epoch, err := b.control.RegisterBroker(ctx, r)
	if err != nil {
		return fmt.Errorf("register the broker: %w", err)
	}
	b.epoch.Store(epoch)
	_, err = b.control.Heartbeat(ctx, controller.Heartbeat{ID: b.cfg.NodeID, Epoch: epoch, MetadataOffset: b.feed.Image().Offset})
	if err != nil {
		return fmt.Errorf("unfence the broker: %w", err)
	}
	return nil
}

// previousEpoch is the registration after which this broker has lost nothing, -1 if that
// is not known: then the cluster elects a leader anew for all that it led. The mark of a
// clean shutdown in its folders says so.
//
// Without the mark it is known all the same of a broker that is alone. Every replica is
// the only one, so there is nobody to elect and nobody who has what it may have lost; and
// what was acknowledged is on its disk. The leader epoch may go on: a record that a power
// cut took was never committed, and nobody has read it. That does not hold where topics
// are committed by the operating system's time: there consumers must notice the loss, by
// a new epoch.
func (b *Broker) previousEpoch() int64 {
	image := b.feed.Image()
	me, ok := image.Broker(b.cfg.NodeID)
	if !ok {
		return -1
	}
	alone := image.BrokerCount() == 1 && len(b.quorum.Status().Voters) == 1
	if alone && b.settings.allDurable(image) {
		return me.Epoch
	}
	return b.host.CleanEpoch()
}

func (b *Broker) random64() uint64 {
	var buf [8]byte
	b.cfg.Random(buf[:])
	return binary.LittleEndian.Uint64(buf[:])
}

func (b *Broker) wireServer(ctx context.Context) *wire.Server {
	v := b.settings.Values()
	return &wire.Server{
		Handler: b.front, Limits: b.limits(ctx, v), Budget: wire.NewBudget(config.MemoryRequestBytes.Get(v)),
		Log: b.cfg.Log, Observer: b.metrics, Supported: b.front.Supported,
	}
}
