package quorum

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
)

var _ = failpoint.Register(
	"quorum.append.before_write", "quorum.append.before_sync", "quorum.append.after_sync",
	"quorum.roll.before_create", "quorum.roll.after_create", "quorum.drop.before_remove", "quorum.drop.before_syncdir",
	"quorum.torn.before_cut", "quorum.torn.before_sync",
	"quorum.snapshot.before_write", "quorum.snapshot.after_write", "quorum.snapshot.before_remove",
)

// ErrCorrupt is matched by the refusal of a log or snapshot whose bytes are not what
// was written, other than at a torn end.
var ErrCorrupt = errors.New("the quorum's files are corrupt")

// wal is the files of frames, in sequence. Frames go to the last one.
//
// Invariants: every file but the last is whole; a file is on disk, header and hard
// state, before its name is; the newest hard state is in every file that stays when
// older ones go.
type wal struct {
	fs   vfs.FS
	dir  string
	max  int64 // size after which a file is closed
	rand func() uint64
	log  *slog.Logger

	file   vfs.File
	now    segment
	closed []segment
	hard   *raftpb.HardState // the newest that is durable
	buf    []byte

	doubt    *again // the last frame, which may not be on disk; see again.go
	reserved bool   // see reserve.go
}

// segment is one log file.
type segment struct {
	seq  uint64
	salt uint64
	size int64
	last uint64 // the greatest index in it
}

func logName(seq uint64) string { return fmt.Sprintf("%020d.log", seq) }

// open reads every frame in order and leaves the wal ready for append.
func (w *wal) open(replay func(*frame) error) error {
	seqs, err := listNumbered(w.fs, w.dir, ".log")
	if err != nil {
		return err
	}
	for i, seq := range seqs {
		if i > 0 && seq != seqs[i-1]+1 {
			return fmt.Errorf("%w: %s is missing: put it back from a copy", ErrCorrupt,
				filepath.Join(w.dir, logName(seqs[i-1]+1)))
		}
		if err := w.read(seq, i == len(seqs)-1, replay); err != nil {
			return err
		}
	}
	if len(seqs) == 0 {
		return w.create(1)
	}
	w.now = w.closed[len(w.closed)-1]
	w.closed = w.closed[:len(w.closed)-1]
	if err := w.reopen(); err != nil {
		return err
	}
	w.reserve()
	return nil
}

func (w *wal) read(seq uint64, last bool, replay func(*frame) error) error {
	name := filepath.Join(w.dir, logName(seq))
	b, err := vfs.ReadFile(w.fs, name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	seg := segment{seq: seq}
	if seg.salt, err = parseLogHeader(b, seq); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if last {
		if b, err = w.mend(name, b, seq, seg.salt); err != nil {
			return err
		}
	}
	newest := logHeader
	at, err := readFrames(b, seg.salt, func(at, _ int, f *frame) error {
		if err := replay(f); err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		seg.took(f)
		w.hard, newest = f.hard, at
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s at byte %d: %w", name, at, err)
	}
	if at < len(b) {
		if err := w.endsHere(name, b, at, seg.salt, last); err != nil {
			return err
		}
	}
	if last && newest > logHeader { // the first was on disk before the file had its name
		w.doubt = &again{seq: seq, place: int64(newest), frame: make([]byte, at-newest)}
		copy(w.doubt.frame, b[newest:])
	}
	seg.size = int64(at)
	w.closed = append(w.closed, seg)
	return nil
}

// endsHere decides what bytes that are no frame mean: a torn last write, which was
// never promised to anyone, or damage, after which nothing may be trusted.
func (w *wal) endsHere(name string, b []byte, at int, salt uint64, last bool) error {
	if !last {
		return fmt.Errorf("%w: %s is damaged at byte %d, and later files follow it: put the file back from a copy",
			ErrCorrupt, name, at)
	}
	if later := wholeAfter(b, at, salt); later >= 0 {
		return fmt.Errorf("%w: %s is damaged at byte %d, and what follows at byte %d is whole: put the file back from a copy",
			ErrCorrupt, name, at, later)
	}
	w.log.Warn("quorum log: cut a torn end", "file", name, "at", at, "bytes", len(b)-at)
	f, err := w.fs.OpenFile(name, os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("cut %s: %w", name, err)
	}
	failpoint.Hit("quorum.torn.before_cut", w.fs)
	err = f.Truncate(int64(at))
	if err == nil {
		failpoint.Hit("quorum.torn.before_sync", w.fs)
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cut %s: %w", name, err)
	}
	return nil
}

func (s *segment) took(f *frame) {
	if n := len(f.entries); n > 0 {
		s.last = max(s.last, f.entries[n-1].GetIndex())
	}
}

func parseLogHeader(b []byte, seq uint64) (salt uint64, err error) {
	if len(b) < logHeader || string(b[:8]) != logMagic ||
		crc32.Checksum(b[:28], castagnoli) != binary.BigEndian.Uint32(b[28:]) {
		return 0, fmt.Errorf("%w: the header is damaged", ErrCorrupt)
	}
	if b[8] != logFormat {
		return 0, fmt.Errorf("format %d was written by a newer release: upgrade this node", b[8])
	}
	if is := binary.BigEndian.Uint64(b[12:]); is != seq {
		return 0, fmt.Errorf("%w: the header is that of %s", ErrCorrupt, logName(is))
	}
	return binary.BigEndian.Uint64(b[20:]), nil
}

// create makes the next file, which begins with the hard state.
func (w *wal) create(seq uint64) error {
	seg := segment{seq: seq, salt: w.rand()}
	b := append(make([]byte, 0, 128), logMagic...)
	b = append(b, logFormat, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, seq)
	b = binary.BigEndian.AppendUint64(b, seg.salt)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	b = (&frame{hard: w.hard}).append(b, seg.salt, logHeader)
	seg.size = int64(len(b))
	name := filepath.Join(w.dir, logName(seq))
	if err := vfs.WriteFileDurable(w.fs, name, b, 0o644); err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	w.now = seg
	return w.reopen()
}

func (w *wal) reopen() error {
	name := filepath.Join(w.dir, logName(w.now.seq))
	f, err := w.fs.OpenFile(name, os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	w.file = f
	return nil
}

// append makes a frame durable. After an error nothing more may be appended: what is
// on disk is not known. One that matches vfs.ErrNoSpace has changed nothing: the same
// frame may be tried again.
func (w *wal) append(f *frame) error {
	err := w.write(f)
	if isFull(err) && w.spendReserve() {
		err = w.write(f)
	}
	if err == nil {
		w.reserve()
	}
	return err
}

func (w *wal) write(f *frame) error {
	if err := w.confirm(); err != nil {
		return err
	}
	if w.now.size >= w.max {
		// Without room for a new file the old one must do.
		if err := w.roll(); err != nil && !isFull(err) {
			return err
		}
	}
	w.buf = f.append(w.buf[:0], w.now.salt, w.now.size)
	failpoint.Hit("quorum.append.before_write", w.fs)
	if _, err := w.file.WriteAt(w.buf, w.now.size); err != nil {
		return fmt.Errorf("write %s: %w", w.file.Name(), err)
	}
	failpoint.Hit("quorum.append.before_sync", w.fs)
	if err := w.file.Datasync(); err != nil {
		return fmt.Errorf("%w %s: %w", errSync, w.file.Name(), err)
	}
	failpoint.Hit("quorum.append.after_sync", w.fs)
	w.now.size += int64(len(w.buf))
	w.now.took(f)
	w.hard = f.hard
	if cap(w.buf) > 1<<20 {
		w.buf = nil
	}
	return nil
}

func (w *wal) roll() error {
	if err := w.confirm(); err != nil {
		return err
	}
	was, full := w.file, w.now
	failpoint.Hit("quorum.roll.before_create", w.fs)
	if err := w.create(w.now.seq + 1); err != nil {
		return err
	}
	w.closed = append(w.closed, full)
	failpoint.Hit("quorum.roll.after_create", w.fs)
	return was.Close()
}

// drop removes the closed files that have nothing above index, oldest first, each for
// good before the next, so that no gap can come back after a crash.
func (w *wal) drop(index uint64) error {
	for len(w.closed) > 0 && w.closed[0].last <= index {
		name := filepath.Join(w.dir, logName(w.closed[0].seq))
		failpoint.Hit("quorum.drop.before_remove", w.fs)
		if err := w.fs.Remove(name); err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
		failpoint.Hit("quorum.drop.before_syncdir", w.fs)
		if err := w.fs.SyncDir(w.dir); err != nil {
			return fmt.Errorf("sync %s: %w", w.dir, err)
		}
		w.closed = w.closed[1:]
	}
	return nil
}

// bytes is the size of all files.
func (w *wal) bytes() int64 {
	n := w.now.size
	for _, s := range w.closed {
		n += s.size
	}
	return n
}

func (w *wal) close() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}

// listNumbered lists the numbers of the files in dir that are named NUMBER.ext, and
// removes what an unfinished WriteFileDurable left behind.
func listNumbered(fsys vfs.FS, dir, ext string) ([]uint64, error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var numbers []uint64
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ext+".tmp") {
			if err := fsys.Remove(filepath.Join(dir, e.Name())); err != nil {
				return nil, fmt.Errorf("remove %s: %w", e.Name(), err)
			}
		}
		name, ok := strings.CutSuffix(e.Name(), ext)
		if n, err := strconv.ParseUint(name, 10, 64); ok && err == nil && len(name) == 20 {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}
