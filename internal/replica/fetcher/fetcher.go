// Package fetcher follows leaders: it fetches what other brokers lead and this one keeps a
// copy of, appends it, and tells the leader how far it is durable here. It knows
// connections, fetch sessions, errors of leaders and when to try again, and of images the
// settings of throttles alone; roles and disks are the replicas' business. Fleet.Run owns
// its goroutines, one for each connection.
package fetcher

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/odradek/odradek/internal/replica/partition"
)

// Replica is a partition that follows.
type Replica interface {
	ID() model.IDPartition
	TP() model.TopicPartition
	// FetchFrom tells the durable end, which is what the leader is asked from and told,
	// the epoch of the record before it, or model.NoEpoch, and the log start.
	FetchFrom() (offset int64, lastEpoch int32, start int64, err error)
	// AppendFetched takes whole batches, or none, and the leader's high watermark. It does not
	// wait, and does not keep the batches.
	AppendFetched(epoch int32, batches []byte, leaderHW int64) (end int64, err error)
	// WaitDurable waits until everything below end is.
	WaitDurable(ctx context.Context, end int64) error
	// FollowStart moves the log start to the leader's, as far as that is committed here,
	// and makes it durable.
	FollowStart(epoch int32, leaderStart int64) error
	// Truncate cuts the log to where the leader's history parts from it; an end whose
	// epoch is model.NoEpoch is the leader's log end.
	Truncate(epoch int32, d partition.EpochEnd) error
	// Restart begins the log anew at an offset.
	Restart(epoch int32, at int64) error
}

// Config is what a Fleet and its fetchers are made of. Self, Dial and Address are
// required; the settings are Kafka's, and must be set.
type Config struct {
	Self int32
	Dial wire.Dialer
	// Address is where a broker is reached, if it is known.
	Address func(broker int32) (address string, ok bool)
	// Epoch is that of this broker's registration.
	Epoch func() int64
	// Throttle holds back replicas that need not hurry; nil does not.
	Throttle *Throttle
	Log      *slog.Logger

	Fetchers    int           // num.replica.fetchers
	Wait        time.Duration // replica.fetch.wait.max.ms
	MinBytes    int           // replica.fetch.min.bytes
	MaxBytes    int           // replica.fetch.max.bytes
	AnswerBytes int           // replica.fetch.response.max.bytes
	Backoff     time.Duration // replica.fetch.backoff.ms
	Timeout     time.Duration // replica.socket.timeout.ms
}

// Fetcher follows partitions of one leader over one connection. What it is to follow it
// is told by set and forget; all the rest belongs to the goroutine of run.
type Fetcher struct {
	cfg    *Config
	leader int32
	log    *slog.Logger
	// catchingUp says that its replicas are far behind; shift gives one to the other lane.
	catchingUp bool
	maxBytes   int // of one partition
	shift      func(st *state)

	inbox inbox

	states  map[model.IDPartition]*state
	dirty   []*state            // to be told to the leader
	left    []model.IDPartition // to be taken out of the session
	resting resting             // the backed off, by time
	fetched int                 // how many are in the phase fetching
	fresh   []*state            // whose log has not been looked at yet
	grown   []*state            // appended in this round
	strayed []*state            // out of the leader's range in this round
	session session
	client  *wire.Client
	req     wire.FetchRequest
	resp    wire.FetchResponse
	wait    time.Duration // of the next request: short while partitions come
	now     time.Time     // when the answer came
	broken  int           // how often in a row the leader could not be reached
}

func newFetcher(cfg *Config, leader int32) *Fetcher {
	return &Fetcher{
		cfg: cfg, leader: leader, log: cfg.Log.With("leader", leader), maxBytes: cfg.MaxBytes,
		inbox:  inbox{changes: make(map[model.IDPartition]change), kick: make(chan struct{}, 1)},
		states: make(map[model.IDPartition]*state), wait: cfg.Wait,
	}
}

// run fetches until ctx ends.
func (f *Fetcher) run(ctx context.Context) error {
	defer f.hangUp()
	for ctx.Err() == nil {
		f.round(ctx)
	}
	return nil
}

// round asks once and takes the answer, or waits for a reason to ask.
func (f *Fetcher) round(ctx context.Context) {
	f.takeChanges()
	f.look()
	f.wakeRested(time.Now())
	if f.fetched == 0 {
		f.hangUpIfEmpty()
		f.idle(ctx)
		return
	}
	if err := f.connect(ctx); err != nil {
		f.unreachable(ctx, err)
		return
	}
	if err := f.fetch(ctx); err != nil {
		f.hangUp()
		if !errors.Is(err, errInterrupted) {
			f.unreachable(ctx, err)
		}
		return
	}
	f.take(ctx)
}

// idle waits until something changes or a partition has rested.
func (f *Fetcher) idle(ctx context.Context) {
	var rested <-chan time.Time
	if len(f.resting) > 0 {
		t := time.NewTimer(time.Until(f.resting[0].until))
		defer t.Stop()
		rested = t.C
	}
	select {
	case <-f.inbox.kick:
	case <-rested:
	case <-ctx.Done():
	}
}

// connect makes sure that there is a connection.
func (f *Fetcher) connect(ctx context.Context) error {
	if f.client != nil && f.client.Err() == nil {
		return nil
	}
	f.hangUp()
	address, ok := f.cfg.Address(f.leader)
	if !ok {
		return errNoAddress
	}
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
	defer cancel()
	client, err := wire.Dial(ctx, wire.ClientConfig{
		Dial: f.cfg.Dial, Address: address, ClientID: "replica-fetcher", Timeout: f.cfg.Timeout, Log: f.log,
	})
	if err != nil {
		return err
	}
	f.client = client
	return nil
}

var errNoAddress = errors.New("its address is not known")

// hangUp ends the connection. The session that the leader keeps is replaced by the next.
func (f *Fetcher) hangUp() {
	if f.client != nil {
		f.client.Close()
		f.client = nil
	}
	f.session.lost()
}

// hangUpIfEmpty ends a connection that nobody needs.
func (f *Fetcher) hangUpIfEmpty() {
	if len(f.states) == 0 && f.client != nil {
		f.hangUp()
		f.session = session{}
	}
}

// firstPause is the first of the pauses that double up to Backoff.
const firstPause = 10 * time.Millisecond

// pause is how long to wait after the nth failure in a row.
func (f *Fetcher) pause(n int) time.Duration {
	if d := firstPause << min(n-1, 20); d < f.cfg.Backoff {
		return d
	}
	return f.cfg.Backoff
}

// unreachable waits a while after the leader could not be asked, or until there is news.
func (f *Fetcher) unreachable(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	if f.broken++; f.broken == 1 {
		f.log.Warn("leader cannot be reached, trying again", "err", err)
	}
	t := time.NewTimer(f.pause(f.broken))
	defer t.Stop()
	select {
	case <-t.C:
	case <-f.inbox.kick:
	case <-ctx.Done():
	}
}

func (f *Fetcher) reached() {
	if f.broken > 0 {
		f.log.Info("leader is reached again", "attempts", f.broken)
	}
	f.broken = 0
}
