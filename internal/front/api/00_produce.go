package api

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Produce, key 0, versions 3–13; 0–2 are advertised for librdkafka's sake
// (KAFKA-18659) and end the connection.
//
//	3  record batches, magic 2              10 leader hints (KIP-951)
//	7  zstd (KIP-110)                       11 TRANSACTION_ABORTABLE
//	8  errors by record (KIP-467)           12 transactions version 2
//	9  flexible                             13 topic ids (KIP-516)
//
// The append runs in the order of arrival on the connection's reader, so that a
// producer may send the next request at once; the answer waits until the records are
// committed. The batches pass through as they came: base offset and leader epoch are
// stamped into the frame, and the frame goes to the log. Before the first batch of a
// transaction its coordinator is asked: see produce_txn.go.
func (s *Server) produce(c *wire.Conn, r *wire.Request) wire.Pending {
	req := produceRequests.Get().(*wire.ProduceRequest)
	defer produceRequests.Put(req)
	if err := req.Decode(r.Version, r.Body); err != nil {
		return refuse(fmt.Errorf("produce version %d: %w", r.Version, err))
	}
	p := producing{server: s, image: s.cfg.Feed.Image(), version: r.Version, acks: req.Acks,
		timeout: time.Duration(req.TimeoutMillis) * time.Millisecond, listener: c.Listener(),
		admin: r.ClientID != nil && *r.ClientID == adminClient}
	p.topics = make([]producedTopic, len(req.Topics))
	if transactional(req) {
		p.appendTransactional(c, req)
	} else {
		p.appendAll(req)
	}
	r.Release()
	if req.Acks == 0 {
		return p.unanswered()
	}
	if !p.waits() {
		return r.Ready(wire.Produce(p.response()))
	}
	r.WillWait = p.waits
	return func(ctx context.Context) (wire.Reply, error) {
		p.wait(ctx)
		return wire.Produce(p.response()), nil
	}
}

// produceRequests are read into again and again: what they hold of a frame is not looked
// at once the request is appended.
var produceRequests = sync.Pool{New: func() any { return new(wire.ProduceRequest) }}

// adminClient is the client id by which Kafka's tools write into internal topics.
const adminClient = "__admin_client"

// read decodes a request's body, which the line has walked against its schema. Byte
// fields alias the frame.
func (s *Server) read(msg kmsg.Request, r *wire.Request) error {
	msg.SetVersion(r.Version)
	if err := msg.ReadFrom(r.Body); err != nil {
		return fmt.Errorf("%s version %d: %w", kmsg.NameForKey(r.Key), r.Version, err)
	}
	return nil
}

// producing is a Produce request between its append and its answer.
type producing struct {
	server   *Server
	image    *metadata.Image
	version  int16
	acks     int16
	timeout  time.Duration
	listener string
	admin    bool // Kafka's own tools may write into internal topics
	topics   []producedTopic
}

type producedTopic struct {
	name  string
	id    model.ID
	parts []produced
}

// produced is the fate of one partition's batch.
type produced struct {
	number  int32
	replica *partition.Partition
	partition.Appended
	err error
}

func (p *producing) appendAll(req *wire.ProduceRequest) {
	p.each(req, func(d *produced, topic string, records []byte) {
		if b := p.accept(d, topic, records); d.err == nil {
			d.Appended, d.err = d.replica.Append(b, partition.AppendArgs{ProduceVersion: p.version, Acks: p.acks})
		}
	})
}

// each visits the partitions in order, but those of topics that nobody knows.
func (p *producing) each(req *wire.ProduceRequest, visit func(d *produced, topic string, records []byte)) {
	for i := range req.Topics {
		t := &req.Topics[i]
		pt := producedTopic{name: t.Name, id: t.ID, parts: make([]produced, len(t.Partitions))}
		known := p.name(&pt)
		for j := range t.Partitions {
			d := &pt.parts[j]
			d.number = t.Partitions[j].Index
			if d.err = known; d.err == nil {
				visit(d, pt.name, t.Partitions[j].Records)
			}
		}
		p.topics[i] = pt
	}
}

// name finds the name of a topic that was given by its id (13).
func (p *producing) name(t *producedTopic) error {
	if p.version < 13 {
		return nil
	}
	topic, ok := p.image.TopicByID(t.id)
	if !ok {
		return kerr.UnknownTopicID
	}
	t.name = topic.Name
	return nil
}

// accept finds the batch and its replica, or notes why it cannot be appended.
func (p *producing) accept(d *produced, topic string, records []byte) (b record.Batch) {
	switch {
	case p.acks < -1 || p.acks > 1:
		d.err = kerr.InvalidRequiredAcks
	case model.Internal(topic) && !p.admin:
		d.err = kerr.InvalidTopicException
	}
	if d.err != nil {
		return nil
	}
	if b, d.err = record.Single(records); d.err != nil {
		return nil
	}
	d.replica, d.err = p.server.cfg.Host.Partition(model.TopicPartition{Topic: topic, Partition: d.number})
	return b
}

// unanswered ends a request with acks 0: nothing is said, but after an error the
// connection is closed, so that the client looks for the leader again.
func (p *producing) unanswered() wire.Pending {
	for i := range p.topics {
		for j := range p.topics[i].parts {
			if d := &p.topics[i].parts[j]; d.err != nil {
				return refuse(fmt.Errorf("produce with acks 0 to %s-%d: %w", p.topics[i].name, d.number, d.err))
			}
		}
	}
	return nil
}

// waits reports whether a batch has not settled yet.
func (p *producing) waits() bool {
	for i := range p.topics {
		for j := range p.topics[i].parts {
			if d := &p.topics[i].parts[j]; d.err == nil && !p.settled(d) {
				return true
			}
		}
	}
	return false
}

// settled reports whether a batch is what its producer waits for: committed, or, with
// acks 1, on this replica's disk. Without replicas that is the same.
func (p *producing) settled(d *produced) bool {
	return d.replica.HighWatermark() >= d.End || p.acks == 1 && d.replica.DurableEnd() >= d.End
}

// wait returns when every batch has settled or failed, or the client's time is up.
func (p *producing) wait(ctx context.Context) {
	if p.waits() { // else nobody looks at the time
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	for i := range p.topics {
		for j := range p.topics[i].parts {
			switch d := &p.topics[i].parts[j]; {
			case d.err != nil:
			case p.acks == 1:
				d.err = d.replica.WaitLocal(ctx, d.End, d.Epoch)
			default:
				d.err = d.replica.Wait(ctx, d.End, d.Epoch)
			}
		}
	}
}

func (p *producing) response() *kmsg.ProduceResponse {
	resp := kmsg.NewPtrProduceResponse()
	resp.Topics = make([]kmsg.ProduceResponseTopic, len(p.topics))
	newest := p.server.cfg.Feed.Image()
	var leaders map[int32]bool
	for i := range p.topics {
		t, rt := &p.topics[i], &resp.Topics[i]
		rt.Topic, rt.TopicID = t.name, t.id
		rt.Partitions = make([]kmsg.ProduceResponseTopicPartition, len(t.parts))
		for j := range t.parts {
			t.parts[j].answer(&rt.Partitions[j])
			if !errors.Is(t.parts[j].err, kerr.NotLeaderForPartition) {
				continue
			}
			if leaders == nil {
				leaders = make(map[int32]bool)
			}
			hint(newest, &rt.Partitions[j], t.name, leaders)
		}
	}
	for id := range leaders {
		if n, ok := aliveNode(newest, p.listener, id); ok {
			resp.Brokers = append(resp.Brokers, kmsg.ProduceResponseBroker{NodeID: n.id, Host: n.host, Port: n.port, Rack: n.rack})
		}
	}
	return resp
}

// hint tells the client who leads (KIP-951).
func hint(m *metadata.Image, rp *kmsg.ProduceResponseTopicPartition, topic string, leaders map[int32]bool) {
	if _, now, ok := m.Partition(topic, rp.Partition); ok {
		rp.CurrentLeader.LeaderID, rp.CurrentLeader.LeaderEpoch = now.Leader, now.LeaderEpoch
		leaders[now.Leader] = true
	}
}

// answer words the fate of a batch.
func (d *produced) answer(rp *kmsg.ProduceResponseTopicPartition) {
	rp.CurrentLeader.LeaderID, rp.CurrentLeader.LeaderEpoch = -1, -1
	rp.Partition, rp.ErrorCode = d.number, model.ErrorCode(d.err)
	rp.BaseOffset, rp.LogAppendTime, rp.LogStartOffset = -1, -1, -1
	if d.err == nil {
		rp.BaseOffset, rp.LogAppendTime, rp.LogStartOffset = d.Base, d.LogAppendTime, d.Start
		return
	}
	if planted.Is(planted.OffsetZeroOnError) {
		rp.BaseOffset = 0 // nobody looks at it
	}
	rp.ErrorMessage = model.ErrorMessage(d.err)
	for _, e := range d.RecordErrors {
		re := kmsg.NewProduceResponseTopicPartitionErrorRecord()
		re.RelativeOffset, re.ErrorMessage = e.Index, &e.Message
		rp.ErrorRecords = append(rp.ErrorRecords, re)
	}
}
