package quorum

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
)

var _ = failpoint.Register("quorum.again.before_write", "quorum.again.before_sync")

// The last frame that a start finds can be read, and may not be on the disk: the process
// that wrote it may have been killed before the sync, or its sync failed. After a failed
// sync Linux shows what was written and calls it clean, so that another sync does nothing.
// To rely on such a frame is to promise what a power cut takes away, and to write behind it
// is to leave a hole. So before anything is promised or written, the frame is written again.
//
// It may have been promised as well, and a sector that is being written can be lost. So a
// file of its own has the frame first: magic "ODRDKQLF", sequence number of the log and
// place of the frame (8 bytes each), the frame to its last sector. A start that does not
// find the frame in the log takes it from there.

const (
	againName   = "again"
	againMagic  = "ODRDKQLF"
	againHeader = 24
)

// again is a frame that is written once more.
type again struct {
	seq   uint64
	place int64
	frame []byte // to the end of its last sector
}

func (a *again) encode() []byte {
	b := append(make([]byte, 0, againHeader+len(a.frame)), againMagic...)
	b = binary.BigEndian.AppendUint64(b, a.seq)
	b = binary.BigEndian.AppendUint64(b, uint64(a.place))
	return append(b, a.frame...)
}

// readAgain reads the frame that was written again last, nil if there is none. Whether it
// is whole, its own checksum tells.
func (w *wal) readAgain() (*again, error) {
	b, err := vfs.ReadFile(w.fs, filepath.Join(w.dir, againName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read what was written again: %w", err)
	}
	if len(b) < againHeader || string(b[:8]) != againMagic {
		return nil, nil
	}
	return &again{
		seq: binary.BigEndian.Uint64(b[8:]), place: int64(binary.BigEndian.Uint64(b[16:])), frame: b[againHeader:],
	}, nil
}

// mend puts the frame that was written again into the log, if it is lost there.
func (w *wal) mend(name string, b []byte, seq, salt uint64) ([]byte, error) {
	a, err := w.readAgain()
	if err != nil || a == nil || a.seq != seq || a.place < logHeader || a.place > int64(len(b)) {
		return b, err
	}
	place := int(a.place)
	if framePayload(b, place, salt) != nil {
		return b, nil
	}
	mended := append(bytes.Clone(b[:place]), a.frame...)
	if framePayload(mended, place, salt) == nil {
		return b, nil
	}
	if len(mended) < len(b) {
		mended = append(mended, b[len(mended):]...)
	}
	w.log.Warn("quorum log: a frame was lost while it was written again, and is taken from its copy", "file", name, "at", place)
	f, err := w.fs.OpenFile(name, os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("mend %s: %w", name, err)
	}
	if err = errors.Join(writeAgain(w.fs, f, a), f.Close()); err != nil {
		return nil, fmt.Errorf("mend %s: %w", name, err)
	}
	return mended, nil
}

// confirm makes the frame durable that the start has found last. Until it has, nothing of
// the log may be promised. Without room it changes nothing, and may be tried again.
func (w *wal) confirm() error {
	if w.doubt == nil {
		return nil
	}
	name := filepath.Join(w.dir, againName)
	copied := w.doubt.encode()
	err := vfs.WriteFileDurable(w.fs, name, copied, 0o644)
	if isFull(err) && w.spendReserve() {
		err = vfs.WriteFileDurable(w.fs, name, copied, 0o644)
	}
	if err != nil {
		return fmt.Errorf("write the last frame again: %w", err)
	}
	if err := writeAgain(w.fs, w.file, w.doubt); err != nil {
		return fmt.Errorf("write the last frame again: %w", err)
	}
	w.doubt = nil
	return nil
}

func writeAgain(fsys vfs.FS, f vfs.File, a *again) error {
	failpoint.Hit("quorum.again.before_write", fsys)
	if _, err := f.WriteAt(a.frame, a.place); err != nil {
		return err
	}
	failpoint.Hit("quorum.again.before_sync", fsys)
	if err := f.Sync(); err != nil {
		return fmt.Errorf("%w %s: %w", errSync, f.Name(), err)
	}
	return nil
}
