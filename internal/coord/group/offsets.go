package group

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/odradek/odradek/internal/coord/fields"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
)

// offsets are the committed offsets of all groups, and those that open transactions
// would commit. All of it is what the log says.
type offsets struct {
	committed map[string]map[model.TopicPartition]offset // by group
	// pending are the offsets of open transactions, by producer and group; open says for
	// a group and partition which producers those are.
	pending map[int64]map[string]map[model.TopicPartition]offset
	open    map[string]map[model.TopicPartition]map[int64]bool
}

func newOffsets() offsets {
	return offsets{
		committed: map[string]map[model.TopicPartition]offset{},
		pending:   map[int64]map[string]map[model.TopicPartition]offset{},
		open:      map[string]map[model.TopicPartition]map[int64]bool{},
	}
}

// put sets m[group][tp].
func put[V any](m map[string]map[model.TopicPartition]V, group string, tp model.TopicPartition, v V) {
	if m[group] == nil {
		m[group] = map[model.TopicPartition]V{}
	}
	m[group][tp] = v
}

// drop deletes m[group][tp] and leaves no empty map behind.
func drop[V any](m map[string]map[model.TopicPartition]V, group string, tp model.TopicPartition) {
	delete(m[group], tp)
	if len(m[group]) == 0 {
		delete(m, group)
	}
}

// sortedPartitions are the keys of m by topic and partition.
func sortedPartitions[V any](m map[model.TopicPartition]V) []model.TopicPartition {
	return slices.SortedFunc(maps.Keys(m), func(a, b model.TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}

// replayOffset takes an offset from the log. A group that commits without members comes
// to life by it.
func (st *state) replayOffset(k recordKey, e runtime.Entry) error {
	tp := model.TopicPartition{Topic: k.topic, Partition: k.partition}
	if e.Value == nil {
		st.offsets.forget(k.group, tp)
		return nil
	}
	o, err := parseOffset(e.Value)
	if err != nil {
		return fmt.Errorf("group %q, offset of %v: %w", k.group, tp, err)
	}
	o.recordOffset = e.Offset
	if !st.exists(k.group) {
		st.groups[k.group] = newGroup(k.group)
	}
	if e.Transactional {
		st.offsets.hold(e.ProducerID, k.group, tp, o)
		return nil
	}
	put(st.offsets.committed, k.group, tp, o)
	return nil
}

// forget drops an offset, committed and pending.
func (os *offsets) forget(group string, tp model.TopicPartition) {
	drop(os.committed, group, tp)
	for producer := range os.open[group][tp] {
		drop(os.pending[producer], group, tp)
	}
	drop(os.open, group, tp)
}

// hold keeps an offset until the producer's transaction ends.
func (os *offsets) hold(producer int64, group string, tp model.TopicPartition, o offset) {
	if os.pending[producer] == nil {
		os.pending[producer] = map[string]map[model.TopicPartition]offset{}
	}
	put(os.pending[producer], group, tp, o)
	if os.open[group][tp] == nil {
		put(os.open, group, tp, map[int64]bool{})
	}
	os.open[group][tp][producer] = true
}

// Control records end transactions: a version and a type.
const (
	markerAbort  = 0
	markerCommit = 1
)

func (st *state) replayMarker(e runtime.Entry) error {
	r := fields.Reader{Rest: e.Key}
	_ = r.Int16() // version
	kind := r.Int16()
	if r.Err != nil {
		return fmt.Errorf("key of a control record, %d bytes: %w", len(e.Key), r.Err)
	}
	if kind == markerAbort || kind == markerCommit {
		st.offsets.end(e.ProducerID, kind == markerCommit)
	}
	return nil
}

// end ends a producer's transaction. An offset that was committed after the one that the
// transaction holds stays.
func (os *offsets) end(producer int64, commit bool) {
	held := os.pending[producer]
	delete(os.pending, producer)
	for group, byPartition := range held {
		for tp, o := range byPartition {
			producers := os.open[group][tp]
			if delete(producers, producer); len(producers) == 0 {
				drop(os.open, group, tp)
			}
			if old, ok := os.committed[group][tp]; commit && (!ok || old.recordOffset < o.recordOffset) {
				put(os.committed, group, tp, o)
			}
		}
	}
}
