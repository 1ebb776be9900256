package partition

import (
	"context"
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

var _ = failpoint.Register("partition.fetch.before_commit", "partition.fetch.before_mark")

// following is what a follower knows of its leader in one leader epoch.
type following struct {
	leaderHW int64
	// same is the offset below which the log is known to be the leader's. After an
	// election that is not known of anything but what is committed.
	same int64
	// asked is the offset of the first FetchFrom since the leader last answered: by
	// answering, it says that the log is its own below. -1 if there was none.
	asked int64
	// cut says that the log was cut since FetchFrom: what the leader answers now is to a
	// question that is over.
	cut bool
}

func newFollowing() following { return following{asked: unknown} }

// FetchFrom tells from where to fetch: the durable end, which is what the leader counts,
// the epoch of the record before it, model.NoEpoch if there is none, and the log start that
// is durable.
func (p *Partition) FetchFrom() (offset int64, lastEpoch int32, start int64, err error) {
	log, err := p.openUnused()
	if err != nil {
		return 0, model.NoEpoch, 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f := &p.following
	if offset = p.durable; p.isRotten() {
		offset, p.rot.asked = min(offset, max(p.rot.at, log.Start())), true
	}
	if f.cut = false; f.asked == unknown {
		f.asked = offset
	}
	if start = log.Start(); p.keptStart != unknown {
		start = min(start, p.keptStart)
	}
	return offset, log.EpochAt(offset - 1), start, p.failed
}

// AppendFetched takes the answer to a fetch in a leader epoch: the leader's batches,
// perhaps none, and its high watermark. The answer to a fetch at offset
// FetchFrom says that the logs are the same below; what is here beyond, of an earlier
// leader, gives way if it is another. It returns the log end; see WaitDurable.
// It returns kerr.FencedLeaderEpoch wrapped if the replica does not follow in that epoch
// any more or was cut since FetchFrom, kerr.CorruptMessage wrapped if bytes are damaged, ErrRotten wrapped
// if it must give up first what it has, and an error that wraps
// commitlog.ErrUnexpectedOffset if offsets do not follow on the log.
func (p *Partition) AppendFetched(epoch int32, batches []byte, leaderHW int64) (end int64, err error) {
	log, err := p.Log()
	if err != nil {
		return 0, err
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	if err := p.followsIn(epoch); err != nil {
		return log.End(), err
	}
	log = p.log.Load() // it may have been replaced meanwhile
	if p.isCut() {
		return log.End(), fmt.Errorf("%w: the log of %s was cut since it was asked for", kerr.FencedLeaderEpoch, p.tp)
	}
	if err := p.trusted(); err != nil {
		return log.End(), err
	}
	same := int64(0)
	for rest := batches; len(rest) > 0; {
		if rest, same, err = p.appendFetched(log, rest, same); err != nil {
			return log.End(), p.storage(err)
		}
	}
	failpoint.Hit("partition.fetch.before_mark", p.on)
	p.heard(leaderHW, same)
	log.Committed(p.hw.Load())
	return log.End(), nil
}

// FollowStart moves the log start to the leader's, as far as the high watermark is, and
// makes it durable: the leader tells who deletes records that they are gone when all that
// follow it say so, and then no crash may bring them back. It waits for the disk.
// It fails as Truncate does.
func (p *Partition) FollowStart(epoch int32, leaderStart int64) error {
	if _, err := p.Log(); err != nil {
		return err
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	if err := p.followsIn(epoch); err != nil {
		return err
	}
	log := p.log.Load() // it may have been replaced meanwhile
	return p.storage(p.raise(log, min(leaderStart, p.hw.Load())))
}

// raise moves the log start, unless it is there, and makes it durable. While it is not, as on
// a full disk, the leader is told of the one before. writing is held.
func (p *Partition) raise(log *commitlog.Log, start int64) error {
	before := log.Start()
	p.mu.Lock()
	owing := p.keptStart != unknown
	if start > before && !owing {
		p.keptStart = before
	}
	p.mu.Unlock()
	if start <= before && !owing {
		return nil
	}
	if err := log.AdvanceStart(start); err != nil {
		return err
	}
	return p.keepStart(log)
}

// keepStart makes the log start durable. writing is held.
func (p *Partition) keepStart(log *commitlog.Log) error {
	if err := p.home.Started(p, log); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keptStart = unknown
	return nil
}

// appendFetched appends what lies at the log end, or deals with the first batch that does
// not: it returns what is left to do, and how far the log is the leader's by what was
// done. writing is held.
func (p *Partition) appendFetched(log *commitlog.Log, batches []byte, same int64) ([]byte, int64, error) {
	first, rest, err := record.Split(batches)
	if err == nil {
		err = first.Verify()
	}
	if err != nil {
		return nil, same, fmt.Errorf("fetched for %s: %w: %w", p.tp, kerr.CorruptMessage, err)
	}
	before := log.End()
	switch {
	case first.LeaderEpoch() > p.Role().Epoch:
		return nil, same, fmt.Errorf("fetched for %s: %w: a batch of epoch %d in epoch %d", p.tp, kerr.CorruptMessage, first.LeaderEpoch(), p.Role().Epoch)
	case first.BaseOffset() >= before:
		a, err := log.AppendFollower(batches)
		if err != nil {
			return nil, same, p.untaken(err)
		}
		failpoint.Hit("partition.fetch.before_commit", p.on)
		return nil, a.End, p.commit(log, before, a.End, batches, p.settings.Load(), false)
	case first.NextOffset() <= before && log.EpochAt(max(first.BaseOffset(), log.Start())) == first.LeaderEpoch() &&
		log.EpochAt(first.LastOffset()) == first.LeaderEpoch():
		return rest, first.NextOffset(), nil // one leader an epoch: it is the same batch
	case first.NextOffset() > before && before == log.Start():
		// The log is empty, and the leader's begins within a batch (DeleteRecords).
		if err := p.beginWithin(log, batches); err != nil {
			return nil, same, err
		}
		return nil, log.End(), nil
	}
	if err := p.cut(log, first.BaseOffset()); err != nil || log.End() < first.BaseOffset() {
		return nil, same, err // what is missing in between is fetched again
	}
	return batches, same, nil
}

// untaken tells why batches of the leader were not appended.
func (p *Partition) untaken(err error) error {
	switch {
	case errors.Is(err, vfs.ErrNoSpace):
		return fmt.Errorf("the disk of %s is full: %w", p.tp, err)
	case errors.Is(err, commitlog.ErrInvariant): // the leader's, not ours
		return fmt.Errorf("fetched for %s: %w: %v", p.tp, kerr.CorruptMessage, err)
	}
	return err
}

// heard takes in what the leader says of itself, and how far the log is the same by what
// was just fetched.
func (p *Partition) heard(leaderHW, same int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := &p.following
	f.leaderHW = max(f.leaderHW, leaderHW)
	f.same = max(f.same, f.asked, same)
	f.asked, f.cut = unknown, false
	p.advance()
}

func (p *Partition) isCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.following.cut
}

// WaitDurable blocks until everything below end is on stable storage here. It returns
// kerr.FencedLeaderEpoch wrapped if the leader epoch changes first, or it is cut off.
func (p *Partition) WaitDurable(ctx context.Context, end int64) error {
	epoch := p.Role().Epoch
	return p.await(ctx, true, func() (bool, error) {
		switch {
		case p.failed != nil:
			return false, p.failed
		case p.durable >= end:
			return true, nil
		case p.role.Epoch != epoch:
			return false, fmt.Errorf("%w: the epoch is %d, not %d", kerr.FencedLeaderEpoch, p.role.Epoch, epoch)
		case p.following.cut:
			return false, fmt.Errorf("%w: the log of %s was cut", kerr.FencedLeaderEpoch, p.tp)
		}
		return false, nil
	})
}
