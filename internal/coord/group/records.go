package group

import (
	"encoding/binary"
	"fmt"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
)

// Records of __consumer_offsets, as Kafka writes them (docs/formats/consumer-offsets.md).
// A key starts with a version that is the type of the record; a value starts with the
// version of its own layout, and a null value deletes what the key names.
const (
	keyLegacyOffset = 0 // as keyOffset, from before Kafka 0.9
	keyOffset       = 1 // group, topic, partition
	keyGroup        = 2 // group

	// Of consumer groups.
	keyConsumerEpoch       = 3  // group
	keyConsumerTopics      = 4  // group; only removed nowadays
	keyConsumerMember      = 5  // group, member
	keyConsumerTargetEpoch = 6  // group
	keyConsumerTarget      = 7  // group, member
	keyConsumerCurrent     = 8  // group, member
	keyConsumerPattern     = 16 // group, regular expression

	// Of share groups.
	keyShareMember      = 10 // group, member
	keyShareEpoch       = 11 // group
	keyShareTargetEpoch = 12 // group
	keyShareTarget      = 13 // group, member
	keyShareCurrent     = 14 // group, member
	keyShareStates      = 15 // group

	offsetVersion    = 4 // written when the commit carries no expiry of its own
	offsetVersionExp = 1 // the only version that has an expiry
	groupVersion     = 3
	maxOffsetVersion = 4
	maxGroupVersion  = 4
	tagTopicID       = 0
)

// recordKey is the key of a record: topic and partition count for offsets only, name is
// a member or a regular expression.
type recordKey struct {
	kind      int16
	group     string
	topic     string
	partition int32
	name      string
}

// keyForm is what a key has after its group.
type keyForm uint8

const (
	unknownKey keyForm = iota
	bareKey            // nothing
	namedKey           // a name
	offsetKey          // a topic and a partition
)

func (k recordKey) form() keyForm {
	switch k.kind {
	case keyLegacyOffset, keyOffset:
		return offsetKey
	case keyGroup, keyConsumerEpoch, keyConsumerTopics, keyConsumerTargetEpoch, keyShareEpoch, keyShareTargetEpoch, keyShareStates:
		return bareKey
	case keyConsumerMember, keyConsumerTarget, keyConsumerCurrent, keyConsumerPattern, keyShareMember, keyShareTarget, keyShareCurrent:
		return namedKey
	}
	return unknownKey
}

// known reports whether the rest of the key could be read; other kinds belong to later
// versions and to kinds of groups that are not served.
func (k recordKey) known() bool { return k.form() != unknownKey }

func parseKey(b []byte) (recordKey, error) {
	r := reader{b: b}
	k := recordKey{kind: r.int16()}
	if r.err == nil && k.known() {
		k.group = r.string(false)
		switch k.form() {
		case offsetKey:
			k.topic = r.string(false)
			k.partition = r.int32()
		case namedKey:
			k.name = r.string(false)
		}
	}
	if r.err != nil {
		return k, fmt.Errorf("key of type %d, %d bytes: %w", k.kind, len(b), r.err)
	}
	return k, nil
}

func (k recordKey) append(b []byte) []byte {
	b = appendString(appendInt16(b, k.kind), k.group)
	switch k.form() {
	case offsetKey:
		b = appendInt32(appendString(b, k.topic), k.partition)
	case namedKey:
		b = appendString(b, k.name)
	}
	return b
}

// offset is a committed offset.
type offset struct {
	offset       int64
	leaderEpoch  int32 // of the last consumed record, -1 for unknown
	metadata     string
	commitMillis int64
	expireMillis int64 // -1 for none, which is what newer clients leave it at
	topicID      model.ID
	recordOffset int64 // where the log holds it; not part of the value
}

func parseOffset(b []byte) (offset, error) {
	r := reader{b: b}
	o := offset{leaderEpoch: -1, expireMillis: -1}
	version := r.int16()
	if r.err == nil && (version < 0 || version > maxOffsetVersion) {
		return o, fmt.Errorf("offset value has version %d, versions 0 to %d are known", version, maxOffsetVersion)
	}
	o.offset = r.int64()
	if version >= 3 {
		o.leaderEpoch = r.int32()
	}
	o.metadata = r.string(version >= 4)
	o.commitMillis = r.int64()
	if version == 1 {
		o.expireMillis = r.int64()
	}
	if version >= 4 {
		r.tags(func(tag int, field *reader) {
			if tag == tagTopicID {
				copy(o.topicID[:], field.take(len(o.topicID)))
			}
		})
	}
	if r.err != nil {
		return o, fmt.Errorf("offset value of version %d, %d bytes: %w", version, len(b), r.err)
	}
	return o, nil
}

func (o *offset) append(b []byte) []byte {
	if o.expireMillis >= 0 {
		b = appendInt64(appendInt16(b, offsetVersionExp), o.offset)
		b = appendInt64(appendString(b, o.metadata), o.commitMillis)
		return appendInt64(b, o.expireMillis)
	}
	b = appendInt64(appendInt16(b, offsetVersion), o.offset)
	b = appendInt32(b, o.leaderEpoch)
	b = appendInt64(appendCompactString(b, o.metadata), o.commitMillis)
	if o.topicID.IsZero() {
		return append(b, 0)
	}
	b = append(b, 1, tagTopicID, byte(len(o.topicID)))
	return append(b, o.topicID[:]...)
}

// savedGroup is what the log says of a classic group: its last settled generation.
type savedGroup struct {
	protocolType string
	generation   int32
	protocol     *string
	leader       *string
	stateMillis  int64 // when it came to its state, -1 for unknown
	members      []savedMember
}

type savedMember struct {
	id                   string
	instanceID           *string
	clientID, clientHost string
	rebalanceMillis      int32
	sessionMillis        int32
	metadata, assignment []byte
}

func parseGroup(b []byte) (*savedGroup, error) {
	r := reader{b: b}
	version := r.int16()
	if r.err == nil && (version < 0 || version > maxGroupVersion) {
		return nil, fmt.Errorf("group value has version %d, versions 0 to %d are known", version, maxGroupVersion)
	}
	compact := version >= 4
	g := &savedGroup{stateMillis: -1}
	g.protocolType = r.string(compact)
	g.generation = r.int32()
	g.protocol = r.nullable(compact)
	g.leader = r.nullable(compact)
	if version >= 2 {
		g.stateMillis = r.int64()
	}
	for n := r.count(compact); n > 0 && r.err == nil; n-- {
		g.members = append(g.members, parseMember(&r, version))
	}
	if compact {
		r.tags(nil)
	}
	if r.err != nil {
		return nil, fmt.Errorf("group value of version %d, %d bytes: %w", version, len(b), r.err)
	}
	if len(g.members) > 0 && g.protocol == nil {
		return nil, fmt.Errorf("group value has %d members and no protocol: %w", len(g.members), errMalformed)
	}
	return g, nil
}

func parseMember(r *reader, version int16) savedMember {
	compact := version >= 4
	m := savedMember{id: r.string(compact)}
	if version >= 3 {
		m.instanceID = r.nullable(compact)
	}
	m.clientID, m.clientHost = r.string(compact), r.string(compact)
	m.rebalanceMillis = -1
	if version >= 1 {
		m.rebalanceMillis = r.int32()
	}
	m.sessionMillis = r.int32()
	if m.rebalanceMillis == -1 {
		m.rebalanceMillis = m.sessionMillis
	}
	m.metadata, m.assignment = r.bytes(compact), r.bytes(compact)
	if compact {
		r.tags(nil)
	}
	return m
}

func (g *savedGroup) append(b []byte) []byte {
	b = appendString(appendInt16(b, groupVersion), g.protocolType)
	b = appendInt32(b, g.generation)
	b = appendNullable(appendNullable(b, g.protocol), g.leader)
	b = appendInt64(b, g.stateMillis)
	b = binary.BigEndian.AppendUint32(b, uint32(len(g.members)))
	for i := range g.members {
		m := &g.members[i]
		b = appendNullable(appendString(b, m.id), m.instanceID)
		b = appendString(appendString(b, m.clientID), m.clientHost)
		b = appendInt32(appendInt32(b, m.rebalanceMillis), m.sessionMillis)
		b = appendBytes(appendBytes(b, m.metadata), m.assignment)
	}
	return b
}

// offsetRecord makes a record in room, which has space for more of them, and returns
// what is left of it.
func offsetRecord(room []byte, group, topic string, partition int32, o *offset) (runtime.Record, []byte) {
	room = recordKey{kind: keyOffset, group: group, topic: topic, partition: partition}.append(room)
	n := len(room)
	room = o.append(room)
	return runtime.Record{Key: room[:n:n], Value: room[n:len(room):len(room)]}, room[len(room):]
}

func offsetTombstone(group, topic string, partition int32) runtime.Record {
	key := recordKey{kind: keyOffset, group: group, topic: topic, partition: partition}
	return runtime.Record{Key: key.append(nil)}
}

func groupRecord(group string, g *savedGroup) runtime.Record {
	return runtime.Record{Key: recordKey{kind: keyGroup, group: group}.append(nil), Value: g.append(nil)}
}

func groupTombstone(group string) runtime.Record {
	return runtime.Record{Key: recordKey{kind: keyGroup, group: group}.append(nil)}
}
