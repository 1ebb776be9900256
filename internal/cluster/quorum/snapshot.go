package quorum

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path/filepath"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
)

// A snapshot file holds the state after one entry and the members at that time.
//
//	0   8  magic "ODRDKQSN"
//	8   1  format, 1
//	9   3  zero
//	12  4  CRC-32C of all that follows
//	16  8  index of the entry
//	24  8  term of the entry
//	32  …  members, in uvarints: four lists (voters, learners, outgoing voters, next
//	       learners), each with its length before it; 1 if the joint state ends by itself
//	…   …  the state, to the end of the file
const (
	snapMagic  = "ODRDKQSN"
	snapFormat = 1
	snapHeader = 32
)

func snapName(index uint64) string { return fmt.Sprintf("%020d.snapshot", index) }

func encodeSnapshot(s *raftpb.Snapshot) []byte {
	meta := s.GetMetadata()
	b := append(make([]byte, 0, snapHeader+64+len(s.GetData())), snapMagic...)
	b = append(b, snapFormat, 0, 0, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, meta.GetIndex())
	b = binary.BigEndian.AppendUint64(b, meta.GetTerm())
	conf := meta.GetConfState()
	for _, list := range [][]uint64{conf.GetVoters(), conf.GetLearners(), conf.GetVotersOutgoing(), conf.GetLearnersNext()} {
		b = appendUvarints(appendUvarints(b, uint64(len(list))), list...)
	}
	auto := uint64(0)
	if conf.GetAutoLeave() {
		auto = 1
	}
	b = append(appendUvarints(b, auto), s.GetData()...)
	binary.BigEndian.PutUint32(b[12:], crc32.Checksum(b[16:], castagnoli))
	return b
}

func decodeSnapshot(b []byte) (*raftpb.Snapshot, error) {
	if len(b) < snapHeader || string(b[:8]) != snapMagic {
		return nil, fmt.Errorf("%w: it is no snapshot", ErrCorrupt)
	}
	if b[8] != snapFormat {
		return nil, fmt.Errorf("format %d was written by a newer release: upgrade this node", b[8])
	}
	if crc32.Checksum(b[16:], castagnoli) != binary.BigEndian.Uint32(b[12:]) {
		return nil, fmt.Errorf("%w: the checksum of the snapshot is wrong", ErrCorrupt)
	}
	r := uvarints{b: b[snapHeader:]}
	conf := &raftpb.ConfState{Voters: r.list(), Learners: r.list(), VotersOutgoing: r.list(), LearnersNext: r.list()}
	conf.AutoLeave = new(r.next() == 1)
	if r.bad {
		return nil, fmt.Errorf("%w: the members in the snapshot make no sense", ErrCorrupt)
	}
	return &raftpb.Snapshot{
		Data: r.b,
		Metadata: &raftpb.SnapshotMetadata{
			ConfState: conf,
			Index:     new(binary.BigEndian.Uint64(b[16:])),
			Term:      new(binary.BigEndian.Uint64(b[24:])),
		},
	}, nil
}

func (r *uvarints) list() []uint64 {
	n := r.next()
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	var list []uint64
	for range n {
		list = append(list, r.next())
	}
	return list
}

func readSnapshot(fsys vfs.FS, dir string, index uint64) (*raftpb.Snapshot, error) {
	name := filepath.Join(dir, snapName(index))
	b, err := vfs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	s, err := decodeSnapshot(b)
	if err == nil && s.GetMetadata().GetIndex() != index {
		err = fmt.Errorf("%w: it is that of index %d", ErrCorrupt, s.GetMetadata().GetIndex())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// writeSnapshot makes a snapshot durable and then forgets those before it.
func writeSnapshot(fsys vfs.FS, dir string, s *raftpb.Snapshot) (size int64, err error) {
	index := s.GetMetadata().GetIndex()
	name := filepath.Join(dir, snapName(index))
	b := encodeSnapshot(s)
	failpoint.Hit("quorum.snapshot.before_write", fsys)
	if err := vfs.WriteFileDurable(fsys, name, b, 0o644); err != nil {
		return 0, fmt.Errorf("write %s: %w", name, err)
	}
	failpoint.Hit("quorum.snapshot.after_write", fsys)
	older, err := listNumbered(fsys, dir, ".snapshot")
	if err != nil {
		return 0, err
	}
	for _, i := range older {
		if i >= index {
			continue
		}
		failpoint.Hit("quorum.snapshot.before_remove", fsys)
		if err := fsys.Remove(filepath.Join(dir, snapName(i))); err != nil {
			return 0, fmt.Errorf("remove %s: %w", snapName(i), err)
		}
	}
	return int64(len(b)), nil
}
