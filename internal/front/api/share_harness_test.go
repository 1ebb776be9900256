package api

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/delivery"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// shareKeeper remembers where share partitions begin, and no more.
type shareKeeper struct {
	mu     sync.Mutex
	starts map[share.Key]int64
	delay  time.Duration
	fails  error
}

// set has what is asked from now on take a while, and fail with err.
func (k *shareKeeper) set(delay time.Duration, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.delay, k.fails = delay, err
}

func (k *shareKeeper) wait() error {
	k.mu.Lock()
	delay, err := k.delay, k.fails
	k.mu.Unlock()
	time.Sleep(delay)
	return err
}

func (k *shareKeeper) ReadState(_ context.Context, key share.Key, _ int32) (share.PartitionState, error) {
	if err := k.wait(); err != nil {
		return share.PartitionState{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	start, ok := k.starts[key]
	if !ok {
		start = share.NoStart
	}
	return share.PartitionState{Start: start}, nil
}

func (k *shareKeeper) WriteState(_ context.Context, key share.Key, _, _ int32, start int64, _ int32, _ []share.StateBatch) error {
	if err := k.wait(); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.starts[key] = start
	return nil
}

// sharing is a desk in a bubble whose broker has share groups, and topics with a partition
// each.
type sharing struct {
	*desk
	hosts  *replicas
	keeper *shareKeeper
	shares *delivery.Service
}

func withSharing(t *testing.T, topics map[string][][]int32, test func(*sharing)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		s := &sharing{keeper: &shareKeeper{starts: map[share.Key]int64{}}}
		ctx, cancel := context.WithCancel(context.Background())
		d, h := serving(t, topics, func(_ *desk, c *Config) {
			s.shares = delivery.New(delivery.Config{Partition: c.Host.Partition, Persister: s.keeper,
				Settings: func(string) delivery.Settings { return delivery.Settings{Reset: delivery.Reset{Earliest: true}} }})
			c.Deliveries = s.shares
		})
		s.desk, s.hosts = d, h
		d.apply(metadata.SetFeature{Name: "share.version", Level: 1})
		var running sync.WaitGroup
		running.Go(func() {
			if err := s.shares.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		test(s)
		cancel()
		running.Wait()
	})
}

// sharer is a member of a share group, that talks as consumers do.
type sharer struct {
	*sharing
	*desk
	id      string
	epoch   int32
	version int16
	req     func(*kmsg.ShareFetchRequest) // changes what is asked
}

func (s *sharing) member(id string) *sharer {
	return &sharer{sharing: s, desk: &desk{t: s.t, feed: s.feed, conn: s.dial()}, id: id, version: 2}
}

func ptr[T any](v T) *T { return &v }

// fetch asks for records of topics, with acknowledgements: "t 0-4 accept".
func (m *sharer) fetch(topics []string, acks ...string) string {
	return m.told(m.asks(topics, acks...))
}

func (m *sharer) request(topics []string, acks ...string) *kmsg.ShareFetchRequest {
	req := kmsg.NewPtrShareFetchRequest()
	req.GroupID, req.MemberID, req.ShareSessionEpoch = ptr("g"), ptr(m.id), m.epoch
	req.MaxBytes, req.MinBytes, req.MaxRecords, req.BatchSize, req.ShareAcquireMode = 1<<20, 1, 100, 100, 1
	at := map[string]int{}
	for _, name := range topics {
		at[name] = len(req.Topics)
		req.Topics = append(req.Topics, kmsg.ShareFetchRequestTopic{TopicID: m.topicID(name), Partitions: []kmsg.ShareFetchRequestTopicPartition{{}}})
	}
	for _, a := range acks {
		name, batch := parseAck(a)
		if _, ok := at[name]; !ok {
			at[name] = len(req.Topics)
			req.Topics = append(req.Topics, kmsg.ShareFetchRequestTopic{TopicID: m.topicID(name), Partitions: []kmsg.ShareFetchRequestTopicPartition{{}}})
		}
		p := &req.Topics[at[name]].Partitions[0]
		p.AcknowledgementBatches = append(p.AcknowledgementBatches, kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch(batch))
	}
	if m.req != nil {
		m.req(req)
	}
	return req
}

func (m *sharer) asks(topics []string, acks ...string) *kmsg.ShareFetchResponse {
	return ask[*kmsg.ShareFetchResponse](m.desk, m.version, m.request(topics, acks...))
}

func (m *sharer) topicID(name string) model.ID {
	t, ok := m.sharing.feed.Image().Topic(name)
	if !ok {
		return model.ID{0xee}
	}
	return t.ID
}

func (m *sharer) nameOf(id model.ID) string {
	t, ok := m.sharing.feed.Image().TopicByID(id)
	if !ok {
		return "?"
	}
	return t.Name
}

func parseAck(text string) (string, kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch) {
	w := strings.Fields(text)
	b := kmsg.NewShareAcknowledgeRequestTopicPartitionAcknowledgementBatch()
	if n, _ := fmt.Sscanf(w[1], "%d-%d", &b.FirstOffset, &b.LastOffset); n == 1 {
		b.LastOffset = b.FirstOffset
	}
	for _, k := range strings.Split(w[2], ",") {
		b.AcknowledgeTypes = append(b.AcknowledgeTypes, map[string]int8{"gap": 0, "accept": 1, "release": 2, "reject": 3, "renew": 4, "odd": 9}[k])
	}
	return w[0], b
}

// told is an answer as text.
func (m *sharer) told(resp *kmsg.ShareFetchResponse) string {
	if resp.ErrorCode == 0 {
		if m.epoch++; resp.AcquisitionLockTimeoutMillis != 30_000 {
			m.sharing.t.Errorf("a lock lasts %d ms", resp.AcquisitionLockTimeoutMillis)
		}
	}
	var parts []string
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		parts = append(parts, err.(*kerr.Error).Message)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			s := fmt.Sprintf("%s-%d", m.nameOf(t.TopicID), p.Partition)
			for _, a := range p.AcquiredRecords {
				s += fmt.Sprintf(" %d-%d×%d", a.FirstOffset, a.LastOffset, a.DeliveryCount)
			}
			if len(p.Records) > 0 {
				s += fmt.Sprintf(" of %d", countRecords(m.sharing.t, p.Records))
			}
			if p.ErrorCode != 0 {
				s += " " + kerr.TypedErrorForCode(p.ErrorCode).Message
			}
			if p.AcknowledgeErrorCode != 0 {
				s += " acks: " + kerr.TypedErrorForCode(p.AcknowledgeErrorCode).Message
			}
			if p.CurrentLeader.LeaderID != -1 {
				s += fmt.Sprintf(" leader=%d/%d", p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch)
			}
			parts = append(parts, s)
		}
	}
	for _, n := range resp.NodeEndpoints {
		parts = append(parts, fmt.Sprintf("%d=%s:%d", n.NodeID, n.Host, n.Port))
	}
	return strings.Join(parts, ", ")
}

// acks acknowledges and tells each partition's answer.
func (m *sharer) acks(acks ...string) string {
	req := kmsg.NewPtrShareAcknowledgeRequest()
	req.GroupID, req.MemberID, req.ShareSessionEpoch = ptr("g"), ptr(m.id), m.epoch
	for _, a := range acks {
		name, batch := parseAck(a)
		req.Topics = append(req.Topics, kmsg.ShareAcknowledgeRequestTopic{TopicID: m.topicID(name), Partitions: []kmsg.ShareAcknowledgeRequestTopicPartition{
			{AcknowledgementBatches: []kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch{batch}}}})
		req.IsRenewAck = req.IsRenewAck || batch.AcknowledgeTypes[0] == 4
	}
	resp := ask[*kmsg.ShareAcknowledgeResponse](m.desk, m.version, req)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err.(*kerr.Error).Message
	}
	m.epoch++
	var parts []string
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			s := m.nameOf(t.TopicID) + " ok"
			if p.ErrorCode != 0 {
				s = m.nameOf(t.TopicID) + " " + kerr.TypedErrorForCode(p.ErrorCode).Message
			}
			if p.CurrentLeader.LeaderID != -1 {
				s += fmt.Sprintf(" leader=%d/%d", p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch)
			}
			parts = append(parts, s)
		}
	}
	for _, n := range resp.NodeEndpoints {
		parts = append(parts, fmt.Sprintf("%d=%s:%d", n.NodeID, n.Host, n.Port))
	}
	return strings.Join(parts, ", ")
}
