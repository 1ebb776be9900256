package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/delivery"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// deliveryConfig is that of what hands records to members of share groups.
func (b *Broker) deliveryConfig() delivery.Config {
	return delivery.Config{
		Partition: b.host.Partition, Persister: b.sharing, Settings: b.settings.delivery, On: b.cfg.FS, Clock: b.cfg.Clock, Log: b.cfg.Log,
		Letters: delivery.Letters{
			Topic: b.letterTopic, Rules: b.settings.letterRules, Create: b.makeLetterTopic, Produce: b.writeLetters,
		},
	}
}

// deliverySettings remembers those of groups for as long as the image stays.
type deliverySettings struct {
	mu    sync.Mutex
	image *metadata.Image
	of    map[string]delivery.Settings
}

// delivery are the settings of a share group, which are asked for with every request.
func (s *settings) delivery(group string) delivery.Settings {
	image := s.feed.Image()
	known := &s.deliveries
	known.mu.Lock()
	if known.image != image || len(known.of) >= maxShared {
		known.image, known.of = image, make(map[string]delivery.Settings)
	}
	set, ok := known.of[group]
	known.mu.Unlock()
	if ok {
		return set
	}
	set = s.deliveryOf(image, group)
	known.mu.Lock()
	defer known.mu.Unlock()
	if known.image == image {
		known.of[group] = set
	}
	return set
}

func (s *settings) deliveryOf(image *metadata.Image, group string) delivery.Settings {
	own := image.Configs(metadata.Resource{Type: metadata.GroupResource, Name: group})
	v, _ := s.node(image).GroupValues(own) // what cannot be was stored by another version: it counts as unset
	broker := s.at(image).broker
	return delivery.Settings{
		Lock:          time.Duration(config.PerGroupShareRecordLockDurationMs.Get(v)) * time.Millisecond,
		Committed:     config.PerGroupShareIsolationLevel.Get(v) == "read_committed",
		Reset:         delivery.ParseReset(config.PerGroupShareAutoOffsetReset.Get(v)),
		MaxDeliveries: config.GroupShareDeliveryCountLimit.Get(broker),
		MaxInFlight:   config.GroupSharePartitionMaxRecordLocks.Get(broker),
		DeadLetters:   config.PerGroupDeadLetterTopicName.Get(v),
		CopyRecords:   config.PerGroupDeadLetterCopyRecordEnable.Get(v),
	}
}

// letterRules say which topics may be dead letter queues.
func (s *settings) letterRules() delivery.LetterRules {
	v := s.Values()
	return delivery.LetterRules{Prefix: config.DeadLetterTopicNamePrefix.Get(v), Create: config.DeadLetterAutoCreateTopicsEnable.Get(v)}
}

// letterTopic is a topic that is to be a dead letter queue.
func (b *Broker) letterTopic(name string) delivery.LetterTopic {
	image := b.feed.Image()
	t, ok := image.Topic(name)
	if !ok {
		return delivery.LetterTopic{}
	}
	return delivery.LetterTopic{Partitions: int32(len(t.Partitions)),
		Enabled: config.TopicDeadLetterGroupEnable.Get(b.settings.topicValues(image, name))}
}

// makeLetterTopic makes one, with as many partitions and replicas as the cluster gives.
func (b *Broker) makeLetterTopic(ctx context.Context, name string) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, -1, -1
	// Letters bear the time of their writing, by which they are kept.
	for _, set := range [][2]string{{config.TopicDeadLetterGroupEnable.Name, "true"}, {config.TopicMessageTimestampType.Name, "CreateTime"}} {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = set[0], &set[1]
		t.Configs = append(t.Configs, c)
	}
	req.Topics = append(req.Topics, t)
	answer, err := b.peers.Ask(ctx, req)
	if err != nil {
		return fmt.Errorf("make the dead letter queue %s: %w", name, err)
	}
	for _, r := range answer.(*kmsg.CreateTopicsResponse).Topics {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("make the dead letter queue %s: %w", name, err)
		}
	}
	return nil
}

// writeLetters writes records to a partition, wherever it is led, and returns when all that
// are in sync have them.
func (b *Broker) writeLetters(ctx context.Context, tp model.TopicPartition, records []record.Record) error {
	builder := record.NewBuilder(record.BuilderConfig{})
	for _, r := range records {
		builder.Append(r)
	}
	batch, err := builder.Build()
	if err != nil {
		return fmt.Errorf("letters to %s: %w", tp, err)
	}
	timeout := time.Duration(config.RequestTimeoutMs.Get(b.settings.Values())) * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	topic, now, ok := b.feed.Image().Partition(tp.Topic, tp.Partition)
	switch {
	case !ok:
		return fmt.Errorf("letters to %s: %w", tp, kerr.UnknownTopicOrPartition)
	case now.Leader == b.cfg.NodeID:
		err = b.appendLetters(ctx, tp, batch)
	default:
		err = b.sendLetters(ctx, now.Leader, topic.ID, tp, batch, timeout)
	}
	if err != nil {
		return fmt.Errorf("letters to %s: %w", tp, err)
	}
	return nil
}

func (b *Broker) appendLetters(ctx context.Context, tp model.TopicPartition, batch record.Batch) error {
	p, err := b.host.Partition(tp)
	if err != nil {
		return err
	}
	done, err := p.Append(batch, partition.AppendArgs{ProduceVersion: lettersVersion, Acks: -1})
	if err != nil {
		return err
	}
	return p.Wait(ctx, done.End, done.Epoch)
}

// lettersVersion is the version of Produce by whose rules letters are written.
const lettersVersion = 11

func (b *Broker) sendLetters(ctx context.Context, leader int32, id model.ID, tp model.TopicPartition, batch record.Batch, timeout time.Duration) error {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, int32(min(timeout/time.Millisecond, 1<<31-1))
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = tp.Topic, id
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = tp.Partition, batch
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	answer, err := b.brokers.Ask(ctx, leader, req)
	if err != nil {
		return err
	}
	for _, t := range answer.(*kmsg.ProduceResponse).Topics {
		for _, p := range t.Partitions {
			return kerr.ErrorForCode(p.ErrorCode)
		}
	}
	return kerr.UnknownServerError // it says nothing
}
