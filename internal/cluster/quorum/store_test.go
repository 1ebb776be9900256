package quorum

import (
	"testing"

	"go.etcd.io/raft/v3/raftpb"
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
