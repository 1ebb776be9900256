package quorum

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// snapping is a snapshot on its way to a member.
type snapping struct{ ticks, patience int }

// resendSnapshots sends a snapshot again that seems to be lost: Raft itself would wait
// for ever. The patience doubles, for a member may need long to take one in.
func (q *Quorum) resendSnapshots() {
	q.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		s := q.resent[id]
		if pr.State != tracker.StateSnapshot {
			return
		}
		if s == nil {
			s = &snapping{patience: 20}
			q.resent[id] = s
		}
		if s.ticks++; s.ticks >= s.patience {
			s.ticks, s.patience = 0, min(2*s.patience, 600)
			q.lost = append(q.lost, id)
		}
	})
	for _, id := range q.lost {
		q.node.ReportSnapshot(id, raft.SnapshotFailure)
	}
	q.lost = q.lost[:0]
}

// SnapshotSent says what has come of a snapshot that Send was given: err is nil if it has
// arrived, which spares a member that needs long to take it in a second one. It need not
// be called.
func (q *Quorum) SnapshotSent(node int32, err error) {
	// An error means that the quorum has stopped.
	_ = q.do(func() {
		id := raftID(node)
		if err != nil {
			q.node.ReportSnapshot(id, raft.SnapshotFailure)
		} else if s := q.resent[id]; s != nil {
			s.ticks = 0
		}
	})
}
