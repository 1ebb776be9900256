package partition

import (
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Configure changes the settings, and those of the log if it is open.
func (p *Partition) Configure(s *Settings) {
	p.settings.Store(s)
	if log := p.log.Load(); log != nil {
		log.SetConfig(s.Log)
	}
}

// Log returns the open log, opening it if need be.
// It returns an error that wraps kerr.KafkaStorageError if the disk has failed or is
// full; a full one also matches vfs.ErrNoSpace, and the log may open later.
func (p *Partition) Log() (*commitlog.Log, error) {
	p.used.Store(true)
	return p.openUnused()
}

// openUnused is Log for who looks at marks only: files that rest go on resting.
func (p *Partition) openUnused() (*commitlog.Log, error) {
	if err := p.Err(); err != nil {
		return nil, err
	}
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
	log, err := p.openDurable()
	if err != nil {
		return nil, err
	}
	p.log.Store(log)
	log.SetConfig(p.settings.Load().Log) // they may have changed since the home took them
	for _, r := range log.Condemned() {
		p.Suspect(log, r.Offset, r.Next)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance()
	return log, nil
}

// openDurable opens the log and makes all of it durable. opening is held.
func (p *Partition) openDurable() (*commitlog.Log, error) {
	if err := p.Err(); err != nil {
		return nil, err
	}
	o, err := p.home.Open(p)
	if err != nil {
		return nil, p.unopened(err)
	}
	spent := int32(model.NoEpoch)
	if !o.Durable {
		spent = o.Log.LatestEpoch()
		// What a dead process left in the page cache is readable and yet not on disk.
		_, err = o.Log.Sync()
	}
	if err == nil {
		if p.found(o, spent); p.Missing() > 0 {
			p.doubt()
		}
		err = p.begin(o.Log, p.Role())
	}
	if err != nil {
		return nil, p.unopened(errors.Join(err, p.home.Close(p, o.Log)))
	}
	return o.Log, nil
}

// found takes over what is known of a log that was just opened. Of several replicas none
// knows by its own log how much of it is committed: what was before the restart is.
func (p *Partition) found(o Opened, spent int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.durable = o.Log.End()
	hw := p.durable
	if !p.role.sole() {
		hw = min(max(o.HW, o.Log.Start()), p.durable)
	}
	p.hw.Store(max(hw, p.hw.Load()))
	if p.spent = max(p.spent, spent); p.role.Leading && p.role.sole() {
		p.spent = model.NoEpoch
	}
	p.lacks(o)
	if p.role.Leading && !p.leads() {
		p.logger.Warn("leader epoch is not led on after a crash, the controller gives a new one",
			"partition", p.tp, "epoch", p.role.Epoch)
	}
}

// unopened tells why the log cannot be opened. What does not pass is for good.
func (p *Partition) unopened(err error) error {
	err = fmt.Errorf("open the log of %s: %w", p.tp, err)
	if Passing(err) || errors.Is(err, ErrShort) {
		return StorageError(err)
	}
	if errors.Is(err, commitlog.ErrInvariant) {
		// Not this process broke it: the folder is from another history. %v forgets the
		// invariant, so that only this partition is given up.
		err = fmt.Errorf("%v", err)
	}
	p.Failed(err)
	return p.Err()
}

// Opened returns the log if it is open, else nil.
func (p *Partition) Opened() *commitlog.Log { return p.log.Load() }

// Stop ends the use of the partition: everyone who waits or comes later is told that it
// is led here no more. Close must follow.
func (p *Partition) Stop() { p.Failed(errClosed) }

// Close stops the partition and has its home close its log.
func (p *Partition) Close() error {
	p.Stop()
	p.opening.Lock()
	defer p.opening.Unlock()
	p.writing.Lock()
	defer p.writing.Unlock()
	log := p.log.Load()
	if log == nil {
		return nil
	}
	defer p.log.Store(nil)
	return p.home.Close(p, log)
}

// errClosed sends clients to look for the leader elsewhere.
var errClosed = fmt.Errorf("%w: the partition is closed on this broker", kerr.NotLeaderForPartition)

// Err is why the partition cannot be used, or nil.
func (p *Partition) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// Failed takes the partition offline: after an error of the disk nothing that was not
// yet reported durable may be trusted, and nothing is tried again. The first call counts.
func (p *Partition) Failed(err error) {
	told := err
	if err != errClosed {
		told = StorageError(err)
	}
	p.mu.Lock()
	first, home := p.failed == nil, p.home
	if first {
		p.failed = told
		p.wake()
	}
	p.mu.Unlock()
	if first && err != errClosed {
		home.Broken(p, err)
	}
}

// Passing reports whether err is one of a disk that is full or of a process that has too
// many files open. Nothing was changed, and it heals by itself.
func Passing(err error) bool {
	return errors.Is(err, vfs.ErrNoSpace) || errors.Is(err, vfs.ErrNoFiles)
}

// StorageError makes err one that clients are told of.
func StorageError(err error) error {
	if err == nil || errors.Is(err, kerr.KafkaStorageError) {
		return err
	}
	return fmt.Errorf("%w: %w", kerr.KafkaStorageError, err)
}

// storage takes the partition offline if err is one of the disk or of a broken
// invariant, rather than of the request.
func (p *Partition) storage(err error) error {
	switch {
	case err == nil || Passing(err):
		return err
	case errors.Is(err, kerr.KafkaStorageError), errors.Is(err, commitlog.ErrInvariant):
		if p.Failed(err); p.Err() != nil {
			return p.Err()
		}
	}
	return err
}
