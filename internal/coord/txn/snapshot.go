package txn

import (
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
)

// Snapshot is how the transactions stand that are coordinated here.
type Snapshot struct {
	States map[string]int // transactional ids by state, each that there is
	// OldestOpen is when the oldest transaction began that is ongoing, or prepared and not
	// complete; zero if there is none.
	OldestOpen time.Time
	// Markers are the partitions that have yet to write one, by the broker that is to write
	// it; model.NoLeader is for those that nobody leads.
	Markers map[int32]int
}

// Snapshot looks at every transactional id once and waits for no commit: what it tells may
// be forgotten in a moment. Of partitions that are being loaded it tells nothing.
func (s *Service) Snapshot() Snapshot {
	snap := Snapshot{States: map[string]int{}, Markers: s.sender.waiting()}
	for p := empty; p <= completeAbort; p++ {
		snap.States[p.String()] = 0
	}
	for _, p := range s.runtime.Led() {
		s.post(p, func(m *machine, _ *runtime.Turn) { m.count(&snap) })
	}
	return snap
}

// count adds a machine's ids to a snapshot.
func (m *machine) count(snap *Snapshot) {
	var of [completeAbort + 1]int
	for _, x := range m.txns {
		of[x.phase]++
		if x.phase.settled() {
			continue
		}
		if began := time.UnixMilli(x.started); snap.OldestOpen.IsZero() || began.Before(snap.OldestOpen) {
			snap.OldestOpen = began
		}
	}
	for p, n := range of {
		snap.States[phase(p).String()] += n
	}
}

// waiting counts the partitions whose markers are on their way, by broker.
func (s *sender) waiting() map[int32]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	by := make(map[int32]int, len(s.queues))
	count := func(node int32, parcels []*parcel) {
		for _, p := range parcels {
			if s.current(p) {
				by[node] += len(p.partitions)
			}
		}
	}
	for node, q := range s.queues {
		by[node] += 0 // a broker that had some is told of
		count(node, q.parcels)
		count(node, q.asked)
	}
	for _, p := range s.parked {
		count(p.node, []*parcel{p})
	}
	return by
}
