package crash

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The groups of the load.
const (
	readers  = "readers"  // two members that share the partitions and commit what they read
	counters = "counters" // no members: somebody commits 1, 2, 3, … as fast as he can
)

// reader is a member of the group. It commits after each poll and before a rebalance
// may take a partition from it, so that no commit of its own can be late.
func (l *Load) reader() error {
	c, err := l.client(kgo.ConsumerGroup(readers), kgo.ConsumeTopics("small", "large"), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.BlockRebalanceOnPoll(),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(time.Second))
	if err != nil {
		return err
	}
	l.workers.Go(func() {
		for l.ctx.Err() == nil {
			fetches := c.PollRecords(l.ctx, 1000)
			fetches.EachError(func(_ string, _ int32, err error) { l.sawLoss(err) })
			l.readAndCommit(c, fetches.Records())
			c.AllowRebalance()
		}
	})
	return nil
}

// sawLoss keeps errors that tell of lost records; a node that is away is no failure.
func (l *Load) sawLoss(err error) {
	var loss *kgo.ErrDataLoss
	if errors.As(err, &loss) {
		l.fail(err)
	}
}

func (l *Load) readAndCommit(c *kgo.Client, records []*kgo.Record) {
	next := make(map[Place]int64)
	for _, r := range records {
		id, whole := identify(r.Key, r.Value)
		p := Place{r.Topic, r.Partition}
		l.History.Read(p, r.Offset, id, whole)
		next[p] = r.Offset + 1
	}
	for p, offset := range next {
		l.History.Commit(readers, p, offset)
	}
	ctx, cancel := context.WithTimeout(l.ctx, 5*time.Second)
	defer cancel()
	if len(next) == 0 || c.CommitRecords(ctx, records...) != nil {
		return // the next commit is of higher offsets, or another member's
	}
	for p, offset := range next {
		l.History.Committed(readers, p, offset)
	}
	select {
	case l.committed <- struct{}{}:
	default:
	}
}

// AwaitReaders waits until the group has read and committed all that the last check saw.
func (l *Load) AwaitReaders(ctx context.Context) error {
	for !l.History.CommittedAll(readers, "small") || !l.History.CommittedAll(readers, "large") {
		select {
		case <-l.committed:
		case <-ctx.Done():
			return fmt.Errorf("the readers do not get to the end: %w", context.Cause(ctx))
		}
	}
	return nil
}

// counter commits ever higher offsets for one partition while the gate is open.
func (l *Load) counter() error {
	c, err := l.client()
	if err != nil {
		return err
	}
	admin, p := kadm.NewClient(c), Place{"small", 0}
	l.workers.Go(func() {
		for n := int64(1); l.wait(); n++ {
			l.History.Commit(counters, p, n)
			ctx, cancel := context.WithTimeout(l.ctx, 5*time.Second)
			var offsets kadm.Offsets
			offsets.Add(kadm.Offset{Topic: p.Topic, Partition: p.Partition, At: n, LeaderEpoch: -1})
			responses, err := admin.CommitOffsets(ctx, counters, offsets)
			cancel()
			if err == nil && responses.Error() == nil {
				l.History.Committed(counters, p, n)
			}
		}
	})
	return nil
}
