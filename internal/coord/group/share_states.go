package group

import (
	"bytes"
	"maps"
	"slices"

	"github.com/odradek/odradek/internal/coord/fields"
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
	b := appendTopicParts(fields.AppendInt16(nil, 0), s.initializing)
	b = appendTopicParts(b, s.initialized)
	b = fields.AppendCount(b, len(s.deleting), true)
	for _, id := range sortedIDs(s.deleting) {
		b = append(fields.AppendCompactString(append(b, id[:]...), s.deleting[id]), 0)
	}
	return runtime.Record{Key: groupKey(keyShareStates, group), Value: append(b, 0)}
}

func appendTopicParts(b []byte, m map[model.ID]topicParts) []byte {
	b = fields.AppendCount(b, len(m), true)
	for _, id := range sortedIDs(m) {
		b = fields.AppendCompactString(append(b, id[:]...), m[id].name)
		b = fields.AppendCount(b, len(m[id].partitions), true)
		for _, p := range m[id].partitions {
			b = fields.AppendInt32(b, p)
		}
		b = append(b, 0)
	}
	return b
}

func parseShareStates(b []byte) (shareStates, error) {
	r := modernValue(b)
	s := newShareStates()
	readTopicParts(r, s.initializing)
	readTopicParts(r, s.initialized)
	for n := r.Count(true); n > 0 && r.Err == nil; n-- {
		id := r.ID()
		name := r.String(true)
		r.Tags(nil)
		s.deleting[id] = name
	}
	r.Tags(nil)
	return s, r.Err
}

func readTopicParts(r *fields.Reader, m map[model.ID]topicParts) {
	for n := r.Count(true); n > 0 && r.Err == nil; n-- {
		id := r.ID()
		t := topicParts{name: r.String(true), partitions: r.Int32s(true)}
		r.Tags(nil)
		if r.Err == nil {
			with(m, id, t)
		}
	}
}
