package quorum

import (
	"bytes"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

func sampleFrame() *frame {
	return &frame{
		hard:  &raftpb.HardState{Term: new(uint64(3)), Vote: new(uint64(1)), Commit: new(uint64(9))},
		reset: true, index: 7, term: 2,
		entries: []*raftpb.Entry{
			{Index: new(uint64(8)), Term: new(uint64(3)), Type: raftpb.EntryNormal.Enum(), Data: []byte("a")},
			{Index: new(uint64(9)), Term: new(uint64(3)), Type: raftpb.EntryConfChangeV2.Enum()},
		},
	}
}

// A frame is found where it was written and nowhere else, with its own salt only.
func TestFrame(t *testing.T) {
	const salt, place = 12345, 1024
	f := sampleFrame()
	file := f.append(make([]byte, place), salt, place)
	if len(file)%sectorBytes != 0 {
		t.Errorf("the frame ends at %d", len(file))
	}
	for at := range file {
		if (framePayload(file, at, salt) != nil) != (at == place) {
			t.Errorf("a frame at %d", at)
		}
	}
	if framePayload(file, place, salt+1) != nil {
		t.Error("another salt passes")
	}
	got, err := decodeFrame(framePayload(file, place, salt))
	if err != nil || !proto.Equal(got.hard, f.hard) || !got.reset || got.index != 7 || got.term != 2 || len(got.entries) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, e := range got.entries {
		if !proto.Equal(e, f.entries[i]) {
			t.Errorf("entry %d: %v, want %v", i, e, f.entries[i])
		}
	}
}

func FuzzDecodeFrame(f *testing.F) {
	f.Add(sampleFrame().appendPayload(nil))
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := decodeFrame(payload)
		if err != nil {
			return
		}
		again, err := decodeFrame(got.appendPayload(nil))
		if err != nil || len(again.entries) != len(got.entries) || !bytes.Equal(again.appendPayload(nil), got.appendPayload(nil)) {
			t.Fatalf("%+v, %v", again, err)
		}
	})
}

func FuzzDecodeSnapshot(f *testing.F) {
	f.Add(encodeSnapshot(&raftpb.Snapshot{Data: []byte("x"), Metadata: &raftpb.SnapshotMetadata{
		ConfState: &raftpb.ConfState{Voters: []uint64{1, 2}, Learners: []uint64{3}}, Index: new(uint64(1)), Term: new(uint64(1)),
	}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeSnapshot(b)
		if err != nil {
			return
		}
		again, err := decodeSnapshot(encodeSnapshot(s))
		if err != nil || !proto.Equal(again, s) {
			t.Fatalf("%v, %v", again, err)
		}
	})
}
