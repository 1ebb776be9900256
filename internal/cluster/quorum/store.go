package quorum

import (
	"errors"
	"fmt"
	"path/filepath"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
)

var _ = failpoint.Register("quorum.install.before_reset", "quorum.install.after_reset", "quorum.snapshot.before_roll")

// keepEntries is how many entries below a snapshot stay in memory, for members and readers
// that are a little behind; fewer if they have more than keepBytes.
const (
	keepEntries = 4096
	keepBytes   = 8 << 20
)

// store is Raft's storage: what is durable on this node. It implements raft.Storage.
//
// Invariants: entries are contiguous and the first follows base; base is at or below
// the newest snapshot, all of entries is in the wal or below that snapshot.
type store struct {
	fs  vfs.FS
	dir string
	wal wal

	hard      *raftpb.HardState
	conf      *raftpb.ConfState // members as of the newest snapshot
	snapshot  uint64            // index of the newest snapshot
	snapBytes int64
	base      position
	entries   []*raftpb.Entry

	fresh func() (*raftpb.Snapshot, error) // makes a snapshot for a member that is far behind
}

// position is a place in the log.
type position struct{ index, term uint64 }

// openStore reads what is durable, and returns the state of the newest snapshot. A
// folder without a log begins with an empty snapshot at index 1 that names the voters,
// or, of a node that waits to be added, at index 0 with none.
func openStore(c Config, voters []uint64) (*store, []byte, error) {
	s := &store{fs: c.FS, dir: c.Dir, hard: &raftpb.HardState{}}
	s.wal = wal{fs: c.FS, dir: c.Dir, max: c.SegmentBytes, rand: c.Rand, log: c.Log}
	if err := vfs.MkdirAllDurable(c.FS, c.Dir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("make %s: %w", c.Dir, err)
	}
	// A process that was killed may have left names that are not on disk yet.
	for _, dir := range []string{filepath.Dir(c.Dir), c.Dir} {
		if err := c.FS.SyncDir(dir); err != nil {
			return nil, nil, fmt.Errorf("sync %s: %w", dir, err)
		}
	}
	snap, err := s.openSnapshot(voters)
	if err != nil {
		return nil, nil, err
	}
	if err := s.wal.open(s.replay); err != nil {
		return nil, nil, errors.Join(err, s.wal.close())
	}
	outrun, err := s.settle(snap.GetMetadata())
	if err == nil && outrun {
		err = s.wal.append(&frame{hard: s.hard, reset: true, index: s.base.index, term: s.base.term})
	}
	if err != nil {
		return nil, nil, errors.Join(err, s.wal.close())
	}
	if s.blank() && len(voters) > 0 && s.hard.GetTerm() == 0 {
		// It waited to be added, but was never heard of. Now it is told otherwise.
		snap = firstSnapshot(voters)
		if _, err = writeSnapshot(s.fs, s.dir, snap); err == nil {
			_, err = s.settle(snap.GetMetadata())
		}
		if err != nil {
			return nil, nil, errors.Join(err, s.wal.close())
		}
	}
	return s, snap.GetData(), nil
}

// blank reports whether this node has never been given anything: it knows no member, not
// even itself.
func (s *store) blank() bool { return s.last() == 0 }

func firstSnapshot(voters []uint64) *raftpb.Snapshot {
	at := uint64(1)
	if len(voters) == 0 {
		at = 0
	}
	return &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
		ConfState: &raftpb.ConfState{Voters: voters}, Index: &at, Term: new(at),
	}}
}

func (s *store) openSnapshot(voters []uint64) (*raftpb.Snapshot, error) {
	snaps, err := listNumbered(s.fs, s.dir, ".snapshot")
	if err != nil {
		return nil, err
	}
	if len(snaps) > 0 {
		snap, err := readSnapshot(s.fs, s.dir, snaps[len(snaps)-1])
		s.snapBytes = int64(len(snap.GetData()))
		return snap, err
	}
	logs, err := listNumbered(s.fs, s.dir, ".log")
	if err != nil {
		return nil, err
	}
	if len(logs) > 0 {
		return nil, fmt.Errorf("%w: %s has a log but no snapshot: put the files back from a copy", ErrCorrupt, s.dir)
	}
	snap := firstSnapshot(voters)
	_, err = writeSnapshot(s.fs, s.dir, snap)
	return snap, err
}

// replay takes one frame of the wal.
func (s *store) replay(f *frame) error {
	if f.reset {
		s.entries = nil
	}
	s.hard = f.hard
	for _, e := range f.entries {
		if e.GetIndex() == 0 {
			return errors.New("entry 0: the first of all logs is 1")
		}
		if n := len(s.entries); n > 0 && e.GetIndex() > s.entries[n-1].GetIndex()+1 {
			return fmt.Errorf("entry %d follows entry %d", e.GetIndex(), s.entries[n-1].GetIndex())
		}
		s.put(e)
	}
	return nil
}

// put appends an entry; those at and after its place give way.
func (s *store) put(e *raftpb.Entry) {
	if n := len(s.entries); n > 0 {
		first := s.entries[0].GetIndex()
		keep := uint64(0)
		if e.GetIndex() > first {
			keep = e.GetIndex() - first
		}
		if keep < uint64(n) {
			clear(s.entries[keep:])
			s.entries = s.entries[:keep]
		}
	}
	s.entries = append(s.entries, e)
}

// settle fits the log that was read to the snapshot that was read. A crash may have
// come between a snapshot from the leader and the frame that says so. Then the log was
// outrun, and the frame must be written now: entries behind the snapshot would follow those
// of the old log at the next start, as if nothing were between them.
func (s *store) settle(meta *raftpb.SnapshotMetadata) (outrun bool, err error) {
	snap := position{meta.GetIndex(), meta.GetTerm()}
	s.conf, s.snapshot, s.base = meta.GetConfState(), snap.index, snap
	if n := len(s.entries); n > 0 && s.entries[n-1].GetIndex() < snap.index {
		outrun = true
	}
	for i, e := range s.entries {
		if i == 0 && e.GetIndex() > snap.index+1 {
			return false, fmt.Errorf("%w: %s: the log begins at %d but the snapshot ends at %d: put the files back from a copy",
				ErrCorrupt, s.dir, e.GetIndex(), snap.index)
		}
		if e.GetIndex() == snap.index && e.GetTerm() != snap.term {
			s.entries, outrun = nil, true // the leader's snapshot overruled this log
			break
		}
	}
	for len(s.entries) > 0 && s.entries[0].GetIndex() <= snap.index {
		s.entries = s.entries[1:]
	}
	if s.hard.GetTerm() < snap.term {
		s.hard = &raftpb.HardState{Term: &snap.term}
	}
	commit := max(s.hard.GetCommit(), snap.index)
	if commit > s.last() {
		return false, fmt.Errorf("%w: %s: entry %d is committed but the log ends at %d: put the files back from a copy",
			ErrCorrupt, s.dir, commit, s.last())
	}
	s.hard = &raftpb.HardState{Term: new(s.hard.GetTerm()), Vote: new(s.hard.GetVote()), Commit: &commit}
	return outrun, nil
}

func (s *store) last() uint64 {
	return s.base.index + uint64(len(s.entries))
}

// save makes a step of Raft durable before it returns.
func (s *store) save(hard *raftpb.HardState, entries []*raftpb.Entry) error {
	if hard == nil {
		hard = s.hard
	}
	if err := s.wal.append(&frame{hard: hard, entries: entries}); err != nil {
		return err
	}
	s.hard = hard
	for _, e := range entries {
		s.put(e)
	}
	return nil
}

// install replaces everything by a snapshot from the leader.
func (s *store) install(snap *raftpb.Snapshot, hard *raftpb.HardState) error {
	if hard == nil {
		hard = s.hard
	}
	size, err := writeSnapshot(s.fs, s.dir, snap)
	if err != nil {
		return err
	}
	meta := snap.GetMetadata()
	at := position{meta.GetIndex(), meta.GetTerm()}
	failpoint.Hit("quorum.install.before_reset", s.fs)
	if err := s.wal.append(&frame{hard: hard, reset: true, index: at.index, term: at.term}); err != nil {
		return err
	}
	s.hard, s.conf, s.snapshot, s.snapBytes = hard, meta.GetConfState(), at.index, size
	s.base, s.entries = at, nil
	failpoint.Hit("quorum.install.after_reset", s.fs)
	return s.wal.drop(at.index)
}

// snap takes a snapshot of the state after entry index and forgets the log below.
func (s *store) snap(index uint64, conf *raftpb.ConfState, data []byte) error {
	term, err := s.Term(index)
	if err != nil {
		return fmt.Errorf("snapshot at %d: %w", index, err)
	}
	size, err := writeSnapshot(s.fs, s.dir, &raftpb.Snapshot{Data: data, Metadata: &raftpb.SnapshotMetadata{
		ConfState: conf, Index: &index, Term: &term,
	}})
	if err != nil {
		return err
	}
	s.conf, s.snapshot, s.snapBytes = conf, index, size
	failpoint.Hit("quorum.snapshot.before_roll", s.fs)
	if err := s.wal.roll(); err != nil {
		return err
	}
	if low := s.keepFrom(index); low > s.base.index {
		s.forget(low)
	}
	return s.wal.drop(index)
}

// keepFrom is the index up to which entries may go once there is a snapshot at index.
func (s *store) keepFrom(index uint64) uint64 {
	bytes := 0
	for low := index; low > s.base.index; low-- {
		bytes += len(s.entries[low-s.base.index-1].GetData())
		if index-low >= keepEntries || bytes > keepBytes {
			return low
		}
	}
	return s.base.index
}

// forget lets go of the entries up to index.
func (s *store) forget(index uint64) {
	n := index - s.base.index
	s.base = position{index, s.entries[n-1].GetTerm()}
	s.entries = append([]*raftpb.Entry(nil), s.entries[n:]...)
}

// InitialState, Entries, Term, LastIndex, FirstIndex and Snapshot are raft.Storage.
func (s *store) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	return s.hard, s.conf, nil
}

func (s *store) FirstIndex() (uint64, error) { return s.base.index + 1, nil }
func (s *store) LastIndex() (uint64, error)  { return s.last(), nil }

func (s *store) Term(i uint64) (uint64, error) {
	switch {
	case i < s.base.index:
		return 0, raft.ErrCompacted
	case i == s.base.index:
		return s.base.term, nil
	case i > s.last():
		return 0, raft.ErrUnavailable
	default:
		return s.entries[i-s.base.index-1].GetTerm(), nil
	}
}

func (s *store) Entries(lo, hi, maxSize uint64) ([]*raftpb.Entry, error) {
	if lo <= s.base.index {
		return nil, raft.ErrCompacted
	}
	if hi > s.last()+1 {
		return nil, raft.ErrUnavailable
	}
	list := s.entries[lo-s.base.index-1 : hi-s.base.index-1]
	size := uint64(0)
	for i, e := range list {
		size += uint64(len(e.GetData())) + 32
		if i > 0 && size > maxSize {
			list = list[:i]
			break
		}
	}
	return append([]*raftpb.Entry(nil), list...), nil
}

func (s *store) Snapshot() (*raftpb.Snapshot, error) { return s.fresh() }
