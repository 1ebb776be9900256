package group

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func someGroup() *savedGroup {
	protocol, leader, instance := "range", "a-1", "i"
	return &savedGroup{
		protocolType: "consumer", generation: 7, protocol: &protocol, leader: &leader, stateMillis: 1700000000000,
		members: []savedMember{
			{id: "a-1", clientID: "a", clientHost: "/10.0.0.1", rebalanceMillis: 60000, sessionMillis: 10000, metadata: []byte("meta"), assignment: []byte("x")},
			{id: "i-2", instanceID: &instance, clientID: "b", clientHost: "/10.0.0.2", rebalanceMillis: 1, sessionMillis: 2, metadata: []byte{}, assignment: []byte{}},
		},
	}
}

// The bytes are those of Kafka's generated classes, written out by hand here.
func TestRecordBytes(t *testing.T) {
	id := model.ID{0: 0xaa, 15: 0xbb}
	cases := map[string]struct {
		got  []byte
		want string
	}{
		"key of an offset": {recordKey{kind: keyOffset, group: "g", topic: "t", partition: 3}.append(nil), "0001 000167 000174 00000003"},
		"key of a group":   {recordKey{kind: keyGroup, group: "g"}.append(nil), "0002 000167"},
		"offset": {(&offset{offset: 5, leaderEpoch: 2, metadata: "m", commitMillis: 16, expireMillis: -1}).append(nil),
			"0004 0000000000000005 00000002 026d 0000000000000010 00"},
		"offset with topic id": {(&offset{offset: 5, leaderEpoch: -1, commitMillis: 16, expireMillis: -1, topicID: id}).append(nil),
			"0004 0000000000000005 ffffffff 01 0000000000000010 01 00 10 aa0000000000000000000000000000bb"},
		"offset with expiry": {(&offset{offset: 5, leaderEpoch: 2, metadata: "m", commitMillis: 16, expireMillis: 17}).append(nil),
			"0001 0000000000000005 00016d 0000000000000010 0000000000000011"},
		"empty group": {(&savedGroup{stateMillis: -1}).append(nil), "0003 0000 00000000 ffff ffff ffffffffffffffff 00000000"},
	}
	for name, c := range cases {
		if want, _ := hex.DecodeString(strings.ReplaceAll(c.want, " ", "")); !bytes.Equal(c.got, want) {
			t.Errorf("%s is\n%x, want\n%x", name, c.got, want)
		}
	}
}

// Every version that Kafka ever wrote is read, as another implementation writes it.
func TestReadAllVersions(t *testing.T) {
	for version := int16(0); version <= maxOffsetVersion; version++ {
		v := kmsg.NewOffsetCommitValue()
		v.Version, v.Offset, v.LeaderEpoch, v.Metadata, v.CommitTimestamp = version, 5, 2, "m", 16
		v.ExpireTimestamp, v.TopicID = 17, [16]byte{1, 2}
		want := offset{offset: 5, leaderEpoch: -1, metadata: "m", commitMillis: 16, expireMillis: -1}
		if version >= 3 {
			want.leaderEpoch = 2
		}
		if version == 1 {
			want.expireMillis = 17
		}
		if version >= 4 {
			want.topicID = v.TopicID
		}
		if got, err := parseOffset(v.AppendTo(nil)); err != nil || got != want {
			t.Errorf("offset of version %d is %+v, %v; want %+v", version, got, err, want)
		}
	}
	for version := int16(0); version <= maxGroupVersion; version++ {
		want := someGroup()
		v := kmsg.NewGroupMetadataValue()
		v.Version, v.ProtocolType, v.Generation, v.Protocol, v.Leader = version, want.protocolType, want.generation, want.protocol, want.leader
		v.CurrentStateTimestamp = want.stateMillis
		for i := range want.members {
			m := &want.members[i]
			v.Members = append(v.Members, kmsg.GroupMetadataValueMember{
				MemberID: m.id, InstanceID: m.instanceID, ClientID: m.clientID, ClientHost: m.clientHost,
				RebalanceTimeoutMillis: m.rebalanceMillis, SessionTimeoutMillis: m.sessionMillis, Subscription: m.metadata, Assignment: m.assignment,
			})
			if version < 3 {
				m.instanceID = nil
			}
			if version < 1 {
				m.rebalanceMillis = m.sessionMillis
			}
		}
		if version < 2 {
			want.stateMillis = -1
		}
		if got, err := parseGroup(v.AppendTo(nil)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("group of version %d is %+v, %v; want %+v", version, got, err, want)
		}
	}
}

// What is written is read by another implementation.
func TestWrittenGroupIsRead(t *testing.T) {
	v := kmsg.NewGroupMetadataValue()
	if err := v.ReadFrom(someGroup().append(nil)); err != nil {
		t.Fatal(err)
	}
	if len(v.Members) != 2 || *v.Members[1].InstanceID != "i" || v.Generation != 7 || string(v.Members[0].Assignment) != "x" {
		t.Fatalf("read %+v", v)
	}
}

// Versions of the future, and bytes that are cut short, are errors that say so.
func TestUnreadableRecords(t *testing.T) {
	if _, err := parseOffset([]byte{0, 5}); err == nil || !strings.Contains(err.Error(), "version 5") {
		t.Errorf("offset of version 5: %v", err)
	}
	if _, err := parseGroup([]byte{0, 5}); err == nil || !strings.Contains(err.Error(), "version 5") {
		t.Errorf("group of version 5: %v", err)
	}
	values := map[string]struct {
		whole []byte
		parse func([]byte) error
	}{
		"key":    {recordKey{kind: keyOffset, group: "g", topic: "t"}.append(nil), func(b []byte) error { _, err := parseKey(b); return err }},
		"offset": {(&offset{metadata: "m", expireMillis: -1, topicID: model.ID{1}}).append(nil), func(b []byte) error { _, err := parseOffset(b); return err }},
		"group":  {someGroup().append(nil), func(b []byte) error { _, err := parseGroup(b); return err }},
	}
	for name, v := range values {
		if err := v.parse(v.whole); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := range v.whole {
			if err := v.parse(v.whole[:n]); !errors.Is(err, errMalformed) {
				t.Errorf("%s cut to %d bytes: %v", name, n, err)
			}
		}
	}
}

func TestSubscription(t *testing.T) {
	for version := int16(0); version <= 3; version++ {
		m := kmsg.NewConsumerMemberMetadata()
		m.Version, m.Topics, m.UserData = version, []string{"t", "u"}, []byte("data")
		if got, err := subscription(m.AppendTo(nil)); err != nil || !reflect.DeepEqual(got, m.Topics) {
			t.Errorf("subscription of version %d: %v, %v", version, got, err)
		}
	}
	for _, bad := range []string{"", "\x00", "\x00\x00\xff\xff\xff\xf0", "\x00\x00\x7f\xff\xff\xff", "\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff", "garbage"} {
		if got, err := subscription([]byte(bad)); err == nil {
			t.Errorf("subscription %q: %v", bad, got)
		}
	}
}

// No bytes make the decoders panic or take memory that they do not weigh, and what they
// accept survives being written and read.
func FuzzRecords(f *testing.F) {
	f.Add(recordKey{kind: keyOffset, group: "g", topic: "t", partition: 1}.append(nil), (&offset{metadata: "m", expireMillis: -1, topicID: model.ID{1}}).append(nil))
	f.Add(recordKey{kind: keyGroup, group: "g"}.append(nil), someGroup().append(nil))
	f.Add([]byte{0, 3}, []byte{0, 4, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if k, err := parseKey(key); err == nil && k.known() {
			if again, err := parseKey(k.append(nil)); err != nil || again != k {
				t.Fatalf("key %+v became %+v, %v", k, again, err)
			}
		}
		if o, err := parseOffset(value); err == nil && len(o.metadata) <= maxString {
			lean := o
			if o.expireMillis < 0 {
				lean.expireMillis = -1
			} else {
				lean.leaderEpoch, lean.topicID = -1, model.ID{}
			}
			if again, err := parseOffset(o.append(nil)); err != nil || again != lean {
				t.Fatalf("offset %+v became %+v, %v", o, again, err)
			}
		}
		if g, err := parseGroup(value); err == nil && short16(g) {
			again, err := parseGroup(g.append(nil))
			if err != nil || len(again.members) != len(g.members) || again.generation != g.generation {
				t.Fatalf("group %+v became %+v, %v", g, again, err)
			}
			newGroup("g").restoreFor(t, g)
		}
		_, _ = subscription(value)
	})
}

// short16 reports whether the strings fit the classic form, in which they are written.
func short16(g *savedGroup) bool {
	ok := func(s string) bool { return len(s) <= maxString }
	okp := func(s *string) bool { return s == nil || ok(*s) }
	for _, m := range g.members {
		if !ok(m.id) || !okp(m.instanceID) || !ok(m.clientID) || !ok(m.clientHost) {
			return false
		}
	}
	return ok(g.protocolType) && okp(g.protocol) && okp(g.leader)
}

// restoreFor makes a group of what was read and checks its invariants.
func (g *group) restoreFor(t *testing.T, saved *savedGroup) {
	t.Helper()
	g.saved = saved
	g.restore(epochStart)
	g.verify(t)
}
