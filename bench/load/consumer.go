package load

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// consumer reads the topic and sees that no offset is missing or comes twice.
type consumer struct {
	client *kgo.Client
	next   map[int32]int64 // the offset that comes next
	read   atomic.Int64    // records; who else looks may be late
	bytes  int64           // of values
	each   func(r *kgo.Record)
}

// fetchWait is how long a fetch may bring nothing before the load is given up.
const fetchWait = 20 * time.Second

// consumer reads from the start, once it is polled.
func (c *cluster) consumer(t *traffic, opts ...kgo.Opt) (*consumer, error) {
	all := []kgo.Opt{kgo.SeedBrokers(strings.Split(c.spec.Bootstrap, ",")...), kgo.ConsumeTopics(c.topic), kgo.WithHooks(t),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(500 * time.Millisecond)}
	client, err := kgo.NewClient(append(all, opts...)...)
	if err != nil {
		return nil, err
	}
	return &consumer{client: client, next: make(map[int32]int64)}, nil
}

// member is a consumer that has all partitions as the only member of a new group, and
// reads when it is let.
func (c *cluster) member(ctx context.Context, t *traffic, group string) (*consumer, error) {
	joined := make(chan struct{}, 1)
	m, err := c.consumer(t, kgo.ConsumerGroup(group), kgo.OnPartitionsAssigned(
		func(_ context.Context, client *kgo.Client, _ map[string][]int32) {
			client.PauseFetchTopics(c.topic)
			select {
			case joined <- struct{}{}:
			default:
			}
		}))
	if err != nil {
		return nil, err
	}
	select {
	case <-joined:
		return m, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-time.After(patience):
		err = fmt.Errorf("group %s is not joined in %v", group, patience)
	}
	m.client.Close()
	return nil, err
}

// poll reads what there is, and waits for it. It returns an error if nothing comes for
// fetchWait, or not what should come.
func (c *consumer) poll(ctx context.Context) error {
	wait, stop := context.WithTimeout(ctx, fetchWait)
	defer stop()
	fetches := c.client.PollFetches(wait)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if wait.Err() != nil && fetches.NumRecords() == 0 {
		return fmt.Errorf("nothing came for %v, after %d records", fetchWait, c.read.Load())
	}
	if err := fetches.Err(); err != nil {
		return err
	}
	var err error
	n := int64(0)
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		next := c.next[p.Partition]
		for _, r := range p.Records {
			if r.Offset != next && err == nil {
				err = fmt.Errorf("partition %d: offset %d came where %d comes next", p.Partition, r.Offset, next)
			}
			next = r.Offset + 1
			c.bytes += int64(len(r.Value))
			if c.each != nil {
				c.each(r)
			}
		}
		n += int64(len(p.Records))
		c.next[p.Partition] = next
	})
	c.read.Add(n)
	return err
}

// readTo polls until every partition is read to its end, and not beyond.
func (c *consumer) readTo(ctx context.Context, ends map[int32]int64) error {
	for {
		left := false
		for p, end := range ends {
			if c.next[p] > end {
				return fmt.Errorf("partition %d was read to %d, and ends at %d", p, c.next[p], end)
			}
			left = left || c.next[p] < end
		}
		if !left {
			return nil
		}
		if err := c.poll(ctx); err != nil {
			return err
		}
	}
}
