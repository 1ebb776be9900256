// Package partition keeps one replica of one partition: a log, the role that the
// cluster gave it, and how far its records are durable and committed. It knows
// leaders and epochs; it does not know connections, requests or other partitions.
// It owns no goroutines: appends run on the caller's, durability is reported by the
// journal's.
package partition

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/internal/base/clock"
	"github.com/odradek/odradek/internal/base/gate"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/commitlog"
)

// Home is where a partition lives: a log folder and its journal. None of its methods may
// call the partition back before it returns, but Broken may: it is called with no lock
// held.
type Home interface {
	// Open opens the log when it is needed.
	Open(p *Partition) (Opened, error)
	// Close closes what Open opened, in order.
	Close(p *Partition, log *commitlog.Log) error
	// Submit has an append made durable and then reported by Durable, or Failed. It does
	// not wait. base is where the log ended before the append. If it is awaited, Commit
	// follows, and nothing need be done before.
	Submit(p *Partition, base, end int64, batches []byte, awaited bool) error
	// Commit has made durable what was submitted: on this goroutine, unless another is at it.
	Commit(p *Partition)
	// Truncated makes it known for good that the log is about to end at to, the end of a
	// batch or zero: what the journal has beyond is void, and no checkpoint tells of
	// more. It waits until that is durable. Nothing is submitted meanwhile.
	Truncated(p *Partition, log *commitlog.Log, to int64) error
	// Keep makes the checkpoints of a log durable that has begun anew elsewhere.
	Keep(p *Partition, log *commitlog.Log) error
	// Started makes a log start durable that has risen.
	Started(p *Partition, log *commitlog.Log) error
	// Broken is told, once, why the partition can be used no more, unless it was closed:
	// an error of the disk, or one that matches commitlog.ErrInvariant.
	Broken(p *Partition, err error)
}

// Opened is a log and what its home knows of it.
type Opened struct {
	Log *commitlog.Log
	// Durable tells that everything in it is known to be on stable storage: it was closed
	// in order, or is new.
	Durable bool
	// HW is the high watermark that the home last kept.
	HW int64
	// Had is how far the log once reached for good: what it lacks below is lost.
	Had int64
	// LostEpoch is the latest leader epoch of what is lost, model.NoEpoch if it is not known.
	LostEpoch int32
}

// Config is what a partition is made of.
type Config struct {
	TP       model.TopicPartition
	ID       model.IDPartition
	Settings *Settings
	Home     Home
	// Lease reports whether the controller has heard of this broker lately enough that it
	// may take records: without, another may lead already. Nil is always.
	Lease func() bool
	// Eager is told that a follower could join the ISR: Propose may have something. It is
	// called on the goroutine of the follower's fetch, with no lock held, and must not
	// wait. Nil tells nobody.
	Eager func(*Partition)
	// Doubts is told that a batch could not be read as it was written, or that the log is
	// found to be rotten; as Eager is.
	Doubts func(*Partition)
	// On tells who this node is, at failpoints.
	On    any
	Clock clock.Clock
	Log   *slog.Logger
}

// Partition is one replica of one partition. Its invariants:
//
//	log start ≤ high watermark ≤ durable end ≤ log end
//	high watermark, durable end and leader epoch never fall while it leads
//	what is below the high watermark is in the logs of all that are in the ISR, the same
//
// docs/flows/replicate.md tells how they are kept. Safe for concurrent use.
type Partition struct {
	tp       model.TopicPartition
	id       model.IDPartition
	home     Home // written by Rehome under opening, writing and mu
	lease    func() bool
	eager    func(*Partition)
	doubts   func(*Partition)
	on       any
	clock    clock.Clock
	logger   *slog.Logger
	settings atomic.Pointer[Settings]

	// opening is held while the log is opened or closed, across the disk.
	opening gate.Gate
	log     atomic.Pointer[commitlog.Log]

	// writing orders appends with their submission to the journal. It is held across
	// the disk, never across a wait. Taken before mu.
	writing gate.Gate

	// used is set when someone asks for the log, and cleared when idleness is judged.
	used atomic.Bool

	// hw is read without a lock; it is written under mu.
	hw atomic.Int64

	// copying is how many waiters want to hear of appends.
	copying atomic.Int32

	// mu guards what follows and is held for moments only.
	mu      sync.Mutex
	role    Role
	durable int64
	// keptStart is the log start that is on stable storage while a later one, which the log
	// has already, is not; unknown else.
	keptStart int64
	// spent is the latest leader epoch in which this replica may have led before a crash.
	// It has perhaps forgotten what it told others then, and leads in none up to it.
	spent     int32
	tracker   *tracker // while it leads
	following following
	rot       rot
	failed    error
	waiters   map[*Waiter]struct{}
	// syncedAt is when SyncByAge last had reason to sync.
	syncedAt time.Time
}

// New returns a partition whose log is opened when it is first used.
func New(cfg Config) *Partition {
	p := &Partition{
		tp: cfg.TP, id: cfg.ID, home: cfg.Home, lease: cfg.Lease, eager: cfg.Eager, doubts: cfg.Doubts, on: cfg.On, clock: cfg.Clock, logger: cfg.Log,
		opening: gate.New(), writing: gate.New(),
		role:  Role{Self: model.NoLeader, Leader: model.NoLeader, Epoch: model.NoEpoch},
		spent: model.NoEpoch, keptStart: unknown, following: newFollowing(), rot: rot{at: unknown},
	}
	if p.logger == nil {
		p.logger = slog.New(slog.DiscardHandler)
	}
	p.settings.Store(cfg.Settings)
	return p
}

// TP names the partition.
func (p *Partition) TP() model.TopicPartition { return p.tp }

// ID names the partition for ever.
func (p *Partition) ID() model.IDPartition { return p.id }

// Settings are the topic's, as now configured.
func (p *Partition) Settings() *Settings { return p.settings.Load() }
