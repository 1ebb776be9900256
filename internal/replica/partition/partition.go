// Package partition keeps one replica of one partition: a log, the role that the
// cluster gave it, and how far its records are durable and committed. It knows
// leaders and epochs; it does not know connections, requests or other partitions.
// It owns no goroutines: appends run on the caller's, durability is reported by the
// journal's.
package partition

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/internal/base/gate"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Journal is what a partition needs of the journal of its folder: a submitted append
// is made durable and then reported by Durable, or Failed.
type Journal interface {
	Submit(p *Partition, base, end int64, batches []byte) error
}

// Config is what a partition is made of.
type Config struct {
	TP       model.TopicPartition
	ID       model.IDPartition
	Settings *Settings
	// Open opens the log; it is called once, when the log is first needed. The bool
	// tells whether everything in it is known to be durable.
	Open func(*Settings) (*commitlog.Log, bool, error)
	// Journal makes appends durable.
	Journal Journal
	// Offline is told of an error of the disk, once.
	Offline func(error)
	Log     *slog.Logger
}

// Partition is one replica of one partition. Its invariants:
//
//	log start ≤ high watermark ≤ durable end ≤ log end
//	high watermark, durable end and leader epoch never fall while it leads
//
// Safe for concurrent use.
type Partition struct {
	cfg      Config
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

// Role is what the cluster's metadata says of this replica.
type Role struct {
	Leader         int32 // node id, or model.NoLeader
	Leading        bool  // this replica is the leader
	Epoch          int32 // leader epoch
	PartitionEpoch int32
	ISR            []int32
}

// New returns a partition whose log is opened when it is first used.
func New(cfg Config) *Partition {
	p := &Partition{cfg: cfg, opening: gate.New(), writing: gate.New(), role: Role{Leader: model.NoLeader, Epoch: model.NoEpoch}}
	p.settings.Store(cfg.Settings)
	return p
}

// TP names the partition.
func (p *Partition) TP() model.TopicPartition { return p.cfg.TP }

// ID names the partition for ever.
func (p *Partition) ID() model.IDPartition { return p.cfg.ID }

// Settings are the topic's, as now configured.
func (p *Partition) Settings() *Settings { return p.settings.Load() }

// Configure changes the settings, and those of the log if it is open.
func (p *Partition) Configure(s *Settings) {
	p.settings.Store(s)
	if log := p.log.Load(); log != nil {
		log.SetConfig(s.Log)
	}
}

// Role is the present role.
func (p *Partition) Role() Role {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.role
}

// Assign takes a role from the cluster's metadata. Whoever waits for the old role's
// epoch is told that it has ended.
func (p *Partition) Assign(r Role) {
	p.opening.Lock() // so that a log that is just being opened learns of the epoch
	defer p.opening.Unlock()
	p.mu.Lock()
	if r.Epoch < p.role.Epoch {
		panic(fmt.Sprintf("bug: leader epoch of %s falls from %d to %d", p.cfg.TP, p.role.Epoch, r.Epoch))
	}
	changed := r.Epoch != p.role.Epoch
	p.role = r
	if changed {
		p.wake()
	}
	p.mu.Unlock()
	if log := p.log.Load(); log != nil {
		p.begin(log, r)
	}
}

// begin notes in the log where the epoch of a leader begins, though nothing is written in
// it yet: clients that ask where an epoch ends are answered by it (KIP-101). opening is
// held.
func (p *Partition) begin(log *commitlog.Log, r Role) {
	if !r.Leading || log.LatestEpoch() == r.Epoch {
		return
	}
	if err := log.AssignEpoch(r.Epoch); err != nil {
		p.Failed(err)
	}
}

// Log returns the open log, opening it if need be.
// It returns an error that wraps kerr.KafkaStorageError if the disk has failed.
func (p *Partition) Log() (*commitlog.Log, error) {
	if err := p.Err(); err != nil {
		return nil, err
	}
	p.used.Store(true)
	return p.open()
}

func (p *Partition) open() (*commitlog.Log, error) {
	if log := p.log.Load(); log != nil {
		return log, nil
	}
	p.opening.Lock()
	defer p.opening.Unlock()
	if log := p.log.Load(); log != nil {
		return log, nil
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	log, durable, err := p.cfg.Open(p.settings.Load())
	if err == nil && !durable {
		// What a dead process left in the page cache is readable and yet not on disk.
		_, err = log.Sync()
	}
	if err != nil {
		p.Failed(err)
		return nil, p.Err()
	}
	p.mu.Lock()
	p.durable = log.End()
	p.hw.Store(p.durable)
	role := p.role
	p.mu.Unlock()
	p.begin(log, role)
	p.log.Store(log)
	return log, nil
}

// Opened returns the log if it is open, else nil.
func (p *Partition) Opened() *commitlog.Log { return p.log.Load() }

// Stop ends the use of the partition: everyone who waits or comes later is told that it
// is led here no more. Close must follow.
func (p *Partition) Stop() { p.Failed(errClosed) }

// Close stops the partition and closes its log cleanly.
func (p *Partition) Close() error {
	p.Stop()
	p.opening.Lock()
	defer p.opening.Unlock()
	p.writing.Lock()
	defer p.writing.Unlock()
	log := p.log.Swap(nil)
	if log == nil {
		return nil
	}
	return log.Close()
}

// errClosed sends clients to look for the leader elsewhere.
var errClosed = fmt.Errorf("%w: the partition is closed on this broker", kerr.NotLeaderForPartition)

// Err is why the partition's disk cannot be used, or nil.
func (p *Partition) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// Failed takes the partition offline: after an error of the disk nothing that was not
// yet reported durable may be trusted, and nothing is tried again.
func (p *Partition) Failed(err error) {
	closed := err == errClosed
	if !closed && !errors.Is(err, kerr.KafkaStorageError) {
		err = fmt.Errorf("%w: %w", kerr.KafkaStorageError, err)
	}
	p.mu.Lock()
	first := p.failed == nil
	if first {
		p.failed = err
		p.wake()
	}
	p.mu.Unlock()
	if first && !closed && p.cfg.Offline != nil {
		p.cfg.Offline(err)
	}
}

// leading returns the leader epoch if this replica leads and its disk works. epoch is
// what the client believes, or model.NoEpoch (KIP-320).
func (p *Partition) leading(epoch int32) (int32, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return 0, p.failed
	}
	if err := p.role.checkEpoch(epoch); err != nil {
		return 0, err
	}
	if !p.role.Leading {
		return 0, kerr.NotLeaderForPartition
	}
	return p.role.Epoch, nil
}

func (r Role) checkEpoch(epoch int32) error {
	switch {
	case epoch == model.NoEpoch || epoch == r.Epoch:
		return nil
	case epoch < r.Epoch:
		return kerr.FencedLeaderEpoch
	default:
		return kerr.UnknownLeaderEpoch
	}
}
