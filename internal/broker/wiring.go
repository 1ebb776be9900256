package broker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/front/api"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/host"
	"github.com/twmb/franz-go/pkg/kerr"
)

// This file passes each room what it needs of the others.

func (b *Broker) hostConfig() host.Config {
	v := b.settings.Values()
	millis := func(n int64) time.Duration {
		return time.Duration(min(n, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
	}
	return host.Config{
		NodeID: b.cfg.NodeID, FS: b.cfg.FS, Dirs: b.dirs, Feed: b.feed,
		Settings: b.settings.topic, BrokerEpoch: b.epoch.Load, Random: b.random64, Log: b.cfg.Log,
		RetentionInterval: millis(config.LogRetentionCheckIntervalMs.Get(v)),
		CleanerBackoff:    millis(config.LogCleanerBackoffMs.Get(v)),
		DeleteDelay:       millis(config.LogSegmentDeleteDelayMs.Get(v)),
		JournalFileBytes:  int64(config.JournalFileBytes.Get(v)),
		JournalSmallBytes: config.JournalSmallBytes.Get(v),
	}
}

func (b *Broker) apiConfig() api.Config {
	return api.Config{
		NodeID: b.cfg.NodeID, Feed: b.feed, Controller: b.control, Groups: b.groups, Host: b.host,
		Settings: b.settings.Values, Static: b.cfg.Static, Quorum: b.quorum.Status,
		LogDirs: b.logDirs, Producers: b.producers, Features: controller.Features,
		Random: func(n int) int { return int(b.random64() % uint64(n)) },
		Log:    b.cfg.Log, LogLevel: b.cfg.Level,
	}
}

func (b *Broker) logDirs() []api.LogDir {
	var dirs []api.LogDir
	for _, d := range b.host.Describe() {
		dir := api.LogDir{Path: d.Path, Err: d.Err, Total: d.Total, Usable: d.Free}
		for _, r := range d.Replicas {
			dir.Partitions = append(dir.Partitions, api.LogDirPartition{TopicPartition: r.TP, Size: r.Bytes})
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
		ReplicationFactor: int16(config.ReplicationFactor(config.DefaultReplicationFactor, v, 1)),
		Features:          controller.Features,
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

// createTopics makes the topics of the configuration that do not exist.
func (b *Broker) createTopics(ctx context.Context) error {
	var topics []controller.NewTopic
	for _, spec := range b.cfg.CreateTopics {
		t := controller.NewTopic{Name: spec.Name, Partitions: spec.Partitions, ReplicationFactor: spec.Replicas}
		if spec.CleanupPolicy != "" {
			t.Configs = []controller.Config{{Key: "cleanup.policy", Value: &spec.CleanupPolicy}}
		}
		topics = append(topics, t)
	}
	if len(topics) == 0 {
		return nil
	}
	results, err := b.control.CreateTopics(ctx, topics, false)
	if err != nil {
		return fmt.Errorf("create the configured topics: %w", err)
	}
	var errs []error
	for _, r := range results {
		if r.Err != nil && !errors.Is(r.Err, kerr.TopicAlreadyExists) {
			errs = append(errs, fmt.Errorf("create the configured topic %s: %w", r.Name, r.Err))
		}
	}
	return errors.Join(errs...)
}
