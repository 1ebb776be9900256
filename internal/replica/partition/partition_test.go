package partition

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

// home is a folder whose journal is the test: what is submitted is durable when the test
// says so, at once unless held.
type home struct {
	disk   *vfs.Mem
	held   bool
	broken []error
	opens  int
	starts int // how often a log start was made durable
	full   bool
	had    int64
	lost   int32
	writes
}

func (h *home) Open(p *Partition) (Opened, error) {
	h.opens++
	log, err := commitlog.Open(commitlog.Options{FS: h.disk, Dir: "/d/" + p.TP().String(), ID: p.ID(), Config: p.Settings().Log})
	return Opened{Log: log, Had: h.had, LostEpoch: h.lost}, err
}

func (h *home) Truncated(*Partition, *commitlog.Log, int64) error { return nil }
func (h *home) Keep(*Partition, *commitlog.Log) error             { return nil }

func (h *home) Close(_ *Partition, log *commitlog.Log) error { return log.Close() }

func (h *home) Broken(_ *Partition, err error) { h.broken = append(h.broken, err) }

func settings() *Settings {
	return &Settings{
		Log: commitlog.Default(), Rules: record.Rules{MaxMessageBytes: 1 << 20, BeforeMaxMs: math.MaxInt64, AfterMaxMs: math.MaxInt64},
		Durable: true, FlushMessages: math.MaxInt64, FlushMillis: math.MaxInt64, MinISR: 1, DeleteAllowed: true,
	}
}

var leader = Role{Leader: 1, Leading: true, Epoch: 5, ISR: []int32{1}, Replicas: []int32{1}}

func newPartition(t *testing.T) (*Partition, *home) {
	t.Helper()
	h := &home{disk: vfs.NewMem()}
	if err := vfs.MkdirAllDurable(h.disk, "/d", 0o755); err != nil {
		t.Fatal(err)
	}
	p := New(Config{
		TP: model.TopicPartition{Topic: "orders"}, ID: model.IDPartition{Topic: model.ID{1}}, Settings: settings(), Home: h,
	})
	p.Assign(leader)
	return p, h
}

func batch(t *testing.T, stamps ...int64) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.BuilderConfig{})
	for i, ts := range stamps {
		b.Append(record.Record{Offset: int64(i), Timestamp: ts, Value: []byte("v")})
	}
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func produce(t *testing.T, p *Partition, stamps ...int64) Appended {
	t.Helper()
	a, err := p.Append(batch(t, stamps...), AppendArgs{ProduceVersion: 12, Acks: AllInSync})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func marks(t *testing.T, p *Partition) Offsets {
	t.Helper()
	o, err := p.Offsets()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Records are read when they are durable, not before, and whoever waits for them is told
// then.
func TestAppendWaitRead(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p, h := newPartition(t)
		h.held = true
		a := produce(t, p, 10, 11, 12)
		if a.Base != 0 || a.End != 3 || a.Epoch != 5 {
			t.Fatalf("appended %+v", a)
		}
		if r, err := p.Read(ReadArgs{MaxBytes: 1 << 20, MinOne: true, CurrentEpoch: 5, LastFetchedEpoch: -1}); err != nil || r.Len != 0 || r.HW != 0 || r.End != 3 {
			t.Errorf("read before it is durable: %+v, %v", r.Offsets, err)
		}
		w := NewWaiter()
		p.Watch(w)
		done := make(chan error, 1)
		go func() { done <- p.Wait(t.Context(), a.End, a.Epoch) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("Wait returned %v before anything was durable", err)
		case <-w.C:
			t.Fatal("a watcher was woken for nothing")
		default:
		}
		p.Durable(3)
		if err := <-done; err != nil {
			t.Errorf("Wait = %v", err)
		}
		<-w.C
		p.Unwatch(w)
		r, err := p.Read(ReadArgs{From: 1, MaxBytes: 1 << 20, CurrentEpoch: -1, LastFetchedEpoch: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
		if got, err := r.ReadAll(nil); err != nil || record.Batch(got).NextOffset() != 3 || r.Next != 3 {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		p.Durable(2) // late news
		if o := marks(t, p); o.HW != 3 {
			t.Errorf("the high watermark fell: %+v", o)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Wait(ctx, 4, 5); !errors.Is(err, kerr.RequestTimedOut) {
			t.Errorf("Wait for what does not come: %v", err)
		}
	})
}

func TestReadOutOfRange(t *testing.T) {
	p, _ := newPartition(t)
	produce(t, p, 1, 2)
	for from, want := range map[int64]error{-1: kerr.OffsetOutOfRange, 3: kerr.OffsetOutOfRange, 0: nil, 2: nil} {
		r, err := p.Read(ReadArgs{From: from, MaxBytes: 100, MinOne: true, CurrentEpoch: -1, LastFetchedEpoch: -1})
		if !errors.Is(err, want) || want == nil && err != nil || r.HW != 2 {
			t.Errorf("read at %d: %v at %+v, want %v", from, err, r.Offsets, want)
		}
		r.Release()
	}
}

// A client that believes in another epoch, or in another history, is told.
func TestEpochs(t *testing.T) {
	p, _ := newPartition(t)
	produce(t, p, 1)
	next := leader
	next.Epoch = 7
	p.Assign(next)
	produce(t, p, 2)
	for epoch, want := range map[int32]error{6: kerr.FencedLeaderEpoch, 8: kerr.UnknownLeaderEpoch, 7: nil, -1: nil} {
		_, rerr := p.Read(ReadArgs{CurrentEpoch: epoch, LastFetchedEpoch: -1})
		_, lerr := p.ListOffset(model.OffsetLatest, epoch, false)
		_, eerr := p.EpochEnd(epoch, 5)
		for _, err := range []error{rerr, lerr, eerr} {
			if !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("epoch %d: %v, want %v", epoch, err, want)
			}
		}
	}
	for epoch, want := range map[int32]EpochEnd{5: {5, 1}, 6: {5, 1}, 7: {7, 2}, 4: {-1, -1}} {
		got, err := p.EpochEnd(-1, epoch)
		if epoch == 4 {
			want.Epoch = got.Epoch // Kafka answers the epoch that was asked for or none
		}
		if err != nil || got.End != want.End && epoch != 4 || got.Epoch != want.Epoch {
			t.Errorf("end of epoch %d: %+v, %v, want %+v", epoch, got, err, want)
		}
	}
	r, err := p.Read(ReadArgs{From: 2, CurrentEpoch: 7, LastFetchedEpoch: 5, MaxBytes: 100})
	if err != nil || r.Diverging == nil || *r.Diverging != (EpochEnd{5, 1}) {
		t.Errorf("a client with epoch 5 up to 2: %+v, %v", r.Diverging, err)
	}
}

// Who waits for an append of an epoch is told when it ends: what stood there may be
// replaced.
func TestRoleChangesUnderWaiters(t *testing.T) {
	roles := map[string]Role{
		"deposed":    {Leader: 2, Epoch: 6, ISR: []int32{1, 2}, Replicas: []int32{1, 2}},
		"leaderless": {Leader: model.NoLeader, Epoch: 6, ISR: []int32{1}, Replicas: []int32{1}},
		"again":      {Leader: 1, Leading: true, Epoch: 6, ISR: []int32{1}, Replicas: []int32{1}},
	}
	for name, role := range roles {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				p, h := newPartition(t)
				h.held = true
				a := produce(t, p, 1)
				done := make(chan error, 1)
				go func() { done <- p.Wait(t.Context(), a.End, a.Epoch) }()
				synctest.Wait()
				p.Assign(role)
				p.Durable(a.End)
				if err := <-done; !errors.Is(err, kerr.NotLeaderForPartition) {
					t.Errorf("Wait = %v", err)
				}
				_, err := p.Append(batch(t, 2), AppendArgs{ProduceVersion: 12, Acks: 1})
				if role.Leading != (err == nil) {
					t.Errorf("append in the new role: %v", err)
				}
				if _, err := p.AppendRecords(batch(t, 3), 5); err == nil {
					t.Error("a coordinator appended in an epoch that is over")
				}
			})
		})
	}
}

// min.insync.replicas binds acks=all and coordinators, and asks for no more replicas than
// there are.
func TestMinISR(t *testing.T) {
	p, _ := newPartition(t)
	s := settings()
	s.MinISR = 2
	p.Configure(s)
	for _, c := range []struct {
		isr      []int32
		replicas []int32
		want     error
	}{
		{[]int32{1}, []int32{1, 2, 3}, kerr.NotEnoughReplicas},
		{[]int32{1, 2}, []int32{1, 2, 3}, nil},
		{[]int32{1}, []int32{1}, nil},
	} {
		role := leader
		role.ISR, role.Replicas = c.isr, c.replicas
		p.Assign(role)
		_, all := p.Append(batch(t, 1), AppendArgs{ProduceVersion: 12, Acks: AllInSync})
		_, one := p.Append(batch(t, 1), AppendArgs{ProduceVersion: 12, Acks: 1})
		_, coord := p.AppendRecords(batch(t, 1), role.Epoch)
		if !errors.Is(all, c.want) || one != nil || !errors.Is(coord, c.want) {
			t.Errorf("%d of %d in sync: acks=all %v, acks=1 %v, coordinator %v", len(c.isr), c.replicas, all, one, coord)
		}
	}
}

// A batch of an idempotent producer that comes again is answered as the first time and
// not written.
func TestDuplicate(t *testing.T) {
	p, _ := newPartition(t)
	build := func(seq int32) record.Batch {
		b := record.NewBuilder(record.BuilderConfig{ProducerID: 9, ProducerEpoch: 0, BaseSequence: seq})
		b.Append(record.Record{Timestamp: 1, Value: []byte("v")})
		built, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		return built
	}
	for i, seq := range []int32{0, 1, 0, 1} {
		a, err := p.Append(build(seq), AppendArgs{ProduceVersion: 12, Acks: AllInSync})
		if err != nil || a.Base != int64(seq) || a.Duplicate != (i >= 2) {
			t.Errorf("append %d of sequence %d: %+v, %v", i, seq, a.Appended, err)
		}
		if err := p.Wait(t.Context(), a.End, a.Epoch); err != nil {
			t.Error(err)
		}
	}
	if _, err := p.Append(build(5), AppendArgs{ProduceVersion: 12, Acks: AllInSync}); !errors.Is(err, kerr.OutOfOrderSequenceNumber) {
		t.Errorf("a gap in sequences: %v", err)
	}
	if list, err := p.Producers(); err != nil || len(list) != 1 || list[0].ProducerID != 9 {
		t.Errorf("producers %+v, %v", list, err)
	}
	if o := marks(t, p); o.End != 2 {
		t.Errorf("%+v", o)
	}
}

func TestListOffset(t *testing.T) {
	p, h := newPartition(t)
	produce(t, p, 100, 300)
	produce(t, p, 200)
	if got, err := p.ListOffset(model.OffsetMaxTimestamp, 5, false); err != nil || got != (Found{1, 300, 5}) {
		t.Errorf("max timestamp: %+v, %v", got, err)
	}
	h.held = true
	produce(t, p, 900) // not committed
	for _, c := range []struct {
		spec int64
		want Found
	}{
		{model.OffsetLatest, Found{3, -1, 5}},
		{model.OffsetEarliest, Found{0, -1, 5}},
		{model.OffsetEarliestLocal, Found{0, -1, 5}},
		{model.OffsetLatestTiered, Nowhere},
		{model.OffsetMaxTimestamp, Nowhere}, // the greatest is not committed: as Kafka answers
		{0, Found{0, 100, 5}},
		{101, Found{1, 300, 5}},
		{301, Nowhere},
	} {
		if got, err := p.ListOffset(c.spec, 5, false); err != nil || got != c.want {
			t.Errorf("ListOffset(%d) = %+v, %v, want %+v", c.spec, got, err, c.want)
		}
	}
}

func TestDeleteRecords(t *testing.T) {
	p, h := newPartition(t)
	produce(t, p, 1, 2, 3)
	h.held = true
	produce(t, p, 4)
	for _, c := range []struct {
		before, start int64
		err           error
	}{
		{1, 1, nil}, {0, 1, nil}, {4, -1, kerr.OffsetOutOfRange}, {-2, -1, kerr.OffsetOutOfRange}, {-1, 3, nil},
	} {
		if start, err := p.DeleteRecords(c.before); start != c.start || !errors.Is(err, c.err) {
			t.Errorf("DeleteRecords(%d) = %d, %v, want %d, %v", c.before, start, err, c.start, c.err)
		}
	}
	s := settings()
	s.DeleteAllowed = false
	p.Configure(s)
	if _, err := p.DeleteRecords(3); !errors.Is(err, kerr.PolicyViolation) {
		t.Errorf("on a topic that is only compacted: %v", err)
	}
}

// An error of the disk wakes whoever waits, is told once, and ends everything.
func TestFailure(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p, h := newPartition(t)
		h.held = true
		a := produce(t, p, 1)
		w := NewWaiter()
		p.Watch(w)
		done := make(chan error, 1)
		go func() { done <- p.Wait(t.Context(), a.End, a.Epoch) }()
		synctest.Wait()
		p.Failed(vfs.ErrIO)
		p.Failed(vfs.ErrIO)
		if err := <-done; !errors.Is(err, kerr.KafkaStorageError) || !errors.Is(err, vfs.ErrIO) {
			t.Errorf("Wait = %v", err)
		}
		<-w.C
		p.Durable(a.End)
		if len(h.broken) != 1 || p.HighWatermark() != 0 {
			t.Errorf("told %d times, high watermark %d", len(h.broken), p.HighWatermark())
		}
		_, aerr := p.Append(batch(t, 1), AppendArgs{ProduceVersion: 12, Acks: 1})
		_, rerr := p.Read(ReadArgs{CurrentEpoch: -1, LastFetchedEpoch: -1})
		_, lerr := p.ListOffset(model.OffsetLatest, -1, false)
		for _, err := range []error{aerr, rerr, lerr} {
			if !errors.Is(err, kerr.KafkaStorageError) {
				t.Errorf("afterwards: %v", err)
			}
		}
	})
}

// A full disk refuses what needs room and nothing else, and is forgotten when it is over.
func TestFullDisk(t *testing.T) {
	p, h := newPartition(t)
	h.disk.SetSize(0)
	if _, err := p.Append(batch(t, 1), AppendArgs{ProduceVersion: 12, Acks: 1}); !errors.Is(err, kerr.KafkaStorageError) || !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("first use on a full disk: %v", err)
	}
	h.disk.SetSize(1 << 30)
	produce(t, p, 1)
	h.disk.SetSize(0)
	if _, err := p.Append(batch(t, 1), AppendArgs{ProduceVersion: 12, Acks: 1}); !errors.Is(err, kerr.KafkaStorageError) || !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("append on a full disk: %v", err)
	}
	if _, err := p.DeleteRecords(1); err != nil {
		t.Error(err)
	}
	h.disk.SetSize(1 << 30)
	if a := produce(t, p, 1); a.Base != 1 {
		t.Errorf("with room again the append is at %d, want 1", a.Base)
	}
	if len(h.broken) > 0 {
		t.Errorf("the disk was given up: %v", h.broken)
	}
}

// Who closes a partition sends its clients to look for the leader, and it stays closed.
func TestClose(t *testing.T) {
	p, h := newPartition(t)
	produce(t, p, 1)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Append(batch(t, 1), AppendArgs{ProduceVersion: 12, Acks: 1}); !errors.Is(err, kerr.NotLeaderForPartition) || errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("append: %v", err)
	}
	if synced, err := p.Sync(); synced != 1 || err != nil {
		t.Errorf("the journal's late sync: %d, %v", synced, err)
	}
	if err := p.Close(); err != nil || len(h.broken) > 0 || h.opens != 1 {
		t.Errorf("second close: %v, broken %v, opened %d times", err, h.broken, h.opens)
	}
}

// What breaks the invariants is not served any more.
func TestInvariants(t *testing.T) {
	for name, do := range map[string]func(p *Partition){
		"durable beyond the end": func(p *Partition) { p.Durable(100) },
		"an epoch that falls":    func(p *Partition) { r := leader; r.Epoch = 4; p.Assign(r) },
		"two leaders of an epoch": func(p *Partition) {
			r := leader
			r.Leading, r.Leader, r.PartitionEpoch = false, 2, r.PartitionEpoch+1
			p.Assign(r)
		},
		"a high watermark beyond what is durable": func(p *Partition) { p.hw.Store(2); p.Audit() },
		"a high watermark below the start": func(p *Partition) {
			if log, err := p.Log(); err != nil || log.AdvanceStart(1) != nil {
				panic("no log to advance")
			}
			p.hw.Store(0)
			p.Audit()
		},
	} {
		p, h := newPartition(t)
		produce(t, p, 1)
		do(p)
		if len(h.broken) != 1 || !errors.Is(h.broken[0], commitlog.ErrInvariant) || p.Err() == nil {
			t.Errorf("%s: %v", name, h.broken)
		}
	}
}

// A visit opens a closed log for as long as it takes, deletes what is old, and tells when
// to come again.
func TestTend(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p, h := newPartition(t)
		s := settings()
		s.Log.RetentionMs, s.Log.FileDeleteDelay = time.Hour.Milliseconds(), time.Minute
		p.Configure(s)
		produce(t, p, time.Now().UnixMilli())
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		p = New(Config{TP: p.TP(), ID: p.ID(), Settings: s, Home: h})
		p.Assign(leader)
		began := time.Now()
		got, err := p.Tend(began)
		if err != nil || p.Opened() != nil || got.Again.Sub(began) != time.Hour+time.Millisecond {
			t.Errorf("first visit: %+v, %v; open: %v", got, err, p.Opened() != nil)
		}
		time.Sleep(time.Until(got.Again))
		if got, err = p.Tend(time.Now()); err != nil || time.Until(got.Again) != time.Minute {
			t.Errorf("second visit: %+v, %v", got, err)
		}
		if o := marks(t, p); o.Start != 1 || o.End != 1 || o.HW != 1 {
			t.Errorf("after retention: %+v", o)
		}
		if got, err = p.Tend(time.Now()); err != nil || !got.Again.IsZero() {
			t.Errorf("visit of an empty log: %+v, %v", got, err)
		}
	})
}

// A coordinator reads what it wrote as it wrote it, committed or not.
func TestReadLog(t *testing.T) {
	p, h := newPartition(t)
	h.held = true
	first, second := batch(t, 1), batch(t, 2)
	for _, b := range []record.Batch{first, second} {
		if _, err := p.AppendRecords(b, 5); err != nil {
			t.Fatal(err)
		}
	}
	got, next, err := p.ReadLog(0, 1<<20)
	if err != nil || next != 2 || !bytes.Equal(got, append(bytes.Clone(first), second...)) {
		t.Errorf("read %d bytes up to %d, %v", len(got), next, err)
	}
	if got, next, err := p.ReadLog(2, 1<<20); len(got) > 0 || next != 2 || err != nil {
		t.Errorf("at the end: %d bytes, %d, %v", len(got), next, err)
	}
}
