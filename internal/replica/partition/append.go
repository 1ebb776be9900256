package partition

import (
	"errors"
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

var _ = failpoint.Register("partition.append.before_commit")

// AllInSync is the acks of a producer that waits for every in-sync replica.
const AllInSync int16 = -1

// Appended tells where a batch went.
type Appended struct {
	commitlog.Appended
	// Epoch is the leader epoch of the append: give it to Wait.
	Epoch int32
	// RecordErrors name the records for which the whole batch was refused (KIP-467).
	RecordErrors []record.RecordError
}

// AppendArgs is what a Produce says of a batch.
type AppendArgs struct {
	ProduceVersion int16 // of the request
	Acks           int16
	// Guard is what BeginTxn gave for the first batch of a transaction.
	Guard Guard
}

// Append checks one batch of a client by the topic's rules and appends it, without
// waiting for durability. Unless Acks is 0, Wait or WaitLocal must follow, for whose goroutine
// it may be left to make the batch durable. The bytes are stamped in place and not kept.
// Its errors are sentinels of kerr; with an error nothing was appended.
func (p *Partition) Append(b record.Batch, args AppendArgs) (Appended, error) {
	epoch, err := p.leading(model.NoEpoch)
	if err != nil {
		return Appended{}, err
	}
	if p.lease != nil && !p.lease() {
		return Appended{}, errLease
	}
	s := p.settings.Load()
	if args.Acks == AllInSync && !p.Role().safe(s.MinISR) {
		return Appended{}, kerr.NotEnoughReplicas
	}
	rules := s.Rules
	rules.ProduceVersion = args.ProduceVersion
	now := p.clock.Millis(time.Now())
	b, checked, err := record.Validate(b, rules, now)
	if err != nil {
		return Appended{RecordErrors: checked.RecordErrors}, err
	}
	w := writer{kind: ofClient, awaited: args.Acks != 0}
	if b.Transactional() {
		w.kind, w.guard = inTxn, s.guard(args.Guard)
	}
	a, err := p.append(b, epoch, s, w)
	if a.LogAppendTime == record.NoTimestamp && b.LogAppendTime() {
		a.LogAppendTime = b.MaxTimestamp()
	}
	return a, err
}

// AppendRecords appends one batch of a coordinator, whose records are trusted, in the
// leader epoch given. It returns the offset that Wait must be asked for.
func (p *Partition) AppendRecords(b record.Batch, epoch int32) (end int64, err error) {
	a, err := p.appendOwn(b, epoch, writer{kind: ofCoordinator})
	return a.End, err
}

// appendOwn appends what this cluster wrote itself.
func (p *Partition) appendOwn(b record.Batch, epoch int32, w writer) (Appended, error) {
	epoch, err := p.leading(epoch)
	if err != nil {
		return Appended{}, err
	}
	if p.lease != nil && !p.lease() {
		return Appended{}, errLease
	}
	s := p.settings.Load()
	if !p.Role().safe(s.MinISR) {
		return Appended{}, kerr.NotEnoughReplicas
	}
	return p.append(b, epoch, s, w)
}

// writer is who appends.
type writer struct {
	guard      Guard
	kind       kind
	txnVersion int16 // of a marker
	awaited    bool  // somebody waits
}

type kind int8

const (
	ofClient kind = iota
	inTxn         // a client's batch of a transaction
	ofCoordinator
	inCoordinatorsTxn
	ofMarker
)

func (w writer) append(log *commitlog.Log, b record.Batch, epoch int32) (commitlog.Appended, error) {
	switch w.kind {
	case inTxn:
		return log.AppendTxn(b, epoch, commitlog.Client, w.guard)
	case ofCoordinator:
		return log.AppendLeader(b, epoch, commitlog.Coordinator)
	case inCoordinatorsTxn:
		return log.AppendTxn(b, epoch, commitlog.Coordinator, w.guard)
	case ofMarker:
		return log.AppendMarker(b, epoch, w.txnVersion)
	}
	return log.AppendLeader(b, epoch, commitlog.Client)
}

func (p *Partition) append(b record.Batch, epoch int32, s *Settings, w writer) (Appended, error) {
	if _, err := p.Log(); err != nil {
		return Appended{}, err
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	// The role may have changed while the batch was checked.
	if now, err := p.leading(model.NoEpoch); err != nil || now != epoch {
		return Appended{}, kerr.NotLeaderForPartition
	}
	log := p.log.Load() // it may have been replaced meanwhile, too
	a, err := w.append(log, b, epoch)
	if errors.Is(err, vfs.ErrNoSpace) {
		return Appended{}, fmt.Errorf("the disk of %s is full, try again when there is room: %w", p.tp, err)
	}
	if err != nil {
		return Appended{}, p.storage(err)
	}
	if a.Duplicate {
		return Appended{Appended: a, Epoch: epoch}, nil
	}
	p.appended()
	failpoint.Hit("partition.append.before_commit", p.on)
	if err := p.commit(log, a.Base, a.End, b, s, w.awaited); err != nil {
		p.Failed(err)
		return Appended{}, p.Err()
	}
	return Appended{Appended: a, Epoch: epoch}, nil
}

// commit has an append made durable by the topic's policy. writing is held, so that
// submissions come in log order. base is where the log ended before.
func (p *Partition) commit(log *commitlog.Log, base, end int64, b []byte, s *Settings, awaited bool) error {
	if s.Durable {
		return p.home.Submit(p, base, end, b, awaited)
	}
	if end-log.RecoveryPoint() >= s.FlushMessages {
		if _, err := log.Sync(); err != nil {
			return err
		}
	}
	p.Durable(end)
	return nil
}

// Sync makes the log's segments durable and tells up to where; the journal calls it
// for large appends and before it forgets small ones.
func (p *Partition) Sync() (synced int64, err error) {
	if log := p.log.Load(); log != nil {
		synced, err := log.Sync()
		if err == nil || p.log.Load() == log {
			return synced, err
		}
		// It was closed meanwhile, and its folder may be gone.
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.durable, nil // what is closed was synced then, or is deleted
}
