// Package partition keeps one replica of one partition: a log, the role that the
// cluster gave it, and how far its records are durable and committed. It knows
// leaders and epochs; it does not know connections, requests or other partitions.
// It owns no goroutines: appends run on the caller's, durability is reported by the
// journal's.
package partition

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/internal/base/gate"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/commitlog"
)

// Home is where a partition lives: a log folder and its journal. None of its methods may
// call the partition back before it returns, but Broken may: it is called with no lock
// held.
type Home interface {
	// Open opens the log when it is needed. durable tells whether everything in it is
	// known to be on stable storage.
	Open(p *Partition) (log *commitlog.Log, durable bool, err error)
	// Close closes what Open opened, in order.
	Close(p *Partition, log *commitlog.Log) error
	// Submit has an append made durable and then reported by Durable, or Failed. It does
	// not wait.
	Submit(p *Partition, base, end int64, batches []byte) error
	// Broken is told, once, why the partition can be used no more, unless it was closed:
	// an error of the disk, or one that matches commitlog.ErrInvariant.
	Broken(p *Partition, err error)
}

// Config is what a partition is made of.
type Config struct {
	TP       model.TopicPartition
	ID       model.IDPartition
	Settings *Settings
	Home     Home
}

// Partition is one replica of one partition. Its invariants:
//
//	log start ≤ high watermark ≤ durable end ≤ log end
//	high watermark, durable end and leader epoch never fall while it leads
//
// Safe for concurrent use.
type Partition struct {
	tp       model.TopicPartition
	id       model.IDPartition
	home     Home
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

	// mu guards what follows and is held for moments only.
	mu      sync.Mutex
	role    Role
	durable int64
	failed  error
	waiters map[*Waiter]struct{}
	// syncedAt is when SyncByAge last had reason to sync.
	syncedAt time.Time
}

// New returns a partition whose log is opened when it is first used.
func New(cfg Config) *Partition {
	p := &Partition{
		tp: cfg.TP, id: cfg.ID, home: cfg.Home, opening: gate.New(), writing: gate.New(),
		role: Role{Leader: model.NoLeader, Epoch: model.NoEpoch},
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
