package api

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// writeTxn appends a batch of a transaction to a partition of topic a.
func (h *replicas) writeTxn(number int32, pid int64, epoch int16, seq int32, values ...string) {
	h.t.Helper()
	p := h.list[model.TopicPartition{Topic: "a", Partition: number}]
	b := record.NewBuilder(record.BuilderConfig{ProducerID: pid, ProducerEpoch: epoch, BaseSequence: seq, Transactional: true})
	for i, v := range values {
		b.Append(record.Record{Offset: int64(i), Timestamp: 1000, Value: []byte(v)})
	}
	built, err := b.Build()
	if err != nil {
		h.t.Fatal(err)
	}
	g, _, err := p.BeginTxn(pid, epoch, seq, true)
	if err == nil {
		_, err = p.Append(built, partition.AppendArgs{ProduceVersion: 12, Acks: 1, Guard: g})
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// marker asks for the end of a producer's transaction on partitions.
func marker(pid int64, epoch int16, commit bool, topic string, partitions ...int32) kmsg.WriteTxnMarkersRequestMarker {
	m := kmsg.NewWriteTxnMarkersRequestMarker()
	m.ProducerID, m.ProducerEpoch, m.Committed, m.TransactionVersion = pid, epoch, commit, 2
	t := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
	t.Topic, t.Partitions = topic, partitions
	m.Topics = append(m.Topics, t)
	return m
}

func (d *desk) write(version int16, markers ...kmsg.WriteTxnMarkersRequestMarker) (answer []string) {
	d.t.Helper()
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Markers = markers
	for _, m := range ask[*kmsg.WriteTxnMarkersResponse](d, version, req).Markers {
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				s := fmt.Sprintf("%d %s-%d", m.ProducerID, t.Topic, p.Partition)
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					s += " " + err.(*kerr.Error).Message
				}
				answer = append(answer, s)
			}
		}
	}
	return answer
}

// Markers end transactions on the partitions that this broker leads, by the rules of their
// version; the others are answered by what is wrong.
func TestWriteTxnMarkers(t *testing.T) {
	d, h := serving(t, map[string][][]int32{"a": {{1}, {1}, {2, 1}}})
	h.writeTxn(0, 7, 0, 0, "x")
	h.writeTxn(1, 7, 0, 0, "x")
	h.writeTxn(1, 8, 3, 0, "x")
	want(t, "both of one", fmt.Sprint(d.write(2, marker(7, 1, true, "a", 0, 1))), "[7 a-0 7 a-1]")
	want(t, "the same epoch, by version 2", fmt.Sprint(d.write(2, marker(8, 3, false, "a", 1))), "[8 a-1 INVALID_PRODUCER_EPOCH]")
	want(t, "before there were versions", fmt.Sprint(d.write(1, marker(8, 3, false, "a", 1))), "[8 a-1]")
	want(t, "not here, not led, and nobody's", fmt.Sprint(d.write(2, marker(7, 2, true, "b", 0), marker(9, 0, true, "a", 2), marker(-1, 0, true, "a", 0))),
		"[7 b-0 NOT_LEADER_FOR_PARTITION 9 a-2 NOT_LEADER_FOR_PARTITION -1 a-0 INVALID_PRODUCER_ID_MAPPING]")
	want(t, "one producer twice", fmt.Sprint(d.write(2, marker(7, 2, true, "a", 0), marker(8, 4, true, "a", 0), marker(7, 2, true, "a", 1))), "[7 a-0 7 a-1 8 a-0]")
	if got := d.write(2); len(got) != 0 {
		t.Errorf("no markers: %v", got)
	}
	for number, end := range map[int32]int64{0: 4, 1: 5} {
		if o, err := h.list[model.TopicPartition{Topic: "a", Partition: number}].Offsets(); err != nil || o.Stable != o.End || o.End != end {
			t.Errorf("partition %d: %+v, %v; want an end of %d", number, o, err, end)
		}
	}
}

// A marker is answered when it is committed.
func TestWriteTxnMarkersWaits(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, h := serving(t, map[string][][]int32{"a": {{1}, {1, 2}}}, func(_ *desk, c *Config) { c.ControlTimeout = time.Minute })
		h.writeTxn(1, 7, 0, 0, "x")
		ch := make(chan []string, 1)
		go func() { ch <- d.write(2, marker(7, 1, true, "a", 0, 1)) }()
		synctest.Wait()
		select {
		case got := <-ch:
			t.Fatalf("answered before it is committed: %v", got)
		default:
		}
		p := h.list[model.TopicPartition{Topic: "a", Partition: 1}]
		if _, err := p.ReadAsFollower(partition.FollowerFetch{Node: 2, BrokerEpoch: 20, ReadArgs: partition.ReadArgs{From: 2, CurrentEpoch: -1, LastFetchedEpoch: -1}}); err != nil {
			t.Fatal(err)
		}
		want(t, "once the follower has it", fmt.Sprint(<-ch), "[7 a-0 7 a-1]")
		go func() { ch <- d.write(2, marker(8, 1, true, "a", 1)) }()
		want(t, "if it never has it", fmt.Sprint(<-ch), "[8 a-1 REQUEST_TIMED_OUT]")
	})
}

// markedGroups takes the markers of __consumer_offsets; all wait for each other.
type markedGroups struct {
	Groups
	err   error
	mu    sync.Mutex
	left  int // to come before any is answered
	all   chan struct{}
	asked []string
}

func (g *markedGroups) CompleteTxn(ctx context.Context, partition int32, p runtime.Producer, m record.EndTxnMarker, version int16) error {
	g.mu.Lock()
	g.asked = append(g.asked, fmt.Sprintf("%d: %d.%d commit %v by %d of %d", partition, p.ID, p.Epoch, m.Commit, m.CoordinatorEpoch, version))
	if g.left--; g.left == 0 {
		close(g.all)
	}
	g.mu.Unlock()
	select {
	case <-g.all:
	case <-ctx.Done():
	}
	return g.err
}

// Markers for groups are the group coordinator's, all at once.
func TestWriteTxnMarkersOfGroups(t *testing.T) {
	g := &markedGroups{left: 2, all: make(chan struct{})}
	d, h := serving(t, map[string][][]int32{model.ConsumerOffsetsTopic: {{1}}}, func(_ *desk, c *Config) { c.Groups = g })
	m := marker(7, 1, true, model.ConsumerOffsetsTopic, 0)
	m.CoordinatorEpoch = 5
	want(t, "two of them", fmt.Sprint(d.write(2, m, marker(8, 1, false, model.ConsumerOffsetsTopic, 0, 1))),
		"[7 __consumer_offsets-0 8 __consumer_offsets-0 8 __consumer_offsets-1 NOT_LEADER_FOR_PARTITION]")
	if len(g.asked) != 2 {
		t.Errorf("the coordinator was asked: %v", g.asked)
	}
	for _, err := range []error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable} {
		g.err = err
		want(t, err.Error(), fmt.Sprint(d.write(2, m)), "[7 __consumer_offsets-0 NOT_LEADER_FOR_PARTITION]")
	}
	g.err = kerr.InvalidProducerEpoch
	want(t, "too late", fmt.Sprint(d.write(2, m)), "[7 __consumer_offsets-0 INVALID_PRODUCER_EPOCH]")
	if o, err := h.list[model.TopicPartition{Topic: model.ConsumerOffsetsTopic}].Offsets(); err != nil || o.End != 0 {
		t.Errorf("the partition was written to directly: %+v, %v", o, err)
	}
}

// The logs of the other coordinators have one writer, who would not survive another.
func TestWriteTxnMarkersIntoCoordinators(t *testing.T) {
	d, h := serving(t, map[string][][]int32{model.TransactionStateTopic: {{1}}, model.ShareGroupStateTopic: {{1}}})
	want(t, "markers", fmt.Sprint(d.write(2, marker(7, 1, true, model.TransactionStateTopic, 0), marker(8, 1, true, model.ShareGroupStateTopic, 0))),
		"[7 __transaction_state-0 UNSUPPORTED_FOR_MESSAGE_FORMAT 8 __share_group_state-0 UNSUPPORTED_FOR_MESSAGE_FORMAT]")
	for tp, p := range h.list {
		if o, err := p.Offsets(); err != nil || o.End != 0 {
			t.Errorf("%s was written to: %+v, %v", tp, o, err)
		}
	}
}
