package host

import (
	"context"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/commitlog"
)

var _ = failpoint.Register("host.move.before_assign", "host.move.after_assign", "host.move.before_close", "host.move.before_expect",
	"host.move.before_rename", "host.move.after_rename", "host.move.before_leave", "host.move.before_syncdir")

// promote puts the copy, which has nearly all, in the place of the replica. The
// controller is told first: should this node die meanwhile, it is told again where the
// replica was found.
func (h *Host) promote(ctx context.Context, m *move) error {
	if !m.assigned && h.cfg.Ask != nil && !m.to.ID.IsZero() {
		m.told.Store(true)
		failpoint.Hit("host.move.before_assign", h.cfg.FS)
		if err := h.assignDirs(ctx, map[model.IDPartition]model.ID{m.r.ID(): m.to.ID}); err != nil {
			return err
		}
		m.assigned = true
		failpoint.Hit("host.move.after_assign", h.cfg.FS)
	}
	from := m.r.dir()
	err := m.r.Rehome(m.to, func(log *commitlog.Log) (*commitlog.Log, error) {
		moved, err := h.swap(m, from, log)
		if err == nil {
			m.r.at.Store(m.to) // before anybody sees the log: a new start of it is written down there
		}
		return moved, err
	})
	if err != nil {
		return err
	}
	from.count.Add(-1)
	m.to.count.Add(1)
	h.moves.end(m)
	h.cfg.Log.Info("a replica has moved to another folder", "partition", m.r.TP(), "from", from.Path, "to", m.to.Path)
	return nil
}

// swap finishes the copy and gives it the replica's name, while nothing is appended. Until
// it succeeds the replica is as it was. When both folders have the name they have the same
// records, so that a start after a crash may take either.
func (h *Host) swap(m *move, from *folder, log *commitlog.Log) (moved *commitlog.Log, err error) {
	tp := m.r.TP()
	for log.End() != m.log.End() || log.Start() != m.log.Start() {
		if _, err := m.copy(log); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			h.leaveCopy(m)
		}
	}()
	failpoint.Hit("host.move.before_close", h.cfg.FS)
	if err := m.log.Close(); err != nil {
		return nil, err
	}
	if err := m.to.forget(tp); err != nil {
		return nil, err
	}
	marks := h.marksOfCopy(m, from)
	failpoint.Hit("host.move.before_expect", h.cfg.FS)
	if err := m.to.expect(tp, marks); err != nil {
		return nil, err
	}
	if moved, err = h.rename(m, marks); err != nil {
		m.to.unexpect(tp)
		return nil, err
	}
	m.path, m.log = "", nil
	m.to.mu.Lock()
	m.to.open[tp] = m.r.Partition
	m.to.mu.Unlock()
	failpoint.Hit("host.move.before_leave", h.cfg.FS)
	if err := h.leaveBehind(m.r, from, log); err != nil {
		h.failedTo("remove what has moved away", from, err)
	}
	return moved, nil
}

// marksOfCopy are the checkpoints of a copy that is closed.
func (h *Host) marksOfCopy(m *move, from *folder) resting {
	from.mu.Lock()
	defer from.mu.Unlock()
	dirty := from.known[m.r.TP()].dirty
	return resting{
		recovery: m.log.RecoveryPoint(), start: m.log.Start(), dirty: min(dirty, m.log.End()),
		hw: m.r.HighWatermark(), clean: true,
	}
}

// expect writes the checkpoints of a partition whose folder is about to come.
func (f *folder) expect(tp model.TopicPartition, marks resting) error {
	f.mu.Lock()
	f.known[tp], f.stale = marks, true
	f.mu.Unlock()
	err := f.writeCheckpoints()
	if err != nil {
		f.unexpect(tp)
	}
	return err
}

// unexpect forgets that again.
func (f *folder) unexpect(tp model.TopicPartition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.known, tp)
	f.stale, f.gone[tp] = true, true
}

// rename gives a copy its name, for good, and opens it. If that fails the copy goes.
func (h *Host) rename(m *move, marks resting) (*commitlog.Log, error) {
	name := m.to.path(m.r.TP())
	failpoint.Hit("host.move.before_rename", h.cfg.FS)
	if err := h.cfg.FS.Rename(m.path, name); err != nil {
		return nil, err
	}
	m.path = name
	failpoint.Hit("host.move.after_rename", h.cfg.FS)
	if err := h.cfg.FS.SyncDir(m.to.Path); err != nil {
		h.offline(m.to, err)
		return nil, err
	}
	return commitlog.Open(m.to.options(m.r.TP(), m.r.ID(), m.r.Settings().Log, marks))
}

// leaveBehind takes what has moved out of the old folder.
func (h *Host) leaveBehind(r *replica, f *folder, log *commitlog.Log) error {
	f.mu.Lock()
	delete(f.open, r.TP())
	f.mu.Unlock()
	if err := log.Close(); err != nil {
		return err
	}
	if err := f.journal.Deleted(r.ID()); err != nil {
		return err
	}
	f.moving.Lock()
	defer f.moving.Unlock()
	gone, err := f.moveAside(r.TP(), deleteSuffix)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.due = append(f.due, deletion{path: gone, at: time.Now().Add(h.cfg.DeleteDelay)})
	f.mu.Unlock()
	failpoint.Hit("host.move.before_syncdir", h.cfg.FS)
	return h.cfg.FS.SyncDir(f.Path)
}

// leaveCopy clears away a copy that was not used.
func (h *Host) leaveCopy(m *move) {
	if m.path == "" {
		return
	}
	if m.log != nil {
		_ = m.log.Close() // what is in it does not matter
		m.log = nil
	}
	if err := h.cfg.FS.RemoveAll(m.path); err != nil {
		h.cfg.Log.Warn("remove a copy that is not used", "path", m.path, "err", err)
	}
	m.path = ""
}
