package partition

import (
	"errors"
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

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

// Append checks one batch of a client by the topic's rules and appends it, without
// waiting for durability: see Wait. The bytes are stamped in place and not kept.
// produceVersion is the version of the Produce request, acks what it asks for.
// Its errors are sentinels of kerr; with an error nothing was appended.
func (p *Partition) Append(b record.Batch, produceVersion, acks int16) (Appended, error) {
	epoch, err := p.leading(model.NoEpoch)
	if err != nil {
		return Appended{}, err
	}
	if p.lease != nil && !p.lease() {
		return Appended{}, errLease
	}
	s := p.settings.Load()
	if acks == AllInSync && !p.Role().safe(s.MinISR) {
		return Appended{}, kerr.NotEnoughReplicas
	}
	rules := s.Rules
	rules.ProduceVersion = produceVersion
	now := time.Now().UnixMilli()
	b, checked, err := record.Validate(b, rules, now)
	if err != nil {
		return Appended{RecordErrors: checked.RecordErrors}, err
	}
	a, err := p.append(b, epoch, s, commitlog.Client)
	if a.LogAppendTime == record.NoTimestamp && b.LogAppendTime() {
		a.LogAppendTime = b.MaxTimestamp()
	}
	return a, err
}

// AppendRecords appends one batch of a coordinator, whose records are trusted, in the
// leader epoch given. It returns the offset that Wait must be asked for.
func (p *Partition) AppendRecords(b record.Batch, epoch int32) (end int64, err error) {
	if _, err := p.leading(epoch); err != nil {
		return 0, err
	}
	if p.lease != nil && !p.lease() {
		return 0, errLease
	}
	s := p.settings.Load()
	if !p.Role().safe(s.MinISR) {
		return 0, kerr.NotEnoughReplicas
	}
	a, err := p.append(b, epoch, s, commitlog.Coordinator)
	return a.End, err
}

func (p *Partition) append(b record.Batch, epoch int32, s *Settings, origin commitlog.Origin) (Appended, error) {
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
	a, err := log.AppendLeader(b, epoch, origin)
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
	if err := p.commit(log, a.Base, a.End, b, s); err != nil {
		p.Failed(err)
		return Appended{}, p.Err()
	}
	return Appended{Appended: a, Epoch: epoch}, nil
}

// commit has an append made durable by the topic's policy. writing is held, so that
// submissions come in log order. base is where the log ended before.
func (p *Partition) commit(log *commitlog.Log, base, end int64, b []byte, s *Settings) error {
	if s.Durable {
		return p.home.Submit(p, base, end, b)
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
