package group

import (
	"fmt"

	"github.com/odradek/odradek/internal/coord/fields"
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

	maxString = fields.MaxString // what a key can hold
)

var errMalformed = fields.ErrMalformed

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
	r := fields.Reader{Rest: b}
	k := recordKey{kind: r.Int16()}
	if r.Err == nil && k.known() {
		k.group = r.String(false)
		switch k.form() {
		case offsetKey:
			k.topic = r.String(false)
			k.partition = r.Int32()
		case namedKey:
			k.name = r.String(false)
		}
	}
	if r.Err != nil {
		return k, fmt.Errorf("key of type %d, %d bytes: %w", k.kind, len(b), r.Err)
	}
	return k, nil
}

func (k recordKey) append(b []byte) []byte {
	b = fields.AppendString(fields.AppendInt16(b, k.kind), k.group)
	switch k.form() {
	case offsetKey:
		b = fields.AppendInt32(fields.AppendString(b, k.topic), k.partition)
	case namedKey:
		b = fields.AppendString(b, k.name)
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
	r := fields.Reader{Rest: b}
	o := offset{leaderEpoch: -1, expireMillis: -1}
	version := r.Int16()
	if r.Err == nil && (version < 0 || version > maxOffsetVersion) {
		return o, fmt.Errorf("offset value has version %d, versions 0 to %d are known", version, maxOffsetVersion)
	}
	o.offset = r.Int64()
	if version >= 3 {
		o.leaderEpoch = r.Int32()
	}
	o.metadata = r.String(version >= 4)
	o.commitMillis = r.Int64()
	if version == 1 {
		o.expireMillis = r.Int64()
	}
	if version >= 4 {
		r.Tags(func(tag int, field *fields.Reader) {
			if tag == tagTopicID {
				o.topicID = field.ID()
			}
		})
	}
	if r.Err != nil {
		return o, fmt.Errorf("offset value of version %d, %d bytes: %w", version, len(b), r.Err)
	}
	return o, nil
}

func (o *offset) append(b []byte) []byte {
	if o.expireMillis >= 0 {
		b = fields.AppendInt64(fields.AppendInt16(b, offsetVersionExp), o.offset)
		b = fields.AppendInt64(fields.AppendString(b, o.metadata), o.commitMillis)
		return fields.AppendInt64(b, o.expireMillis)
	}
	b = fields.AppendInt64(fields.AppendInt16(b, offsetVersion), o.offset)
	b = fields.AppendInt32(b, o.leaderEpoch)
	b = fields.AppendInt64(fields.AppendCompactString(b, o.metadata), o.commitMillis)
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
	r := fields.Reader{Rest: b}
	version := r.Int16()
	if r.Err == nil && (version < 0 || version > maxGroupVersion) {
		return nil, fmt.Errorf("group value has version %d, versions 0 to %d are known", version, maxGroupVersion)
	}
	compact := version >= 4
	g := &savedGroup{stateMillis: -1}
	g.protocolType = r.String(compact)
	g.generation = r.Int32()
	g.protocol = r.Nullable(compact)
	g.leader = r.Nullable(compact)
	if version >= 2 {
		g.stateMillis = r.Int64()
	}
	for n := r.Count(compact); n > 0 && r.Err == nil; n-- {
		g.members = append(g.members, parseMember(&r, version))
	}
	if compact {
		r.Tags(nil)
	}
	if r.Err != nil {
		return nil, fmt.Errorf("group value of version %d, %d bytes: %w", version, len(b), r.Err)
	}
	if len(g.members) > 0 && g.protocol == nil {
		return nil, fmt.Errorf("group value has %d members and no protocol: %w", len(g.members), errMalformed)
	}
	return g, nil
}

func parseMember(r *fields.Reader, version int16) savedMember {
	compact := version >= 4
	m := savedMember{id: r.String(compact)}
	if version >= 3 {
		m.instanceID = r.Nullable(compact)
	}
	m.clientID, m.clientHost = r.String(compact), r.String(compact)
	m.rebalanceMillis = -1
	if version >= 1 {
		m.rebalanceMillis = r.Int32()
	}
	m.sessionMillis = r.Int32()
	if m.rebalanceMillis == -1 {
		m.rebalanceMillis = m.sessionMillis
	}
	m.metadata, m.assignment = r.Bytes(compact), r.Bytes(compact)
	if compact {
		r.Tags(nil)
	}
	return m
}

func (g *savedGroup) append(b []byte) []byte {
	b = fields.AppendString(fields.AppendInt16(b, groupVersion), g.protocolType)
	b = fields.AppendInt32(b, g.generation)
	b = fields.AppendNullable(fields.AppendNullable(b, g.protocol), g.leader)
	b = fields.AppendInt64(b, g.stateMillis)
	b = fields.AppendCount(b, len(g.members), false)
	for i := range g.members {
		m := &g.members[i]
		b = fields.AppendNullable(fields.AppendString(b, m.id), m.instanceID)
		b = fields.AppendString(fields.AppendString(b, m.clientID), m.clientHost)
		b = fields.AppendInt32(fields.AppendInt32(b, m.rebalanceMillis), m.sessionMillis)
		b = fields.AppendBytes(fields.AppendBytes(b, m.metadata), m.assignment)
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
