package load

import (
	"testing"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kgo"
)

// sentHook sees records as they are handed over to be sent.
type sentHook struct{ seen []*kgo.Record }

func (h *sentHook) OnProduceRecordBuffered(r *kgo.Record) { h.seen = append(h.seen, r) }

// A history tells a tombstone from a record: the checks let the one go in its time, and
// never the other.
func TestTombstonesAreRecorded(t *testing.T) {
	rec, hook := history.NewRecorder(nil), &sentHook{}
	a := New(nil, rec, 1, Mix{}).actor(t.Context(), "producer")
	c, err := kgo.NewClient(kgo.WithHooks(hook), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	p := &producer{actor: a, c: c, number: 1}
	at := history.Place{Topic: Table}
	p.send(at, "kept", false, 0, nil)
	p.send(at, "deleted", true, 0, nil)
	p.close(true)
	h := rec.History()
	if len(hook.seen) != 2 || len(h.Sends) != 2 {
		t.Fatalf("of two sends %d were handed over, and %d recorded", len(hook.seen), len(h.Sends))
	}
	for i := range h.Sends {
		id, tombstone := h.Sends[i].KeyID()
		key := h.Strings[id]
		for _, r := range hook.seen {
			if string(r.Key) == key && tombstone != (r.Value == nil) {
				t.Errorf("%q was sent with the value %q, and recorded as a tombstone: %v", key, r.Value, tombstone)
			}
		}
	}
}
