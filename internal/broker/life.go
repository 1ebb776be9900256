package broker

import (
	"context"
	"time"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/member"
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

// lease reports whether the cluster may take this broker for alive. A node that decides
// alone need not ask.
func (b *Broker) lease() bool { return b.cfg.alone() || b.member.Lease() }

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
	alone := image.BrokerCount() == 1 && b.cfg.alone() && len(b.quorum.Status().Voters) == 1
	if alone && b.settings.allDurable(image) {
		return me.Epoch
	}
	return b.host.CleanEpoch()
}

// leaveTime bounds what a node does for others before it stops.
const leaveTime = 10 * time.Second

// leave has others take over what this node leads, before it stops serving. The last
// broker has nobody to hand anything to.
func (b *Broker) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	others := false
	for o := range b.feed.Image().Brokers() {
		others = others || o.ID != b.cfg.NodeID && !o.Fenced
	}
	if others && b.member != nil {
		if err := b.member.Shutdown(ctx); err != nil {
			b.cfg.Log.Warn("the node stops before others have taken over", "err", err)
		}
	}
	if b.quorum != nil {
		if err := b.quorum.TransferLeadership(ctx); err != nil {
			b.cfg.Log.Warn("the node stops while it leads the quorum", "err", err)
		}
	}
}
