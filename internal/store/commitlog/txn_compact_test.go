package commitlog

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/producers"
)

// TestTxnCompactHistories is TestCompactHistories with producers of transactions: a reader
// of what is committed finds the last committed value of each key, never one that was
// aborted, and producers go on where they were.
func TestTxnCompactHistories(t *testing.T) {
	first, n := uint64(1), manyHistories()/2
	if *seed != 0 {
		first, n = *seed, 1
	}
	for s := first; s < first+n; s++ {
		if !t.Run(fmt.Sprint(s), func(t *testing.T) { newTxnCompactHistory(t, s).run(100) }) {
			t.Fatalf("repeat with: go test ./internal/store/commitlog -run TestTxnCompactHistories -seed %d", s)
		}
	}
}

type txnCompactHistory struct {
	*compactHistory
	m       *txnModel // of which the batches are as they were written
	written map[int64]kv
}

// kv is a record as it was written.
type kv struct {
	key, value string
	tombstone  bool
}

func newTxnCompactHistory(t *testing.T, seed uint64) *txnCompactHistory {
	h := &txnCompactHistory{compactHistory: newCompactHistory(t, seed), m: &txnModel{}, written: map[int64]kv{}}
	h.config.ProducerExpiry, h.config.DeleteRetentionMs = math.MaxInt64, 200
	h.config.SegmentBytes += 500
	h.log.SetConfig(h.config)
	h.compactHistory.stable = func() int64 {
		h.m.hw = h.end
		stable, _ := h.m.stable(0)
		return stable
	}
	return h
}

func (h *txnCompactHistory) run(steps int) {
	defer func() {
		if h.t.Failed() {
			for _, s := range h.steps {
				h.t.Log(s)
			}
		}
	}()
	for range steps {
		switch n := h.rng.IntN(100); {
		case n < 70:
			h.append()
		case n < 74:
			h.sync()
		case n < 86:
			h.compact()
		case n < 91:
			h.crashCompacting()
			h.m.cut(h.end)
		case n < 93:
			h.ok(h.log.Roll())
		case n < 96:
			h.ok(h.log.CloseIdle(time.Now()))
		case n < 98:
			h.now += int64(h.rng.IntN(600)) // delete horizons pass
		default:
			h.ok(h.log.Close())
			h.saved, h.synced = h.log.RecoveryPoint(), h.end
			h.compactHistory.open(true)
			h.say("closed and opened")
		}
		h.check()
	}
}

func (h *txnCompactHistory) append() {
	id := int64(1 + h.rng.IntN(4))
	w := h.m.producer(id)
	var b record.Batch
	var err error
	var a Appended
	switch {
	case w.open >= 0 && h.rng.IntN(3) == 0:
		version, epoch := int16(1), w.epoch
		if h.rng.IntN(2) == 0 {
			version, epoch = 2, epoch+1
		}
		b = record.EndTxn(id, epoch, record.EndTxnMarker{Commit: h.rng.IntN(2) == 0}, h.now)
		a, err = h.log.AppendMarker(b, 0, version)
	default:
		c := record.BuilderConfig{Codec: []record.Codec{record.None, record.LZ4}[h.rng.IntN(2)]}
		if h.rng.IntN(4) > 0 {
			c.ProducerID, c.ProducerEpoch, c.BaseSequence, c.Idempotent, c.Transactional = id, w.epoch, w.seq, true, true
		}
		b = h.batch(c)
		a, err = h.log.AppendTxn(b, 0, Client, producers.Unverified)
	}
	h.ok(err)
	h.say("append %s at %d", words(b), a.Base)
	h.m.all = append(h.m.all, slices.Clone(b))
	h.end = a.End
}

// batch makes a batch of records, some of them tombstones.
func (h *txnCompactHistory) batch(c record.BuilderConfig) record.Batch {
	r := record.NewBuilder(c)
	for i := range 1 + h.rng.IntN(3) {
		h.now++
		one := record.Record{Offset: int64(i), Timestamp: h.now, Key: fmt.Appendf(nil, "key%d", h.rng.IntN(8))}
		if h.rng.IntN(6) > 0 {
			one.Value = fmt.Appendf(nil, "value %d %0*d", h.now, h.rng.IntN(60), 0)
		}
		r.Append(one)
		h.written[h.end+int64(i)] = kv{string(one.Key), string(one.Value), one.Value == nil}
	}
	b, err := r.Build()
	h.ok(err)
	return b
}

func (h *txnCompactHistory) compact() {
	limit := h.stable()
	c, err := h.log.Compact(limit, time.UnixMilli(h.now+100))
	h.ok(err)
	h.say("compact below %d at %d: %+v", limit, h.now+100, c)
	if c.Ran && c.End > limit {
		h.t.Fatalf("compacted up to %d, limit %d", c.End, limit)
	}
	h.synced = max(h.synced, h.log.RecoveryPoint())
}

func (h *txnCompactHistory) check() {
	h.t.Helper()
	stable := h.stable()
	m, err := h.log.Marks(h.end)
	h.ok(err)
	if m.Start != 0 || m.End != h.end || m.Stable != stable {
		h.t.Fatalf("marks are %+v, want stable at %d and the end at %d", m, stable, h.end)
	}
	seen := h.consumed(0, stable)
	if stable > 0 { // a reader that comes later sees the same from there on
		from := h.rng.Int64N(stable)
		for offset, r := range h.consumed(from, stable) {
			if offset >= from && seen[offset] != r {
				h.t.Fatalf("from %d on a reader sees %+v at %d, from the start %+v", from, r, offset, seen[offset])
			}
		}
	}
	was := map[int64]bool{} // committed
	latest := map[string]int64{}
	for i, b := range h.m.all {
		if b.Control() || b.NextOffset() > stable || !committed(h.m.all[i:]) {
			continue
		}
		for offset := b.BaseOffset(); offset < b.NextOffset(); offset++ {
			was[offset], latest[h.written[offset].key] = true, offset
		}
	}
	newest := map[string]int64{}
	for offset, r := range seen {
		if !was[offset] || r != h.written[offset] {
			h.t.Fatalf("%+v is seen at %d, where %+v was written, committed %v", r, offset, h.written[offset], was[offset])
		}
		if at, there := newest[r.key]; !there || offset > at {
			newest[r.key] = offset
		}
	}
	for key, offset := range latest {
		at, there := newest[key]
		if gone := h.written[offset].tombstone && !there; !gone && (!there || at != offset) {
			h.t.Fatalf("the last of %s is at %d (%v), want %d: %+v", key, at, there, offset, h.written[offset])
		}
	}
}

// consumed is what a reader of decided transactions sees, by offset.
func (h *txnCompactHistory) consumed(from, to int64) map[int64]kv {
	h.t.Helper()
	seen := map[int64]kv{}
	for from < to {
		s, err := h.log.Read(from, to, h.rng.IntN(3000), true)
		h.ok(err)
		if s.Len == 0 {
			break
		}
		aborted, err := h.log.AbortedIn(from, s.Next)
		h.ok(err)
		bytes, err := s.ReadAll(nil)
		h.ok(err)
		s.Release()
		bases := consume(h.t, bytes, aborted)
		for b, err := range Batches(bytes) {
			h.ok(err)
			if len(bases) == 0 || bases[0] != fmt.Sprint(b.BaseOffset()) {
				continue
			}
			bases = bases[1:]
			for r, err := range b.Records(record.Limits{}) {
				h.ok(err)
				seen[r.Offset] = kv{string(r.Key), string(r.Value), r.Value == nil}
			}
		}
		from = s.Next
	}
	return seen
}
