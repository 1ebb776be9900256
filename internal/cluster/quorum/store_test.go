package quorum

import (
	"log/slog"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/odradek/odradek/internal/base/vfs"
)

// What stays in memory below a snapshot is bounded, in number and in bytes.
func TestKeepFrom(t *testing.T) {
	for _, c := range []struct {
		entries, size int
		index, want   uint64
	}{
		{100, 10, 100, 0}, {5000, 10, 5000, 904}, {5000, 10, 4000, 0}, {20, 1 << 20, 20, 12}, {3, 64 << 20, 3, 3},
	} {
		s := &store{}
		data := make([]byte, c.size)
		for i := range c.entries {
			s.put(&raftpb.Entry{Index: new(uint64(i + 1)), Term: new(uint64(1)), Data: data})
		}
		if got := s.keepFrom(c.index); got != c.want {
			t.Errorf("%d entries of %d bytes, a snapshot at %d: kept from %d, want %d", c.entries, c.size, c.index, got, c.want)
		}
	}
}

// A crash between a snapshot from the leader and the frame that says so: the node goes on
// behind the snapshot, and what it takes then is still there when it is started once more.
func TestSnapshotOutrunsTheLog(t *testing.T) {
	for name, term := range map[string]uint64{"a log that ends before it": 1, "a log that it overrules": 2} {
		t.Run(name, func(t *testing.T) {
			c := Config{FS: vfs.NewMem(), Dir: "/q", SegmentBytes: 4 << 20, Rand: func() uint64 { return 3 }, Log: slog.New(slog.DiscardHandler)}
			open := func() *store {
				t.Helper()
				s, _, err := openStore(c, []uint64{2, 3})
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			save := func(s *store, term uint64, indexes ...uint64) {
				t.Helper()
				var list []*raftpb.Entry
				for _, i := range indexes {
					list = append(list, &raftpb.Entry{Index: new(i), Term: &term, Data: []byte("entry")})
				}
				if err := s.save(&raftpb.HardState{Term: &term, Vote: new(uint64(2)), Commit: new(uint64(1))}, list); err != nil {
					t.Fatal(err)
				}
			}
			s := open()
			save(s, 1, 2, 3, 4)
			at := uint64(9)
			if term > 1 {
				at = 3
			}
			snap := firstSnapshot([]uint64{2, 3})
			snap.Metadata.Index, snap.Metadata.Term = &at, &term
			if _, err := writeSnapshot(c.FS, c.Dir, snap); err != nil {
				t.Fatal(err)
			}
			// Here the power fails.
			s = open()
			if s.last() != at {
				t.Fatalf("it ends at %d, and the snapshot at %d", s.last(), at)
			}
			save(s, 2, at+1)
			for range 2 {
				if s = open(); s.last() != at+1 {
					t.Fatalf("it ends at %d, and had %d", s.last(), at+1)
				}
			}
		})
	}
}
