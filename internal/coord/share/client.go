package share

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/cluster/brokers"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ClientConfig is what a Client is made of.
type ClientConfig struct {
	// Node is this broker: it is asked where coordinators are, which also makes their
	// topic.
	Node int32
	Ask  brokers.Ask
	// Patience is for how long a question is asked again while no coordinator answers it:
	// 30 s.
	Patience time.Duration
	Log      *slog.Logger
}

// Client is the Persister that asks share coordinators, wherever they are. It asks again,
// with growing pauses, while a coordinator moves, loads or does not answer: to do any of
// its requests twice is to do it once.
//
// Leaders write often and little. So questions of one kind about one group that go to the
// same broker while another is on its way there are put together, and writes to one share
// partition go one after the other, in the order in which they came, those that wait as
// one. All that runs on the goroutines of those who ask.
type Client struct {
	cfg ClientConfig

	mu     sync.Mutex // guards what follows, for moments only
	lanes  map[lane]*queue
	writes map[Key]*writes
}

var _ Persister = (*Client)(nil)

// NewClient returns a Client.
func NewClient(cfg ClientConfig) *Client {
	if cfg.Patience == 0 {
		cfg.Patience = 30 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Client{cfg: cfg, lanes: map[lane]*queue{}, writes: map[Key]*writes{}}
}

// ReadState is Persister's.
func (c *Client) ReadState(ctx context.Context, k Key, leaderEpoch int32) (PartitionState, error) {
	q := &question{kind: kmsg.ReadShareGroupState, key: k, leaderEpoch: leaderEpoch}
	c.pursue(ctx, []*question{q})
	return q.state, q.err
}

// InitializeState is Persister's.
func (c *Client) InitializeState(ctx context.Context, k Key, stateEpoch int32, start int64) error {
	return c.InitializeStates(ctx, []Start{{k, stateEpoch, start}})[k]
}

// Start is where a state begins.
type Start struct {
	Key        Key
	StateEpoch int32
	Offset     int64 // or NoStart
}

// InitializeStates is InitializeState for many keys at once, each named once; it returns
// those that failed.
func (c *Client) InitializeStates(ctx context.Context, starts []Start) map[Key]error {
	all := make([]*question, len(starts))
	for i, s := range starts {
		all[i] = &question{kind: kmsg.InitializeShareGroupState, key: s.Key, stateEpoch: s.StateEpoch, start: s.Offset}
	}
	c.pursue(ctx, all)
	return failures(all)
}

// DeleteState is Persister's.
func (c *Client) DeleteState(ctx context.Context, k Key) error {
	return c.DeleteStates(ctx, []Key{k})[k]
}

// DeleteStates is DeleteState for many keys at once; it returns those that failed.
func (c *Client) DeleteStates(ctx context.Context, keys []Key) map[Key]error {
	var all []*question
	for _, k := range unique(keys) {
		all = append(all, &question{kind: kmsg.DeleteShareGroupState, key: k})
	}
	c.pursue(ctx, all)
	return failures(all)
}

// Summaries is Persister's.
func (c *Client) Summaries(ctx context.Context, keys []Key, leaderEpoch int32) (map[Key]Summary, map[Key]error) {
	var all []*question
	for _, k := range unique(keys) {
		all = append(all, &question{kind: kmsg.ReadShareGroupStateSummary, key: k, leaderEpoch: leaderEpoch})
	}
	c.pursue(ctx, all)
	known := make(map[Key]Summary, len(keys))
	for _, q := range all {
		if q.err == nil {
			known[q.key] = q.summary
		}
	}
	return known, failures(all)
}

func unique(keys []Key) []Key {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, compareKeys)
	return slices.Compact(keys)
}

func failures(all []*question) map[Key]error {
	failed := map[Key]error{}
	for _, q := range all {
		if q.err != nil {
			failed[q.key] = q.err
		}
	}
	return failed
}

const (
	minPause = 20 * time.Millisecond
	maxPause = time.Second
)

// pursue asks until every question has a final answer, or until patience or ctx ends.
func (c *Client) pursue(ctx context.Context, all []*question) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.Patience, kerr.RequestTimedOut)
	defer cancel()
	if len(all) == 0 {
		return
	}
	open := all
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		c.locate(ctx, open)
		c.send(ctx, open)
		var again []*question
		for _, q := range open {
			if q.err != nil && transient(q.err) {
				again = append(again, q)
			}
		}
		if open = again; len(open) == 0 {
			return
		}
		c.cfg.Log.Debug("share coordinator is asked again", "questions", len(open), "err", open[0].err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			for _, q := range open {
				q.err = fmt.Errorf("%w: share coordinator of %v: %w", kerr.CoordinatorNotAvailable, q.key, q.err)
			}
			return
		}
	}
}

// transient reports whether another attempt may help: the coordinator has moved, loads,
// cannot be reached, or has not said what came of it.
func transient(err error) bool {
	var told *kerr.Error
	if !errors.As(err, &told) {
		return true // of the line
	}
	switch told.Code {
	case kerr.NotCoordinator.Code, kerr.CoordinatorNotAvailable.Code, kerr.CoordinatorLoadInProgress.Code,
		kerr.BrokerNotAvailable.Code, kerr.RequestTimedOut.Code, kerr.NetworkException.Code:
		return true
	}
	return false
}

// locate finds the coordinators of questions; those without one get an error.
func (c *Client) locate(ctx context.Context, open []*question) {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorType = 2
	at := make(map[string][]*question, len(open))
	for _, q := range open {
		q.err = kerr.CoordinatorNotAvailable
		name := q.key.String()
		if at[name] == nil {
			req.CoordinatorKeys = append(req.CoordinatorKeys, name)
		}
		at[name] = append(at[name], q)
	}
	resp, err := c.cfg.Ask(ctx, c.cfg.Node, req)
	if err != nil {
		for _, q := range open {
			q.err = err
		}
		return
	}
	for _, found := range resp.(*kmsg.FindCoordinatorResponse).Coordinators {
		for _, q := range at[found.Key] {
			q.node, q.err = found.NodeID, kerr.ErrorForCode(found.ErrorCode)
		}
	}
}
