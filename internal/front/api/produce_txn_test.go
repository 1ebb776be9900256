package api

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/coord/enlist"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// register is a transaction coordinator as a broker sees it: it is asked, and says what a
// test wants.
type register struct {
	mu    sync.Mutex
	asked []string
	says  map[model.TopicPartition]error
	then  func(n int) // before the n-th answer, from 1
}

var opNames = map[enlist.Op]string{enlist.Verify: "verify", enlist.VerifyAbortable: "verify-abortable", enlist.Add: "add"}

func (r *register) enlist(_ context.Context, txn enlist.Txn, op enlist.Op, tps []model.TopicPartition) map[model.TopicPartition]error {
	r.mu.Lock()
	r.asked = append(r.asked, fmt.Sprintf("%s %s/%d/%d %v", opNames[op], txn.ID, txn.ProducerID, txn.Epoch, tps))
	n, then := len(r.asked), r.then
	r.mu.Unlock()
	if then != nil {
		then(n)
	}
	errs := map[model.TopicPartition]error{}
	for _, tp := range tps {
		if err := r.says[tp]; err != nil {
			errs[tp] = err
		}
	}
	return errs
}

// wasAsked returns what the register was asked since the last time.
func (r *register) wasAsked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked
	r.asked = nil
	return asked
}

func withRegister(r *register) option { return func(_ *desk, c *Config) { c.Enlist = r.enlist } }

// piece is a batch for a partition of topic a.
type piece struct {
	partition     int32
	pid           int64 // negative: no producer
	epoch         int16
	seq           int32
	transactional bool
}

func (p piece) batch(t testing.TB) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.BuilderConfig{ProducerID: p.pid, ProducerEpoch: p.epoch, BaseSequence: p.seq,
		Transactional: p.transactional, Idempotent: p.pid >= 0})
	b.Append(record.Record{Timestamp: 1000, Value: []byte("v")})
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func txnRequest(t testing.TB, id *string, acks int16, pieces ...piece) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.TransactionID, req.Acks, req.TimeoutMillis = id, acks, 5000
	topic := kmsg.ProduceRequestTopic{Topic: "a"}
	for _, p := range pieces {
		topic.Partitions = append(topic.Partitions, kmsg.ProduceRequestTopicPartition{Partition: p.partition, Records: p.batch(t)})
	}
	req.Topics = append(req.Topics, topic)
	return req
}

// inTxn produces in transaction x and shows the answers: partition@offset, or its error.
func (d *desk) inTxn(version int16, pieces ...piece) string {
	d.t.Helper()
	id := "x"
	return showProduced(ask[*kmsg.ProduceResponse](d, version, txnRequest(d.t, &id, -1, pieces...)))
}

func showProduced(resp *kmsg.ProduceResponse) string {
	var s []string
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				s = append(s, fmt.Sprintf("%d:%s", p.Partition, kerr.ErrorForCode(p.ErrorCode).(*kerr.Error).Message))
				continue
			}
			s = append(s, fmt.Sprintf("%d@%d", p.Partition, p.BaseOffset))
		}
	}
	return strings.Join(s, " ")
}

// ends writes the marker of a transaction.
func (h *replicas) ends(tp model.TopicPartition, pid int64, epoch int16, txnVersion int16) {
	h.t.Helper()
	marker := record.EndTxn(pid, epoch, record.EndTxnMarker{Commit: true}, 1000)
	if _, _, err := h.list[tp].AppendMarker(marker, model.NoEpoch, txnVersion); err != nil {
		h.t.Fatal(err)
	}
}

func (h *replicas) logEnd(tp model.TopicPartition) int64 {
	h.t.Helper()
	o, err := h.list[tp].Offsets()
	if err != nil {
		h.t.Fatal(err)
	}
	return o.End
}

func inTopicA(n int32) model.TopicPartition { return model.TopicPartition{Topic: "a", Partition: n} }

func wantAsked(t *testing.T, r *register, want ...string) {
	t.Helper()
	if got := r.wasAsked(); !slices.Equal(got, want) {
		t.Errorf("asked %q, want %q", got, want)
	}
}

func txnDesk(t *testing.T, r *register) (*desk, *replicas) {
	return serving(t, map[string][][]int32{"a": {{1}, {1}, {2}}}, withRegister(r))
}

// The coordinator is asked before the first batch of a transaction in a partition, once for
// all of a request, in the way of the client; and again after the transaction has ended.
func TestProduceInTransaction(t *testing.T) {
	for _, tc := range []struct {
		version int16
		op      string
	}{{9, "verify"}, {10, "verify"}, {11, "verify-abortable"}, {12, "add"}} {
		bubble.Test(t, func(t *testing.T) {
			r := &register{}
			d, h := txnDesk(t, r)
			in := func(n, seq int32, epoch int16) piece {
				return piece{partition: n, pid: 5, epoch: epoch, seq: seq, transactional: true}
			}
			if got, want := d.inTxn(tc.version, in(0, 0, 1), in(1, 0, 1)), "0@0 1@0"; got != want {
				t.Errorf("v%d: %s, want %s", tc.version, got, want)
			}
			wantAsked(t, r, tc.op+" x/5/1 [a-0 a-1]")
			if got, want := d.inTxn(tc.version, in(0, 1, 1)), "0@1"; got != want {
				t.Errorf("v%d: %s, want %s", tc.version, got, want)
			}
			wantAsked(t, r) // the transaction is known
			next, txnVersion := int16(1), int16(1)
			if tc.version >= 12 {
				next, txnVersion = 2, 2
			}
			h.ends(inTopicA(0), 5, next, txnVersion)
			seq := int32(2)
			if next == 2 {
				seq = 0
			}
			if got, want := d.inTxn(tc.version, in(0, seq, next)), "0@3"; got != want {
				t.Errorf("v%d, the next transaction: %s, want %s", tc.version, got, want)
			}
			wantAsked(t, r, fmt.Sprintf("%s x/5/%d [a-0]", tc.op, next))
		})
	}
}

// What the coordinator says, and what the producer is told, by version.
func TestProduceRefusedByCoordinator(t *testing.T) {
	cases := []struct {
		says error
		want [3]string // versions 10, 11, 12
	}{
		{kerr.InvalidTxnState, [3]string{"INVALID_TXN_STATE", "INVALID_TXN_STATE", "INVALID_TXN_STATE"}},
		{kerr.TransactionAbortable, [3]string{"", "TRANSACTION_ABORTABLE", "TRANSACTION_ABORTABLE"}},
		{kerr.InvalidProducerEpoch, [3]string{"INVALID_PRODUCER_EPOCH", "INVALID_PRODUCER_EPOCH", "INVALID_PRODUCER_EPOCH"}},
		{kerr.InvalidProducerIDMapping, [3]string{"INVALID_PRODUCER_ID_MAPPING", "INVALID_PRODUCER_ID_MAPPING", "INVALID_PRODUCER_ID_MAPPING"}},
		{kerr.NetworkException, [3]string{"NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS"}},
		{kerr.NotCoordinator, [3]string{"NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS"}},
		{kerr.CoordinatorNotAvailable, [3]string{"NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS"}},
		{kerr.CoordinatorLoadInProgress, [3]string{"NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS"}},
		{kerr.ConcurrentTransactions, [3]string{"NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS", "CONCURRENT_TRANSACTIONS"}},
	}
	for _, tc := range cases {
		for i, want := range tc.want {
			if want == "" {
				continue // the enlister has seen to it
			}
			bubble.Test(t, func(t *testing.T) {
				d, h := txnDesk(t, &register{says: map[model.TopicPartition]error{inTopicA(1): tc.says}})
				got := d.inTxn(int16(10+i), piece{partition: 0, pid: 5, transactional: true}, piece{partition: 1, pid: 5, transactional: true})
				if got != "0@0 1:"+want {
					t.Errorf("%v, v%d: %s, want %s", tc.says, 10+i, got, want)
				}
				if end := h.logEnd(inTopicA(1)); end != 0 {
					t.Errorf("%v: the log ends at %d", tc.says, end)
				}
			})
		}
	}
}

// A transaction that still ends is asked about again for a moment, by who adds implicitly.
func TestProduceBehindAnEndingTransaction(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := &register{says: map[model.TopicPartition]error{inTopicA(0): kerr.ConcurrentTransactions}}
		d, _ := txnDesk(t, r)
		began := time.Now()
		if got := d.inTxn(12, piece{pid: 5, transactional: true}); got != "0:CONCURRENT_TRANSACTIONS" {
			t.Errorf("for good: %s", got)
		}
		if n, took := len(r.wasAsked()), time.Since(began); n != 6 || took != 100*time.Millisecond {
			t.Errorf("asked %d times in %v", n, took)
		}
		r.then = func(n int) {
			if n == 3 {
				r.says = nil
			}
		}
		if got := d.inTxn(12, piece{pid: 5, transactional: true}, piece{partition: 1, pid: 5, transactional: true}); got != "0@0 1@0" {
			t.Errorf("for a while: %s", got)
		}
		if n := len(r.wasAsked()); n != 3 {
			t.Errorf("asked %d times", n)
		}
		r.says = map[model.TopicPartition]error{inTopicA(0): kerr.ConcurrentTransactions}
		if got := d.inTxn(11, piece{pid: 6, transactional: true}); got != "0:NOT_ENOUGH_REPLICAS" || len(r.wasAsked()) != 1 {
			t.Errorf("who has its partitions added: %s", got)
		}
	})
}

// A transaction that ends between the question and the append lets nothing in.
func TestProduceTooLate(t *testing.T) {
	for _, version := range []int16{9, 12} {
		bubble.Test(t, func(t *testing.T) {
			r := &register{}
			d, h := txnDesk(t, r)
			r.then = func(int) { h.ends(inTopicA(0), 5, 1, 1) } // by a time-out, while the answer is on its way
			got := d.inTxn(version, piece{pid: 5, epoch: 0, transactional: true})
			if got != "0:INVALID_TXN_STATE" && got != "0:INVALID_PRODUCER_EPOCH" {
				t.Errorf("v%d: %s", version, got)
			}
			if end := h.logEnd(inTopicA(0)); end != 1 {
				t.Errorf("v%d: the log ends at %d", version, end)
			}
		})
	}
}

// A request is in one transaction of one producer, and says in which.
func TestProduceMixed(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := &register{}
		d, h := txnDesk(t, r)
		plain := ask[*kmsg.ProduceResponse](d, 9, txnRequest(t, nil, -1, piece{pid: 5, transactional: true}, piece{partition: 1, pid: -1}))
		if got := showProduced(plain); got != "0:TRANSACTIONAL_ID_AUTHORIZATION_FAILED 1:TRANSACTIONAL_ID_AUTHORIZATION_FAILED" {
			t.Errorf("without an id: %s", got)
		}
		if got := d.inTxn(9, piece{pid: 5, transactional: true}, piece{partition: 1, pid: 6, transactional: true}); got != "0:INVALID_PRODUCER_ID_MAPPING 1:INVALID_PRODUCER_ID_MAPPING" {
			t.Errorf("two producers: %s", got)
		}
		if got := d.inTxn(9, piece{pid: 5, transactional: true}, piece{partition: 1, pid: 5, epoch: 1, transactional: true}); got != "0:INVALID_PRODUCER_ID_MAPPING 1:INVALID_PRODUCER_ID_MAPPING" {
			t.Errorf("two epochs: %s", got)
		}
		for _, n := range []int32{0, 1} {
			if end := h.logEnd(inTopicA(n)); end != 0 {
				t.Errorf("partition %d ends at %d", n, end)
			}
		}
		wantAsked(t, r)
		if got := d.inTxn(9, piece{pid: 5, transactional: true}, piece{partition: 1, pid: -1}, piece{partition: 2, pid: 5, transactional: true}); got != "0@0 1@0 2:NOT_LEADER_FOR_PARTITION" {
			t.Errorf("with a plain batch, and one for elsewhere: %s", got)
		}
		wantAsked(t, r, "verify x/5/0 [a-0]")
		if got := d.inTxn(9, piece{partition: 1, pid: -1}, piece{partition: 0, pid: 7}); got != "1@1 0@1" {
			t.Errorf("an id, and nothing transactional: %s", got)
		}
		wantAsked(t, r)
	})
}

// A transactional write waits for what its client asks: the leader's disk is enough for it.
func TestProduceInTransactionAcks(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, h := txnDesk(t, &register{says: map[model.TopicPartition]error{inTopicA(1): kerr.InvalidTxnState}})
		id := "x"
		one := ask[*kmsg.ProduceResponse](d, 9, txnRequest(t, &id, 1, piece{pid: 5, transactional: true}))
		if got := showProduced(one); got != "0@0" {
			t.Errorf("acks=1: %s", got)
		}
		req := txnRequest(t, &id, 0, piece{pid: 5, seq: 1, transactional: true}, piece{partition: 1, pid: 5, transactional: true})
		req.SetVersion(9)
		frame := kmsg.NewRequestFormatter().AppendRequest(nil, req, 7)
		if _, err := exchange(d.conn, frame); err == nil {
			t.Error("acks=0 with an error was answered")
		}
		if end := h.logEnd(inTopicA(0)); end != 2 {
			t.Errorf("the log ends at %d", end)
		}
	})
}

// While a write waits for the coordinator, answers to earlier requests leave, and later
// requests of the connection stay behind it.
func TestProduceKeepsOrder(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := &register{}
		d, h := txnDesk(t, r)
		asked, go_ := make(chan struct{}), make(chan struct{})
		r.then = func(int) { close(asked); <-go_ }
		id := "x"
		var frames []byte
		for _, req := range []*kmsg.ProduceRequest{
			txnRequest(t, nil, -1, piece{pid: -1}),
			txnRequest(t, &id, -1, piece{pid: 5, transactional: true}),
			txnRequest(t, &id, -1, piece{pid: 5, seq: 1, transactional: true}),
			txnRequest(t, nil, -1, piece{pid: -1}),
		} {
			req.SetVersion(12)
			frames = append(frames, kmsg.NewRequestFormatter().AppendRequest(nil, req, 7)...)
		}
		bases := make(chan int64, 4)
		go d.conn.Write(frames)
		go func() {
			for range 4 {
				var size [4]byte
				if _, err := io.ReadFull(d.conn, size[:]); err != nil {
					t.Error(err)
					return
				}
				body := make([]byte, binary.BigEndian.Uint32(size[:]))
				if _, err := io.ReadFull(d.conn, body); err != nil {
					t.Error(err)
					return
				}
				resp := kmsg.NewPtrProduceResponse()
				resp.SetVersion(12)
				if err := resp.ReadFrom(body[5:]); err != nil { // the correlation id, and no tags
					t.Error(err)
					return
				}
				bases <- resp.Topics[0].Partitions[0].BaseOffset
			}
		}()
		<-asked
		synctest.Wait()
		if got := <-bases; got != 0 || len(bases) > 0 || h.logEnd(inTopicA(0)) != 1 {
			t.Errorf("first answer %d, %d more, log end %d", got, len(bases), h.logEnd(inTopicA(0)))
		}
		close(go_)
		for want := range int64(3) {
			if got := <-bases; got != want+1 {
				t.Errorf("base offset %d, want %d", got, want+1)
			}
		}
		if asked := r.wasAsked(); len(asked) != 1 {
			t.Errorf("asked %q", asked)
		}
	})
}
