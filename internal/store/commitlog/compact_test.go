package commitlog

import (
	"fmt"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/compaction"
	"github.com/odradek/odradek/internal/store/producers"
)

// TestCompactHistories runs random histories of keyed appends, compactions and crashes,
// also in the middle of a compaction at every operation on the disk. The last value of
// each key is always there, nothing else is there that was not written at that offset,
// and after a compaction each key is once below its end.
func TestCompactHistories(t *testing.T) {
	first, n := uint64(1), manyHistories()
	if *seed != 0 {
		first, n = *seed, 1
	}
	for s := first; s < first+n; s++ {
		if !t.Run(fmt.Sprint(s), func(t *testing.T) { newCompactHistory(t, s).run(60) }) {
			t.Fatalf("repeat with: go test ./internal/store/commitlog -run TestCompactHistories -seed %d", s)
		}
	}
}

type compactHistory struct {
	*history
	faulty  *vfs.Faulty
	records map[int64]record.Record // by offset
	whole   int64                   // from here on every record must be there
	stable  func() int64            // what may be compacted, if not everything
}

func newCompactHistory(t *testing.T, seed uint64) *compactHistory {
	h := &compactHistory{records: map[int64]record.Record{}}
	h.history = &history{t: t, rng: newRand(seed), mem: newMem(t), config: testConfig(), now: 1000}
	h.config.SegmentBytes = int64(500 + h.rng.IntN(4000))
	h.config.IndexIntervalBytes = int64(h.rng.IntN(600))
	h.config.Delete, h.config.Compact, h.config.MinCleanableRatio = false, true, 0
	h.config.DeleteRetentionMs = 3600_000
	h.open(false)
	return h
}

func (h *compactHistory) open(clean bool) {
	h.faulty = vfs.NewFaulty(h.mem, nil)
	o := h.options()
	o.FS, o.RecoveryPoint, o.Clean = h.faulty, h.saved, clean
	l, err := Open(o)
	h.ok(err)
	h.log = l
}

func (h *compactHistory) run(steps int) {
	defer func() {
		if h.t.Failed() {
			for _, s := range h.steps {
				h.t.Log(s)
			}
		}
	}()
	for range steps {
		h.step()
		h.check()
	}
}

func (h *compactHistory) step() {
	switch n := h.rng.IntN(100); {
	case n < 60:
		h.appendKeyed()
	case n < 70:
		h.sync()
	case n < 80:
		h.compact()
	case n < 90:
		h.crashCompacting()
	case n < 95:
		h.ok(h.log.CloseIdle(time.Now()))
	default:
		h.ok(h.log.Close())
		h.saved = h.log.RecoveryPoint()
		h.synced = h.end
		h.open(true)
		h.say("closed and opened")
	}
}

func (h *compactHistory) appendKeyed() {
	cfg := record.BuilderConfig{Codec: []record.Codec{record.None, record.LZ4}[h.rng.IntN(2)]}
	b := record.NewBuilder(cfg)
	for i := range 1 + h.rng.IntN(5) {
		h.now++
		r := record.Record{Offset: int64(i), Timestamp: h.now, Key: fmt.Appendf(nil, "key%d", h.rng.IntN(12))}
		if h.rng.IntN(6) > 0 {
			r.Value = make([]byte, h.rng.IntN(100))
			for i := range r.Value {
				r.Value[i] = byte(h.rng.Uint32())
			}
		}
		b.Append(r)
		r.Offset += h.end
		h.records[r.Offset] = r
	}
	batch, err := b.Build()
	h.ok(err)
	a, err := h.log.AppendLeader(batch, 0, Client)
	h.ok(err)
	h.end = a.End
	h.say("append [%d, %d)", a.Base, a.End)
}

// limit is a high watermark: what is below may be compacted.
func (h *compactHistory) limit() int64 {
	if h.stable != nil {
		return h.stable()
	}
	if h.rng.IntN(2) == 0 {
		return h.end
	}
	return h.rng.Int64N(h.end + 1)
}

func (h *compactHistory) compact() {
	limit := h.limit()
	c, err := h.log.Compact(limit, time.UnixMilli(h.now+100))
	h.ok(err)
	h.say("compact below %d: %+v, first dirty %d", limit, c, h.log.FirstDirty())
	if !c.Ran {
		return
	}
	if c.End > limit {
		h.t.Fatalf("compacted up to %d, limit %d", c.End, limit)
	}
	h.whole, h.synced = max(h.whole, c.End), h.log.RecoveryPoint()
	seen := map[string]int64{}
	for r := range h.all() {
		if r.Offset >= c.End {
			break
		}
		if before, twice := seen[string(r.Key)]; twice {
			h.t.Fatalf("%s is at %d and %d, compacted up to %d", r.Key, before, r.Offset, c.End)
		}
		seen[string(r.Key)] = r.Offset
	}
}

// crashCompacting cuts the power after some operations of a compaction.
func (h *compactHistory) crashCompacting() {
	left := h.rng.IntN(60)
	h.faulty.SetRule(func(op vfs.Op, _ string) error {
		switch op {
		case vfs.OpRead, vfs.OpSize, vfs.OpStat, vfs.OpOpen:
			return nil
		}
		if left--; left < 0 {
			return vfs.ErrDown
		}
		return nil
	})
	limit := h.limit()
	c, err := h.log.Compact(limit, time.UnixMilli(h.now+100))
	h.whole = max(h.whole, limit)
	h.synced = max(h.synced, h.log.RecoveryPoint())
	if h.rng.IntN(2) == 0 {
		h.saved = h.log.RecoveryPoint()
	}
	h.mem = h.mem.Crash(h.rng)
	h.open(false)
	end := h.log.End()
	h.say("crash in a compaction below %d (%+v, %v): [%d, %d), synced %d", limit, c, err, h.log.Start(), end, h.synced)
	if end < h.synced || end > h.end {
		h.t.Fatalf("log ends at %d, want within [%d, %d]", end, h.synced, h.end)
	}
	for o := end; o < h.end; o++ {
		delete(h.records, o)
	}
	h.end, h.whole = end, min(h.whole, end)
	h.sync()
}

// all reads every record of the log.
func (h *compactHistory) all() func(yield func(record.Record) bool) {
	bytes := readAll(h.t, h.log, h.log.Start(), 100+h.rng.IntN(3000))
	return func(yield func(record.Record) bool) {
		for b, err := range Batches(bytes) {
			h.ok(err)
			for r, err := range b.Records(record.Limits{}) {
				h.ok(err)
				if !yield(r) {
					return
				}
			}
		}
	}
}

func (h *compactHistory) check() {
	h.t.Helper()
	if s, e := h.log.Start(), h.log.End(); s != 0 || e != h.end {
		h.t.Fatalf("log is [%d, %d), want [0, %d)", s, e, h.end)
	}
	there, last := map[int64]bool{}, int64(-1)
	for r := range h.all() {
		want, ok := h.records[r.Offset]
		if !ok || r.Offset <= last || string(want.Key) != string(r.Key) || string(want.Value) != string(r.Value) ||
			want.Timestamp != r.Timestamp || (want.Value == nil) != (r.Value == nil) {
			h.t.Fatalf("record after %d is %+v, want %+v", last, r, want)
		}
		there[r.Offset], last = true, r.Offset
	}
	latest := map[string]int64{}
	for o, r := range h.records {
		latest[string(r.Key)] = max(latest[string(r.Key)], o)
		if o >= h.whole && !there[o] {
			h.t.Fatalf("record at %d is missing, nothing from %d on was compacted", o, h.whole)
		}
	}
	for key, o := range latest {
		if !there[o] {
			h.t.Fatalf("the last record of %s, at %d, is missing", key, o)
		}
	}
}

// Records of an aborted transaction do not replace what was committed before them.
func TestCompactAborted(t *testing.T) {
	c := testConfig()
	c.Compact, c.Delete, c.MinCleanableRatio = true, false, 0
	l := mustOpen(t, testOptions(newMem(t), c))
	add := func(cfg record.BuilderConfig, key, value string) {
		b := record.NewBuilder(cfg)
		b.Append(record.Record{Timestamp: 1000, Key: []byte(key), Value: []byte(value)})
		must[Appended](t)(l.AppendTxn(must[record.Batch](t)(b.Build()), 0, Client, producers.Unverified))
	}
	add(record.BuilderConfig{}, "x", "committed")
	add(record.BuilderConfig{ProducerID: 5, Transactional: true}, "x", "aborted")
	add(record.BuilderConfig{}, "y", "1")
	must[Appended](t)(l.AppendLeader(record.EndTxn(5, 0, record.EndTxnMarker{}, 1000), 0, Coordinator))
	index := appendAborted(nil, compaction.AbortedTxn{ProducerID: 5, First: 1, Last: 3, LastStable: 4})
	if err := l.Roll(); err != nil {
		t.Fatal(err)
	}
	if done, err := l.Compact(4, time.UnixMilli(2000)); err != nil || !done.Ran {
		t.Fatalf("%+v, %v", done, err)
	}
	got := ""
	for b, err := range Batches(readAll(t, l, 0, 1000)) {
		if err != nil {
			t.Fatal(err)
		}
		for r, err := range b.Records(record.Limits{}) {
			if err != nil {
				t.Fatal(err)
			}
			if !b.Control() {
				got += fmt.Sprintf("%s=%s ", r.Key, r.Value)
			}
		}
	}
	if want := "x=committed y=1 "; got != want {
		t.Errorf("log holds %q, want %q", got, want)
	}
	if b, err := vfs.ReadFile(l.fs, l.path(0, txnIndexExt)); err != nil || string(b) != string(index) {
		t.Errorf("transaction index is %x, %v, want %x", b, err, index)
	}
}
