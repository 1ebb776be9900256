package broker

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/member"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/proto/model"
)

// memberConfig is that of the broker's side of its membership.
func (b *Broker) memberConfig() member.Config {
	v := b.settings.Values()
	return member.Config{
		Ask: b.peers.Ask, Feed: b.feed, Node: b.cfg.NodeID, Incarnation: b.incarnation,
		Registration: b.registration, OfflineDirs: func() []model.ID { return b.host.OfflineDirIDs() }, Log: b.cfg.Log,
		Interval: time.Duration(config.BrokerHeartbeatIntervalMs.Get(v)) * time.Millisecond,
		Session:  time.Duration(config.BrokerSessionTimeoutMs.Get(v)) * time.Millisecond,
	}
}

// registration is what the broker tells the cluster of itself: its listeners are open.
func (b *Broker) registration() member.Registration {
	r := member.Registration{
		Rack: b.cfg.Rack, Features: controller.Features, LogDirs: b.host.DirIDs(), PreviousEpoch: b.previous,
	}
	for _, o := range b.open {
		e, err := o.endpoint()
		if err != nil {
			panic("bug: a listener is open at no address: " + err.Error())
		}
		r.Endpoints = append(r.Endpoints, e)
	}
	return r
}

// register joins the cluster. A broker that is not let in for long says why and stops.
func (b *Broker) register(ctx context.Context) error {
	patience := time.Duration(config.InitialBrokerRegistrationTimeoutMs.Get(b.settings.Values())) * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return b.member.Register(ctx)
}

// lease reports whether the cluster may take this broker for alive. A node that decides
// alone need not ask.
func (b *Broker) lease() bool { return b.cfg.alone() || b.member.Lease() }

// previousEpoch is the registration since which this broker has lost no record that was
// acknowledged, -1 if that is not known: then the cluster trusts none of its replicas
// before they have caught up (KIP-966). The mark of a clean shutdown in its folders says so.
//
// Without the mark it is known all the same if every topic is committed only when it is on
// stable storage, and the folders are those that the broker had. A folder that is new, as
// after the loss of a disk, has another id. Where topics are committed by the operating
// system's time a crash may have taken what others count on.
func (b *Broker) previousEpoch() int64 {
	image := b.feed.Image()
	me, ok := image.Broker(b.cfg.NodeID)
	if !ok {
		return -1
	}
	here := b.host.DirIDs()
	lost := slices.ContainsFunc(me.LogDirs, func(id model.ID) bool { return !slices.Contains(here, id) })
	if !lost && b.settings.allDurable(image) {
		return me.Epoch
	}
	return b.host.CleanEpoch()
}

// What a node does for others before it stops is bounded: by leaveTime in all, and by
// lonelyTime without a controller, as when the whole cluster stops.
const (
	leaveTime  = 10 * time.Second
	lonelyTime = time.Second
)

// leave has others take over what this node leads, before it stops serving. The last
// broker has nobody to hand anything to.
func (b *Broker) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	waiting.Go(func() { b.giveUp(ctx, cancel) })
	defer cancel()
	others := false
	for o := range b.feed.Image().Brokers() {
		others = others || o.ID != b.cfg.NodeID && !o.Fenced
	}
	if others && b.member != nil && config.ControlledShutdownEnable.Get(b.settings.Values()) {
		if err := b.member.Shutdown(ctx); err != nil {
			b.cfg.Log.Warn("the node stops before others have taken over", "err", err)
		}
	}
	if b.quorum != nil && b.heard() {
		ctx, cancel := context.WithTimeout(ctx, lonelyTime)
		defer cancel()
		if err := b.quorum.TransferLeadership(ctx); err != nil {
			b.cfg.Log.Warn("the node stops while it leads the quorum", "err", err)
		}
	}
}

// giveUp calls stop when no controller has been known for a while.
func (b *Broker) giveUp(ctx context.Context, stop func()) {
	const look = lonelyTime / 10
	for lonely := time.Duration(0); lonely < lonelyTime; lonely += look {
		if node, _ := b.peers.Leader(); node >= 0 {
			lonely = 0
		}
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return
		}
	}
	stop()
}

// heard reports whether another voter answers.
func (b *Broker) heard() bool {
	return slices.ContainsFunc(b.quorum.Status().Voters, func(r quorum.Replica) bool {
		return r.Node != b.cfg.NodeID && r.Active
	})
}
