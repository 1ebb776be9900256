package txn

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/coord/runtime/memlog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Ids of several partitions of __transaction_state may come in one request. All are
// appended before the first is waited for, and one that cannot be answered spoils no other.
func TestManyPartitions(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWorld()
		next := int64(999)
		s := New(Config{
			Partitions:     func() int32 { return 4 },
			TxnVersion:     func() int16 { return 2 },
			ProducerID:     func(context.Context) (int64, error) { next++; return next, nil },
			GroupPartition: func(string) int32 { return -1 },
			Leader:         w.leader,
			Ask:            w.ask,
		})
		var running sync.WaitGroup
		running.Go(func() { _ = s.Run(ctx) })
		defer running.Wait()
		defer cancel()
		logs := []*memlog.Log{{}, {}, {}}
		for p, l := range logs { // partition 3 is led elsewhere
			s.Lead(int32(p), 0, l)
		}
		synctest.Wait()

		req := kmsg.NewPtrAddPartitionsToTxnRequest()
		req.Version = 5
		want := map[string]string{"": "INVALID_REQUEST"}
		req.Transactions = append(req.Transactions, addRequest(false, "", []string{"t/0"}, nil).Transactions...)
		for i := range 12 {
			id := fmt.Sprint("id", i)
			resp := s.InitProducerID(ctx, initRequest(id, nil))
			args := map[string]string{"as": fmt.Sprintf("%d/%d", resp.ProducerID, resp.ProducerEpoch)}
			if want[id] = "ok"; s.PartitionFor(id) == 3 {
				want[id] = "NOT_COORDINATOR"
				args["as"] = "1/0"
			}
			req.Transactions = append(req.Transactions, addRequest(false, id, []string{"t/0"}, args).Transactions...)
		}
		before := 0
		for _, l := range logs {
			l.Hold()
			before += l.Appends()
		}
		answered := make(chan *kmsg.AddPartitionsToTxnResponse, 1)
		go func() { answered <- s.AddPartitionsToTxn(ctx, req) }()
		synctest.Wait()
		appends := -before
		for _, l := range logs {
			appends += l.Appends()
			l.Commit()
		}
		if appends != len(logs) {
			t.Errorf("%d appends before the first is committed, want one a partition", appends)
		}
		for _, x := range (<-answered).Transactions {
			if got := errorName(x.Topics[0].Partitions[0].ErrorCode); got != want[x.TransactionalID] {
				t.Errorf("%q: %s, want %s", x.TransactionalID, got, want[x.TransactionalID])
			}
			delete(want, x.TransactionalID)
		}
		if len(want) > 0 {
			t.Errorf("no answer to %v", want)
		}
		if n := len(s.ListTransactions(ctx, listRequest(nil)).TransactionStates); n == 0 {
			t.Error("nothing is listed")
		}

		// Logs that wait for their replicas are waited for at the same time.
		for i := range req.Transactions {
			req.Transactions[i].Topics[0].Partitions = []int32{1}
		}
		for _, l := range logs {
			l.Hold()
		}
		began := time.Now()
		s.AddPartitionsToTxn(ctx, req)
		if took := time.Since(began); took < 5*time.Second || took >= 10*time.Second {
			t.Errorf("answered after %v, want once the time for a commit", took)
		}
		for _, l := range logs {
			l.Commit()
		}

		logs[1].Lead(1, true) // by others, as nobody has told
		if resp := s.ListTransactions(ctx, listRequest(nil)); resp.ErrorCode != 0 {
			t.Errorf("a partition that was lost spoils the list: %s", errorName(resp.ErrorCode))
		}
	})
}

// Before the topic is known nobody is told anything but to come again.
func TestNoTopic(t *testing.T) {
	s := New(Config{
		Partitions:     func() int32 { return 0 },
		TxnVersion:     func() int16 { return 2 },
		ProducerID:     func(context.Context) (int64, error) { return 7, nil },
		GroupPartition: func(string) int32 { return -1 },
		Leader:         newWorld().leader,
		Ask:            newWorld().ask,
	})
	ctx := context.Background()
	offsets := kmsg.NewPtrAddOffsetsToTxnRequest()
	offsets.TransactionalID = "p"
	for what, got := range map[string]int16{
		"init":    s.InitProducerID(ctx, initRequest("p", nil)).ErrorCode,
		"add":     s.AddPartitionsToTxn(ctx, addRequest(false, "p", []string{"t/0"}, nil)).Transactions[0].Topics[0].Partitions[0].ErrorCode,
		"offsets": s.AddOffsetsToTxn(ctx, offsets).ErrorCode,
		"end":     s.EndTxn(ctx, endRequest(true, "p", nil)).ErrorCode,
	} {
		if got != kerr.CoordinatorNotAvailable.Code {
			t.Errorf("%s: %s", what, errorName(got))
		}
	}
	req := kmsg.NewPtrInitProducerIDRequest()
	if resp := s.InitProducerID(ctx, req); resp.ErrorCode != 0 || resp.ProducerID != 7 || resp.ProducerEpoch != 0 {
		t.Errorf("without a transactional id: %+v", resp)
	}
}

// Who repeats an id is answered once.
func TestDescribeRepeated(t *testing.T) {
	s := New(Config{
		Partitions: func() int32 { return 0 },
		TxnVersion: func() int16 { return 2 },
		Leader:     newWorld().leader,
		Ask:        newWorld().ask,
	})
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{"q", "p", "q", "q"}
	got := ""
	for _, x := range s.DescribeTransactions(context.Background(), req).TransactionStates {
		got += x.TransactionalID
	}
	if got != "qp" {
		t.Errorf("answered: %s", got)
	}
}

// A transaction that takes too long is aborted in its time though the hour was wrong when it
// began, or is now; one that began elsewhere in the future is aborted as long after the move.
func TestOverdueByTheWrongHour(t *testing.T) {
	for name, script := range map[string]string{
		"set right": `
			init p timeout=6000 -> 1000/0
			hour 50m
			add p as=1000/0 t/0 -> ok
			hour 0s
			after 4s
			describe p -> Ongoing 1000/0 open=t/0
			after 17s
			markers -> 1: abort 1000/1 t/0
			describe p -> CompleteAbort 1000/1`,
		"elsewhere": `
			init p timeout=6000 -> 1000/0
			hour 50m
			add p as=1000/0 t/0 -> ok
			log moves
			after 4s
			describe p -> Ongoing 1000/0 open=t/0
			after 17s
			markers -> 1: abort 1000/1 t/0 coordinator=1
			describe p -> CompleteAbort 1000/1`,
		"set forward": `
			init p timeout=60000 -> 1000/0
			add p as=1000/0 t/0 -> ok
			hour 50m
			after 30s
			add p as=1000/0 u/0 -> ok
			after 20s
			describe p -> Ongoing 1000/0 open=t/0,u/0
			after 20s
			describe p -> CompleteAbort 1000/1`,
		"open before a move": `
			init p timeout=60000 -> 1000/0
			add p as=1000/0 t/0 -> ok
			after 55s
			log moves
			after 11s
			describe p -> CompleteAbort 1000/1`,
	} {
		t.Run(name, func(t *testing.T) { play(t, Settings{}, script) })
	}
}
