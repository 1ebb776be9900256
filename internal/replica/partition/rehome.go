package partition

import (
	"fmt"

	"github.com/odradek/odradek/internal/store/commitlog"
)

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
	log, err := finish(from)
	if err != nil {
		return p.storage(err)
	}
	if log.End() != from.End() {
		err := fmt.Errorf("%w: %s ends at %d and its copy at %d", commitlog.ErrInvariant, p.tp, from.End(), log.End())
		p.Failed(err)
		return err
	}
	p.mu.Lock()
	p.home, p.durable = to, log.End()
	p.log.Store(log)
	p.advance()
	p.wakeLocal()
	p.mu.Unlock()
	return p.storage(p.begin(log, p.Role()))
}
