package group

import (
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
)

// The values of records of share groups are Kafka's, byte for byte.
func TestShareRecordsAreKafkas(t *testing.T) {
	id, err := model.ParseID("Ls9Ij6XGRaGVbAh5TzjtkQ")
	if err != nil {
		t.Fatal(err)
	}
	rack := "r"
	m := newShareMember("m")
	m.rack, m.clientID, m.clientHost, m.topics = &rack, "c", "/h", []string{"t", "u"}
	m.epoch, m.previous, m.assigned = 3, 2, parts{id: {0, 2}}
	states := shareStates{
		initializing: map[model.ID]topicParts{id: {"t", []int32{3}}},
		initialized:  map[model.ID]topicParts{id: {"t", []int32{0, 1, 2}}},
		deleting:     map[model.ID]string{id: "t"},
	}
	for want, got := range map[string][]byte{
		"000000000007010203040506070800": shareEpochRecord("g", 7, 0x0102030405060708).Value,
		"000002720263032f68030274027500": shareMemberRecord("g", m).Value,
		"0000000000030000000200022ecf488fa5c645a1956c08794f38ed910300000000000000020000": shareCurrentRecord("g", m).Value,
		"0000022ecf488fa5c645a1956c08794f38ed910300000000000000020000":                   shareKinds.targetRecord("g", "m", m.assigned).Value,
		"00000000000700": shareKinds.targetEpochRecord("g", 7).Value,
		"0000022ecf488fa5c645a1956c08794f38ed910274020000000300022ecf488fa5c645a1956c08794f38ed9102740400000000000000010000000200022ecf488fa5c645a1956c08794f38ed9102740000": shareStatesRecord("g", states).Value,
	} {
		if hex.EncodeToString(got) != want {
			t.Errorf("got  %x\nwant %s", got, want)
		}
	}
	if read, err := parseShareStates(shareStatesRecord("g", states).Value); err != nil || !reflect.DeepEqual(read, states) {
		t.Errorf("states became %+v, %v", read, err)
	}
	if epoch, hash, err := parseShareEpoch(shareEpochRecord("g", 7, -9).Value); err != nil || epoch != 7 || hash != -9 {
		t.Errorf("epoch became %d %d, %v", epoch, hash, err)
	}
	read := newShareMember("m")
	read.epoch, read.previous, read.assigned = m.epoch, m.previous, m.assigned
	if err := parseShareMember(shareMemberRecord("g", m).Value, read); err != nil || !reflect.DeepEqual(read, m) {
		t.Errorf("member became %+v, %v", read, err)
	}
}

// Values that are cut off, or declare more than they have, are errors.
func FuzzShareRecords(f *testing.F) {
	f.Add(shareStatesRecord("g", newShareStates()).Value)
	f.Add(shareMemberRecord("g", newShareMember("m")).Value)
	f.Add(shareEpochRecord("g", 1, 2).Value)
	f.Add([]byte{0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 2, 't', 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseShareStates(b); err == nil {
			if again, err := parseShareStates(shareStatesRecord("g", s).Value); err != nil || !again.equal(s) {
				t.Errorf("%+v became %+v, %v", s, again, err)
			}
		}
		m := newShareMember("m")
		if parseShareMember(b, m) == nil {
			again := newShareMember("m")
			if err := parseShareMember(shareMemberRecord("g", m).Value, again); err != nil || !again.sameSubscription(m) {
				t.Errorf("%+v became %+v, %v", m, again, err)
			}
		}
		_, _, _ = parseShareEpoch(b)
	})
}
