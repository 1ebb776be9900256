package host

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

var _ = failpoint.Register("host.move.before_remove")

// futureSuffix ends the names of copies that are being made, as Kafka's do.
const futureSuffix = "-future"

// moves are the replicas on their way to another folder (AlterReplicaLogDirs).
type moves struct {
	kick chan struct{} // one token when there is one to be begun

	mu     sync.Mutex // guards what follows, for moments only
	active map[model.IDPartition]*move
	wanted map[model.TopicPartition]*folder // of replicas that are not here yet
	assign map[model.IDPartition]model.ID   // folders that the controller is to learn of
}

// move is one replica that is copied beside itself, until the copy can take its place.
type move struct {
	r  *replica
	to *folder
	// Of the goroutine that moves: the copy.
	path string
	log  *commitlog.Log

	bytes, lag atomic.Int64
	assigned   bool        // the controller knows that it will be there; of the same goroutine
	told       atomic.Bool // it may know
}

func newMoves() moves {
	return moves{
		kick: make(chan struct{}, 1), active: make(map[model.IDPartition]*move),
		wanted: make(map[model.TopicPartition]*folder), assign: make(map[model.IDPartition]model.ID),
	}
}

func (m *moves) wake() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// list is the moves under way, sorted.
func (m *moves) list() []*move {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]*move, 0, len(m.active))
	for _, one := range m.active {
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b *move) int { return comparePartitions(a.r.TP(), b.r.TP()) })
	return list
}

// preferred is the folder that was asked for before the replica came, or nil.
func (m *moves) preferred(tp model.TopicPartition) *folder {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wanted[tp]
}

func (m *moves) end(one *move) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.active[one.r.ID()] == one {
		delete(m.active, one.r.ID())
	}
}

// MoveReplica has a replica move to another log folder of this broker: it is copied
// beside itself and goes on being used; when the copy has caught up and the controller
// knows, it takes its place. A move to the folder where it lives ends one that is under
// way. Of a replica that is not here the folder is remembered, until it comes.
// It returns kerr.LogDirNotFound, kerr.KafkaStorageError if the folder is offline, and
// kerr.ReplicaNotAvailable if the replica is not here.
func (h *Host) MoveReplica(tp model.TopicPartition, dirPath string) error {
	h.catchUp()
	i := slices.IndexFunc(h.dirs, func(f *folder) bool { return f.Path == filepath.Clean(dirPath) })
	if i < 0 {
		return fmt.Errorf("%w: this broker has no log folder %s", kerr.LogDirNotFound, dirPath)
	}
	to := h.dirs[i]
	if to.err() != nil {
		return fmt.Errorf("%w: log folder %s is offline", kerr.KafkaStorageError, to.Path)
	}
	h.mu.RLock()
	r := h.byTP[tp]
	h.mu.RUnlock()
	m := &h.moves
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.wake()
	if r == nil {
		m.wanted[tp] = to
		return fmt.Errorf("%w: %s is not on this broker", kerr.ReplicaNotAvailable, tp)
	}
	if err := r.Err(); err != nil {
		return err
	}
	m.begin(r, to)
	return nil
}

// begin replaces a move by another; the goroutine that moves clears the copy of the one
// before away. mu is held.
func (m *moves) begin(r *replica, to *folder) {
	delete(m.wanted, r.TP())
	if was := m.active[r.ID()]; was != nil && was.to == to {
		return
	}
	if delete(m.active, r.ID()); r.dir() != to {
		m.active[r.ID()] = &move{r: r, to: to}
	}
}

// arrived begins the move of a replica that is new here, if one was asked for before, or
// was under way when the node ended.
func (m *moves) arrived(r *replica) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if to := m.wanted[r.TP()]; to != nil {
		m.begin(r, to)
		m.wake()
	}
}

// resume takes up the moves that were under way when the node ended, from the beginning:
// the copies are removed.
func (h *Host) resume() {
	for _, f := range h.dirs {
		for _, name := range f.abandoned {
			failpoint.Hit("host.move.before_remove", h.cfg.FS)
			if err := h.cfg.FS.RemoveAll(filepath.Join(f.Path, name)); err != nil {
				h.cfg.Log.Warn("remove a copy that was not finished", "dir", f.Path, "name", name, "err", err)
			}
			// "topic-7.UNIQUE-future"; names of topics may have dots.
			if tp, ok := parseFolderName(name[:max(0, strings.LastIndexByte(name, '.'))]); ok {
				h.moves.wanted[tp] = f
			}
		}
		f.abandoned = nil
	}
}

// checkDir notes that the controller believes a replica elsewhere. With one folder that is
// so after its disk was replaced: a replica in a folder that is gone may never lead.
// following is held.
func (h *Host) checkDir(r *replica, assigned model.ID) {
	if len(h.dirs) < 2 && assigned.IsZero() {
		return // nothing to tell from
	}
	if h.cfg.Ask == nil || r.dir().ID == assigned || isLost(assigned) || r.Rotten() || r.dir().ID.IsZero() || r.dir().err() != nil {
		return
	}
	h.moves.mu.Lock()
	defer h.moves.mu.Unlock()
	if one := h.moves.active[r.ID()]; one != nil && one.told.Load() {
		return // it will be there
	}
	h.moves.assign[r.ID()] = r.dir().ID
	h.moves.wake()
}
