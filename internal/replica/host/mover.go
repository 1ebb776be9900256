package host

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/replica/fetcher"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/odradek/odradek/internal/store/commitlog"
)

var _ = failpoint.Register("host.move.begun", "host.move.copied")

const (
	// moveChunk is how much of a log is copied at a time.
	moveChunk = 1 << 20
	// movePause is how long the moves rest after one has failed.
	movePause = time.Second
)

// keepMoving copies replicas to other folders, one after the other, and tells the
// controller where replicas are.
func (h *Host) keepMoving(ctx context.Context) error {
	for {
		rest := h.tellDirs(ctx)
		for _, m := range h.moves.list() {
			if err := h.move(ctx, m); err != nil && ctx.Err() == nil {
				h.cfg.Log.Warn("a move to another folder waits", "partition", m.r.TP(), "to", m.to.Path, "err", err)
				rest = true
			}
		}
		var again <-chan time.Time
		if rest {
			again = time.After(movePause)
		}
		select {
		case <-h.moves.kick:
		case <-again:
		case <-ctx.Done():
			for _, m := range h.moves.list() {
				if m.log != nil {
					_ = m.log.Close() // the next start begins it anew
				}
			}
			return nil
		}
	}
}

// move copies a replica until the copy has taken its place. An error means that it is to
// be tried again, from where it is, or from the beginning if the copy is lost.
func (h *Host) move(ctx context.Context, m *move) error {
	if m.r.Missing() > 0 {
		return partition.ErrShort // it heals first
	}
	if m.path == "" {
		h.cfg.Log.Info("a replica moves to another folder", "partition", m.r.TP(), "from", m.r.dir().Path, "to", m.to.Path)
	}
	for ctx.Err() == nil {
		if !h.stillMoves(m) {
			h.leaveCopy(m)
			h.moves.end(m)
			if m.told.Load() {
				h.checkDir(m.r, m.to.ID) // the controller must hear that it has stayed
			}
			return nil
		}
		from, err := m.r.Log()
		if err != nil {
			return err
		}
		if m.log == nil {
			if err := h.beginCopy(m, from); err != nil {
				return err
			}
		}
		n, err := m.copy(from)
		if err != nil {
			return err
		}
		failpoint.Hit("host.move.copied", h.cfg.FS)
		h.paceMove(ctx, n)
		if left := from.End() - m.log.End(); left > 0 && n >= moveChunk/2 {
			continue
		}
		return h.promote(ctx, m)
	}
	return ctx.Err()
}

// stillMoves reports whether a move is to go on.
func (h *Host) stillMoves(m *move) bool {
	h.moves.mu.Lock()
	wanted := h.moves.active[m.r.ID()] == m
	h.moves.mu.Unlock()
	return wanted && h.replica(m.r.ID()) == m.r && m.r.Err() == nil && m.to.err() == nil && m.r.dir() != m.to
}

// beginCopy makes the empty copy.
func (h *Host) beginCopy(m *move, from *commitlog.Log) (err error) {
	var unique [16]byte
	binary.BigEndian.PutUint64(unique[:], h.cfg.Random())
	binary.BigEndian.PutUint64(unique[8:], h.cfg.Random())
	tp := m.r.TP()
	tail := fmt.Sprintf("-%d.%x%s", tp.Partition, unique, futureSuffix)
	m.path = filepath.Join(m.to.Path, tp.Topic[:min(len(tp.Topic), 255-len(tail))]+tail)
	o := m.to.options(tp, m.r.ID(), m.r.Settings().Log, resting{clean: true})
	o.Dir = m.path
	if m.log, err = commitlog.Open(o); err != nil {
		return fmt.Errorf("begin a copy: %w", err)
	}
	failpoint.Hit("host.move.begun", h.cfg.FS)
	return m.log.TruncateFullyAndStartAt(from.Start())
}

// copy copies a piece of the log. If the log has been truncated, or cut at the front
// beyond the copy, the copy begins anew: by offset and epoch of its last record it is told
// whether it is still the beginning of the log.
func (m *move) copy(from *commitlog.Log) (n int, err error) {
	end := m.log.End()
	if end > from.End() || end < from.Start() || end > m.log.Start() && m.log.EpochAt(end-1) != from.EpochAt(end-1) {
		return 0, m.log.TruncateFullyAndStartAt(from.Start())
	}
	if start := from.Start(); start > m.log.Start() {
		if err := m.log.AdvanceStart(start); err != nil {
			return 0, err
		}
	}
	if end < from.End() {
		slice, err := from.Read(end, from.End(), moveChunk, true)
		if err != nil {
			return 0, err
		}
		batches, err := slice.ReadAll(nil)
		slice.Release()
		if err != nil {
			return 0, err
		}
		// The log may start within a batch (DeleteRecords).
		add := m.log.AppendFollower
		if end == m.log.Start() && len(batches) > 0 && record.Batch(batches).BaseOffset() < end {
			add = m.log.BeginWithin
		}
		if _, err := add(batches); err != nil {
			return 0, err
		}
		n = len(batches)
	}
	m.bytes.Store(m.log.Size())
	m.lag.Store(max(0, from.End()-m.log.End()))
	return n, nil
}

// paceMove keeps to replica.alter.log.dirs.io.max.bytes.per.second.
func (h *Host) paceMove(ctx context.Context, n int) {
	rate := fetcher.Rate(h.cfg.Feed.Image(), h.cfg.NodeID, "replica.alter.log.dirs.io.max.bytes.per.second")
	if rate <= 0 || rate >= math.MaxInt64/2 || n == 0 {
		return
	}
	t := time.NewTimer(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
