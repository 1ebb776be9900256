package commitlog

import (
	"testing"

	"github.com/odradek/odradek/internal/proto/record"
)

// firstRecord is what the model says of lookups by time: the first wanted record from start.
func firstRecord(t *testing.T, batches []record.Batch, start int64, wanted func(int64) bool) TimestampOffset {
	t.Helper()
	for _, b := range batches {
		for r, err := range b.Records(record.Limits{}) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Offset >= start && wanted(r.Timestamp) {
				return TimestampOffset{r.Offset, r.Timestamp, b.LeaderEpoch()}
			}
		}
	}
	return noRecord
}

// checkTimes compares lookups by time with a walk over all records.
func (h *history) checkTimes() {
	h.t.Helper()
	ts := h.now - int64(h.rng.IntN(2000))
	got, err := h.log.OffsetForTimestamp(ts, h.end)
	h.ok(err)
	if want := firstRecord(h.t, h.batches, h.start, func(r int64) bool { return r >= ts }); got != want {
		h.t.Fatalf("first record since %d is %+v, want %+v", ts, got, want)
	}
	newest := noTime
	for _, b := range h.batches {
		firstRecord(h.t, []record.Batch{b}, h.start, func(r int64) bool { newest = max(newest, r); return false })
	}
	got, err = h.log.MaxTimestamp()
	h.ok(err)
	want := noRecord
	if newest >= 0 {
		want = firstRecord(h.t, h.batches, h.start, func(r int64) bool { return r == newest })
	}
	if got.Timestamp != want.Timestamp {
		h.t.Fatalf("record of the greatest timestamp is %+v, want %+v", got, want)
	}
}
