package cli

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// runGroup consumes as a member of a group. Offsets are committed for records that were
// printed, so that a record is printed again rather than not at all.
func (c *consumer) runGroup(ctx context.Context, adm *kadm.Client) error {
	reset, err := c.resetOffset()
	if err != nil {
		return err
	}
	if c.exit {
		if err := c.expectGroup(ctx, adm); err != nil || c.left.done() {
			return err
		}
	}
	c.joined = new(atomic.Bool)
	cl, err := c.client(append(c.options(),
		kgo.ConsumerGroup(c.group), kgo.ConsumeTopics(c.topics...), kgo.ConsumeResetOffset(reset),
		kgo.AutoCommitMarks(), kgo.AutoCommitInterval(time.Second), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { c.joined.Store(true) }),
	)...)
	if err != nil {
		return err
	}
	defer cl.CloseAllowingRebalance()
	err = c.loop(ctx, cl)
	commit, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	return errors.Join(err, cl.CommitMarkedOffsets(commit))
}

// expectGroup finds out what is to come until the group has read everything. Other
// members may take some of it.
func (c *consumer) expectGroup(ctx context.Context, adm *kadm.Client) error {
	r, err := resolve(ctx, adm, c.topics, nil, c.begin, c.until, c.isolation == "committed")
	if err != nil {
		return err
	}
	var committed kadm.OffsetResponses
	err = patiently(ctx, c.conn.timeout, func() error {
		committed, err = adm.FetchOffsets(ctx, c.group)
		return err
	})
	if err != nil {
		return err
	}
	for t, ps := range r {
		for p, b := range ps {
			if o, ok := committed.Lookup(t, p); ok && o.At >= 0 {
				b.from = o.At
				ps[p] = b
			}
		}
	}
	c.left = newPending(r)
	return nil
}

// resetOffset is where a group begins that has committed nothing.
func (c *consumer) resetOffset() (kgo.Offset, error) {
	o := kgo.NewOffset()
	switch c.begin.kind {
	case 's':
		return o.AtStart(), nil
	case 'e':
		return o.AtEnd(), nil
	case '+':
		return o.AtStart().Relative(c.begin.n), nil
	case '-':
		return o.AtEnd().Relative(-c.begin.n), nil
	case '@':
		return o.AfterMilli(c.begin.n), nil
	}
	return o, usagef("a group may begin at start, end, +N, -N, @TIME or a time ago, not at offset %s", c.begin.given)
}

// patiently tries again what the cluster cannot do yet: the first group of a cluster
// waits for the topic of offsets to be made.
func patiently(ctx context.Context, patience time.Duration, try func() error) error {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	for {
		err := try()
		if !kerr.IsRetriable(err) {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}
