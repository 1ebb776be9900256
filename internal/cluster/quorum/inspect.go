package quorum

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// What follows reads the quorum's files for a person: nothing is changed, and a node may be
// writing them.

// Step is what a node made durable at once: its vote, and entries.
type Step struct {
	Position int64 // in the file
	Bytes    int
	Term     int64
	Vote     int32 // for which node in that term, -1 for none
	Commit   int64
	// Replaced says that a snapshot from the leader, at this offset, has replaced all
	// before; 0 if none has.
	Replaced int64
	Entries  []LoggedEntry
}

// LoggedEntry is an entry as a log file has it, committed or not.
type LoggedEntry struct {
	Entry
	Change string // of the members, such as "add voter 3"; empty for others
}

// InspectLog calls visit for every step in a log file, and returns where they end. What
// lies behind, if anything, is the torn end of a last write; it is an error that matches
// ErrCorrupt if it is not.
func InspectLog(file []byte, visit func(Step) error) (end int64, err error) {
	if len(file) < logHeader {
		return 0, fmt.Errorf("%w: the header is damaged", ErrCorrupt)
	}
	salt, err := parseLogHeader(file, binary.BigEndian.Uint64(file[12:]))
	if err != nil {
		return 0, err
	}
	at, err := readFrames(file, salt, func(at, n int, f *frame) error { return visit(f.step(at, n)) })
	if err != nil {
		return int64(at), err
	}
	if later := wholeAfter(file, at, salt); later >= 0 {
		return int64(at), fmt.Errorf("%w: no step begins here, but a whole one lies at byte %d", ErrCorrupt, later)
	}
	return int64(min(at, len(file))), nil
}

func (f *frame) step(at, n int) Step {
	s := Step{
		Position: int64(at), Bytes: n, Term: int64(f.hard.GetTerm()), Vote: nodeID(f.hard.GetVote()), Commit: int64(f.hard.GetCommit()),
	}
	if f.reset {
		s.Replaced = int64(f.index)
	}
	for _, e := range f.entries {
		l := LoggedEntry{Entry: Entry{Offset: int64(e.GetIndex()), Term: int64(e.GetTerm())}}
		if e.GetType() == raftpb.EntryNormal {
			l.Data = e.GetData()
		} else {
			l.Change = changeText(e)
		}
		s.Entries = append(s.Entries, l)
	}
	return s
}

// changeText says how an entry changes the members.
func changeText(e *raftpb.Entry) string {
	var list []*raftpb.ConfChangeSingle
	if e.GetType() == raftpb.EntryConfChange {
		var cc raftpb.ConfChange
		if err := proto.Unmarshal(e.GetData(), &cc); err != nil {
			return "a change that cannot be read"
		}
		list = cc.AsV2().GetChanges()
	} else {
		var cc raftpb.ConfChangeV2
		if err := proto.Unmarshal(e.GetData(), &cc); err != nil {
			return "a change that cannot be read"
		}
		list = cc.GetChanges()
	}
	var words []string
	for _, c := range list {
		what := map[raftpb.ConfChangeType]string{
			raftpb.ConfChangeAddNode: "add voter ", raftpb.ConfChangeAddLearnerNode: "add learner ", raftpb.ConfChangeRemoveNode: "remove ",
		}[c.GetType()]
		words = append(words, what+strconv.Itoa(int(nodeID(c.GetNodeId()))))
	}
	return strings.Join(words, ", ")
}

// Snapshot is what a snapshot file holds.
type Snapshot struct {
	Offset   int64
	Term     int64
	Voters   []int32
	Learners []int32
	Data     []byte // of the state machine; empty in the first
}

// InspectSnapshot reads a snapshot file, and refuses one with a wrong bit.
func InspectSnapshot(file []byte) (Snapshot, error) {
	s, err := decodeSnapshot(file)
	if err != nil {
		return Snapshot{}, err
	}
	meta := s.GetMetadata()
	return Snapshot{
		Offset: int64(meta.GetIndex()), Term: int64(meta.GetTerm()), Data: s.GetData(),
		Voters: nodes(meta.GetConfState().GetVoters()), Learners: nodes(meta.GetConfState().GetLearners()),
	}, nil
}
