package broker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/odradek/odradek/internal/base/run"

	"github.com/odradek/odradek/internal/cluster/brokers"
	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/peers"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/coord/enlist"
	"github.com/odradek/odradek/internal/front/api"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/host"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file passes each room what it needs of the others.

func (b *Broker) hostConfig() host.Config {
	v := b.settings.Values()
	millis := func(n int64) time.Duration {
		return time.Duration(min(n, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
	}
	return host.Config{
		NodeID: b.cfg.NodeID, FS: b.cfg.FS, Dirs: b.dirs, Feed: b.feed,
		Settings: b.settings.topic, BrokerEpoch: b.member.Epoch, Random: b.random64, Clock: b.cfg.Clock, Log: b.cfg.Log,
		RetentionInterval: millis(config.LogRetentionCheckIntervalMs.Get(v)),
		CleanerBackoff:    millis(config.LogCleanerBackoffMs.Get(v)),
		DeleteDelay:       millis(config.LogSegmentDeleteDelayMs.Get(v)),
		ScrubInterval:     millis(config.ScrubIntervalMs.Get(v)),
		ScrubRate:         config.ScrubBytesPerSecond.Get(v),
		JournalFileBytes:  int64(config.JournalFileBytes.Get(v)),
		JournalSmallBytes: config.JournalSmallBytes.Get(v),
		Replication: host.Replication{
			Dial: b.dialBroker, InterBroker: b.cfg.InterBroker, Ask: b.peers.Ask, Lease: b.lease,
			LagMax:           millis(config.ReplicaLagTimeMaxMs.Get(v)),
			Fetchers:         config.NumReplicaFetchers.Get(v),
			FetchWait:        millis(int64(config.ReplicaFetchWaitMaxMs.Get(v))),
			FetchMinBytes:    config.ReplicaFetchMinBytes.Get(v),
			FetchMaxBytes:    config.ReplicaFetchMaxBytes.Get(v),
			FetchAnswerBytes: config.ReplicaFetchResponseMaxBytes.Get(v),
			FetchBackoff:     millis(int64(config.ReplicaFetchBackoffMs.Get(v))),
			FetchTimeout:     millis(int64(config.ReplicaSocketTimeoutMs.Get(v))),
		},
	}
}

func (b *Broker) apiConfig() api.Config {
	c := api.Config{
		NodeID: b.cfg.NodeID, Feed: b.feed, Groups: b.groups, Transactions: b.txns, Shares: b.shares, Deliveries: b.deliveries, Host: b.host,
		Enlist:   enlist.New(b.enlistConfig()).Enlist,
		Settings: b.settings.Values, Static: b.cfg.Static, Quorum: b.status,
		Leading: b.leads, Forward: b.forward, Ask: b.peers.Ask,
		Undisputed: b.rivalry.undisputed,
		LogDirs:    b.logDirs, Producers: b.producers, Features: controller.Features,
		Random: b.randomBelow, Clock: b.cfg.Clock, Log: b.cfg.Log, LogLevel: b.cfg.Level,
		ControlTimeout: time.Duration(config.RequestTimeoutMs.Get(b.settings.Values())) * time.Millisecond,
	}
	if b.control != nil {
		c.Controller = b.control
	}
	return c
}

// brokersConfig is that of what this broker asks others, and itself.
func (b *Broker) brokersConfig() brokers.Config {
	return brokers.Config{
		Node: b.cfg.NodeID, Image: b.feed.Image, Listener: b.cfg.InterBroker, Dial: b.dialBroker, Local: b.askSelf,
		Timeout: time.Duration(config.RequestTimeoutMs.Get(b.settings.Values())) * time.Millisecond, Log: b.cfg.Log,
	}
}

// askSelf answers a request of this broker's own. A coordinator may ask before the desk is
// there.
func (b *Broker) askSelf(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	select {
	case <-b.fronted:
		return b.front.Local(ctx, req)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// closeBrokers ends the lines to other brokers when the rooms end.
func (b *Broker) closeBrokers(ctx context.Context) error {
	<-ctx.Done()
	b.brokers.Close()
	return nil
}

func (b *Broker) randomBelow(n int) int { return int(b.random64() % uint64(n)) }

// leads reports whether this node decides for the cluster now.
func (b *Broker) leads() bool { return b.control != nil && b.control.Leading() }

// forward has the active controller answer a request that came to this node.
func (b *Broker) forward(ctx context.Context, e api.Envelope) ([]byte, error) {
	return b.peers.Forward(ctx, peers.Envelope(e))
}

// dialBroker reaches another broker.
func (b *Broker) dialBroker(ctx context.Context, network, address string) (net.Conn, error) {
	patience := time.Duration(config.SocketConnectionSetupTimeoutMs.Get(b.settings.Values())) * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return b.cfg.Dial(ctx, network, address)
}

// dial reaches another node's controller listener.
func (b *Broker) dial(ctx context.Context, address string) (net.Conn, error) {
	return b.cfg.Dial(ctx, "tcp", address)
}

// status is the quorum as this node sees it; one that has no part in it knows who leads.
func (b *Broker) status() quorum.Status {
	if b.quorum != nil {
		return b.quorum.Status()
	}
	node, term := b.peers.Leader()
	return quorum.Status{Node: b.cfg.NodeID, Leader: node, Term: term, Applied: b.feed.Image().Offset}
}

func (b *Broker) logDirs() []api.LogDir {
	var dirs []api.LogDir
	for _, d := range b.host.Describe() {
		dir := api.LogDir{Path: d.Path, Err: d.Err, Total: d.Total, Usable: d.Free}
		for _, r := range d.Replicas {
			dir.Partitions = append(dir.Partitions, api.LogDirPartition{TopicPartition: r.TP, Size: r.Bytes, Lag: r.OffsetLag, Future: r.Future})
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

func (b *Broker) producers(tp model.TopicPartition) ([]api.Producer, error) {
	p, err := b.host.Partition(tp)
	if err != nil {
		return nil, err
	}
	entries, err := p.Producers()
	if err != nil {
		return nil, err
	}
	list := make([]api.Producer, len(entries))
	for i, e := range entries {
		list[i] = api.Producer{ID: e.ProducerID, Epoch: e.Epoch, LastSequence: e.LastSequence,
			LastTimestamp: e.LastTimestamp, CoordinatorEpoch: e.CoordinatorEpoch, TxnStart: e.TxnFirstOffset}
	}
	return list, nil
}

// rules are what the controller asks of requests on this node.
func (s *settings) rules() controller.Rules {
	v := s.Values()
	return controller.Rules{
		Partitions:        int32(config.NumPartitions.Get(v)),
		ReplicationFactor: int16(config.DefaultReplicationFactor.Get(v)),
		FewerReplicas:     !config.DefaultReplicationFactor.IsSet(v),
		Features:          controller.Features,
		SessionTimeout:    time.Duration(config.BrokerSessionTimeoutMs.Get(v)) * time.Millisecond,
		HeartbeatInterval: time.Duration(config.BrokerHeartbeatIntervalMs.Get(v)) * time.Millisecond,
		BalanceInterval:   balanceInterval(v),
		UncleanInterval:   time.Duration(min(config.UncleanLeaderElectionIntervalMs.Get(v), math.MaxInt64/int64(time.Millisecond))) * time.Millisecond,
		ValidateConfigs: func(r metadata.Resource, configs map[string]string) error {
			return s.node(s.feed.Image()).Validate(config.ResourceType(r.Type), r.Name, configs)
		},
		ListConfig: func(t metadata.ResourceType, key string) (string, bool) {
			return s.node(s.feed.Image()).List(config.ResourceType(t), key)
		},
		MinISR: func(m *metadata.Image, topic string) int {
			return config.TopicMinInSyncReplicas.Get(s.topicValues(m, topic))
		},
		Unclean: func(m *metadata.Image, topic string) bool {
			return config.TopicUncleanLeaderElectionEnable.Get(s.topicValues(m, topic))
		},
	}
}

// balanceInterval is how often leaders go back to preferred replicas; negative: never.
func balanceInterval(v config.Values) time.Duration {
	if !config.AutoLeaderRebalanceEnable.Get(v) {
		return -1
	}
	return seconds(config.LeaderImbalanceCheckIntervalSeconds.Get(v))
}

func seconds(n int64) time.Duration {
	return time.Duration(min(n, math.MaxInt64/int64(time.Second))) * time.Second
}

// createTopics makes the topics of the configuration that do not exist. Of a cluster that
// is only coming up there may be too few brokers for their replicas: then they are made
// when there are enough.
func (b *Broker) createTopics(ctx context.Context, g *run.Group) error {
	if len(b.cfg.CreateTopics) == 0 {
		return nil
	}
	err := b.tryTopics(ctx)
	if errors.Is(err, kerr.InvalidReplicationFactor) && !b.cfg.alone() {
		g.Go("topics", b.retryTopics)
		return nil
	}
	return err
}

func (b *Broker) retryTopics(ctx context.Context) error {
	image := b.feed.Image()
	for {
		next, changes, err := b.feed.Next(ctx, image)
		if err != nil {
			return nil // the context has ended
		}
		if image = next; len(changes.Brokers) == 0 {
			continue
		}
		if err := b.tryTopics(ctx); err == nil {
			return nil
		} else if !errors.Is(err, kerr.InvalidReplicationFactor) {
			b.cfg.Log.Error("the configured topics are not there", "err", err)
			return nil
		}
	}
}

func (b *Broker) tryTopics(ctx context.Context) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	for _, spec := range b.cfg.CreateTopics {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = spec.Name, spec.Partitions, spec.Replicas
		if spec.CleanupPolicy != "" {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = "cleanup.policy", &spec.CleanupPolicy
			t.Configs = append(t.Configs, c)
		}
		req.Topics = append(req.Topics, t)
	}
	answer, err := b.peers.Ask(ctx, req)
	if err != nil {
		return fmt.Errorf("create the configured topics: %w", err)
	}
	var errs []error
	for _, r := range answer.(*kmsg.CreateTopicsResponse).Topics {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			why := err.Error()
			if r.ErrorMessage != nil {
				why = *r.ErrorMessage
			}
			errs = append(errs, fmt.Errorf("create the configured topic %s: %s: %w", r.Topic, why, err))
		}
	}
	return errors.Join(errs...)
}
