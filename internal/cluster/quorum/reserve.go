package quorum

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/raft/v3"

	"github.com/odradek/odradek/internal/base/vfs"
)

// A disk is often full because of what only the cluster's log can end: topics. So some
// room is kept in a file that is given up when there is no other, and made again when
// there is. When that is spent too, the quorum waits for room.

const (
	reserveName  = "reserve"
	reserveBytes = 256 << 10
	// retryInterval is how often a quorum without room looks for some.
	retryInterval = 500 * time.Millisecond
)

// errSync is never a matter of room: what the disk has after it is unknown.
var errSync = errors.New("sync")

func isFull(err error) bool { return errors.Is(err, vfs.ErrNoSpace) && !errors.Is(err, errSync) }

// reserve makes the file if it is missing. Without room for it nothing is kept.
func (w *wal) reserve() {
	if w.reserved {
		return
	}
	name := filepath.Join(w.dir, reserveName)
	f, err := w.fs.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return
	}
	err = f.Preallocate(reserveBytes)
	f.Close()
	if w.reserved = err == nil; !w.reserved {
		w.fs.Remove(name) // it would hold what little room there is
	}
}

// spendReserve gives the room up, and tells whether there was some.
func (w *wal) spendReserve() bool {
	err := w.fs.Remove(filepath.Join(w.dir, reserveName))
	if w.reserved = false; err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err == nil {
		w.log.Warn("quorum log: the disk is full, the reserve is spent", "dir", w.dir)
	}
	return err == nil
}

// persist makes a step durable, and waits for room if there is none.
func (q *Quorum) persist(ctx context.Context, rd raft.Ready) error {
	for waits := 0; ; waits++ {
		err := q.save(rd)
		if !isFull(err) {
			return err
		}
		if waits == 0 {
			q.c.Log.Error("the disk is full: the quorum waits for room", "dir", q.c.Dir, "error", err)
		}
		select {
		case <-time.After(retryInterval):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
