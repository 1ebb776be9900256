package share

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
)

// state is the machine of one partition of __share_group_state. All of it is hard: it
// changes in Replay alone, so that whoever loads the log knows the same, epochs included.
type state struct {
	settings func() Settings
	// topic is the number of partitions of a topic that exists, 0 for others.
	topic func(model.ID) int32
	log   *slog.Logger

	keys    map[Key]*entry
	last    int64          // offset of the last record, -1 for none
	skipped map[int16]bool // types of records that are not known
}

// entry is a share partition.
type entry struct {
	snapshot       // with what came since merged into it
	at       int64 // where the log holds its last snapshot: what is before is not needed
	updates  int   // records since then
}

func newState(settings func() Settings, topic func(model.ID) int32, log *slog.Logger) *state {
	return &state{settings: settings, topic: topic, log: log, keys: map[Key]*entry{}, last: -1, skipped: map[int16]bool{}}
}

// Replay takes the next record of the log.
func (st *state) Replay(e runtime.Entry) error {
	st.last = e.Offset
	if e.Control {
		return nil
	}
	kind, k, err := parseKey(e.Key)
	if err != nil {
		return err
	}
	switch kind {
	case keySnapshot:
		return st.replaySnapshot(k, e)
	case keyUpdate:
		return st.replayUpdate(k, e.Value)
	}
	if !st.skipped[kind] {
		st.skipped[kind] = true
		st.log.Warn("records of an unknown type are left alone", "type", kind, "offset", e.Offset)
	}
	return nil
}

func (st *state) replaySnapshot(k Key, e runtime.Entry) error {
	if e.Value == nil {
		delete(st.keys, k)
		return nil
	}
	s, err := parseSnapshot(e.Value)
	if err != nil {
		return fmt.Errorf("state of %v: %w", k, err)
	}
	st.keys[k] = &entry{snapshot: s, at: e.Offset}
	return nil
}

// replayUpdate merges an update. One without a snapshot is older than what was pruned:
// a later snapshot, or a tombstone, follows.
func (st *state) replayUpdate(k Key, value []byte) error {
	have := st.keys[k]
	if have == nil || value == nil {
		return nil
	}
	u, err := parseUpdate(value)
	if err != nil {
		return fmt.Errorf("state of %v: %w", k, err)
	}
	if u.start != NoStart {
		have.start = u.start
	}
	have.leaderEpoch = max(have.leaderEpoch, u.leaderEpoch)
	have.complete = u.complete
	have.batches = combine(append(have.batches, u.batches...), have.start)
	have.updates++
	return nil
}

// repeatTimer is the next look for snapshots that are old.
type repeatTimer struct{}

// Loaded drops what belongs to topics that were deleted while nobody could be told. A
// topic whose state is in the log existed in the image of the leader that wrote it, and
// this one's is not older.
func (st *state) Loaded(t *runtime.Turn) {
	st.drop(t, func(k Key) bool { return st.topic(k.TopicID) == 0 })
	t.Arm(repeatTimer{}, t.Now.Add(st.settings().ColdInterval))
}

// Fire repeats snapshots that are old.
func (st *state) Fire(t *runtime.Turn, _ any) {
	st.repeat(t)
	t.Arm(repeatTimer{}, t.Now.Add(st.settings().ColdInterval))
}

// repeat writes the state of partitions again whose last snapshot is old, so that the log
// before can be deleted. When that has been done for all there is nothing to gain.
func (st *state) repeat(t *runtime.Turn) {
	busy := false
	for _, e := range st.keys {
		busy = busy || e.createdMillis == e.writtenMillis
	}
	if !busy {
		return
	}
	for _, k := range st.sorted() {
		e := st.keys[k]
		if t.Now.Sub(time.UnixMilli(e.writtenMillis)) < st.settings().ColdInterval {
			continue
		}
		s := e.snapshot
		s.epoch++
		s.writtenMillis = t.Millis()
		t.Write(snapshotRecord(k, &s))
	}
}

// drop deletes the state of those keys.
func (st *state) drop(t *runtime.Turn, those func(Key) bool) {
	for _, k := range st.sorted() {
		if those(k) {
			t.Write(tombstone(k))
		}
	}
}

// needed is the offset of the first record that the state rests on: the log may be
// deleted before it. It is the last record if the state rests on none.
func (st *state) needed() int64 {
	first := st.last
	for _, e := range st.keys {
		first = min(first, e.at)
	}
	return max(first, 0)
}

func (st *state) sorted() []Key {
	return slices.SortedFunc(maps.Keys(st.keys), compareKeys)
}

func compareKeys(a, b Key) int {
	return cmp.Or(strings.Compare(a.Group, b.Group), bytes.Compare(a.TopicID[:], b.TopicID[:]), cmp.Compare(a.Partition, b.Partition))
}
