package quorum

import (
	"encoding/binary"
	"hash/crc32"
	"log/slog"
	"path/filepath"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/odradek/odradek/internal/base/vfs"
)

// FuzzStore opens a folder whose snapshot and frames have good checksums and say anything,
// with anything after the last frame. It is refused, or what it has is whole: what is
// committed is there, every entry has its term, and what is appended is there when it is
// opened again.
func FuzzStore(f *testing.F) {
	frames := sampleFrame()
	frames.reset, frames.hard.Commit = false, new(uint64(8))
	f.Add(uint64(7), uint64(2), frames.appendPayload(nil), (&frame{hard: frames.hard}).appendPayload(nil), []byte("torn"), false)
	f.Add(uint64(1), uint64(1), sampleFrame().appendPayload(nil), []byte{}, []byte{}, true)
	f.Add(uint64(0), uint64(0), []byte{0, 1, 1, 0, 0}, []byte{1, 2, 3, 9, 9, 2, 0}, make([]byte, 1200), true)
	f.Fuzz(func(t *testing.T, index, term uint64, first, second, tail []byte, roll bool) {
		mem := vfs.NewMem()
		const dir = "/q"
		if err := vfs.MkdirAllDurable(mem, dir, 0o755); err != nil {
			t.Fatal(err)
		}
		snap := firstSnapshot([]uint64{2})
		snap.Metadata.Index, snap.Metadata.Term = &index, &term
		put(t, mem, filepath.Join(dir, snapName(index)), encodeSnapshot(snap))
		log := logFile(1, 99)
		log = appendRaw(log, 99, first)
		if roll {
			put(t, mem, filepath.Join(dir, logName(1)), log)
			log = appendRaw(logFile(2, 5), 5, second)
			put(t, mem, filepath.Join(dir, logName(2)), append(log, tail...))
		} else {
			log = appendRaw(log, 99, second)
			put(t, mem, filepath.Join(dir, logName(1)), append(log, tail...))
		}
		c := Config{FS: mem, Dir: dir, SegmentBytes: 4 << 10, Rand: func() uint64 { return 3 }, Log: slog.New(slog.DiscardHandler)}
		s, _, err := openStore(c, []uint64{2})
		if err != nil {
			return
		}
		whole(t, s)
		last, lastTerm := s.last(), s.hard.GetTerm()+1
		if last > 1<<60 || lastTerm > 1<<60 {
			return
		}
		if err := s.save(&raftpb.HardState{Term: &lastTerm, Vote: new(uint64(2)), Commit: new(s.hard.GetCommit())},
			[]*raftpb.Entry{{Index: new(last + 1), Term: &lastTerm, Data: []byte("more")}}); err != nil {
			t.Fatal(err)
		}
		if err := s.wal.close(); err != nil {
			t.Fatal(err)
		}
		again, _, err := openStore(c, []uint64{2})
		if err != nil {
			t.Fatalf("what was written cannot be opened: %v", err)
		}
		whole(t, again)
		if again.last() != last+1 || !proto.Equal(again.hard, s.hard) {
			t.Errorf("it ends at %d with %v, and ended at %d with %v", again.last(), again.hard, last+1, s.hard)
		}
		_ = again.wal.close() // nothing is written any more
	})
}

// whole checks what Raft takes for granted of its storage.
func whole(t *testing.T, s *store) {
	t.Helper()
	first, _ := s.FirstIndex()
	last, _ := s.LastIndex()
	if commit := s.hard.GetCommit(); commit < s.snapshot || commit > last || first > last+1 {
		t.Fatalf("entries [%d, %d], committed to %d, snapshot at %d", first, last, commit, s.snapshot)
	}
	for i, e := range s.entries {
		if e.GetIndex() != first+uint64(i) {
			t.Fatalf("entry %d is at the place of %d", e.GetIndex(), first+uint64(i))
		}
	}
}

func put(t *testing.T, mem *vfs.Mem, name string, b []byte) {
	t.Helper()
	if err := vfs.WriteFileDurable(mem, name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// logFile is the header of a log file.
func logFile(seq, salt uint64) []byte {
	b := append([]byte(logMagic), logFormat, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, seq)
	b = binary.BigEndian.AppendUint64(b, salt)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// appendRaw appends a frame of any payload to a file.
func appendRaw(file []byte, salt uint64, payload []byte) []byte {
	place := uint64(len(file)) + salt
	file = binary.BigEndian.AppendUint32(file, frameMark(place))
	file = binary.BigEndian.AppendUint32(file, uint32(len(payload)))
	file = binary.BigEndian.AppendUint32(file, frameSum(place, payload))
	file = append(file, payload...)
	return append(file, make([]byte, toSector(int64(len(file)))-int64(len(file)))...)
}

// FuzzStep reads what another node says as Raft: what is let through is from a member's kind
// of message, and nothing panics on the way to Raft.
func FuzzStep(f *testing.F) {
	for typ := range raftpb.MessageType_name {
		b, err := proto.Marshal(&raftpb.Message{Type: raftpb.MessageType(typ).Enum(), From: new(uint64(3)), To: new(uint64(2)), Term: new(uint64(4)),
			Index: new(uint64(7)), LogTerm: new(uint64(3)), Entries: sampleFrame().entries, Snapshot: firstSnapshot([]uint64{2, 3})})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m raftpb.Message
		if proto.Unmarshal(b, &m) != nil || checkMessage(&m, 2) != nil {
			return
		}
		if m.GetTo() != 2 || m.GetFrom() == 2 || m.GetFrom() == 0 || raftpb.MessageType_name[int32(m.GetType())] == "" {
			t.Errorf("%v is let through", &m)
		}
	})
}
