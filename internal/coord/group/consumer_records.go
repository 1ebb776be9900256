package group

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/odradek/odradek/internal/coord/fields"
	"github.com/odradek/odradek/internal/coord/runtime"
)

// Records of consumer groups (docs/formats/consumer-offsets.md).

var consumerKinds = &modernKinds{
	epoch: keyConsumerEpoch, member: keyConsumerMember,
	targetEpoch: keyConsumerTargetEpoch, target: keyConsumerTarget, current: keyConsumerCurrent,
}

const tagClassicMember = 0

func consumerMemberRecord(group string, m *consumerMember) runtime.Record {
	b := fields.AppendCompactNullable(fields.AppendInt16(nil, 0), m.instanceID)
	b = fields.AppendCompactNullable(b, m.rack)
	b = fields.AppendCompactString(fields.AppendCompactString(b, m.clientID), m.clientHost)
	b = appendNames(b, m.topics)
	b = fields.AppendCompactString(b, m.pattern)
	b = fields.AppendInt32(b, m.rebalanceMillis)
	b = fields.AppendCompactNullable(b, m.assignor)
	field := m.classic.append(nil)
	b = binary.AppendUvarint(append(b, 1, tagClassicMember), uint64(len(field)))
	b = append(b, field...)
	return runtime.Record{Key: memberKey(keyConsumerMember, group, m.id), Value: b}
}

// append writes a structure that may be null: 1 for one that is there, 0 for null.
func (c *classicMember) append(b []byte) []byte {
	if c == nil {
		return append(b, 0)
	}
	b = fields.AppendInt32(append(b, 1), c.sessionMillis)
	b = fields.AppendCount(b, len(c.protocols), true)
	for _, p := range c.protocols {
		b = append(fields.AppendCompactBytes(fields.AppendCompactString(b, p.name), p.metadata), 0)
	}
	return append(b, 0)
}

func parseConsumerMember(b []byte, m *consumerMember) error {
	r := modernValue(b)
	m.instanceID, m.rack = r.Nullable(true), r.Nullable(true)
	m.clientID, m.clientHost = r.String(true), r.String(true)
	m.topics = readNames(r)
	m.pattern = ""
	if s := r.Nullable(true); s != nil {
		m.pattern = *s
	}
	m.rebalanceMillis = r.Int32()
	m.assignor = r.Nullable(true)
	m.classic = nil
	r.Tags(func(tag int, field *fields.Reader) {
		if tag == tagClassicMember {
			m.classic = parseClassicMember(field)
		}
	})
	return r.Err
}

func parseClassicMember(r *fields.Reader) *classicMember {
	if r.Int8() <= 0 {
		return nil
	}
	c := &classicMember{sessionMillis: r.Int32()}
	for n := r.Count(true); n > 0 && r.Err == nil; n-- {
		c.protocols = append(c.protocols, classicProtocol{name: r.String(true), metadata: r.Bytes(true)})
		r.Tags(nil)
	}
	r.Tags(nil)
	if r.Err == nil && len(c.protocols) == 0 {
		r.Fail() // a member of the classic protocol has one
	}
	return c
}

func consumerCurrentRecord(group string, m *consumerMember) runtime.Record {
	return consumerKinds.currentRecord(group, &m.modernMember, m.revoking)
}

func patternRecord(group, pattern string, r *resolvedPattern) runtime.Record {
	b := appendNames(fields.AppendInt16(nil, 0), r.topics)
	b = append(fields.AppendInt64(fields.AppendInt64(b, r.version), r.millis), 0)
	return runtime.Record{Key: memberKey(keyConsumerPattern, group, pattern), Value: b}
}

func patternTombstone(group, pattern string) runtime.Record {
	return runtime.Record{Key: memberKey(keyConsumerPattern, group, pattern)}
}

func parsePattern(b []byte) (*resolvedPattern, error) {
	r := modernValue(b)
	p := &resolvedPattern{topics: readNames(r), version: r.Int64(), millis: r.Int64()}
	r.Tags(nil)
	return p, r.Err
}

// replayConsumer takes a record of a consumer group. What comes first makes the group; a
// tombstone of what is not there says nothing.
func (st *state) replayConsumer(k recordKey, value []byte) error {
	g := st.consumers[k.group]
	if value == nil {
		if g != nil {
			st.removeFromConsumer(g, k)
		}
		return nil
	}
	if g == nil {
		g = newConsumerGroup(k.group)
	}
	if err := g.take(k, value); err != nil {
		return fmt.Errorf("consumer group %q, record of type %d: %w", k.group, k.kind, err)
	}
	if st.consumers[k.group] == nil {
		// A group that only held offsets becomes this one, as does one of another kind: the
		// later record is right.
		delete(st.groups, k.group)
		delete(st.shares, k.group)
		st.consumers[k.group] = g
	}
	return nil
}

// take is what a record that is not a tombstone says.
func (g *consumerGroup) take(k recordKey, value []byte) (err error) {
	switch k.kind {
	case keyConsumerEpoch:
		var epoch int32
		var hash int64
		if epoch, hash, err = parseEpoch(value); err == nil {
			g.epoch, g.hash = epoch, hash
		}
	case keyConsumerTopics:
		g.oldTopics = true
	case keyConsumerMember:
		m := g.copyOf(k.name)
		if err = parseConsumerMember(value, m); err == nil {
			g.put(m)
		}
	case keyConsumerTargetEpoch:
		var epoch int32
		if epoch, err = parseTargetEpoch(value); err == nil {
			g.targetEpoch = epoch
		}
	case keyConsumerTarget:
		var target parts
		if target, err = parseTarget(value); err == nil {
			g.target[k.name] = target
		}
	case keyConsumerCurrent:
		m := g.copyOf(k.name)
		if m.revoking, err = parseCurrent(k.kind, value, &m.modernMember); err == nil {
			g.put(m)
		}
	case keyConsumerPattern:
		var p *resolvedPattern
		if p, err = parsePattern(value); err == nil {
			g.resolve(k.name, p)
		}
	}
	return err
}

// copyOf is a copy of a member, or one that is new.
func (g *consumerGroup) copyOf(id string) *consumerMember {
	if m := g.members[id]; m != nil {
		return m.clone()
	}
	return newConsumerMember(id)
}

// removeFromConsumer is what a tombstone says.
func (st *state) removeFromConsumer(g *consumerGroup, k recordKey) {
	switch k.kind {
	case keyConsumerEpoch:
		delete(st.consumers, g.id)
	case keyConsumerTopics:
		g.oldTopics = false
	case keyConsumerMember:
		g.drop(k.name)
	case keyConsumerTargetEpoch:
		g.targetEpoch = -1
	case keyConsumerTarget:
		delete(g.target, k.name)
	case keyConsumerCurrent:
		if m := g.members[k.name]; m != nil {
			m = m.clone()
			m.epoch, m.previous, m.assigned, m.revoking = leaveEpoch, leaveEpoch, nil, nil
			g.put(m)
		}
	case keyConsumerPattern:
		g.resolve(k.name, nil)
	}
}

// remove writes what deletes the group, of which every member has left or is about to.
func (g *consumerGroup) remove(p *plan) { g.removeAs(p, func(id string) string { return id }) }

// removeAs is remove for a group some of whose members have another id by what was
// written just before.
func (g *consumerGroup) removeAs(p *plan, name func(string) string) {
	members := g.sorted()
	for _, m := range members {
		p.write(runtime.Record{Key: memberKey(keyConsumerCurrent, g.id, name(m.id))})
	}
	for _, m := range members {
		p.write(runtime.Record{Key: memberKey(keyConsumerTarget, g.id, name(m.id))})
	}
	p.write(runtime.Record{Key: groupKey(keyConsumerTargetEpoch, g.id)})
	for _, m := range members {
		p.write(runtime.Record{Key: memberKey(keyConsumerMember, g.id, name(m.id))})
	}
	for _, pattern := range slices.Sorted(maps.Keys(g.resolved)) {
		p.write(patternTombstone(g.id, pattern))
	}
	p.write(runtime.Record{Key: groupKey(keyConsumerTopics, g.id)})
	p.write(runtime.Record{Key: groupKey(keyConsumerEpoch, g.id)})
}

// create writes what makes the group as it is.
func (g *consumerGroup) create(p *plan) {
	members := g.sorted()
	for _, m := range members {
		p.write(consumerMemberRecord(g.id, m))
	}
	p.write(consumerKinds.epochRecord(g.id, g.epoch, g.hash))
	for _, m := range members {
		p.write(consumerKinds.targetRecord(g.id, m.id, g.target[m.id]))
	}
	p.write(consumerKinds.targetEpochRecord(g.id, g.epoch))
	for _, m := range members {
		p.write(consumerCurrentRecord(g.id, m))
	}
}
