package partition

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// shared is the role of a node of three replicas in an epoch.
func shared(self, leader, epoch int32, isr ...int32) Role {
	return Role{Self: self, Leader: leader, Leading: self == leader, Epoch: epoch, PartitionEpoch: epoch, ISR: isr, Replicas: []int32{1, 2, 3}}
}

func in(t *testing.T, r Role) (*Partition, *home) {
	t.Helper()
	p, h := newPartition(t)
	r.Epoch += leader.Epoch + 1
	p.Assign(r)
	marks(t, p) // opens the log
	return p, h
}

// stamped is a batch as a leader sends it.
func stamped(t *testing.T, at int64, epoch int32, stamps ...int64) record.Batch {
	t.Helper()
	b := batch(t, stamps...)
	b.Stamp(at, epoch)
	return b
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// followed appends two batches of three in the epoch and knows of a high watermark.
func followed(t *testing.T, hw int64) (*Partition, *home, int32) {
	t.Helper()
	p, h := in(t, shared(2, 1, 4, 1, 2, 3))
	epoch := p.Role().Epoch
	both := append(bytes.Clone(stamped(t, 0, 3, 1, 2, 3)), stamped(t, 3, epoch, 4, 5, 6)...)
	if end, err := p.AppendFetched(epoch, both, hw); err != nil || end != 6 {
		t.Fatalf("end %d, %v", end, err)
	}
	return p, h, epoch
}

// A follower tells what is durable, and says nothing is committed beyond that.
func TestFollow(t *testing.T) {
	p, h := in(t, shared(2, 1, 4, 1, 2, 3))
	h.held = true
	epoch := p.Role().Epoch
	if end, err := p.AppendFetched(epoch, stamped(t, 0, epoch, 1, 2, 3), 9); err != nil || end != 3 {
		t.Fatalf("end %d, %v", end, err)
	}
	if at, _, _, err := p.FetchFrom(); at != 0 || err != nil || p.HighWatermark() != 0 {
		t.Errorf("before it is durable: fetch from %d, hw %d, %v", at, p.HighWatermark(), err)
	}
	p.Durable(3)
	if at, last, start, err := p.FetchFrom(); at != 3 || last != epoch || start != 0 || err != nil || p.HighWatermark() != 3 {
		t.Errorf("fetch from %d after epoch %d, start %d, hw %d, %v", at, last, start, p.HighWatermark(), err)
	}
	_, err := p.Append(batch(t, 1), AppendArgs{ProduceVersion: 12, Acks: 1})
	wantErr(t, "a client's append", err, kerr.NotLeaderForPartition)
	_, err = p.Read(ReadArgs{MaxBytes: 100, MinOne: true, CurrentEpoch: -1, LastFetchedEpoch: -1})
	wantErr(t, "a client's read", err, kerr.NotLeaderForPartition)
	if err := p.WaitDurable(t.Context(), 3); err != nil {
		t.Error(err)
	}
}

// Consumers may read a follower up to its high watermark (KIP-392).
func TestReadFromFollower(t *testing.T) {
	p, _, epoch := followed(t, 3)
	for from, want := range map[int64]int64{0: 3, 3: 3, 5: 5} {
		r, err := p.Read(ReadArgs{From: from, MaxBytes: 1 << 20, MinOne: true, CurrentEpoch: epoch, LastFetchedEpoch: -1, AllowFollower: true})
		if err != nil || r.HW != 3 || from < 3 && r.Next != want || from >= 3 && r.Len > 0 {
			t.Errorf("read at %d: %d bytes up to %d, hw %d, %v", from, r.Len, r.Next, r.HW, err)
		}
		r.Release()
	}
}

// What was asked in another epoch is not taken, whatever the role is now.
func TestAnswersOfAnotherEpoch(t *testing.T) {
	for name, next := range map[string]Role{
		"leading": shared(2, 2, 20, 1, 2, 3), "following another": shared(2, 3, 20, 1, 2, 3), "leaderless": shared(2, model.NoLeader, 20, 2),
	} {
		p, _, epoch := followed(t, 3)
		p.Assign(next)
		_, err := p.AppendFetched(epoch, stamped(t, 6, epoch, 7), 6)
		wantErr(t, name+", append", err, kerr.FencedLeaderEpoch)
		wantErr(t, name+", truncate", p.Truncate(epoch, EpochEnd{3, 3}), kerr.FencedLeaderEpoch)
		wantErr(t, name+", begin anew", p.Restart(epoch, 9), kerr.FencedLeaderEpoch)
		if o := marks(t, p); o.End != 6 || o.HW != 3 {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// Where the leader's word is that an epoch ends is not where the log is cut, if this one
// ends before or is not known here (KIP-279).
func TestTruncate(t *testing.T) {
	for _, c := range []struct {
		d   EpochEnd
		end int64
	}{
		{EpochEnd{3, 3}, 3}, // the log has the epoch up to there
		{EpochEnd{3, 5}, 3}, // the leader has more of it: our end of it
		{EpochEnd{3, 1}, 0}, // within a batch: all of it goes
		{EpochEnd{9, 4}, 3}, // an epoch that has nothing here: the end of the one before
		{EpochEnd{-1, 3}, 3},
		{EpochEnd{3, -1}, 6},
	} {
		p, _, epoch := followed(t, 0)
		if err := p.Truncate(epoch, c.d); err != nil || marks(t, p).End != c.end {
			t.Errorf("%+v: end %d, want %d, %v", c.d, marks(t, p).End, c.end, err)
		}
		if at, _, _, _ := p.FetchFrom(); at != c.end {
			t.Errorf("%+v: it goes on at %d, want %d", c.d, at, c.end)
		}
	}
}

// Only an unclean leader has a log cut below the high watermark, which falls with it and
// does not come back by what the log is given then.
func TestTruncateBelowHW(t *testing.T) {
	p, _, epoch := followed(t, 6)
	if err := p.Truncate(epoch, EpochEnd{3, 3}); err != nil || p.HighWatermark() != 3 || p.DurableEnd() != 3 {
		t.Fatalf("hw %d, durable %d, %v", p.HighWatermark(), p.DurableEnd(), err)
	}
	p.Assign(shared(2, 3, 20, 3))
	if _, err := p.AppendFetched(20, stamped(t, 3, 20, 7, 8, 9), 3); err != nil || p.HighWatermark() != 3 {
		t.Errorf("hw %d, %v", p.HighWatermark(), err)
	}
}

// A tail of which it is not known whether the leader has it is compared when it comes, and
// nothing of it counts as committed before.
func TestUnverifiedTail(t *testing.T) {
	p, h := in(t, shared(2, 2, 4, 1, 2, 3))
	old := p.Role().Epoch
	produce(t, p, 1, 2, 3)
	h.held = true
	produce(t, p, 4, 5, 6)
	produce(t, p, 7)
	p.Assign(shared(2, 1, 20, 1, 2, 3))
	if at, _, _, _ := p.FetchFrom(); at != 3 {
		t.Fatalf("fetch from %d", at)
	}
	same := stamped(t, 3, old, 4, 5, 6)
	if end, err := p.AppendFetched(20, same, 7); err != nil || end != 7 {
		t.Fatalf("end %d, %v", end, err)
	}
	p.Durable(7)
	if p.HighWatermark() != 6 {
		t.Errorf("hw %d, want 6: the rest may be another's", p.HighWatermark())
	}
	other := append(bytes.Clone(same), stamped(t, 6, 20, 8, 9)...)
	if end, err := p.AppendFetched(20, other, 7); err != nil || end != 8 || p.HighWatermark() != 6 {
		t.Errorf("end %d, hw %d, %v", end, p.HighWatermark(), err)
	}
	h.held = false
	p.Durable(8)
	if b, _, err := p.ReadLog(0, 1<<20); err != nil || !bytes.HasSuffix(b, stamped(t, 6, 20, 8, 9)) || p.HighWatermark() != 7 {
		t.Errorf("the log has %d bytes, hw %d, %v", len(b), p.HighWatermark(), err)
	}
}

// What a leader sends may be damaged.
func TestFetchedRubbish(t *testing.T) {
	p, h, epoch := followed(t, 3)
	bad := stamped(t, 6, epoch, 7)
	bad[len(bad)-1] ^= 1
	late := stamped(t, 6, epoch+1, 7)
	early := stamped(t, 6, 1, 7)
	for name, b := range map[string]record.Batch{"a wrong checksum": bad, "a later epoch": late, "an older epoch": early, "half a batch": bad[:30]} {
		_, err := p.AppendFetched(epoch, b, 6)
		wantErr(t, name, err, kerr.CorruptMessage)
	}
	if o := marks(t, p); o.End != 6 || len(h.broken) > 0 || p.Err() != nil {
		t.Errorf("%+v, broken %v", o, h.broken)
	}
}

// leading has node 1 lead three replicas with one batch of three.
func leading(t *testing.T, isr ...int32) (*Partition, *home, int32) {
	t.Helper()
	p, h := in(t, shared(1, 1, 4, isr...))
	if _, err := p.Append(batch(t, 1, 2, 3), AppendArgs{ProduceVersion: 12, Acks: 1}); err != nil {
		t.Fatal(err)
	}
	return p, h, p.Role().Epoch
}

func fetchAt(p *Partition, node int32, epoch int32, from int64) (ReadResult, error) {
	r, err := p.ReadAsFollower(FollowerFetch{Node: node, BrokerEpoch: 1, ReadArgs: ReadArgs{
		From: from, MaxBytes: 1 << 20, MinOne: true, CurrentEpoch: epoch, LastFetchedEpoch: model.NoEpoch,
	}})
	r.Release()
	return r, err
}

// A fetch of a follower gives what is not committed, and commits.
func TestReadAsFollower(t *testing.T) {
	p, _, epoch := leading(t, 1, 2)
	if r, err := fetchAt(p, 2, epoch, 0); err != nil || r.Next != 3 || r.HW != 0 {
		t.Errorf("up to %d, hw %d, %v", r.Next, r.HW, err)
	}
	if r, err := fetchAt(p, 2, epoch, 3); err != nil || r.HW != 3 || p.HighWatermark() != 3 {
		t.Errorf("hw %d, %v", r.HW, err)
	}
	for _, c := range []struct {
		node, epoch int32
		from        int64
		want        error
	}{
		{4, epoch, 0, kerr.UnknownLeaderEpoch}, {4, -1, 0, kerr.NotLeaderForPartition}, {1, epoch, 0, kerr.UnknownLeaderEpoch},
		{2, epoch - 1, 0, kerr.FencedLeaderEpoch}, {2, epoch + 1, 0, kerr.UnknownLeaderEpoch}, {2, epoch, 4, kerr.OffsetOutOfRange},
	} {
		_, err := fetchAt(p, c.node, c.epoch, c.from)
		wantErr(t, "fetch", err, c.want)
	}
	_, err := p.ReadAsFollower(FollowerFetch{Node: 2, BrokerEpoch: 0, ReadArgs: ReadArgs{CurrentEpoch: epoch, LastFetchedEpoch: -1}})
	wantErr(t, "a registration that is over", err, kerr.NotLeaderForPartition)
	list := p.Followers()
	if len(list) != 2 || !list[0].InSync || list[0].End != 3 || list[1].InSync || list[1].End != -1 {
		t.Errorf("followers %+v", list)
	}
}

// Who may have been elected in a leader's place is in the ISR, or was proposed for it.
func TestRivals(t *testing.T) {
	p, _, epoch := leading(t, 1, 2)
	want := func(nodes ...int32) {
		t.Helper()
		if e, list, err := p.Rivals(); err != nil || e != epoch || !slices.Equal(list, nodes) {
			t.Errorf("in epoch %d there are %v, %v, want %v in %d", e, list, err, nodes, epoch)
		}
	}
	want(2)
	for _, node := range []int32{2, 3} {
		if _, err := fetchAt(p, node, epoch, 3); err != nil {
			t.Fatal(err)
		}
	}
	want(2)
	alive := func(int32) (int64, bool, bool) { return 1, false, true }
	if _, ok := p.Propose(time.Now(), time.Minute, alive); !ok {
		t.Fatal("node 3 is not proposed")
	}
	want(2, 3)
	p.Assign(Role{Self: 1, Leader: 2, Epoch: epoch + 1, PartitionEpoch: 9, ISR: []int32{1, 2}, Replicas: []int32{1, 2, 3}})
	_, _, err := p.Rivals()
	wantErr(t, "who does not lead", err, kerr.NotLeaderForPartition)
}

// Two fetches of one follower that tell of different log starts, as when it has come back
// over another connection and the leader has not seen yet that the first is over, do not
// wake each other for ever; and the older one does not take back what the later has told.
func TestFetchesWakeNoOther(t *testing.T) {
	for _, brokerEpoch := range []int64{1, -1} {
		p, _, epoch := leading(t, 1, 2)
		fetch := func(start int64) {
			t.Helper()
			if _, err := p.ReadAsFollower(FollowerFetch{Node: 2, BrokerEpoch: brokerEpoch, LogStart: start, ReadArgs: ReadArgs{
				From: 3, MaxBytes: 1 << 20, MinOne: true, CurrentEpoch: epoch, LastFetchedEpoch: model.NoEpoch,
			}}); err != nil {
				t.Fatal(err)
			}
		}
		waiters := []*Waiter{NewWaiter(), NewWaiter()}
		for i, w := range waiters {
			w.Ends = true
			p.Watch(w)
			fetch(int64(i))
		}
		looks, woken := 0, true
		for woken && looks < 100 {
			woken = false
			for i, w := range waiters {
				select {
				case <-w.C:
					fetch(int64(i))
					woken, looks = true, looks+1
				default:
				}
			}
		}
		if looks == 100 {
			t.Errorf("broker epoch %d: two fetches of a follower wake each other for ever", brokerEpoch)
		}
		if start := p.Followers()[0].Start; start != 1 && brokerEpoch == 1 {
			t.Errorf("the follower's log starts at %d", start)
		}
	}
}

// Below min.insync.replicas nothing is committed, however durable (KIP-966), and who
// waits for it is told.
func TestTooFewInSync(t *testing.T) {
	p, _, epoch := leading(t, 1, 2)
	s := settings()
	s.MinISR = 2
	p.Configure(s)
	r := p.Role()
	r.ISR, r.PartitionEpoch = []int32{1}, r.PartitionEpoch+1
	p.Assign(r)
	produced, err := p.Append(batch(t, 4), AppendArgs{ProduceVersion: 12, Acks: 1})
	if err != nil || p.HighWatermark() != 0 {
		t.Errorf("hw %d, %v", p.HighWatermark(), err)
	}
	wantErr(t, "acks=all", p.Wait(t.Context(), produced.End, epoch), kerr.NotEnoughReplicasAfterAppend)
	wantErr(t, "acks=1", p.WaitLocal(t.Context(), produced.End, epoch), nil)
	r.ISR, r.PartitionEpoch = []int32{1, 3}, r.PartitionEpoch+1
	p.Assign(r)
	if _, err := fetchAt(p, 3, epoch, 4); err != nil || p.HighWatermark() != 4 {
		t.Errorf("hw %d, %v", p.HighWatermark(), err)
	}
}

// Without a lease nothing is taken, and nothing acknowledged that only this node has.
func TestLease(t *testing.T) {
	p, _, epoch := leading(t, 1, 2)
	p.lease = func() bool { return false }
	_, err := p.Append(batch(t, 4), AppendArgs{ProduceVersion: 12, Acks: 1})
	wantErr(t, "append", err, kerr.NotLeaderForPartition)
	_, err = p.AppendRecords(batch(t, 4), epoch)
	wantErr(t, "a coordinator's append", err, kerr.NotLeaderForPartition)
	wantErr(t, "acks=1", p.WaitLocal(t.Context(), 3, epoch), kerr.NotLeaderForPartition)
	if _, err := fetchAt(p, 2, epoch, 3); err != nil {
		t.Error(err)
	}
	wantErr(t, "acks=all of what others have too", p.Wait(t.Context(), 3, epoch), nil)
	for from, want := range map[int64]error{2: nil, 3: nil, 4: kerr.NotLeaderForPartition} {
		r, err := p.Read(ReadArgs{CurrentEpoch: model.NoEpoch, LastFetchedEpoch: model.NoEpoch, From: from, MaxBytes: 1000, AllowFollower: true})
		wantErr(t, "what its successor may have written", err, want)
		r.Release()
	}
}

// A follower does not tell a reader that its place is out of range because it lags behind
// (KIP-392), or has just begun anew.
func TestReadBeyondFollower(t *testing.T) {
	p, _, _ := followed(t, 4)
	for from, want := range map[int64]error{6: nil, 7: kerr.NotLeaderForPartition, -1: kerr.OffsetOutOfRange} {
		r, err := p.Read(ReadArgs{CurrentEpoch: model.NoEpoch, LastFetchedEpoch: model.NoEpoch, From: from, MaxBytes: 1000, AllowFollower: true})
		wantErr(t, "a reader of a follower", err, want)
		r.Release()
	}
}

// The latest offset is not told before the new leader knows that it does not fall behind
// what its predecessor told (KIP-207).
func TestOffsetNotAvailable(t *testing.T) {
	p, _, _ := followed(t, 3)
	if err := p.take(shared(2, 2, 20, 1, 2, 3)); err != nil { // who asks before the role has begun
		t.Fatal(err)
	}
	_, err := p.ListOffset(model.OffsetLatest, 20, false)
	wantErr(t, "offset while the epoch begins", err, kerr.OffsetNotAvailable)
	p.Assign(shared(2, 2, 20, 1, 2, 3))
	for spec, want := range map[int64]error{model.OffsetLatest: kerr.OffsetNotAvailable, model.OffsetEarliest: nil, 1: nil, 5: kerr.OffsetNotAvailable} {
		_, err := p.ListOffset(spec, 20, false)
		wantErr(t, "offset", err, want)
	}
	for _, node := range []int32{1, 3} {
		if _, err := fetchAt(p, node, 20, 6); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := p.ListOffset(model.OffsetLatest, 20, false); err != nil || f.Offset != 6 {
		t.Errorf("%+v, %v", f, err)
	}
}

// A leader that a crash has robbed of its memory does not lead the same epoch on.
func TestSpentEpoch(t *testing.T) {
	p, h, epoch := leading(t, 1, 2)
	again := New(Config{TP: p.TP(), ID: p.ID(), Settings: settings(), Home: h})
	r := p.Role()
	again.Assign(r)
	_, err := again.Append(batch(t, 4), AppendArgs{ProduceVersion: 12, Acks: 1})
	wantErr(t, "in the old epoch", err, kerr.NotLeaderForPartition)
	_, err = fetchAt(again, 2, epoch, 0)
	wantErr(t, "a follower's fetch in it", err, kerr.NotLeaderForPartition)
	r.Epoch++
	again.Assign(r)
	_, err = again.Append(batch(t, 4), AppendArgs{ProduceVersion: 12, Acks: 1})
	wantErr(t, "in a new one", err, nil)
}

// The host hears of a follower that could join, and what it proposes is waited for until
// it is answered.
func TestJoin(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p, _, epoch := leading(t, 1)
		told := 0
		p.eager = func(*Partition) { told++ }
		alive := func(int32) (int64, bool, bool) { return 1, false, true }
		if _, err := fetchAt(p, 2, epoch, 0); err != nil || told != 0 {
			t.Errorf("told %d times, %v", told, err)
		}
		if _, err := fetchAt(p, 2, epoch, 3); err != nil || told != 1 {
			t.Errorf("told %d times, %v", told, err)
		}
		pr, ok := p.Propose(time.Now(), time.Minute, alive)
		if !ok || len(pr.ISR) != 2 || pr.ISR[1] != (BrokerEpoch{2, 1}) || pr.LeaderEpoch != epoch {
			t.Fatalf("%+v, %v", pr, ok)
		}
		a, err := p.Append(batch(t, 4), AppendArgs{ProduceVersion: 12, Acks: AllInSync})
		if err != nil || p.HighWatermark() != 3 {
			t.Errorf("hw %d, %v", p.HighWatermark(), err)
		}
		p.Answered(pr, &State{Leader: 1, LeaderEpoch: epoch, PartitionEpoch: pr.PartitionEpoch + 1, ISR: []int32{1, 2}}, nil)
		if isr := p.Role().ISR; len(isr) != 2 || p.HighWatermark() != 3 {
			t.Errorf("isr %v, hw %d", isr, p.HighWatermark())
		}
		done := make(chan error, 1)
		go func() { done <- p.Wait(t.Context(), a.End, a.Epoch) }()
		synctest.Wait()
		if _, err := fetchAt(p, 2, epoch, a.End); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Who waits for a follower that is about to join waits no longer than its patience.
func TestJoinerDies(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p, _, epoch := leading(t, 1)
		for _, from := range []int64{0, 3} {
			if _, err := fetchAt(p, 2, epoch, from); err != nil {
				t.Fatal(err)
			}
		}
		a, err := p.Append(batch(t, 4), AppendArgs{ProduceVersion: 12, Acks: AllInSync})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := p.Wait(t.Context(), a.End, a.Epoch); err != nil || time.Since(began) > 2*joinPatience {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// A replica that is rotten below its leader's start, where it would begin to fetch, moves on
// to that start: there is nothing to fetch before, and nothing that is missed.
func TestRottenBelowLeadersStart(t *testing.T) {
	p, _, epoch := followed(t, 1)
	log, err := p.Log()
	if err != nil {
		t.Fatal(err)
	}
	p.Suspect(log, 3, 6)
	if from, _, _, err := p.FetchFrom(); err != nil || from != 3 {
		t.Fatalf("a rotten replica fetches from %d, %v", from, err)
	}
	if err := p.Restart(epoch, 5); err != nil {
		t.Fatal(err)
	}
	if o := marks(t, p); o.Start != 5 || o.HW != 5 || !p.Rotten() {
		t.Errorf("%+v, rotten %v", o, p.Rotten())
	}
	if from, _, _, err := p.FetchFrom(); err != nil || from != 5 {
		t.Errorf("it fetches from %d then, %v", from, err)
	}
}
