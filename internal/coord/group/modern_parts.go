package group

import (
	"bytes"
	"maps"
	"slices"

	"github.com/odradek/odradek/internal/proto/model"
)

// parts are partitions by the id of their topic: ascending, each once, no topic without
// any. They are shared freely and never changed.
type parts map[model.ID][]int32

func (p parts) equal(q parts) bool {
	return maps.EqualFunc(p, q, func(a, b []int32) bool { return slices.Equal(a, b) })
}

func (p parts) has(topic model.ID, partition int32) bool {
	_, ok := slices.BinarySearch(p[topic], partition)
	return ok
}

// topics are the ids in the order in which they are written.
func (p parts) topics() []model.ID {
	return slices.SortedFunc(maps.Keys(p), func(a, b model.ID) int { return bytes.Compare(a[:], b[:]) })
}

// add puts partitions, which must be in form, beside what p has of a topic.
func (p parts) add(topic model.ID, partitions []int32) {
	if len(partitions) == 0 {
		return
	}
	if len(p[topic]) == 0 {
		p[topic] = partitions
		return
	}
	p[topic] = inForm(slices.Concat(p[topic], partitions))
}

// gather puts partitions, in whatever form, beside what p has of a topic. p is in form
// again after settle: what many say is put in order once.
func (p parts) gather(topic model.ID, partitions []int32) {
	if len(partitions) > 0 {
		p[topic] = append(p[topic], partitions...)
	}
}

// settle ends gather.
func (p parts) settle() parts {
	for topic, partitions := range p {
		p[topic] = inForm(partitions)
	}
	return p
}

// inForm sorts partitions and drops what is there twice.
func inForm(partitions []int32) []int32 {
	slices.Sort(partitions)
	return slices.Compact(partitions)
}

// split divides sorted partitions into those that are in other, sorted too, and the rest.
func split(partitions, other []int32) (in, out []int32) {
	i := 0
	for _, p := range partitions {
		for i < len(other) && other[i] < p {
			i++
		}
		if i < len(other) && other[i] == p {
			in = append(in, p)
		} else {
			out = append(out, p)
		}
	}
	return in, out
}

// cover reports whether all of q is in p.
func (p parts) cover(q parts) bool {
	for topic, partitions := range q {
		if _, out := split(partitions, p[topic]); len(out) > 0 {
			return false
		}
	}
	return true
}
