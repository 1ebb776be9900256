package api

import (
	"bytes"
	"context"
	"testing"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The topic of transactions is made as its settings want it, with no more in-sync replicas
// than there are, and its leader is the coordinator.
func TestFindTransactionCoordinator(t *testing.T) {
	d := newDesk(t)
	d.settings["transaction.state.log.num.partitions"] = "3"
	find := func() kmsg.FindCoordinatorResponseCoordinator {
		return ask[*kmsg.FindCoordinatorResponse](d, 6, &kmsg.FindCoordinatorRequest{CoordinatorType: txnCoordinator, CoordinatorKeys: []string{"k"}}).Coordinators[0]
	}
	if c := find(); c.ErrorCode != kerr.CoordinatorNotAvailable.Code {
		t.Errorf("first: %+v", c)
	}
	topic, ok := d.feed.Image().Topic(model.TransactionStateTopic)
	if !ok || len(topic.Partitions) != 3 || len(topic.Partitions[0].Replicas) != 1 {
		t.Fatalf("topic %+v", topic)
	}
	configs := d.feed.Image().Configs(metadata.Resource{Type: metadata.TopicResource, Name: model.TransactionStateTopic})
	for name, want := range map[string]string{
		"cleanup.policy": "compact", "compression.type": "uncompressed", "min.insync.replicas": "1",
		"segment.bytes": "104857600", "unclean.leader.election.enable": "false",
	} {
		if configs[name] != want {
			t.Errorf("%s is %q, want %q", name, configs[name], want)
		}
	}
	if c := find(); c.ErrorCode != 0 || c.NodeID != 1 || c.Port != 9092 {
		t.Errorf("second: %+v", c)
	}
}

// Requests of transactions are the coordinator's, in every version.
func TestTransactionRequests(t *testing.T) {
	id := "t"
	for _, c := range []struct {
		req  kmsg.Request
		resp kmsg.Response
	}{
		{&kmsg.InitProducerIDRequest{TransactionalID: &id}, &kmsg.InitProducerIDResponse{ErrorCode: 51, ProducerID: -1, ProducerEpoch: -1}},
		{&kmsg.AddPartitionsToTxnRequest{TransactionalID: id}, &kmsg.AddPartitionsToTxnResponse{ThrottleMillis: 1}},
		{&kmsg.AddOffsetsToTxnRequest{TransactionalID: id, Group: "g"}, &kmsg.AddOffsetsToTxnResponse{ErrorCode: 51}},
		{&kmsg.EndTxnRequest{TransactionalID: id, Commit: true}, &kmsg.EndTxnResponse{ErrorCode: 51}},
		{&kmsg.DescribeTransactionsRequest{TransactionalIDs: []string{id}}, &kmsg.DescribeTransactionsResponse{ThrottleMillis: 1}},
		{&kmsg.ListTransactionsRequest{StateFilters: []string{"Empty"}}, &kmsg.ListTransactionsResponse{ErrorCode: 14}},
	} {
		d := newDesk(t)
		d.txns.answer = c.resp
		for v := int16(0); v <= c.req.MaxVersion(); v++ {
			d.txns.asked = nil
			resp := ask[kmsg.Response](d, v, c.req)
			if got := d.txns.asked; got == nil || got.Key() != c.req.Key() || got.GetVersion() != v {
				t.Errorf("%T v%d: the coordinator was asked %+v", c.req, v, got)
			}
			if got, want := resp.AppendTo(nil), c.resp.AppendTo(nil); !bytes.Equal(got, want) {
				t.Errorf("%T v%d: %x, want %x", c.req, v, got, want)
			}
		}
	}
}

// A request for the coordinators of many ids has their topic made once.
func TestFindManyCoordinators(t *testing.T) {
	asked := 0
	d := newDesk(t, func(_ *desk, c *Config) {
		c.Ask = func(context.Context, kmsg.Request) (kmsg.Response, error) {
			asked++
			return kmsg.NewPtrCreateTopicsResponse(), nil
		}
	})
	req := &kmsg.FindCoordinatorRequest{CoordinatorType: txnCoordinator, CoordinatorKeys: make([]string, 1000)}
	for _, c := range ask[*kmsg.FindCoordinatorResponse](d, 6, req).Coordinators {
		if c.ErrorCode != kerr.CoordinatorNotAvailable.Code {
			t.Fatalf("answer %+v", c)
		}
	}
	if asked != 1 {
		t.Errorf("the controller was asked %d times", asked)
	}
}
