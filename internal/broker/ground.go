package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/identity"
	"github.com/odradek/odradek/internal/cluster/peers"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/host"
)

// metadataFolder holds the cluster's log, as Kafka names it.
const (
	metadataFolder = model.ClusterMetadataTopic + "-0"
	metadataLock   = ".cluster_metadata.lock"
)

// ground starts what everything else stands on: the lines to other nodes, this node's
// part in the quorum, and the controller. It returns when this node knows all that was
// agreed on before it asked.
func (b *Broker) ground(ctx context.Context, g *run.Group) error {
	if err := b.identify(); err != nil {
		return err
	}
	if b.cfg.Controller {
		if err := b.openQuorum(); err != nil {
			return err
		}
	}
	var err error
	if b.peers, err = peers.New(b.peersConfig()); err != nil {
		return errors.Join(err, b.closeQuorum())
	}
	g.Go("refusal", b.awaitRefusal)
	if b.cfg.Controller {
		// Whatever happens from here on, the quorum's goroutine gives the lock back.
		g.Go("quorum", func(ctx context.Context) error { return errors.Join(b.quorum.Run(ctx), b.lock.Close()) })
		g.Go("controller", b.control.Run)
		g.Go("bootstrap", b.bootstrap)
		if err := b.openControllers(ctx, g); err != nil {
			return err
		}
	}
	if !b.cfg.alone() || len(b.cfg.Controllers) > 0 {
		g.Go("peers", b.peers.Run)
		g.Go("metadata", b.peers.Follow)
	}
	if err := b.caughtUp(ctx); err != nil {
		return err
	}
	if err := b.who.Format(b.feed.Image().ClusterID); err != nil {
		return err
	}
	b.clusterID = b.feed.Image().ClusterID
	if len(b.controllers) > 0 {
		g.Go("registration", b.registerController)
	}
	return nil
}

// caughtUp waits until this node knows what was committed when it asked, and the cluster
// has a name.
func (b *Broker) caughtUp(ctx context.Context) error {
	if err := b.peers.CaughtUp(ctx); err != nil {
		return err
	}
	image := b.feed.Image()
	for image.ClusterID == "" {
		next, _, err := b.feed.Next(ctx, image)
		if err != nil {
			return err
		}
		image = next
	}
	return nil
}

// identify finds out who the node is, and formats folders that are new.
func (b *Broker) identify() error {
	dirs := slices.Clone(b.cfg.LogDirs)
	if !slices.Contains(dirs, b.cfg.MetadataDir) {
		dirs = append(dirs, b.cfg.MetadataDir)
	}
	who, err := identity.Open(identity.Config{
		FS: b.cfg.FS, Dirs: dirs, Metadata: b.cfg.MetadataDir, Forming: !b.cfg.alone(),
		NodeID: b.cfg.NodeID, ClusterID: b.cfg.ClusterID, Rand: b.cfg.Random,
	})
	if err != nil {
		return err
	}
	b.who, b.told, b.directory = who, who.ClusterID, who.Dirs[slices.Index(dirs, b.cfg.MetadataDir)]
	for i, path := range b.cfg.LogDirs {
		b.dirs = append(b.dirs, host.Dir{Path: path, ID: who.Dirs[i], Err: who.Errs[i], Vital: path == b.cfg.MetadataDir})
	}
	return nil
}

// openQuorum opens the cluster's log and makes the controller that decides while this
// node leads.
func (b *Broker) openQuorum() error {
	// Two processes that write one log would ruin it. Partitions have locks of their own,
	// but are opened later.
	lock, err := b.cfg.FS.Lock(filepath.Join(b.cfg.MetadataDir, metadataLock))
	if err != nil {
		return fmt.Errorf("is another node running on %s? %w", b.cfg.MetadataDir, err)
	}
	b.lock = lock
	_, votes := b.cfg.Voters[b.cfg.NodeID]
	b.quorum, err = quorum.Open(quorum.Config{
		FS: b.cfg.FS, Dir: filepath.Join(b.cfg.MetadataDir, metadataFolder), Node: b.cfg.NodeID,
		Voters: b.voters(), Join: !votes && !b.cfg.alone(),
		Apply:    b.feed.ApplyEntry,
		Snapshot: func() []byte { _, data := b.feed.Snapshot(); return data },
		Restore:  b.feed.Restore,
		Lead:     b.lead, Resign: func() { b.control.Resign() },
		Send:          func(ms []*raftpb.Message) { b.peers.Send(ms) },
		SnapshotBytes: b.snapshotBytes(),
		Phase:         b.cfg.Phase, Rand: b.random64, Log: b.cfg.Log,
	})
	if err != nil {
		return errors.Join(fmt.Errorf("open the cluster's log: %w", err), lock.Close())
	}
	o := controller.Options{
		Node: b.cfg.NodeID, Feed: b.feed, Begin: b.quorum.Begin, Rules: b.settings.rules(),
		InterBroker: b.cfg.InterBroker, Voters: b.quorum,
		Rand: rand.New(rand.NewPCG(b.random64(), b.random64())), Log: b.cfg.Log,
	}
	if !b.cfg.alone() || len(b.cfg.Controllers) > 0 { // else there is nobody to look after
		o.Probe = controller.ProbeBy(b.cfg.Dial)
	}
	b.control = controller.New(o)
	return nil
}

// snapshotBytes is how far the cluster's log grows before a snapshot takes its place, 0 for
// what the quorum holds to be right.
func (b *Broker) snapshotBytes() int64 {
	if v := b.settings.Values(); config.MetadataLogMaxRecordBytesBetweenSnapshots.IsSet(v) {
		return config.MetadataLogMaxRecordBytesBetweenSnapshots.Get(v)
	}
	return 0
}

func (b *Broker) closeQuorum() error {
	if b.lock == nil {
		return nil
	}
	return b.lock.Close()
}

// voters are the ids of the first voters; none is this node alone.
func (b *Broker) voters() (ids []int32) {
	for id := range b.cfg.Voters {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// lead is told by the quorum that this node leads a term.
func (b *Broker) lead(term int64) {
	b.control.Lead(term)
	select {
	case <-b.led: // nobody has looked at the term before
	default:
	}
	b.led <- struct{}{}
}

// bootstrap writes what a new leader must write first: who leads, and in a cluster
// without a name, its name.
func (b *Broker) bootstrap(ctx context.Context) error {
	for {
		select {
		case <-b.led:
		case <-ctx.Done():
			return nil
		}
		name := b.feed.Image().ClusterID
		if name == "" {
			name = b.told
		}
		if name == "" {
			name = model.NewID(b.cfg.Random).String()
		}
		if err := b.control.Bootstrap(ctx, name); err != nil && ctx.Err() == nil {
			b.cfg.Log.Warn("a term of the controller begins without its first record", "err", err)
		}
	}
}

func (b *Broker) peersConfig() peers.Config {
	c := peers.Config{
		Node: b.cfg.NodeID, Directory: b.directory, Incarnation: b.incarnation, Release: b.cfg.Release,
		ClusterID: func() string {
			if name := b.feed.Image().ClusterID; name != "" {
				return name
			}
			return b.told
		},
		Dial:   b.dial,
		Voters: b.cfg.Voters, Bootstrap: b.cfg.Bootstrap, Feed: b.feed,
		Refused: b.refuse, Log: b.cfg.Log,
	}
	if b.cfg.Controller {
		c.Quorum, c.Leading = b.quorum, b.control.Leading
		c.LeaderGone, c.LineLost = b.quorum.LeaderGone, b.control.LineLost
	}
	if len(b.cfg.Controllers) > 0 {
		c.Listener = b.cfg.Controllers[0].Name
	}
	return c
}

// refuse is told that the cluster does not want this node.
func (b *Broker) refuse(err error) {
	select {
	case b.refused <- err:
	default:
	}
}

// awaitRefusal ends the node when the cluster does not want it.
func (b *Broker) awaitRefusal(ctx context.Context) error {
	select {
	case err := <-b.refused:
		return fmt.Errorf("the cluster refuses this node: %w", err)
	case <-ctx.Done():
		return nil
	}
}
