package share

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
)

// What Kafka 4.2 writes, byte for byte.
const (
	kafkaSnapshotKey = "00000001672ecf488fa5c645a1956c08794f38ed9100000007"
	kafkaUpdateKey   = "00010001672ecf488fa5c645a1956c08794f38ed9100000007"
	kafkaSnapshot    = "0000000000030000000400000005000000000000006400000000000003e800000000000007d0" +
		"030000000000000064000000000000006c02000100000000000000006e000000000000006e0000030001000400000009"
	kafkaEmpty  = "0000000000000000000000000000ffffffffffffffff000000000000000000000000000000000100"
	kafkaUpdate = "00000000000300000005ffffffffffffffff020000000000000064000000000000006c0400050001000400000002"
)

func TestRecordsAreKafkas(t *testing.T) {
	id, err := model.ParseID("Ls9Ij6XGRaGVbAh5TzjtkQ")
	if err != nil {
		t.Fatal(err)
	}
	k := Key{"g", id, 7}
	full := &snapshot{
		epoch: 3, stateEpoch: 4, leaderEpoch: 5, start: 100, complete: 9, createdMillis: 1000, writtenMillis: 2000,
		batches: []StateBatch{{100, 108, Acknowledged, 1}, {110, 110, Available, 3}},
	}
	empty := &snapshot{start: NoStart, complete: -1, batches: []StateBatch{}}
	change := &update{epoch: 3, leaderEpoch: 5, start: NoStart, complete: 2, batches: []StateBatch{{100, 108, Archived, 5}}}
	for want, got := range map[string][]byte{
		kafkaSnapshotKey: k.append(nil, keySnapshot),
		kafkaUpdateKey:   k.append(nil, keyUpdate),
		kafkaSnapshot:    full.append(nil),
		kafkaEmpty:       empty.append(nil),
		kafkaUpdate:      change.append(nil),
	} {
		if hex.EncodeToString(got) != want {
			t.Errorf("got  %x\nwant %s", got, want)
		}
	}
	if kind, got, err := parseKey(unhex(t, kafkaUpdateKey)); err != nil || kind != keyUpdate || got != k {
		t.Errorf("key: got %v %v, %v", kind, got, err)
	}
	for text, want := range map[string]*snapshot{kafkaSnapshot: full, kafkaEmpty: empty} {
		if got, err := parseSnapshot(unhex(t, text)); err != nil || !reflect.DeepEqual(&got, want) {
			t.Errorf("snapshot: got %+v, %v", got, err)
		}
	}
	if got, err := parseUpdate(unhex(t, kafkaUpdate)); err != nil || !reflect.DeepEqual(&got, change) {
		t.Errorf("update: got %+v, %v", got, err)
	}
}

func unhex(t testing.TB, text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A record that is cut off, of another version, or that declares more than it has is an
// error.
func TestRecordsThatAreSpoiled(t *testing.T) {
	for _, text := range []string{kafkaSnapshotKey, kafkaSnapshot, kafkaUpdate} {
		whole := unhex(t, text)
		for n := range whole {
			var err error
			switch text {
			case kafkaSnapshotKey:
				_, _, err = parseKey(whole[:n])
			case kafkaSnapshot:
				_, err = parseSnapshot(whole[:n])
			case kafkaUpdate:
				_, err = parseUpdate(whole[:n])
			}
			if err == nil {
				t.Errorf("%d bytes of %s are read", n, text)
			}
		}
	}
	later := unhex(t, kafkaSnapshot)
	later[1] = 1
	if _, err := parseSnapshot(later); err == nil || !strings.Contains(err.Error(), "version 1") {
		t.Errorf("a later version: %v", err)
	}
	greedy := bytes.Replace(unhex(t, kafkaUpdate), []byte{0xff, 2}, []byte{0xff, 0x7f}, 1)
	if _, err := parseUpdate(greedy); err == nil {
		t.Error("an update that declares 126 batches is read")
	}
}

func FuzzRecords(f *testing.F) {
	for _, text := range []string{kafkaSnapshotKey, kafkaUpdateKey, kafkaSnapshot, kafkaEmpty, kafkaUpdate} {
		f.Add(unhex(f, text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseSnapshot(b); err == nil {
			if again, err := parseSnapshot(s.append(nil)); err != nil || !reflect.DeepEqual(again, s) {
				t.Errorf("%+v became %+v, %v", s, again, err)
			}
		}
		if u, err := parseUpdate(b); err == nil {
			if again, err := parseUpdate(u.append(nil)); err != nil || !reflect.DeepEqual(again, u) {
				t.Errorf("%+v became %+v, %v", u, again, err)
			}
		}
		if kind, k, err := parseKey(b); err == nil && (kind == keySnapshot || kind == keyUpdate) {
			if kind2, k2, err := parseKey(k.append(nil, kind)); err != nil || kind2 != kind || k2 != k {
				t.Errorf("%v became %v, %v", k, k2, err)
			}
		}
	})
}
