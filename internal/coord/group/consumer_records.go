package group

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/odradek/odradek/internal/coord/runtime"
)

// Records of consumer groups (docs/formats/consumer-offsets.md).

var consumerKinds = &modernKinds{
	epoch: keyConsumerEpoch, member: keyConsumerMember,
	targetEpoch: keyConsumerTargetEpoch, target: keyConsumerTarget, current: keyConsumerCurrent,
}

const tagClassicMember = 0

func consumerMemberRecord(group string, m *consumerMember) runtime.Record {
	b := appendCompactNullable(appendInt16(nil, 0), m.instanceID)
	b = appendCompactNullable(b, m.rack)
	b = appendCompactString(appendCompactString(b, m.clientID), m.clientHost)
	b = appendNames(b, m.topics)
	b = appendCompactString(b, m.pattern)
	b = appendInt32(b, m.rebalanceMillis)
	b = appendCompactNullable(b, m.assignor)
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
	b = appendInt32(append(b, 1), c.sessionMillis)
	b = appendCompactLen(b, len(c.protocols))
	for _, p := range c.protocols {
		b = append(appendCompactBytes(appendCompactString(b, p.name), p.metadata), 0)
	}
	return append(b, 0)
}

func parseConsumerMember(b []byte, m *consumerMember) error {
	r := modernValue(b)
	m.instanceID, m.rack = r.nullable(true), r.nullable(true)
	m.clientID, m.clientHost = r.string(true), r.string(true)
	m.topics = r.names()
	m.pattern = ""
	if s := r.nullable(true); s != nil {
		m.pattern = *s
	}
	m.rebalanceMillis = r.int32()
	m.assignor = r.nullable(true)
	m.classic = nil
	r.tags(func(tag int, field *reader) {
		if tag == tagClassicMember {
			m.classic = parseClassicMember(field)
		}
	})
	return r.err
}

func parseClassicMember(r *reader) *classicMember {
	if r.int8() <= 0 {
		return nil
	}
	c := &classicMember{sessionMillis: r.int32()}
	for n := r.count(true); n > 0 && r.err == nil; n-- {
		c.protocols = append(c.protocols, classicProtocol{name: r.string(true), metadata: r.bytes(true)})
		r.tags(nil)
	}
	r.tags(nil)
	if r.err == nil && len(c.protocols) == 0 {
		r.fail() // a member of the classic protocol has one
	}
	return c
}

func consumerCurrentRecord(group string, m *consumerMember) runtime.Record {
	return consumerKinds.currentRecord(group, &m.modernMember, m.revoking)
}

func patternRecord(group, pattern string, r *resolvedPattern) runtime.Record {
	b := appendNames(appendInt16(nil, 0), r.topics)
	b = append(appendInt64(appendInt64(b, r.version), r.millis), 0)
	return runtime.Record{Key: memberKey(keyConsumerPattern, group, pattern), Value: b}
}

func patternTombstone(group, pattern string) runtime.Record {
	return runtime.Record{Key: memberKey(keyConsumerPattern, group, pattern)}
}

func parsePattern(b []byte) (*resolvedPattern, error) {
	r := modernValue(b)
	p := &resolvedPattern{topics: r.names(), version: r.int64(), millis: r.int64()}
	r.tags(nil)
	return p, r.err
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
