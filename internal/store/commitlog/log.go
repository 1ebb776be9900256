package commitlog

import (
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/odradek/odradek/internal/base/clock"
	"github.com/odradek/odradek/internal/base/gate"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// ErrInvariant is wrapped by the errors of a caller that broke the log's rules: epochs
// and offsets that fall. Whoever receives it must stop using the log.
var ErrInvariant = errors.New("invariant of the log is broken")

// Log is one partition's log. Its invariants:
//
//	start ≤ end, recovery point ≤ end; end falls only by truncation
//	segments are sorted by base and there is at least one; the last is the active one
//	offsets and epochs of batches only grow
//
// Safe for concurrent use.
type Log struct {
	fs     vfs.FS
	dir    string
	id     model.IDPartition
	name   string
	logger *slog.Logger
	rand   func() uint64
	clock  clock.Clock

	cfg    atomic.Pointer[Config]
	failed atomic.Pointer[error] // the disk failed: nothing more is written

	compacting gate.Gate // taken before syncing
	syncing    gate.Gate // taken before writing
	writing    gate.Gate // taken before mu

	// Under writing only.
	closed    bool
	abandoned bool // closed without being made durable; under syncing, too
	changed   bool // since it was opened
	producers producerState
	doomed    []doomedFile

	// mu guards what follows, sizes of segments and tails of indexes.
	mu          sync.Mutex
	segs        []*segment // replaced, never changed
	start, end  int64
	recovery    int64
	cutting     *int64 // the log is about to be cut there: the recovery point stays below
	firstDirty  int64
	settled     bool  // the producers are loaded: what they say of open transactions is read under mu
	unindexed   int64 // base of the first segment whose transaction index is to be made anew, none without
	epochs      epochs
	loaded      epochs // of the checkpoint, when the log was opened
	lost        epochs // of records that the log has lost: see Lost
	had         int32  // how many epochs there have been, while the log is being opened: see Options
	sure        int64  // below it the checkpoint has all epochs, while the log is being opened
	epochsSaved mark
	names       mark  // files were made since the last SyncDir
	folder      mark  // the folder itself was
	metadata    mark  // partition.metadata was
	rotten      []Rot // what may not be read, in order; replaced, never changed
	hints       [8]hint
	nextHint    int
}

// hint is a place where a batch is known to begin: readers that follow the end, or
// each other, find theirs without a search.
type hint struct {
	seg    *segment
	offset int64
	pos    int64
}

func (l *Log) config() *Config { return l.cfg.Load() }

// SetConfig swaps the settings.
func (l *Log) SetConfig(c Config) {
	c = c.withDefaults()
	l.cfg.Store(&c)
}

// Start is the log start offset: the first that may be read.
func (l *Log) Start() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.start
}

// End is the log end offset: that of the next record.
func (l *Log) End() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// RecoveryPoint is the offset below which everything is durable.
func (l *Log) RecoveryPoint() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.recovery
}

// Size is the bytes of all segments.
func (l *Log) Size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return sizeOf(l.segs)
}

func sizeOf(segs []*segment) (size int64) {
	for _, s := range segs {
		size += s.size
	}
	return size
}

// Segments is how many segments the log has.
func (l *Log) Segments() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.segs)
}

func (l *Log) active() *segment { return l.segs[len(l.segs)-1] }

// holding is the index of the segment that holds offset, or would.
func holding(segs []*segment, offset int64) int {
	i := sort.Search(len(segs), func(i int) bool { return segs[i].base > offset })
	return max(0, i-1)
}

// usable returns why the log cannot be written, or nil. The lock writing is held.
func (l *Log) usable() error {
	if err := l.failed.Load(); err != nil {
		return *err
	}
	if l.closed {
		return fmt.Errorf("log of %s is closed: %w", l.name, kerr.KafkaStorageError)
	}
	return nil
}

// fail remembers an error after which nothing that is not yet durable may be trusted.
func (l *Log) fail(what string, err error) error {
	err = fmt.Errorf("%s of %s: %w", what, l.name, storageError(err))
	l.failed.CompareAndSwap(nil, &err)
	return err
}

// addHint remembers a batch's place. mu is held.
func (l *Log) addHint(s *segment, offset, pos int64) {
	l.hints[l.nextHint] = hint{s, offset, pos}
	l.nextHint = (l.nextHint + 1) % len(l.hints)
}

// hinted finds a place. mu is held.
func (l *Log) hinted(s *segment, offset int64) (int64, bool) {
	for i := range l.hints {
		if h := &l.hints[i]; h.seg == s && h.offset == offset {
			return h.pos, true
		}
	}
	return 0, false
}

// mark tells whether something was touched since it was made durable. Guarded by mu.
type mark struct{ touched, kept int }

func (m *mark) touch()         { m.touched++ }
func (m *mark) dirty() bool    { return m.kept < m.touched }
func (m *mark) keep(upTo mark) { m.kept = max(m.kept, upTo.touched) }
