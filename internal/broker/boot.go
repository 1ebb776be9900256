package broker

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"

	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/cluster/brokers"
	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/member"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/delivery"
	"github.com/odradek/odradek/internal/coord/group"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/coord/txn"
	"github.com/odradek/odradek/internal/front/api"
	"github.com/odradek/odradek/internal/front/zkview"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/odradek/odradek/internal/replica/host"
)

// rooms starts the partitions and the coordinators.
func (b *Broker) rooms(ctx context.Context, g *run.Group) error {
	if !b.cfg.Broker {
		return nil
	}
	var err error
	if b.member, err = member.New(b.memberConfig()); err != nil {
		return err
	}
	if b.host, err = host.Open(b.hostConfig()); err != nil {
		return err
	}
	b.previous = b.previousEpoch()
	b.brokers = brokers.New(b.brokersConfig())
	b.shares = share.New(b.shareConfig())
	b.sharing = share.NewClient(b.shareClientConfig())
	b.rivalry = &election{b.rivals, b.brokers.Ask}
	b.groups = group.New(group.Config{
		Undisputed: func(ctx context.Context, partition int32) error {
			return b.rivalry.undisputed(ctx, model.TopicPartition{Topic: model.ConsumerOffsetsTopic, Partition: partition})
		},
		Partitions: b.partitionsOf(model.ConsumerOffsetsTopic, config.OffsetsTopicNumPartitions), Settings: b.settings.groups, Lease: b.lease,
		GroupConfig: b.settings.group, Image: b.feed.Image, Shares: b.sharing, Ask: b.brokers.Ask,
		Rand: b.cfg.Random, Clock: b.cfg.Clock, On: b.cfg.FS, Log: b.cfg.Log,
	})
	b.txns = txn.New(b.txnConfig())
	b.deliveries = delivery.New(b.deliveryConfig())
	g.Go("brokers", b.closeBrokers)
	g.Go("host", b.host.Run)
	g.Go("groups", b.groups.Run)
	g.Go("transactions", b.txns.Run)
	g.Go("shares", b.shares.Run)
	g.Go("deliveries", b.deliveries.Run)
	g.Go("coordinators", b.followCoordinators)
	g.Go("settings", b.followSettings)
	return nil
}

// desk opens the listeners, joins the cluster by their addresses, and serves.
func (b *Broker) desk(ctx context.Context, g *run.Group) error {
	if err := b.openZooKeeper(ctx, g); err != nil || !b.cfg.Broker {
		return err
	}
	var err error
	if b.front, err = api.New(b.apiConfig()); err != nil {
		return err
	}
	close(b.fronted)
	server := b.wireServer(ctx, b.front)
	if err := b.listen(ctx); err != nil {
		return err
	}
	if err := b.register(ctx); err != nil {
		return err
	}
	g.Go("heartbeat", b.member.Run)
	if err := b.member.Unfenced(ctx); err != nil {
		return err
	}
	if err := b.createTopics(ctx, g); err != nil {
		return err
	}
	// Who connects early waits until the cluster uses this broker: what it asked would be
	// refused for want of brokers.
	for _, l := range b.open {
		g.Go("listener "+l.Name, func(ctx context.Context) error { return server.Serve(ctx, l.ln, l.Name) })
	}
	return nil
}

// openZooKeeper shows the cluster to tools that look for ZooKeeper, if that is wanted.
func (b *Broker) openZooKeeper(ctx context.Context, g *run.Group) error {
	if b.cfg.ZooKeeper == "" {
		return nil
	}
	ln, err := b.cfg.Listen(ctx, b.cfg.ZooKeeper)
	if err != nil {
		return fmt.Errorf("zookeeper listener on %s: %w", b.cfg.ZooKeeper, err)
	}
	view := zkview.New(b.feed, b.cfg.Release, b.cfg.Log)
	g.Go("zookeeper", func(ctx context.Context) error { return view.Serve(ctx, ln) })
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

func (b *Broker) random64() uint64 {
	var buf [8]byte
	b.cfg.Random(buf[:])
	return binary.LittleEndian.Uint64(buf[:])
}

func (b *Broker) wireServer(ctx context.Context, desk *api.Server) *wire.Server {
	v := b.settings.Values()
	return &wire.Server{
		Handler: desk, Limits: b.limits(ctx, v), Budget: wire.NewBudget(config.MemoryRequestBytes.Get(v)),
		Log: b.cfg.Log, Observer: b.metrics, Supported: desk.Supported,
	}
}
