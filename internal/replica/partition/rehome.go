package partition

import (
	"fmt"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

var _ = failpoint.Register("partition.rehome.before_finish", "partition.rehome.after_finish")

// Rehome gives the partition another home, with a log that has the same records. finish
// makes that log: it is given the present one while nothing is appended, and must have
// closed it when it returns a durable one. If it returns an error the present one must
// still be good, unless the partition has failed. The role, and what is known of
// followers, stay. It waits for the disk, and so do appends.
func (p *Partition) Rehome(to Home, finish func(from *commitlog.Log) (*commitlog.Log, error)) error {
	if _, err := p.openUnused(); err != nil {
		return err
	}
	p.opening.Lock()
	defer p.opening.Unlock()
	p.writing.Lock()
	defer p.writing.Unlock()
	from := p.log.Load()
	if err := p.Err(); err != nil || from == nil {
		return err
	}
	// Whoever syncs meanwhile, the journal, is told that all is durable: so it must be.
	if _, err := from.Sync(); err != nil {
		return p.storage(err)
	}
	p.Durable(from.End())
	p.log.Store(nil) // who opens it waits
	failpoint.Hit("partition.rehome.before_finish", p.on)
	log, err := finish(from)
	failpoint.Hit("partition.rehome.after_finish", p.on)
	if err == nil && log.End() != from.End() {
		err = fmt.Errorf("%w: %s ends at %d and its copy at %d", commitlog.ErrInvariant, p.tp, from.End(), log.End())
	}
	if err != nil {
		p.log.Store(from)
		return p.storage(err)
	}
	log.TakeGuards(from)
	p.mu.Lock()
	p.home = to
	p.log.Store(log)
	p.advance()
	p.wake()
	p.mu.Unlock()
	return p.storage(p.begin(log, p.Role()))
}

// storageOf is storage for who uses a log without the lock writing: it may have been
// replaced, and its errors then tell nothing of the one that is in use.
func (p *Partition) storageOf(log *commitlog.Log, err error) error {
	if err != nil && !Passing(err) && p.log.Load() != log && p.Err() == nil {
		return errMoved
	}
	return p.storage(err)
}

// errMoved has clients come again.
var errMoved = fmt.Errorf("%w: the replica has just moved to another folder", kerr.NotLeaderForPartition)
