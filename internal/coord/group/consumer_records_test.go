package group

import (
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
)

// Records of consumer groups are, byte for byte, those that Kafka 4.2.1 writes, and say
// the same when they are read.
func TestConsumerRecordsAreKafkas(t *testing.T) {
	id := func(first byte, last byte) model.ID { return model.ID{0: first, 15: last} }
	str := func(s string) *string { return &s }
	had := parts{id('t', 0): {0, 1, 300}, id('u', 5): {7}}
	m := &consumerMember{
		modernMember: modernMember{
			id: "A", epoch: 5, previous: 4, state: unrevoked, instanceID: str("i"), clientID: "c", clientHost: "/h",
			topics: []string{"t", "u"}, assigned: had,
		},
		rebalanceMillis: 60000, pattern: "x.*", assignor: str("range"), revoking: parts{id('u', 5): {1}},
	}
	classic := newConsumerMember("B")
	classic.clientID, classic.clientHost = "c", "/h"
	classic.classic = &classicMember{sessionMillis: 10000, protocols: []classicProtocol{{"range", []byte{0, 1, 2}}}}
	gone := func(key []byte) runtime.Record { return runtime.Record{Key: key} }
	kafkas := []struct {
		record     runtime.Record
		key, value string
	}{
		{consumerKinds.epochRecord("g", 7, -2), "0003000167", "000000000007010008fffffffffffffffe"},
		{consumerKinds.epochRecord("g", 7, 0), "0003000167", "00000000000700"},
		{gone(groupKey(keyConsumerEpoch, "g")), "0003000167", ""},
		{gone(groupKey(keyConsumerTopics, "g")), "0004000167", ""},
		{consumerMemberRecord("g", m), "0005000167000141", "00000269000263032f68030274027504782e2a0000ea600672616e676501000100"},
		{consumerMemberRecord("g", classic), "0005000167000142", "000000000263032f680101ffffffff000100120100002710020672616e6765040001020000"},
		{gone(memberKey(keyConsumerMember, "g", "A")), "0005000167000141", ""},
		{consumerKinds.targetEpochRecord("g", 7), "0006000167", "00000000000700"},
		{consumerKinds.targetRecord("g", "A", had), "0007000167000141", "000003740000000000000000000000000000000400000000000000010000012c007500000000000000000000000000000502000000070000"},
		{consumerCurrentRecord("g", m), "0008000167000141", "000000000005000000040103740000000000000000000000000000000400000000000000010000012c0075000000000000000000000000000005020000000700027500000000000000000000000000000502000000010000"},
		{patternRecord("g", "x.*", &resolvedPattern{topics: []string{"xa", "xb"}, version: 12, millis: 34}), "00100001670003782e2a", "000003037861037862000000000000000c000000000000002200"},
	}
	st := newState(doors{})
	for i, k := range kafkas {
		if key, value := hex.EncodeToString(k.record.Key), hex.EncodeToString(k.record.Value); key != k.key || value != k.value {
			t.Errorf("record %d:\n got %s %s\nwant %s %s", i, key, value, k.key, k.value)
		}
		if k.value == "" {
			continue // read below: it would remove what the others say
		}
		if err := st.Replay(runtime.Entry{Key: k.record.Key, Value: k.record.Value}); err != nil {
			t.Errorf("record %d: %v", i, err)
		}
	}
	g := st.consumers["g"]
	if g.epoch != 7 || g.targetEpoch != 7 || !g.target["A"].equal(had) || !reflect.DeepEqual(g.resolved["x.*"].topics, []string{"xa", "xb"}) {
		t.Errorf("the group was read as %+v", g)
	}
	if got := g.members["A"]; !got.sameSubscription(m) || !got.sameProgress(m) {
		t.Errorf("the member was read as %+v", got)
	}
	if got := g.members["B"]; !got.sameSubscription(classic) {
		t.Errorf("the classic member was read as %+v", got)
	}
	if g.owners[id('u', 5)][1] != "A" || g.classics != 1 || g.topics["t"].names != 1 || g.topics["xa"].patterns != 1 {
		t.Errorf("the group counts %+v", g)
	}
}

// A value of a version that is not known, or that ends too early, fails the load: it does
// not make half a group.
func TestConsumerRecordsThatCannotBeRead(t *testing.T) {
	whole := consumerMemberRecord("g", newConsumerMember("A"))
	for n := range len(whole.Value) {
		if err := newState(doors{}).Replay(runtime.Entry{Key: whole.Key, Value: whole.Value[:n]}); err == nil {
			t.Errorf("%d of %d bytes were read as a member", n, len(whole.Value))
		}
	}
	later := append([]byte{0, 1}, whole.Value[2:]...)
	if err := newState(doors{}).Replay(runtime.Entry{Key: whole.Key, Value: later}); err == nil {
		t.Error("a value of version 1 was read")
	}
	// A count that no bytes are there for takes no memory.
	huge := []byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0x07}
	if err := newState(doors{}).Replay(runtime.Entry{Key: memberKey(keyConsumerTarget, "g", "A"), Value: huge}); err == nil {
		t.Error("an assignment of two billion topics was read")
	}
}

// The hash of topics is the one that Kafka 4.2.1 computes, so that a group which Kafka
// wrote does not rebalance for being loaded here.
func TestTopicHashIsKafkas(t *testing.T) {
	tid, uid := model.ID{0: 0x74}, model.ID{0: 0x75, 15: 5}
	rack := func(s string) *string { return &s }
	recs := []metadata.Record{
		metadata.RegisterBroker{Broker: metadata.Broker{ID: 1, Rack: rack("b")}},
		metadata.RegisterBroker{Broker: metadata.Broker{ID: 2, Rack: rack("a")}},
		metadata.RegisterBroker{Broker: metadata.Broker{ID: 3, Rack: rack("rack-é")}},
		metadata.RegisterBroker{Broker: metadata.Broker{ID: 4}},
		metadata.AddTopic{ID: tid, Name: "t"}, metadata.AddTopic{ID: uid, Name: "ü"},
	}
	for _, p := range []struct {
		topic    model.ID
		number   int32
		replicas []int32
	}{{tid, 0, []int32{1, 2}}, {tid, 1, []int32{4}}, {uid, 0, []int32{3}}} {
		recs = append(recs, metadata.AddPartition{Topic: p.topic, Number: p.number, Partition: metadata.Partition{
			Leader: p.replicas[0], Replicas: p.replicas, ISR: p.replicas, Dirs: make([]model.ID, len(p.replicas)),
		}})
	}
	image, err := metadata.Empty().Apply(recs, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint64{"t": 0xc8a829b6f08faf49, "ü": 0x8ee9a2d6695f3796} {
		topic, _ := image.Topic(name)
		if got := uint64(hashTopic(image, topic)); got != want {
			t.Errorf("topic %s: %x, want %x", name, got, want)
		}
	}
	v := newTopicView(func() *metadata.Image { return image })
	v.look()
	if got := uint64(v.hash(map[string]subscribers{"t": {}, "ü": {}, "none": {}})); got != 0xa72e10e084eb8c6e {
		t.Errorf("both: %x, want a72e10e084eb8c6e", got)
	}
	if got := v.hash(map[string]subscribers{"none": {}}); got != 0 {
		t.Errorf("a topic that does not exist: %x, want 0", got)
	}
}
