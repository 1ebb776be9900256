package partition

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// txnBatch is a batch of n records of a transaction.
func txnBatch(t *testing.T, id int64, epoch int16, seq int32, n int) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.BuilderConfig{ProducerID: id, ProducerEpoch: epoch, BaseSequence: seq, Transactional: true})
	for i := range n {
		b.Append(record.Record{Offset: int64(i), Timestamp: 100, Value: []byte("v")})
	}
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// begun is what BeginTxn gives where the coordinator must be asked.
func begun(t *testing.T, p *Partition, id int64, epoch int16, seq int32, implicit bool) Guard {
	t.Helper()
	g, need, err := p.BeginTxn(id, epoch, seq, implicit)
	if err != nil || !need {
		t.Fatalf("the transaction of %d.%d begins: %v, %v", id, epoch, need, err)
	}
	return g
}

func write(p *Partition, b record.Batch, g Guard) error {
	_, err := p.Append(b, AppendArgs{ProduceVersion: 12, Acks: AllInSync, Guard: g})
	return err
}

func end(p *Partition, id int64, epoch int16, commit bool, version int16) error {
	_, _, err := p.AppendMarker(record.EndTxn(id, epoch, record.EndTxnMarker{Commit: commit, CoordinatorEpoch: 1}, 100), model.NoEpoch, version)
	return err
}

// committed reads once from an offset on, as a consumer of decided transactions.
func committed(t *testing.T, p *Partition, from int64) string {
	t.Helper()
	r, err := p.Read(ReadArgs{From: from, MaxBytes: 1 << 20, MinOne: true, Committed: true, AllowFollower: true, CurrentEpoch: -1, LastFetchedEpoch: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if r.Aborted == nil {
		t.Error("the list of aborted transactions is null")
	}
	words := []string{fmt.Sprintf("to %d of %d", r.Next, r.HW)}
	if r.Len == 0 {
		words[0] = fmt.Sprintf("nothing of %d", r.HW)
	}
	for _, a := range r.Aborted {
		words = append(words, fmt.Sprintf("%d aborted from %d on", a.ProducerID, a.FirstOffset))
	}
	return strings.Join(words, ", ")
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

// What a consumer of decided transactions sees, and when.
func TestReadCommitted(t *testing.T) {
	p, h := newPartition(t)
	produce(t, p, 1)                                                                              // 0
	wantErr(t, "first write", write(p, txnBatch(t, 7, 0, 0, 2), begun(t, p, 7, 0, 0, true)), nil) // 1, 2
	produce(t, p, 2)                                                                              // 3
	wantErr(t, "another's", write(p, txnBatch(t, 8, 0, 0, 1), begun(t, p, 8, 0, 0, true)), nil)   // 4
	wantErr(t, "second write", write(p, txnBatch(t, 7, 0, 2, 1), Guard{}), nil)                   // 5
	same(t, "two are open", committed(t, p, 0), "to 1 of 6")
	same(t, "at the first of them", committed(t, p, 1), "nothing of 6")
	if o := marks(t, p); o.Stable != 1 {
		t.Errorf("%+v", o)
	}
	if got, err := p.ListOffset(model.OffsetLatest, -1, true); err != nil || got.Offset != 1 {
		t.Errorf("latest offset of decided transactions: %+v, %v", got, err)
	}
	if got, err := p.ListOffset(2, -1, true); err != nil || got != Nowhere {
		t.Errorf("a record that is not decided: %+v, %v", got, err)
	}
	if got, err := p.ListOffset(2, -1, false); err != nil || got.Offset != 1 {
		t.Errorf("which others see: %+v, %v", got, err)
	}

	wantErr(t, "abort", end(p, 7, 1, false, 2), nil) // 6
	same(t, "one is aborted", committed(t, p, 0), "to 4 of 7, 7 aborted from 1 on")
	h.held = true
	wantErr(t, "commit", end(p, 8, 1, true, 2), nil) // 7
	same(t, "a marker that is not committed", committed(t, p, 4), "nothing of 7")
	p.Durable(8)
	same(t, "and now is", committed(t, p, 4), "to 8 of 8, 7 aborted from 1 on")
	same(t, "behind what was aborted", committed(t, p, 7), "to 8 of 8")
	if o := marks(t, p); o.Stable != 8 {
		t.Errorf("%+v", o)
	}
	r, err := p.Read(ReadArgs{MaxBytes: 1 << 20, CurrentEpoch: -1, LastFetchedEpoch: -1})
	if err != nil || r.Aborted != nil || r.Next != 8 {
		t.Errorf("a reader of everything: %+v, %v", r, err)
	}
	r.Release()
}

// The first batch of a transaction needs leave, which its end takes back (KIP-890).
func TestGuards(t *testing.T) {
	for version := range int16(3) {
		p, _ := newPartition(t)
		implicit, after := version == 2, int16(0)
		if version == 2 {
			after = 1 // its markers bear the next epoch
		}
		wantErr(t, "without leave", write(p, txnBatch(t, 7, 0, 0, 1), Guard{}), kerr.InvalidTxnState)
		early := begun(t, p, 7, 0, 0, implicit)
		if again := begun(t, p, 7, 0, 0, implicit); again != early {
			t.Error("a write that is tried again has other leave")
		}
		wantErr(t, "the end of a transaction that has not written here", end(p, 7, after, false, version), nil)
		wantErr(t, "a write with leave from before", write(p, txnBatch(t, 7, 0, 0, 1), early), map[bool]error{false: kerr.InvalidTxnState, true: kerr.InvalidProducerEpoch}[implicit])
		g := begun(t, p, 7, after, 0, implicit)
		wantErr(t, "the next one", write(p, txnBatch(t, 7, after, 0, 1), g), nil)
		if _, need, err := p.BeginTxn(7, after, 1, implicit); need || err != nil {
			t.Errorf("an ongoing transaction: %v, %v", need, err)
		}
		wantErr(t, "goes on", write(p, txnBatch(t, 7, after, 1, 1), Guard{}), nil)
		wantErr(t, "ends", end(p, 7, 2*after, true, version), nil)
		wantErr(t, "late, with leave that was spent", write(p, txnBatch(t, 7, 2*after, map[bool]int32{false: 2}[implicit], 1), g), kerr.InvalidTxnState)
		if version < 2 {
			continue
		}
		wantErr(t, "a late write of the epoch before", write(p, txnBatch(t, 7, 1, 2, 1), Guard{}), kerr.InvalidProducerEpoch)
		_, _, err := p.BeginTxn(7, 1, 2, true)
		wantErr(t, "a late beginning", err, kerr.InvalidProducerEpoch)
		wantErr(t, "the marker once more", end(p, 7, 2, true, 2), nil)
		wantErr(t, "a write above the first", write(p, txnBatch(t, 7, 2, 1, 1), begun(t, p, 7, 2, 1, true)), kerr.OutOfOrderSequenceNumber)
		wantErr(t, "the first", write(p, txnBatch(t, 7, 2, 0, 1), begun(t, p, 7, 2, 0, true)), nil)
		wantErr(t, "the marker of the transaction before", end(p, 7, 2, true, 2), kerr.InvalidProducerEpoch)
	}
}

// A marker may come while the next transaction of the producer asks for leave already: by
// version 2 both bear one epoch, and the leave holds.
func TestGuardOutlivesTheMarkerBefore(t *testing.T) {
	p, _ := newPartition(t)
	wantErr(t, "write", write(p, txnBatch(t, 7, 0, 0, 1), begun(t, p, 7, 0, 0, true)), nil)
	g := begun(t, p, 7, 1, 0, true)
	wantErr(t, "the end", end(p, 7, 1, true, 2), nil)
	wantErr(t, "the next one", write(p, txnBatch(t, 7, 1, 0, 1), g), nil)
}

// Nobody is asked where the broker's config says so, unless the write begins the
// transaction.
func TestTrustTxns(t *testing.T) {
	p, _ := newPartition(t)
	s := *p.Settings()
	s.TrustTxns = true
	p.Configure(&s)
	if _, need, err := p.BeginTxn(7, 0, 0, false); need || err != nil {
		t.Errorf("need %v, %v", need, err)
	}
	wantErr(t, "unasked", write(p, txnBatch(t, 7, 0, 0, 1), Guard{}), nil)
	begun(t, p, 8, 0, 0, true)
}

// Coordinators' markers are refused when they come too late.
func TestMarkers(t *testing.T) {
	p, _ := newPartition(t)
	wantErr(t, "write", write(p, txnBatch(t, 7, 3, 0, 1), begun(t, p, 7, 3, 0, false)), nil)
	wantErr(t, "an older epoch", end(p, 7, 2, true, 1), kerr.InvalidProducerEpoch)
	wantErr(t, "by version 2 the same epoch", end(p, 7, 3, true, 2), kerr.InvalidProducerEpoch)
	wantErr(t, "by version 1 it is the one", end(p, 7, 3, true, 1), nil)
	_, _, err := p.AppendMarker(record.EndTxn(7, 3, record.EndTxnMarker{}, 100), model.NoEpoch, 1)
	wantErr(t, "an older coordinator", err, kerr.TransactionCoordinatorFenced)
	_, _, err = p.AppendMarker(txnBatch(t, 7, 3, 0, 1), model.NoEpoch, 1)
	wantErr(t, "no marker", err, kerr.CorruptMessage)
	_, _, err = p.AppendMarker(record.EndTxn(7, 3, record.EndTxnMarker{CoordinatorEpoch: 1}, 100), leader.Epoch-1, 1)
	wantErr(t, "an older leader epoch", err, kerr.FencedLeaderEpoch)
	if end, epoch, err := p.AppendMarker(record.EndTxn(9, 0, record.EndTxnMarker{}, 100), leader.Epoch, 2); err != nil || end != 3 || epoch != leader.Epoch {
		t.Errorf("the marker of a stranger: end %d, epoch %d, %v", end, epoch, err)
	}
}

// Deleting records moves what is stable with the log start, and never beyond it while the
// transaction is open.
func TestDeleteRecordsOfOpenTxn(t *testing.T) {
	for before, stable := range map[int64]int64{1: 3, 4: 4, 6: 6} {
		p, _ := newPartition(t)
		produce(t, p, 1, 2, 3)
		wantErr(t, "write", write(p, txnBatch(t, 7, 0, 0, 2), begun(t, p, 7, 0, 0, true)), nil)
		produce(t, p, 4, 5)
		if _, err := p.DeleteRecords(before); err != nil {
			t.Fatal(err)
		}
		if o := marks(t, p); o.Stable != stable || o.HW != 7 {
			t.Errorf("deleted before %d: %+v, want stable at %d", before, o, stable)
		}
		wantErr(t, "abort", end(p, 7, 1, false, 2), nil)
		if o := marks(t, p); o.Stable != 8 {
			t.Errorf("deleted before %d, and aborted: %+v", before, o)
		}
	}
}

// Who waits for decided records is woken by the marker, and the partition that is opened
// again knows what was open and what was aborted.
func TestTxnsAfterRestart(t *testing.T) {
	p, h := newPartition(t)
	wantErr(t, "write", write(p, txnBatch(t, 7, 0, 0, 2), begun(t, p, 7, 0, 0, true)), nil)
	wantErr(t, "another's", write(p, txnBatch(t, 8, 0, 0, 2), begun(t, p, 8, 0, 0, true)), nil)
	w := NewWaiter()
	p.Watch(w)
	wantErr(t, "abort", end(p, 7, 1, false, 2), nil)
	select {
	case <-w.C:
	default:
		t.Error("nobody was woken")
	}
	for _, clean := range []bool{true, false} {
		if clean {
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
		}
		again := New(Config{TP: p.TP(), ID: p.ID(), Settings: settings(), Home: &home{disk: h.disk}})
		again.Assign(Role{Leader: 1, Leading: true, Epoch: 6, ISR: []int32{1}, Replicas: []int32{1}})
		same(t, fmt.Sprint("closed ", clean), committed(t, again, 0), "to 2 of 5, 7 aborted from 0 on")
		if _, need, err := again.BeginTxn(8, 0, 2, true); need || err != nil {
			t.Errorf("the transaction that was open: %v, %v", need, err)
		}
		list, err := again.Producers()
		if err != nil || len(list) != 2 || list[0].TxnFirstOffset != -1 || list[1].TxnFirstOffset != 2 || list[0].Epoch != 1 {
			t.Errorf("producers %+v, %v", list, err)
		}
		p = again
	}
}

// Followers serve consumers of decided transactions from what they know themselves.
func TestReadCommittedFromFollower(t *testing.T) {
	p, _ := in(t, shared(2, 1, 4, 1, 2, 3))
	epoch := p.Role().Epoch
	all := []record.Batch{txnBatch(t, 7, 0, 0, 2), txnBatch(t, 8, 0, 0, 2), record.EndTxn(7, 1, record.EndTxnMarker{}, 100), record.EndTxn(8, 1, record.EndTxnMarker{Commit: true}, 100)}
	at := int64(0)
	for _, b := range all {
		b.Stamp(at, epoch)
		at = b.NextOffset()
	}
	p.FetchFrom()
	for hw, want := range []string{"nothing of 0", "nothing of 1", "nothing of 2", "nothing of 3", "nothing of 4", "to 2 of 5, 7 aborted from 0 on", "to 6 of 6, 7 aborted from 0 on"} {
		var bytes []byte
		if hw == 0 {
			bytes = slices.Concat(all...)
		}
		if _, err := p.AppendFetched(epoch, bytes, int64(hw)); err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprint("high watermark ", hw), committed(t, p, 0), want)
	}
}

// Leave that was given before another replica led is void: what the other one saw of the
// transaction may be unknown here.
func TestGuardsEndWithLeadership(t *testing.T) {
	p, _ := newPartition(t)
	g := begun(t, p, 7, 0, 0, true)
	p.Assign(Role{Self: 1, Leader: 2, Epoch: leader.Epoch + 1, ISR: []int32{1}, Replicas: []int32{1}})
	again := leader
	again.Epoch += 2
	p.Assign(again)
	wantErr(t, "a late write", write(p, txnBatch(t, 7, 0, 0, 1), g), kerr.InvalidTxnState)
}
