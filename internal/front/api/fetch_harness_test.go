package api

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// replicas are the partitions of a broker, on a disk in memory, with a journal that is
// always at once.
type replicas struct {
	Host
	t    testing.TB
	node int32
	disk *vfs.Mem
	feed *metadata.Feed
	list map[model.TopicPartition]*partition.Partition
	held bool // appends are not made durable
	safe int  // min.insync.replicas; 0 is 1
}

func (h *replicas) Open(p *partition.Partition) (partition.Opened, error) {
	log, err := commitlog.Open(commitlog.Options{FS: h.disk, Dir: "/d/" + p.TP().String(), ID: p.ID(), Config: p.Settings().Log})
	return partition.Opened{Log: log}, err
}

func (*replicas) Commit(*partition.Partition) {}

func (h *replicas) Submit(p *partition.Partition, _, end int64, _ []byte, _ bool) error {
	if !h.held {
		p.Durable(end)
	}
	return nil
}

func (h *replicas) Close(_ *partition.Partition, log *commitlog.Log) error { return log.Close() }
func (h *replicas) Truncated(*partition.Partition, *commitlog.Log, int64) error {
	return nil
}
func (h *replicas) Keep(*partition.Partition, *commitlog.Log) error    { return nil }
func (h *replicas) Started(*partition.Partition, *commitlog.Log) error { return nil }
func (h *replicas) Broken(p *partition.Partition, err error)           { h.t.Errorf("%v: %v", p.TP(), err) }

func (h *replicas) Partition(tp model.TopicPartition) (*partition.Partition, error) {
	if p := h.list[tp]; p != nil {
		return p, nil
	}
	return nil, kerr.NotLeaderForPartition
}

func (h *replicas) DeleteRecords(p *partition.Partition, before int64) (int64, error) {
	return p.DeleteRecords(before)
}

// assign gives every partition the role that the image has for it.
func (h *replicas) assign() {
	for t := range h.feed.Image().Topics() {
		for i, is := range t.Partitions {
			tp := model.TopicPartition{Topic: t.Name, Partition: int32(i)}
			p := h.list[tp]
			if p == nil {
				one := commitlog.Default()
				one.SegmentMs = math.MaxInt64 // one segment, however old records say they are
				p = partition.New(partition.Config{TP: tp, ID: model.IDPartition{Topic: t.ID, Partition: int32(i)}, Home: h,
					Settings: &partition.Settings{Log: one, Durable: true,
						Rules:         record.Rules{MaxMessageBytes: 1 << 20, BeforeMaxMs: math.MaxInt64, AfterMaxMs: math.MaxInt64},
						FlushMessages: math.MaxInt64, FlushMillis: math.MaxInt64, MinISR: max(h.safe, 1), DeleteAllowed: true}})
				h.list[tp] = p
			}
			p.Assign(partition.Role{Self: h.node, Leader: is.Leader, Leading: is.Leader == h.node, Epoch: is.LeaderEpoch,
				PartitionEpoch: is.PartitionEpoch, ISR: is.ISR, Replicas: is.Replicas, Recovery: is.Recovery})
		}
	}
}

func withReplicas(h **replicas) option {
	return func(d *desk, c *Config) {
		*h = &replicas{t: d.t, node: c.NodeID, disk: vfs.NewMem(), feed: d.feed, list: map[model.TopicPartition]*partition.Partition{}}
		if err := vfs.MkdirAllDurable((*h).disk, "/d", 0o755); err != nil {
			d.t.Fatal(err)
		}
		c.Host = *h
	}
}

// serving is a desk of broker 1 with replicas of topics whose partitions have the given
// brokers; the first leads.
func serving(t testing.TB, topics map[string][][]int32, opts ...option) (*desk, *replicas) {
	t.Helper()
	var h *replicas
	d := newDesk(t, append([]option{withReplicas(&h)}, opts...)...)
	for id := int32(2); id <= 3; id++ {
		d.apply(broker(id, "PLAINTEXT"))
	}
	id := byte(0)
	for name, partitions := range topics {
		id++
		d.topic(name, id, partitions...)
	}
	h.assign()
	return d, h
}

// change makes something else true of a partition of the first topic.
func (h *replicas) change(d *desk, number int32, change func(*metadata.Partition)) {
	t, _ := d.feed.Image().TopicByID(model.ID{1})
	is := *t.Partitions[number]
	is.PartitionEpoch++
	change(&is)
	d.apply(metadata.ChangePartition{Topic: t.ID, Number: number, Partition: is})
	h.assign()
}

func (h *replicas) append(topic string, number int32, values ...string) {
	h.t.Helper()
	p := h.list[model.TopicPartition{Topic: topic, Partition: number}]
	if _, err := p.Append(batchOf(h.t, values...), partition.AppendArgs{ProduceVersion: 12, Acks: 1}); err != nil {
		h.t.Fatal(err)
	}
}

func batchOf(t testing.TB, values ...string) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.BuilderConfig{})
	for i, v := range values {
		b.Append(record.Record{Offset: int64(i), Timestamp: 1000, Value: []byte(v)})
	}
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// fetcher is a client that fetches in a session, with answers as text.
type fetcher struct {
	*desk
	node    int32 // -1: a consumer
	rack    string
	version int16
	maxWait int32
	session int32
	epoch   int32
}

func (d *desk) follower(node int32) *fetcher {
	return &fetcher{desk: d, node: node, version: 12}
}

// at is where a fetch goes on in a partition.
type at struct {
	topic  string
	number int32
	offset int64
}

func (f *fetcher) request(ats ...at) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version = f.version
	req.ReplicaID, req.MaxBytes, req.MinBytes, req.MaxWaitMillis, req.Rack = f.node, 1<<20, 1, f.maxWait, f.rack
	req.ReplicaState.ID, req.ReplicaState.Epoch = f.node, -1
	req.SessionID, req.SessionEpoch = f.session, f.epoch
	for _, a := range ats {
		t := kmsg.NewFetchRequestTopic()
		t.Topic = a.topic
		if topic, ok := f.feed.Image().Topic(a.topic); ok {
			t.TopicID = topic.ID
		}
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes = a.number, a.offset, 1<<20
		t.Partitions = []kmsg.FetchRequestTopicPartition{p}
		req.Topics = append(req.Topics, t)
	}
	return req
}

// fetch asks and notes the session.
func (f *fetcher) fetch(ats ...at) string {
	f.t.Helper()
	return f.answer(ask[*kmsg.FetchResponse](f.desk, f.version, f.request(ats...)))
}

func (f *fetcher) answer(resp *kmsg.FetchResponse) string {
	if f.session = resp.SessionID; f.session != 0 {
		f.epoch++
	}
	var parts []string
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		parts = append(parts, err.(*kerr.Error).Message)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			s := fmt.Sprintf("%s-%d hw=%d", t.Topic, p.Partition, p.HighWatermark)
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				s = fmt.Sprintf("%s-%d %s leader=%d/%d", t.Topic, p.Partition, err.(*kerr.Error).Message, p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch)
			}
			if p.PreferredReadReplica >= 0 {
				s += fmt.Sprintf(" ask=%d", p.PreferredReadReplica)
			}
			if len(p.RecordBatches) > 0 {
				s += fmt.Sprintf(" records=%d", countRecords(f.t, p.RecordBatches))
			}
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}

func countRecords(t testing.TB, batches []byte) (n int) {
	for len(batches) > 0 {
		b, rest, err := record.Split(batches)
		if err != nil {
			t.Fatal(err)
		}
		n += int(b.Count())
		batches = rest
	}
	return n
}
