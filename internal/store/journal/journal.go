// Package journal is group commit: it makes the appends of many partitions durable
// with one write and one sync. It knows which offsets of which partition a group of
// bytes holds and what it takes to forget them; it does not know logs, leaders or what
// a record is. Journal.Run owns its goroutines: one that commits when nobody who waits
// does, a few that sync segments, one that makes spare files.
//
// An append is in its partition's segment before it comes here. A small one is also
// copied into the journal, whose groups are durable one after the other; a large one is
// made durable where it is, by a sync of its segments. Segments with small appends are
// synced later, many appends at once, and then the journal's space is used again.
//
// A partition takes the way of the large ones as well, however small the append,
// whenever what lies before the append in its log may not be durable: at its first
// append, after a gap, and while a sync of it is under way. So everything below a
// journaled append is durable or in the journal, and replaying the journal leaves no
// holes.
package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/odradek/odradek/internal/base/gate"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
)

// Target is a partition whose appends the journal makes durable.
type Target interface {
	// Sync makes everything appended so far durable in the segments and tells up to
	// where. It may be called at any time, on any goroutine, also after the target
	// was closed in order.
	Sync() (synced int64, err error)
	// Durable tells that everything below end is durable. It is called with the
	// journal's lock held: it must not wait and not call the journal, nor may a lock
	// that it takes be held around a call of the journal.
	Durable(end int64)
	// Failed tells, once, that what was submitted may never become durable.
	Failed(err error)
}

// Config is what a journal is made of.
type Config struct {
	FS  vfs.FS
	Dir string // must exist

	FileBytes   int64 // size of one file; default 16 MiB, at least 16 KiB
	SmallBytes  int   // the largest append that is copied; default 64 KiB
	LiveBytes   int64 // from here on segments are synced to free files, from four times that with many partitions; default four files
	SyncWorkers int   // segments that are synced at the same time; default 4

	// Random marks the files as this journal's, so that no bytes that a client sent
	// can look like a group.
	Random func() uint64
	Log    *slog.Logger
}

func (c *Config) setDefaults() {
	c.FileBytes = orDefault(c.FileBytes, 16<<20) / blockBytes * blockBytes
	c.SmallBytes = orDefault(c.SmallBytes, 64<<10)
	c.LiveBytes = orDefault(c.LiveBytes, 4*c.FileBytes)
	c.SyncWorkers = orDefault(c.SyncWorkers, 4)
	if c.Random == nil {
		c.Random = func() uint64 { return 0 }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

func orDefault[T int | int64](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// minFileBytes leaves room for a header, a few groups and the closing block.
const minFileBytes = 16 << 10

func (c *Config) validate() error {
	var errs []error
	if c.FileBytes < minFileBytes {
		errs = append(errs, fmt.Errorf("FileBytes is %d, want at least %d", c.FileBytes, minFileBytes))
	}
	if c.SmallBytes < 0 || int64(c.SmallBytes) > c.FileBytes/4 {
		errs = append(errs, fmt.Errorf("SmallBytes is %d, want at most a quarter of a file", c.SmallBytes))
	}
	if c.LiveBytes < 0 || c.SyncWorkers < 0 {
		errs = append(errs, errors.New("LiveBytes and SyncWorkers must be positive"))
	}
	return errors.Join(errs...)
}

// Journal is the journal of one folder. Safe for concurrent use.
type Journal struct {
	cfg      Config
	salt     uint64
	maxGroup int // bytes of a group

	committer gate.Gate     // closed while groups are written
	kick      chan struct{} // there may be something to commit
	syncKick  chan struct{} // there may be something to sync
	spareKick chan struct{} // there may be no spare file
	ended     chan struct{} // closed when Run returns

	// mu guards what follows. It is held for moments, and while Durable is called.
	mu      sync.Mutex
	slots   map[model.IDPartition]*slot
	pending []*group // to be written, in order; the last one is still being filled
	writing *group   // being written
	idle    *group   // an empty one, to be used again
	next    uint64   // number of the next group to be filled
	urgent  []*slot  // to be synced because somebody waits
	lazy    []*slot  // to be synced to free files
	disk    disk     // whether it is asked to write all before
	begun   bool     // Run or Submit was called
	dead    error    // why nothing works any more
	noRoom  bool     // the disk is full: everything is synced, nothing journaled

	files     files
	committed uint64 // number of the last durable group
	seq       uint64 // its sequence on disk
	sum       uint32 // its checksum
	announced uint64 // its oldest
}

// slot is what the journal knows of one partition. Guarded by Journal.mu.
type slot struct {
	id     model.IDPartition
	target Target // nil: not yet replayed, or deleted
	end    int64  // of the last append; -1: not known
	last   uint64 // the last group with an entry of it
	synced uint64 // its segments hold all entries up to this group
	file   *file  // the last file that lists it

	inGroup uint64 // the group whose waits[waitAt] is its
	waitAt  int
	copied  int // bytes in that group

	// The way of large appends: want is the end to report after a sync, 0 for none.
	want    int64
	wants   uint64 // counts what was wanted
	queue   queue
	syncing chan struct{} // closed when the sync that runs is done; nil: none runs
}

// group is entries that become durable together, and who waits for them.
// Its number orders it in memory; its sequence on disk is drawn when it is written.
type group struct {
	no      uint64
	buf     []byte // room for the header, then entries
	entries int
	waits   []wait
	slots   []*slot // that have an entry in it
	marked  *marked // nil if it has no marker
}

type wait struct {
	slot   *slot
	target Target
	end    int64
}

// newGroup returns an empty group. Its buffer, and what it grows to, is so large that it
// begins at a page of memory, as vfs.Direct wants it.
func newGroup() *group { return &group{buf: make([]byte, groupHeaderBytes, 64<<10)} }

// keepBytes is how large a buffer may be to be used again.
const keepBytes = 4 << 20

func (g *group) reset() {
	clear(g.waits)
	clear(g.slots)
	*g = group{buf: g.buf[:groupHeaderBytes], waits: g.waits[:0], slots: g.slots[:0]}
}

func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
