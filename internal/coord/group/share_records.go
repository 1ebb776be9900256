package group

import (
	"fmt"

	"github.com/odradek/odradek/internal/coord/fields"
	"github.com/odradek/odradek/internal/coord/runtime"
)

// Records of share groups (docs/formats/consumer-offsets.md).

var shareKinds = &modernKinds{
	epoch: keyShareEpoch, member: keyShareMember,
	targetEpoch: keyShareTargetEpoch, target: keyShareTarget, current: keyShareCurrent,
}

// shareEpochRecord has the hash as a field, where that of consumer groups has a tag.
func shareEpochRecord(group string, epoch int32, hash int64) runtime.Record {
	b := fields.AppendInt64(fields.AppendInt32(fields.AppendInt16(nil, 0), epoch), hash)
	return runtime.Record{Key: groupKey(keyShareEpoch, group), Value: append(b, 0)}
}

func shareMemberRecord(group string, m *shareMember) runtime.Record {
	b := fields.AppendCompactNullable(fields.AppendInt16(nil, 0), m.rack)
	b = fields.AppendCompactString(fields.AppendCompactString(b, m.clientID), m.clientHost)
	b = append(appendNames(b, m.topics), 0)
	return runtime.Record{Key: memberKey(keyShareMember, group, m.id), Value: b}
}

func shareCurrentRecord(group string, m *shareMember) runtime.Record {
	return shareKinds.currentRecord(group, &m.modernMember, nil)
}

func parseShareEpoch(b []byte) (epoch int32, hash int64, err error) {
	r := modernValue(b)
	epoch, hash = r.Int32(), r.Int64()
	r.Tags(nil)
	return epoch, hash, r.Err
}

func parseShareMember(b []byte, m *shareMember) error {
	r := modernValue(b)
	m.rack = r.Nullable(true)
	m.clientID, m.clientHost = r.String(true), r.String(true)
	m.topics = readNames(r)
	r.Tags(nil)
	return r.Err
}

// replayShare takes a record of a share group. What comes first makes the group; a
// tombstone of what is not there says nothing.
func (st *state) replayShare(k recordKey, value []byte) error {
	g := st.shares[k.group]
	if value == nil {
		if g != nil {
			st.removeFromShare(g, k)
		}
		return nil
	}
	if g == nil {
		g = newShareGroup(k.group)
	}
	if err := g.take(k, value); err != nil {
		return fmt.Errorf("share group %q, record of type %d: %w", k.group, k.kind, err)
	}
	if st.shares[k.group] == nil {
		delete(st.groups, k.group) // the later record is right
		delete(st.consumers, k.group)
		st.shares[k.group] = g
	}
	return nil
}

// take is what a record that is not a tombstone says.
func (g *shareGroup) take(k recordKey, value []byte) (err error) {
	switch k.kind {
	case keyShareEpoch:
		var epoch int32
		var hash int64
		if epoch, hash, err = parseShareEpoch(value); err == nil {
			g.epoch, g.hash = epoch, hash
		}
	case keyShareMember:
		m := g.copyOf(k.name)
		if err = parseShareMember(value, m); err == nil {
			g.put(m)
		}
	case keyShareTargetEpoch:
		var epoch int32
		if epoch, err = parseTargetEpoch(value); err == nil {
			g.targetEpoch = epoch
		}
	case keyShareTarget:
		var target parts
		if target, err = parseTarget(value); err == nil {
			g.target[k.name], g.unassigned = target, true
		}
	case keyShareCurrent:
		m := g.copyOf(k.name)
		if _, err = parseCurrent(k.kind, value, &m.modernMember); err == nil {
			g.put(m)
		}
	case keyShareStates:
		var s shareStates
		if s, err = parseShareStates(value); err == nil {
			g.states, g.unassigned = s, true
		}
	}
	return err
}

// copyOf is a copy of a member, or one that is new.
func (g *shareGroup) copyOf(id string) *shareMember {
	if m := g.members[id]; m != nil {
		return m.clone()
	}
	return newShareMember(id)
}

// removeFromShare is what a tombstone says.
func (st *state) removeFromShare(g *shareGroup, k recordKey) {
	switch k.kind {
	case keyShareEpoch:
		delete(st.shares, g.id)
	case keyShareMember:
		g.drop(k.name)
	case keyShareTargetEpoch:
		g.targetEpoch = -1
	case keyShareTarget:
		delete(g.target, k.name)
	case keyShareCurrent:
		if m := g.members[k.name]; m != nil {
			m = m.clone()
			m.epoch, m.previous, m.assigned = leaveEpoch, leaveEpoch, nil
			g.put(m)
		}
	case keyShareStates:
		g.states = newShareStates()
	}
}

// remove writes what deletes the group.
func (g *shareGroup) remove(p *plan) {
	members := g.sorted()
	for _, m := range members {
		p.write(runtime.Record{Key: memberKey(keyShareCurrent, g.id, m.id)})
	}
	for _, m := range members {
		p.write(runtime.Record{Key: memberKey(keyShareTarget, g.id, m.id)})
	}
	p.write(runtime.Record{Key: groupKey(keyShareTargetEpoch, g.id)})
	for _, m := range members {
		p.write(runtime.Record{Key: memberKey(keyShareMember, g.id, m.id)})
	}
	p.write(runtime.Record{Key: groupKey(keyShareStates, g.id)})
	p.write(runtime.Record{Key: groupKey(keyShareEpoch, g.id)})
}
