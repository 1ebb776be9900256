package api

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/coord/group"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TxnOffsetCommit writes what it is asked into the group's partition, as the coordinator
// does, and answers each partition with its own number as the error.
func (g *txnGroups) TxnOffsetCommit(_ context.Context, _ group.Caller, req *kmsg.TxnOffsetCommitRequest, guard runtime.Guard) *kmsg.TxnOffsetCommitResponse {
	b := piece{pid: req.ProducerID, epoch: req.ProducerEpoch, seq: -1, transactional: true}.batch(g.replicas.t)
	_, err := g.replicas.list[offsetsOf0].AppendTxn(b, 0, guard)
	resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	for _, t := range req.Topics {
		rt := kmsg.TxnOffsetCommitResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, kmsg.TxnOffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: model.ErrorCode(err)})
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

type txnGroups struct {
	Groups
	replicas *replicas
	nowhere  bool
}

func (g *txnGroups) PartitionFor(string) int32 {
	if g.nowhere {
		return -1
	}
	return 0
}

var offsetsOf0 = model.TopicPartition{Topic: model.ConsumerOffsetsTopic}

func txnOffsets(t *testing.T, r *register) (*desk, *txnGroups) {
	g := &txnGroups{}
	d, h := serving(t, map[string][][]int32{"a": {{1}, {2}}}, withRegister(r), func(_ *desk, c *Config) { c.Groups = g })
	g.replicas = h
	d.topic(model.ConsumerOffsetsTopic, 9, []int32{1})
	h.assign()
	return d, g
}

// txnCommit commits offsets of a-0, a-1 and of partitions that do not exist, and shows the
// errors.
func (d *desk) txnCommit(version int16, groupID string) string {
	d.t.Helper()
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = "x", groupID, 5, 1
	for _, topic := range []string{"none", "a"} {
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic = topic
		for _, n := range []int32{0, 7, 1} {
			p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			p.Partition = n
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	var s []string
	for _, t := range ask[*kmsg.TxnOffsetCommitResponse](d, version, req).Topics {
		for _, p := range t.Partitions {
			name := "ok"
			if p.ErrorCode != 0 {
				name = kerr.ErrorForCode(p.ErrorCode).(*kerr.Error).Message
			}
			s = append(s, fmt.Sprintf("%s-%d:%s", t.Topic, p.Partition, name))
		}
	}
	return strings.Join(s, " ")
}

// answers is what txnCommit shows when the known partitions have an error, or ok.
func answers(known string) string {
	unknown := kerr.UnknownTopicOrPartition.Message
	return fmt.Sprintf("none-0:%[2]s none-7:%[2]s none-1:%[2]s a-0:%[1]s a-7:%[2]s a-1:%[1]s", known, unknown)
}

// The group's partition is added to the transaction, or verified, before the coordinator
// of the group has the offsets; once it has been written to, no more.
func TestTxnOffsetCommit(t *testing.T) {
	for version, op := range []string{"verify", "verify", "verify", "verify", "verify-abortable", "add"} {
		bubble.Test(t, func(t *testing.T) {
			r := &register{}
			d, _ := txnOffsets(t, r)
			for i := range 2 {
				if got, want := d.txnCommit(int16(version), "g"), answers("ok"); got != want {
					t.Errorf("v%d: %s, want %s", version, got, want)
				}
				if i == 0 {
					wantAsked(t, r, op+" x/5/1 [__consumer_offsets-0]")
				} else {
					wantAsked(t, r)
				}
			}
		})
	}
}

func TestTxnOffsetCommitRefused(t *testing.T) {
	cases := []struct {
		says    error
		version int16
		want    *kerr.Error
	}{
		{kerr.InvalidTxnState, 3, kerr.InvalidTxnState},
		{kerr.TransactionAbortable, 4, kerr.TransactionAbortable},
		{kerr.InvalidProducerEpoch, 5, kerr.InvalidProducerEpoch},
		{kerr.InvalidProducerIDMapping, 5, kerr.InvalidProducerIDMapping},
		{kerr.NetworkException, 5, kerr.CoordinatorLoadInProgress},
		{kerr.NetworkException, 2, kerr.CoordinatorLoadInProgress},
		{kerr.NetworkException, 1, kerr.CoordinatorNotAvailable},
		{kerr.CoordinatorLoadInProgress, 0, kerr.CoordinatorNotAvailable},
		{kerr.CoordinatorNotAvailable, 3, kerr.CoordinatorNotAvailable},
		{kerr.NotCoordinator, 3, kerr.NotCoordinator},
		{kerr.ConcurrentTransactions, 4, kerr.ConcurrentTransactions},
		{kerr.ConcurrentTransactions, 5, kerr.ConcurrentTransactions},
	}
	for _, tc := range cases {
		bubble.Test(t, func(t *testing.T) {
			d, g := txnOffsets(t, &register{says: map[model.TopicPartition]error{offsetsOf0: tc.says}})
			if got, want := d.txnCommit(tc.version, "g"), answers(tc.want.Message); got != want {
				t.Errorf("%v, v%d: %s, want %s", tc.says, tc.version, got, want)
			}
			if end := g.replicas.logEnd(offsetsOf0); end != 0 {
				t.Errorf("%v: the log ends at %d", tc.says, end)
			}
		})
	}
	bubble.Test(t, func(t *testing.T) {
		r := &register{says: map[model.TopicPartition]error{offsetsOf0: kerr.ConcurrentTransactions}}
		r.then = func(n int) {
			if n == 3 {
				r.says = nil
			}
		}
		d, g := txnOffsets(t, r)
		if got, want := d.txnCommit(5, "g"), answers("ok"); got != want || len(r.wasAsked()) != 3 {
			t.Errorf("behind a transaction that ends: %s, want %s", got, want)
		}
		if got, want := d.txnCommit(5, ""), answers("INVALID_GROUP_ID"); got != want {
			t.Errorf("without a group: %s, want %s", got, want)
		}
		delete(g.replicas.list, offsetsOf0)
		if got, want := d.txnCommit(5, "g"), answers("NOT_COORDINATOR"); got != want {
			t.Errorf("elsewhere: %s, want %s", got, want)
		}
		g.nowhere = true
		if got, want := d.txnCommit(5, "g"), answers("COORDINATOR_NOT_AVAILABLE"); got != want {
			t.Errorf("before the topic is: %s, want %s", got, want)
		}
	})
}
