package group

import (
	"bytes"
	"maps"
	"slices"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
)

// shareStates are the partitions whose states a share group has begun, or is about to
// begin or to forget. They are shared freely and never changed.
//
//	unknown ──► initializing ──► initialized ──► deleting ──► unknown
//	                 ▲                               │
//	                 └───────────────────────────────┘ subscribed to meanwhile
type shareStates struct {
	initializing map[model.ID]topicParts
	initialized  map[model.ID]topicParts
	deleting     map[model.ID]string // names of topics
}

// topicParts are partitions of a topic: ascending, each once.
type topicParts struct {
	name       string
	partitions []int32
}

func newShareStates() shareStates {
	return shareStates{initializing: map[model.ID]topicParts{}, initialized: map[model.ID]topicParts{}, deleting: map[model.ID]string{}}
}

func (s shareStates) clone() shareStates {
	return shareStates{maps.Clone(s.initializing), maps.Clone(s.initialized), maps.Clone(s.deleting)}
}

func (s shareStates) equal(o shareStates) bool {
	same := func(a, b topicParts) bool { return a.name == b.name && slices.Equal(a.partitions, b.partitions) }
	return maps.EqualFunc(s.initializing, o.initializing, same) && maps.EqualFunc(s.initialized, o.initialized, same) &&
		maps.Equal(s.deleting, o.deleting)
}

// with adds partitions of a topic.
func with(m map[model.ID]topicParts, id model.ID, t topicParts) {
	if len(t.partitions) > 0 {
		m[id] = topicParts{t.name, inForm(slices.Concat(m[id].partitions, t.partitions))}
	}
}

// without takes partitions of a topic out.
func without(m map[model.ID]topicParts, id model.ID, partitions []int32) {
	if _, left := split(m[id].partitions, partitions); len(left) > 0 {
		m[id] = topicParts{m[id].name, left}
	} else {
		delete(m, id)
	}
}

// begin notes that the states of partitions are to begin.
func (s shareStates) begin(these map[model.ID]topicParts) shareStates {
	next := s.clone()
	for id, t := range these {
		with(next.initializing, id, t)
		delete(next.deleting, id)
	}
	return next
}

// begun notes that the states of some have begun and that those of others have not.
func (s shareStates) begun(these, failed map[model.ID]topicParts) shareStates {
	next := s.clone()
	for id, t := range these {
		without(next.initializing, id, t.partitions)
		with(next.initialized, id, t)
	}
	for id, t := range failed {
		without(next.initializing, id, t.partitions)
	}
	return next
}

// forget notes that states of topics are to be deleted.
func (s shareStates) forget(these map[model.ID]topicParts) shareStates {
	next := s.clone()
	for id, t := range these {
		delete(next.initializing, id)
		delete(next.initialized, id)
		next.deleting[id] = t.name
	}
	return next
}

// forgotten notes that they were.
func (s shareStates) forgotten(these []model.ID) shareStates {
	next := s.clone()
	for _, id := range these {
		delete(next.deleting, id)
	}
	return next
}

// drop takes out the topics that do not exist any more: their states went with them.
func (s shareStates) drop(exists func(model.ID) bool) shareStates {
	next := s.clone()
	gone := func(id model.ID, _ topicParts) bool { return !exists(id) }
	maps.DeleteFunc(next.initializing, gone)
	maps.DeleteFunc(next.initialized, gone)
	maps.DeleteFunc(next.deleting, func(id model.ID, _ string) bool { return !exists(id) })
	return next
}

// keys names share partitions to the coordinator of their states.
func shareKeys(group string, these map[model.ID]topicParts) []share.Key {
	var keys []share.Key
	for _, id := range sortedIDs(these) {
		for _, p := range these[id].partitions {
			keys = append(keys, share.Key{Group: group, TopicID: id, Partition: p})
		}
	}
	return keys
}

func sortedIDs[V any](m map[model.ID]V) []model.ID {
	return slices.SortedFunc(maps.Keys(m), func(a, b model.ID) int { return bytes.Compare(a[:], b[:]) })
}

func shareStatesRecord(group string, s shareStates) runtime.Record {
	b := appendTopicParts(appendInt16(nil, 0), s.initializing)
	b = appendTopicParts(b, s.initialized)
	b = appendCompactLen(b, len(s.deleting))
	for _, id := range sortedIDs(s.deleting) {
		b = append(appendCompactString(append(b, id[:]...), s.deleting[id]), 0)
	}
	return runtime.Record{Key: groupKey(keyShareStates, group), Value: append(b, 0)}
}

func appendTopicParts(b []byte, m map[model.ID]topicParts) []byte {
	b = appendCompactLen(b, len(m))
	for _, id := range sortedIDs(m) {
		b = appendCompactString(append(b, id[:]...), m[id].name)
		b = appendCompactLen(b, len(m[id].partitions))
		for _, p := range m[id].partitions {
			b = appendInt32(b, p)
		}
		b = append(b, 0)
	}
	return b
}

func parseShareStates(b []byte) (shareStates, error) {
	r := modernValue(b)
	s := newShareStates()
	r.topicParts(s.initializing)
	r.topicParts(s.initialized)
	for n := r.count(true); n > 0 && r.err == nil; n-- {
		var id model.ID
		copy(id[:], r.take(len(id)))
		name := r.string(true)
		r.tags(nil)
		s.deleting[id] = name
	}
	r.tags(nil)
	return s, r.err
}

func (r *reader) topicParts(m map[model.ID]topicParts) {
	for n := r.count(true); n > 0 && r.err == nil; n-- {
		var id model.ID
		copy(id[:], r.take(len(id)))
		t := topicParts{name: r.string(true), partitions: r.int32s(true)}
		r.tags(nil)
		if r.err == nil {
			with(m, id, t)
		}
	}
}
