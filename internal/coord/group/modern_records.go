package group

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
)

// Records that consumer groups and share groups have alike but for the type in their
// keys. All their values have version 0, compact fields and tags.

// modernKinds are the types of the records of a kind of group.
type modernKinds struct {
	epoch       int16 // group → group epoch, hash of topics
	member      int16 // group, member → what it subscribes to
	targetEpoch int16 // group → epoch of the target assignment
	target      int16 // group, member → its part of the target
	current     int16 // group, member → its epoch, its state and what it may use
}

func (k *modernKinds) epochRecord(group string, epoch int32, hash int64) runtime.Record {
	b := appendInt32(appendInt16(nil, 0), epoch)
	if hash == 0 {
		b = append(b, 0)
	} else {
		b = appendInt64(append(b, 1, 0, 8), hash)
	}
	return runtime.Record{Key: groupKey(k.epoch, group), Value: b}
}

func (k *modernKinds) targetEpochRecord(group string, epoch int32) runtime.Record {
	b := appendInt32(appendInt16(nil, 0), epoch)
	return runtime.Record{Key: groupKey(k.targetEpoch, group), Value: append(b, 0)}
}

func (k *modernKinds) targetRecord(group, member string, p parts) runtime.Record {
	b := appendParts(appendInt16(nil, 0), p)
	return runtime.Record{Key: memberKey(k.target, group, member), Value: append(b, 0)}
}

// currentRecord says where a member is; revoking is for consumer groups, nil for others.
func (k *modernKinds) currentRecord(group string, m *modernMember, revoking parts) runtime.Record {
	b := appendInt32(appendInt32(appendInt16(nil, 0), m.epoch), m.previous)
	b = appendParts(append(b, byte(m.state)), m.assigned)
	if k.current == keyConsumerCurrent {
		b = appendParts(b, revoking)
	}
	return runtime.Record{Key: memberKey(k.current, group, m.id), Value: append(b, 0)}
}

// removeMember writes the tombstones of a member, in Kafka's order.
func (k *modernKinds) removeMember(p *plan, group, member string) {
	p.write(runtime.Record{Key: memberKey(k.current, group, member)})
	p.write(runtime.Record{Key: memberKey(k.target, group, member)})
	p.write(runtime.Record{Key: memberKey(k.member, group, member)})
}

func groupKey(kind int16, group string) []byte {
	return recordKey{kind: kind, group: group}.append(nil)
}

func memberKey(kind int16, group, member string) []byte {
	return recordKey{kind: kind, group: group, name: member}.append(nil)
}

// modernValue opens a value of version 0.
func modernValue(b []byte) *reader {
	r := &reader{b: b}
	if version := r.int16(); r.err == nil && version != 0 {
		r.err = fmt.Errorf("value has version %d, version 0 is known: %w", version, errMalformed)
	}
	return r
}

func parseEpoch(b []byte) (epoch int32, hash int64, err error) {
	r := modernValue(b)
	epoch = r.int32()
	r.tags(func(tag int, field *reader) {
		if tag == 0 {
			hash = field.int64()
		}
	})
	return epoch, hash, r.err
}

func parseTargetEpoch(b []byte) (epoch int32, err error) {
	r := modernValue(b)
	epoch = r.int32()
	r.tags(nil)
	return epoch, r.err
}

func parseTarget(b []byte) (parts, error) {
	r := modernValue(b)
	p := r.parts()
	r.tags(nil)
	return p, r.err
}

// parseCurrent reads where a member is into m.
func parseCurrent(kind int16, b []byte, m *modernMember) (revoking parts, err error) {
	r := modernValue(b)
	m.epoch, m.previous = r.int32(), r.int32()
	switch m.state = memberState(r.int8()); m.state {
	case reconciled, unrevoked, unreleased:
	default:
		m.state = unknown
	}
	m.assigned = r.parts()
	if kind == keyConsumerCurrent {
		revoking = r.parts()
	}
	r.tags(nil)
	return revoking, r.err
}

// appendParts writes an array of topics, each an id and an array of partitions.
func appendParts(b []byte, p parts) []byte {
	b = appendCompactLen(b, len(p))
	for _, id := range p.topics() {
		b = appendCompactLen(append(b, id[:]...), len(p[id]))
		for _, n := range p[id] {
			b = appendInt32(b, n)
		}
		b = append(b, 0)
	}
	return b
}

// parts reads them, whatever their order.
func (r *reader) parts() parts {
	n := r.count(true)
	p := make(parts, min(n, len(r.b)/18))
	for ; n > 0 && r.err == nil; n-- {
		var id model.ID
		copy(id[:], r.take(len(id)))
		partitions := r.int32s(true)
		r.tags(nil)
		if r.err == nil {
			p.add(id, inForm(partitions))
		}
	}
	return p
}

// int32s reads an array of numbers, as many as there are bytes for.
func (r *reader) int32s(compact bool) []int32 {
	n := r.length(compact, 4)
	if n > len(r.b)/4 || n < -1 {
		r.fail()
	}
	if r.err != nil || n <= 0 {
		return nil
	}
	numbers := make([]int32, n)
	for i := range numbers {
		numbers[i] = r.int32()
	}
	return numbers
}

func (r *reader) int8() int8 {
	if b := r.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

// names reads an array of strings, sorted and each once.
func (r *reader) names() []string {
	var names []string
	for n := r.count(true); n > 0 && r.err == nil; n-- {
		names = append(names, r.string(true))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func appendNames(b []byte, names []string) []byte {
	b = appendCompactLen(b, len(names))
	for _, name := range names {
		b = appendCompactString(b, name)
	}
	return b
}

func appendCompactLen(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)+1) }

func appendCompactNullable(b []byte, s *string) []byte {
	if s == nil {
		return append(b, 0)
	}
	return appendCompactString(b, *s)
}

func appendCompactBytes(b, v []byte) []byte { return append(appendCompactLen(b, len(v)), v...) }
