package behaviour

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sharer is a member of a share group that reads partition 0 of t, on a connection of its
// own.
type sharer struct {
	*conn
	group, id string
	topic     [16]byte
	epoch     int32 // of its next request
}

// sharing runs f with a node that has a topic t of one partition, and a group g that reads
// it from its start.
func sharing(t *testing.T, settings props, f func(n *node, c *conn)) {
	t.Helper()
	onNode(t, settings, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		r := kmsg.NewIncrementalAlterConfigsRequestResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeGroupConfig, "g"
		r.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "share.auto.offset.reset", Value: ptr("earliest")}}
		req.Resources = append(req.Resources, r)
		expect(t, "config of the group", ask[*kmsg.IncrementalAlterConfigsResponse](c, 1, req).Resources[0].ErrorCode, nil)
		f(n, c)
	})
}

// sharer is a member of group g that has joined and been told to read t.
func (n *node) sharer(id string) *sharer {
	n.t.Helper()
	m := &sharer{conn: n.dial(), group: "g", id: id}
	m.coordinator("g")
	m.topic = m.metadata(12, "t")[0].TopicID
	beat := kmsg.NewPtrShareGroupHeartbeatRequest()
	beat.GroupID, beat.MemberID, beat.SubscribedTopicNames = "g", id, []string{"t"}
	for range 100 {
		resp := ask[*kmsg.ShareGroupHeartbeatResponse](m.conn, 1, beat)
		expect(n.t, "heartbeat", resp.ErrorCode, nil)
		beat.MemberEpoch = resp.MemberEpoch
		if a := resp.Assignment; a != nil && len(a.TopicPartitions) == 1 && a.TopicPartitions[0].TopicID == m.topic {
			return m
		}
		time.Sleep(100 * time.Millisecond)
	}
	n.t.Fatalf("member %s is given nothing to read", id)
	return nil
}

// ack acknowledges records: by one type, or each by its own.
type ack struct {
	first, last int64
	types       []int8
}

const (
	accept  int8 = 1
	release int8 = 2
	reject  int8 = 3
	renew   int8 = 4
)

// asking is a fetch of so many records, that waits half a second if there are none.
func (m *sharer) asking(records int32, acks ...ack) *kmsg.ShareFetchRequest {
	req := kmsg.NewPtrShareFetchRequest()
	req.GroupID, req.MemberID, req.ShareSessionEpoch = &m.group, &m.id, m.epoch
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 500, 1, 1<<20
	req.MaxRecords, req.BatchSize, req.ShareAcquireMode = records, 500, 1
	p := kmsg.NewShareFetchRequestTopicPartition()
	for _, a := range acks {
		p.AcknowledgementBatches = append(p.AcknowledgementBatches, kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch{
			FirstOffset: a.first, LastOffset: a.last, AcknowledgeTypes: a.types})
	}
	if m.epoch == 0 || len(acks) > 0 {
		req.Topics = []kmsg.ShareFetchRequestTopic{{TopicID: m.topic, Partitions: []kmsg.ShareFetchRequestTopicPartition{p}}}
	}
	return req
}

// gets sends a fetch and makes its answer a text: "0-4×1" are records that were acquired,
// for the first time.
func (m *sharer) gets(req *kmsg.ShareFetchRequest) string {
	m.t.Helper()
	resp := ask[*kmsg.ShareFetchResponse](m.conn, 2, req)
	if err := kerr.TypedErrorForCode(resp.ErrorCode); err != nil {
		return err.Message
	}
	m.epoch++
	var words []string
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			for _, code := range []int16{p.ErrorCode, p.AcknowledgeErrorCode} {
				if err := kerr.TypedErrorForCode(code); err != nil {
					words = append(words, err.Message)
				}
			}
			for _, a := range p.AcquiredRecords {
				words = append(words, fmt.Sprintf("%d-%d×%d", a.FirstOffset, a.LastOffset, a.DeliveryCount))
			}
		}
	}
	return strings.Join(words, " ")
}

// fetch fetches up to a hundred records.
func (m *sharer) fetch(acks ...ack) string { m.t.Helper(); return m.gets(m.asking(100, acks...)) }

// acks acknowledges without a fetch.
func (m *sharer) acks(acks ...ack) int16 {
	m.t.Helper()
	req := kmsg.NewPtrShareAcknowledgeRequest()
	req.GroupID, req.MemberID, req.ShareSessionEpoch = &m.group, &m.id, m.epoch
	p := kmsg.NewShareAcknowledgeRequestTopicPartition()
	for _, a := range acks {
		p.AcknowledgementBatches = append(p.AcknowledgementBatches, kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch{
			FirstOffset: a.first, LastOffset: a.last, AcknowledgeTypes: a.types})
		req.IsRenewAck = req.IsRenewAck || slices.Contains(a.types, renew)
	}
	if len(acks) > 0 {
		req.Topics = []kmsg.ShareAcknowledgeRequestTopic{{TopicID: m.topic, Partitions: []kmsg.ShareAcknowledgeRequestTopicPartition{p}}}
	}
	resp := ask[*kmsg.ShareAcknowledgeResponse](m.conn, 2, req)
	if resp.ErrorCode != 0 {
		return resp.ErrorCode
	}
	m.epoch++
	if len(resp.Topics) == 0 {
		return 0
	}
	return resp.Topics[0].Partitions[0].ErrorCode
}

// start is the offset below which the group is done with all records of t.
func (m *sharer) start() int64 {
	m.t.Helper()
	req := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
	g := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
	g.GroupID = m.group
	t := kmsg.NewDescribeShareGroupOffsetsRequestGroupTopic()
	t.Topic, t.Partitions = "t", []int32{0}
	g.Topics = append(g.Topics, t)
	req.Groups = append(req.Groups, g)
	p := ask[*kmsg.DescribeShareGroupOffsetsResponse](m.conn, 1, req).Groups[0].Topics[0].Partitions[0]
	expect(m.t, "offsets of the group", p.ErrorCode, nil)
	return p.StartOffset
}

// Available, acquired, acknowledged, archived: who has a record has it alone, what is given
// back comes again, what is accepted or rejected does not.
func TestBehaviour118StatesOfRecords(t *testing.T) {
	sharing(t, nil, func(n *node, c *conn) {
		a, b := n.sharer("a"), n.sharer("b")
		same(t, "a opens its session", a.fetch(), "")
		same(t, "b opens its session", b.fetch(), "")
		c.must("t", newBatch("0", "1", "2", "3", "4", "5"))
		same(t, "a acquires", a.fetch(), "0-5×1")
		same(t, "b finds none", b.fetch(), "")
		expect(t, "b acknowledges", b.acks(ack{0, 0, []int8{accept}}), kerr.InvalidRecordState)
		expect(t, "there is no such type", a.acks(ack{0, 0, []int8{7}}), kerr.InvalidRequest)
		expect(t, "a acknowledges", a.acks(ack{0, 2, []int8{accept, release, reject}}), nil)
		expect(t, "a second time", a.acks(ack{0, 0, []int8{release}}), nil) // below the start: done with
		expect(t, "what it has given back", a.acks(ack{1, 1, []int8{accept}}), kerr.InvalidRecordState)
		same(t, "b acquires", b.fetch(), "1-1×2")
		time.Sleep(2 * time.Second)
		same(t, "start", a.start(), 1)
		same(t, "b acknowledges as it fetches", b.fetch(ack{1, 1, []int8{accept}}), "")
		time.Sleep(2 * time.Second)
		same(t, "start", a.start(), 3)
		same(t, "a acknowledges as it fetches", a.fetch(ack{3, 5, []int8{release}}), "3-5×2")
		expect(t, "a acknowledges", a.acks(ack{3, 5, []int8{accept}}), nil)
		time.Sleep(2 * time.Second)
		same(t, "start", a.start(), 6)
	})
}

func TestBehaviour118LocksLast30Seconds(t *testing.T) {
	sharing(t, nil, func(n *node, c *conn) {
		a, b := n.sharer("a"), n.sharer("b")
		a.fetch()
		b.fetch()
		c.must("t", newBatch("0", "1"))
		req := a.asking(100)
		resp := ask[*kmsg.ShareFetchResponse](a.conn, 2, req)
		same(t, "lock", resp.AcquisitionLockTimeoutMillis, 30_000)
		same(t, "records", len(resp.Topics[0].Partitions[0].AcquiredRecords), 1)
		a.epoch++
		time.Sleep(20 * time.Second)
		expect(t, "renew one", a.acks(ack{1, 1, []int8{renew}}), nil)
		time.Sleep(9 * time.Second)
		same(t, "after 29 s", b.fetch(), "")
		time.Sleep(time.Second)
		same(t, "after 31 s", b.fetch(), "0-0×2")
		expect(t, "too late", a.acks(ack{0, 0, []int8{accept}}), kerr.InvalidRecordState)
		expect(t, "what was renewed", a.acks(ack{1, 1, []int8{accept}}), nil)
	})
}

func TestBehaviour118RecordsAreDeliveredFiveTimes(t *testing.T) {
	sharing(t, nil, func(n *node, c *conn) {
		m := n.sharer("a")
		m.fetch()
		c.must("t", newBatch("poison"))
		c.must("t", newBatch("next"))
		for i := range 5 {
			same(t, "fetch", m.gets(m.asking(1)), fmt.Sprintf("0-0×%d", i+1))
			expect(t, "release", m.acks(ack{0, 0, []int8{release}}), nil)
		}
		same(t, "fetch", m.fetch(), "1-1×1")
		time.Sleep(2 * time.Second)
		same(t, "start", m.start(), 1)
	})
}

func TestBehaviour118SoManyAreInFlight(t *testing.T) {
	sharing(t, nil, func(n *node, c *conn) {
		m := n.sharer("a")
		m.fetch()
		ten := slices.Repeat([]string{"x"}, 10)
		for range 210 {
			c.must("t", newBatch(ten...))
		}
		var acquired int64
		for range 100 {
			got := m.fetch()
			if got == "" {
				break
			}
			for _, word := range strings.Fields(got) {
				var first, last int64
				if _, err := fmt.Sscanf(word, "%d-%d×1", &first, &last); err != nil || first != acquired {
					t.Fatalf("%q follows %d records", word, acquired)
				}
				acquired = last + 1
			}
		}
		same(t, "records in flight", acquired, 2000)
		expect(t, "some are done with", m.acks(ack{0, 49, []int8{accept}}), nil)
		same(t, "as many follow", m.fetch(), "2000-2049×1")
	})
}

func TestBehaviour119ShareSessions(t *testing.T) {
	sharing(t, nil, func(n *node, c *conn) {
		c.must("t", newBatch("0", "1", "2"))
		a, b := n.sharer("a"), n.sharer("b")
		a.epoch = 1
		same(t, "there is no session", a.fetch(), "SHARE_SESSION_NOT_FOUND")
		a.epoch = -1
		same(t, "none to close", a.fetch(), "SHARE_SESSION_NOT_FOUND")
		a.epoch = 0
		expect(t, "acknowledgements do not open one", a.acks(), kerr.InvalidShareSessionEpoch)
		same(t, "nor does a fetch that has some", a.fetch(ack{0, 0, []int8{accept}}), "INVALID_REQUEST")
		for i := 0; i < 100 && a.epoch == 0; i++ { // the share coordinator may come first
			if got := a.fetch(); got != "0-2×1" {
				if got != "" {
					t.Fatalf("opens: %s", got)
				}
				a.epoch = 0
				time.Sleep(100 * time.Millisecond)
			}
		}
		same(t, "epoch", a.epoch, 1)
		a.epoch = 2
		same(t, "an epoch too high", a.fetch(), "INVALID_SHARE_SESSION_EPOCH")
		expect(t, "an epoch too high", a.acks(ack{0, 0, []int8{accept}}), kerr.InvalidShareSessionEpoch)
		a.epoch = 1
		expect(t, "acknowledgements count", a.acks(ack{0, 0, []int8{accept}}), nil)
		a.epoch = 1
		same(t, "the same epoch again", a.fetch(), "INVALID_SHARE_SESSION_EPOCH")
		a.epoch = 2
		same(t, "the next one", a.fetch(), "")

		same(t, "b finds none", b.fetch(), "")
		a.epoch = -1
		expect(t, "the last request acknowledges", a.acks(ack{1, 1, []int8{accept}}), nil)
		same(t, "the rest is given back", b.fetch(), "2-2×2")
		a.epoch = 3
		same(t, "the session is closed", a.fetch(), "SHARE_SESSION_NOT_FOUND")

		b.nc.Close() // ends the session as well
		a.epoch = 0
		time.Sleep(time.Second)
		same(t, "b's is given back", a.fetch(), "2-2×3")
	})
}

func TestBehaviour119SessionsAreLimited(t *testing.T) {
	sharing(t, props{"group.share.max.share.sessions": "1", "group.share.max.size": "1"}, func(n *node, c *conn) {
		a := n.sharer("a")
		b := &sharer{conn: n.dial(), group: "h", id: "b", topic: a.topic}
		same(t, "the first", a.fetch(), "")
		same(t, "one too many", b.fetch(), "SHARE_SESSION_LIMIT_REACHED")
		same(t, "the first goes on", a.fetch(), "")
		a.epoch = -1
		same(t, "it closes", a.fetch(), "")
		same(t, "there is room", b.fetch(), "")
	})
}
