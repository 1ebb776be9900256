package crash

import (
	"slices"
	"strings"
	"testing"
)

var p0 = Place{"orders", 0}

func rec(producer uint16, seq uint64) ID { return ID{producer, seq} }

// told is a history in which two producers had records 0 to 3 acknowledged, and a group
// committed offset 3.
func told(topic string) *History {
	h := NewHistory("loose")
	p := Place{topic, 0}
	for i, id := range []ID{rec(1, 0), rec(1, 1), rec(2, 0), rec(1, 2)} {
		h.Acked(p, int64(i), id)
	}
	h.Trim(p, 2)
	h.Commit("g", p, 3)
	h.Committed("g", p, 3)
	h.Commit("g", p, 4)
	h.Created("made", [16]byte{7})
	h.Died()
	return h
}

func log(start int64, ids ...ID) Snapshot {
	s := Snapshot{Start: start, End: start + int64(len(ids))}
	for i, id := range ids {
		s.Records = append(s.Records, Entry{start + int64(i), id, true})
	}
	return s
}

// A checker that has never failed proves nothing: each of these histories is bad in one
// way, and the check must say which.
func TestBadLogs(t *testing.T) {
	gap := log(0, rec(1, 0), rec(1, 1), rec(2, 0), rec(1, 2))
	gap.Records = slices.Delete(gap.Records, 1, 2)
	swapped := log(0, rec(1, 0), rec(1, 1), rec(2, 0), rec(1, 2))
	swapped.Records[0], swapped.Records[1] = swapped.Records[1], swapped.Records[0]
	torn := log(0, rec(1, 0), rec(1, 1), rec(2, 0), rec(1, 2))
	torn.Records[2].Whole = false
	hidden := log(0, rec(1, 0), rec(1, 1), rec(2, 0), rec(1, 2))
	hidden.End++
	for _, c := range []struct {
		name string
		now  Snapshot
		want string
	}{
		{"lost at the end", log(0, rec(1, 0), rec(1, 1), rec(2, 0)), "lost {1 2} at 3"},
		{"lost at the end, the end kept", Snapshot{End: 4, Records: log(0, rec(1, 0), rec(1, 1), rec(2, 0)).Records}, "lost {1 2} at 3"},
		{"all lost", Snapshot{}, "high watermark went back from 4 to 0"},
		{"lost in the middle", gap, "lost {1 1} at 1"},
		{"another in its place", log(0, rec(1, 0), rec(1, 1), rec(3, 0), rec(1, 2)), "at 2 stood {2 0}, now {3 0}"},
		{"moved", log(0, rec(1, 0), rec(2, 0), rec(1, 1), rec(1, 2)), "at 1 stood {1 1}, now {2 0}"},
		{"acknowledged, doubled", log(0, rec(1, 0), rec(1, 1), rec(2, 0), rec(1, 2), rec(1, 2)), "{1 2} stands at 3 and at 4"},
		{"never acknowledged, doubled", log(0, rec(1, 0), rec(1, 1), rec(2, 0), rec(1, 2), rec(2, 1), rec(2, 1)), "{2 1} stands at 4 and at 5"},
		{"never acknowledged, out of order", log(0, rec(1, 0), rec(1, 1), rec(2, 0), rec(1, 2), rec(2, 2), rec(2, 1)), "at 5 {2 1} comes after 2"},
		{"offsets out of order", swapped, "after -1 comes 1"},
		{"bytes changed", torn, "at 2 {2 0} is not as it was sent"},
		{"high watermark over nothing", hidden, "records end at 4, the high watermark is 5"},
		{"trimmed by nobody", log(3, rec(1, 2)), "log starts at 3, nobody asked for more than 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := told("orders")
			h.CheckLog(p0, c.now)
			must(t, h, c.want)
		})
	}
}

// What a check has read holds for the next one, acknowledged or not.
func TestBadSequels(t *testing.T) {
	first := log(0, rec(1, 0), rec(1, 1), rec(2, 0), rec(1, 2), rec(2, 1))
	for _, c := range []struct {
		name string
		then func(*History)
		want string
	}{
		{"read, then lost", func(h *History) { h.CheckLog(p0, log(0, rec(1, 0), rec(1, 1), rec(2, 0), rec(1, 2))) }, "lost {2 1} at 4"},
		{"log start went back", func(h *History) {
			h.CheckLog(p0, log(2, rec(2, 0), rec(1, 2), rec(2, 1)))
			h.CheckLog(p0, first)
		}, "log start went back from 2 to 0"},
		{"trimmed, then back", func(h *History) {
			h.Trimmed(p0, 1)
			h.CheckLog(p0, first)
		}, "log start went back from 1 to 0"},
		{"trimmed, then elsewhere", func(h *History) {
			h.CheckLog(p0, log(2, rec(2, 0), rec(1, 2), rec(2, 1)))
			h.CheckLog(p0, log(2, rec(2, 0), rec(1, 2), rec(2, 1), rec(1, 0)))
		}, "{1 0} stands at 0 and at 5"},
		{"acknowledged elsewhere", func(h *History) { h.Acked(p0, 9, rec(2, 1)) }, "{2 1} stands at 4 and at 9"},
		{"acknowledged twice", func(h *History) { h.Acked(p0, 3, rec(1, 2)) }, "acknowledged {1 2} after 2"},
		{"acknowledged over another", func(h *History) { h.Acked(p0, 4, rec(3, 0)) }, "at 4 stood {2 1}, now {3 0}"},
		{"a consumer read another", func(h *History) { h.Read(p0, 0, rec(1, 5), true) }, "at 0 stood {1 0}, now {1 5}"},
		{"a consumer read ahead, then lost", func(h *History) {
			h.Read(p0, 5, rec(2, 2), true)
			h.Died()
			h.CheckLog(p0, first)
		}, "lost {2 2} at 5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := told("orders")
			h.CheckLog(p0, first)
			h.Died()
			must(t, h)
			c.then(h)
			must(t, h, c.want)
		})
	}
}

func TestBadCommitsAndTopics(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(*History)
		want string
	}{
		{"went back", func(h *History) { h.CheckCommit("g", p0, 2) }, "committed offset went back from 3 to 2"},
		{"gone", func(h *History) { h.CheckCommit("g", p0, -1) }, "committed offset went back from 3 to -1"},
		{"read once, then back", func(h *History) {
			h.CheckCommit("g", p0, 4)
			h.Died()
			h.CheckCommit("g", p0, 3)
		}, "committed offset went back from 4 to 3"},
		{"invented", func(h *History) { h.CheckCommit("g", p0, 5) }, "5 is committed, nobody asked for more than 4"},
		{"topic gone", func(h *History) { h.CheckTopics(nil) }, "topic made: had id 07"},
		{"topic made anew", func(h *History) { h.CheckTopics(map[string][16]byte{"made": {8}}) }, "now 08"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := told("orders")
			c.then(h)
			must(t, h, c.want)
		})
	}
}

// Good histories pass: a node may keep more than it acknowledged, and a producer that is
// not idempotent may repeat itself.
func TestGoodHistories(t *testing.T) {
	for name, then := range map[string]func(*History){
		"as told":          func(h *History) { h.CheckLog(p0, log(0, rec(1, 0), rec(1, 1), rec(2, 0), rec(1, 2))) },
		"more than told":   func(h *History) { h.CheckLog(p0, log(0, rec(1, 0), rec(1, 1), rec(2, 0), rec(1, 2), rec(1, 3))) },
		"trimmed as asked": func(h *History) { h.CheckLog(p0, log(2, rec(2, 0), rec(1, 2))) },
		"told during a check": func(h *History) {
			h.Acked(p0, 4, rec(1, 3))
			h.CheckLog(p0, log(0, rec(1, 0), rec(1, 1), rec(2, 0), rec(1, 2)))
		},
		"commit unanswered": func(h *History) { h.CheckCommit("g", p0, 4) },
		"topics as told":    func(h *History) { h.CheckTopics(map[string][16]byte{"made": {7}, "more": {9}}) },
	} {
		t.Run(name, func(t *testing.T) {
			h := told("orders")
			then(h)
			must(t, h)
		})
	}
	t.Run("repeated without idempotence", func(t *testing.T) {
		h, p := told("loose"), Place{"loose", 0}
		h.CheckLog(p, log(0, rec(1, 0), rec(1, 1), rec(2, 0), rec(1, 2), rec(1, 2)))
		must(t, h)
		h.Died()
		h.CheckLog(p, log(0, rec(1, 0), rec(1, 1), rec(2, 0), rec(1, 2)))
		must(t, h, "lost {1 2} at 4")
	})
	t.Run("a start that was seen on a leader that is gone", func(t *testing.T) {
		h := NewHistory()
		h.Replicated = true
		all := log(0, rec(1, 0), rec(1, 1), rec(1, 2))
		h.Trim(p0, 2)
		h.CheckLog(p0, log(2, rec(1, 2)))
		h.CheckLog(p0, all)
		must(t, h)
		h.Trimmed(p0, 2)
		h.CheckLog(p0, all)
		must(t, h, "log start went back from 2 to 0")
	})
	t.Run("a power cut takes what acks=1 promised and nobody read", func(t *testing.T) {
		h, p := told("loose"), Place{"loose", 0}
		h.Read(p, 0, rec(1, 0), true)
		h.PowerCut()
		h.Died()
		h.CheckLog(p, log(0, rec(1, 0)))
		must(t, h)
		h.Died()
		h.CheckLog(p, Snapshot{})
		must(t, h, "lost {1 0} at 0")
	})
}

// must have found what is wanted, or nothing at all.
func must(t *testing.T, h *History, want ...string) {
	t.Helper()
	found := strings.Join(h.Wrong(), "\n")
	for _, w := range want {
		if !strings.Contains(found, w) {
			t.Errorf("not found: %s\nfound: %s", w, found)
		}
	}
	if len(want) == 0 && found != "" {
		t.Errorf("a good history was rejected: %s", found)
	}
}

func TestPayloadsAreKnownAgain(t *testing.T) {
	for seq := range uint64(300) {
		for _, class := range []byte{small, large} {
			id := ID{uint16(seq % 7), seq << 20}
			k, v := key(id, class), value(id, class)
			if got, whole := identify(k, v); got != id || !whole {
				t.Fatalf("%v was read as %v, whole: %v", id, got, whole)
			}
			v[len(v)-1] ^= 1
			if _, whole := identify(k, v); whole && len(v) > headerBytes {
				t.Fatalf("%v: a changed byte went unseen", id)
			}
		}
	}
}
