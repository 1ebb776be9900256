package group

import (
	"fmt"
	"slices"

	"github.com/odradek/odradek/internal/coord/fields"
	"github.com/odradek/odradek/internal/coord/runtime"
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
	b := fields.AppendInt32(fields.AppendInt16(nil, 0), epoch)
	if hash == 0 {
		b = append(b, 0)
	} else {
		b = fields.AppendInt64(append(b, 1, 0, 8), hash)
	}
	return runtime.Record{Key: groupKey(k.epoch, group), Value: b}
}

func (k *modernKinds) targetEpochRecord(group string, epoch int32) runtime.Record {
	b := fields.AppendInt32(fields.AppendInt16(nil, 0), epoch)
	return runtime.Record{Key: groupKey(k.targetEpoch, group), Value: append(b, 0)}
}

func (k *modernKinds) targetRecord(group, member string, p parts) runtime.Record {
	b := appendParts(fields.AppendInt16(nil, 0), p)
	return runtime.Record{Key: memberKey(k.target, group, member), Value: append(b, 0)}
}

// currentRecord says where a member is; revoking is for consumer groups, nil for others.
func (k *modernKinds) currentRecord(group string, m *modernMember, revoking parts) runtime.Record {
	b := fields.AppendInt32(fields.AppendInt32(fields.AppendInt16(nil, 0), m.epoch), m.previous)
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
func modernValue(b []byte) *fields.Reader {
	r := &fields.Reader{Rest: b}
	if version := r.Int16(); r.Err == nil && version != 0 {
		r.Err = fmt.Errorf("value has version %d, version 0 is known: %w", version, errMalformed)
	}
	return r
}

func parseEpoch(b []byte) (epoch int32, hash int64, err error) {
	r := modernValue(b)
	epoch = r.Int32()
	r.Tags(func(tag int, field *fields.Reader) {
		if tag == 0 {
			hash = field.Int64()
		}
	})
	return epoch, hash, r.Err
}

func parseTargetEpoch(b []byte) (epoch int32, err error) {
	r := modernValue(b)
	epoch = r.Int32()
	r.Tags(nil)
	return epoch, r.Err
}

func parseTarget(b []byte) (parts, error) {
	r := modernValue(b)
	p := readParts(r)
	r.Tags(nil)
	return p, r.Err
}

// parseCurrent reads where a member is into m.
func parseCurrent(kind int16, b []byte, m *modernMember) (revoking parts, err error) {
	r := modernValue(b)
	m.epoch, m.previous = r.Int32(), r.Int32()
	switch m.state = memberState(r.Int8()); m.state {
	case reconciled, unrevoked, unreleased:
	default:
		m.state = unknown
	}
	m.assigned = readParts(r)
	if kind == keyConsumerCurrent {
		revoking = readParts(r)
	}
	r.Tags(nil)
	return revoking, r.Err
}

// appendParts writes an array of topics, each an id and an array of partitions.
func appendParts(b []byte, p parts) []byte {
	b = fields.AppendCount(b, len(p), true)
	for _, id := range p.topics() {
		b = fields.AppendCount(append(b, id[:]...), len(p[id]), true)
		for _, n := range p[id] {
			b = fields.AppendInt32(b, n)
		}
		b = append(b, 0)
	}
	return b
}

// readParts reads them, whatever their order.
func readParts(r *fields.Reader) parts {
	n := r.Count(true)
	p := make(parts, min(n, len(r.Rest)/18))
	for ; n > 0 && r.Err == nil; n-- {
		id := r.ID()
		partitions := r.Int32s(true)
		r.Tags(nil)
		if r.Err == nil {
			p.add(id, inForm(partitions))
		}
	}
	return p
}

// readNames reads an array of strings, sorted and each once.
func readNames(r *fields.Reader) []string {
	var names []string
	for n := r.Count(true); n > 0 && r.Err == nil; n-- {
		names = append(names, r.String(true))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func appendNames(b []byte, names []string) []byte {
	b = fields.AppendCount(b, len(names), true)
	for _, name := range names {
		b = fields.AppendCompactString(b, name)
	}
	return b
}
