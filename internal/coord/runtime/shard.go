package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/base/clock"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

type status int

const (
	loading status = iota
	active
	gone // resigned, failed or shut down: see cause
)

// rounds is how many times in a row one caller runs what others have queued before it
// hands that duty to one of them.
const rounds = 8

// shard is one machine under one leadership. Commands queue; the first caller to find
// nobody running runs them all, its own and those that arrive meanwhile. So a command
// costs no goroutine and no wake-up when it is alone, and those that come together
// share an append.
type shard[M Machine] struct {
	partition int32
	epoch     int32
	log       Log
	logger    *slog.Logger
	maxBytes  func() int
	clock     clock.Clock
	astray    bool                   // an earlier machine of this epoch lost the log
	kick      func()                 // the earliest deadline may have moved
	failed    func(*shard[M], error) // the machine is lost
	hit       func(step string)      // of a failpoint

	// Touched by whoever runs commands, one at a time.
	machine M
	timers  *timers
	end     int64 // log end after the last append or the load
	bare    bool  // the log had no batch, which leaves its end unknown

	// mu guards what follows and is held for moments only.
	mu       sync.Mutex
	status   status
	running  bool
	queue    []*order[M]
	deadline time.Time // of the earliest timer, zero for none
	cause    error     // why it is gone
	over     chan struct{}
}

// order is a func on the machine, and whether it may share an append.
type order[M Machine] struct {
	run func(m M, t *Turn)
	// independent says that the command's decision does not read what other independent
	// commands write, so that they can be decided together before any is replayed.
	independent bool
	// wake gets true to run the queue, false when the command has run or never will.
	wake chan bool
	err  error // why it did not run
	over bool  // it has run or never will; of whoever runs commands
}

// do runs a command, or returns why it could not. It does not wait for anything but
// the commands before it.
func (s *shard[M]) do(c *order[M]) error {
	s.mu.Lock()
	if s.status != active {
		defer s.mu.Unlock()
		return s.absence()
	}
	s.queue = append(s.queue, c)
	if s.running {
		s.mu.Unlock()
		if baton := <-c.wake; !baton {
			return c.err
		}
	} else {
		s.running = true
		s.mu.Unlock()
	}
	s.drain()
	<-c.wake // the first round had it
	return c.err
}

// drain runs what is queued until nothing is, or until it is somebody else's turn.
func (s *shard[M]) drain() {
	var batch []*order[M]
	defer func() {
		if v := recover(); v != nil {
			s.wreck(batch, v)
			panic(v)
		}
	}()
	for range rounds {
		var err error
		batch, err = s.take()
		if batch == nil {
			return
		}
		if err != nil {
			finish(batch, err)
			continue
		}
		s.runAll(batch)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.running = false
		return
	}
	s.queue[0].wake <- true
}

// wreck gives a machine up that has panicked, with the commands that ran and those that
// wait. Whoever answers requests may go on after a panic; without this everybody would wait
// here for ever.
func (s *shard[M]) wreck(batch []*order[M], v any) {
	s.fail(fmt.Errorf("%w: the coordinator panicked: %v", kerr.CoordinatorNotAvailable, v))
	s.mu.Lock()
	batch = append(batch, s.queue...)
	s.queue, s.running = nil, false
	s.mu.Unlock()
	finish(slices.DeleteFunc(batch, func(c *order[M]) bool { return c.over }), s.reason())
}

// take returns the queue and empties it, or nil after noting that nobody runs. With an
// error the commands cannot run.
func (s *shard[M]) take() ([]*order[M], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.running = false
		return nil, nil
	}
	batch := s.queue
	s.queue = nil
	if s.status != active {
		return batch, s.absence()
	}
	return batch, nil
}

func (s *shard[M]) turn() *Turn {
	return &Turn{Now: time.Now(), MaxBytes: s.maxBytes(), timers: s.timers, clock: s.clock}
}

// runAll runs commands in order, those that are independent with a common append.
func (s *shard[M]) runAll(batch []*order[M]) {
	t := s.turn()
	ran := 0
	for i, c := range batch {
		if !c.independent || t.bytes >= t.MaxBytes {
			if !s.settle(t, batch[ran:i]) {
				finish(batch[i:], s.reason())
				return
			}
			ran = i
		}
		answers := len(t.answers)
		t.run(func() { c.run(s.machine, t) })
		if t.txn != nil {
			if !s.settleApart(t, batch[ran:i], c, answers) {
				finish(batch[i+1:], s.reason())
				return
			}
			ran = i + 1
			continue
		}
		if !c.independent {
			if !s.settle(t, batch[ran:i+1]) {
				finish(batch[i+1:], s.reason())
				return
			}
			ran = i + 1
		}
	}
	if s.settle(t, batch[ran:]) {
		s.noteDeadline()
	}
}

// settle appends and replays what the commands of a turn wrote, then lets go of the
// commands and of the answers they gave. False means that the machine is lost, with
// them.
func (s *shard[M]) settle(t *Turn, ran []*order[M]) bool {
	err := s.append(t)
	if err != nil && !(harmless(ran) && (refused(err) || t.txn != nil && rejected(err))) {
		s.fail(err)
		finish(ran, s.reason())
		return false
	}
	for _, a := range t.answers {
		if a.wrote {
			a.settle(s.end, err)
		} else {
			a.settle(s.end, nil)
		}
	}
	t.records, t.txn, t.answers, t.bytes = nil, nil, nil, 0
	finish(ran, nil)
	return true
}

// harmless reports whether the machine is whole although what the commands wrote was
// not appended. Independent commands do not read each other's records, so nothing that
// they left in the machine rests on them.
func harmless[M Machine](ran []*order[M]) bool {
	return !slices.ContainsFunc(ran, func(c *order[M]) bool { return !c.independent })
}

func finish[M Machine](commands []*order[M], err error) {
	for _, c := range commands {
		c.err, c.over = err, true
		c.wake <- false
	}
}

// append writes what the commands of a turn wrote, in as many batches as the size limit
// makes, and replays it.
func (s *shard[M]) append(t *Turn) error {
	millis := t.Millis()
	if t.txn != nil {
		return s.appendTxn(t.txn, millis)
	}
	for records := t.records; len(records) > 0; {
		batch, n, err := buildBatch(records, record.BuilderConfig{Epoch: s.epoch}, millis, s.maxBytes())
		if err != nil {
			return err
		}
		s.hit(".append.before_write")
		end, err := s.log.AppendRecords(batch, s.epoch)
		if err != nil {
			return fmt.Errorf("append %d records: %w", n, err)
		}
		e := Entry{ProducerID: record.NoProducerID, ProducerEpoch: -1}
		if err := s.appended(end, e, millis, records[:n]); err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

// appended replays records of this machine that the log has just taken, up to end; e is what
// their batch says of them.
func (s *shard[M]) appended(end int64, e Entry, millis int64, records []Record) error {
	s.hit(".append.after_write")
	base := end - int64(len(records))
	if base != s.end && !s.bare {
		return fmt.Errorf("append at offset %d, expected %d: the log has another writer", base, s.end)
	}
	for i, r := range records {
		e.Offset, e.Timestamp, e.Key, e.Value = base+int64(i), millis, r.Key, r.Value
		if err := s.machine.Replay(e); err != nil {
			return fmt.Errorf("replay own record at offset %d: %w", e.Offset, err)
		}
	}
	s.end, s.bare = end, false
	return nil
}

// fire runs the timers that are due, each as a command of its own, which sees what those
// before it wrote. Those that they arm for now wait for the next round.
func (s *shard[M]) fire() {
	now, left := time.Time{}, -1
	for left != 0 {
		c := &order[M]{wake: make(chan bool, 1), run: func(m M, t *Turn) {
			if left < 0 {
				now, left = t.Now, len(s.timers.byKey)
			}
			left--
			key, ok := s.timers.pop(now)
			if !ok {
				left = 0
				return
			}
			m.Fire(t, key)
		}}
		if s.do(c) != nil {
			return // a machine that is gone has no timers
		}
	}
}

func (s *shard[M]) noteDeadline() {
	next := s.timers.next()
	s.mu.Lock()
	earlier := !next.IsZero() && (s.deadline.IsZero() || next.Before(s.deadline))
	s.deadline = next
	s.mu.Unlock()
	if earlier {
		s.kick()
	}
}

// due reports the deadline of the earliest timer of a machine that is active.
func (s *shard[M]) due() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deadline, s.status == active && !s.deadline.IsZero()
}

// waitCommitted returns once everything below end is committed under this leadership.
func (s *shard[M]) waitCommitted(ctx context.Context, end int64) error {
	err := s.log.Wait(ctx, end, s.epoch)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	s.fail(fmt.Errorf("wait for commit of offset %d: %w", end, err))
	return s.reason()
}

// fail gives the machine up because its log no longer holds what it must.
func (s *shard[M]) fail(err error) {
	if s.leave(answerTo(err)) {
		s.failed(s, err)
	}
}

// leave ends the machine: whoever waits is answered with cause. It reports whether this
// call ended it.
func (s *shard[M]) leave(cause error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == gone {
		return false
	}
	s.status, s.cause = gone, cause
	close(s.over)
	return true
}

func (s *shard[M]) isLoading() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status == loading
}

// isLost reports whether only a new leadership, or luck, brings the machine back.
func (s *shard[M]) isLost() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status == gone || s.status == loading && s.astray
}

func (s *shard[M]) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.absence()
}

// absence is why commands cannot run; mu is held.
func (s *shard[M]) absence() error {
	switch {
	case s.status == loading && s.astray:
		return kerr.NotCoordinator
	case s.status == loading:
		return kerr.CoordinatorLoadInProgress
	}
	return s.cause
}

// answerTo is what clients are told whose command was lost with the machine.
func answerTo(err error) error {
	if lost(err) {
		return kerr.NotCoordinator
	}
	return kerr.CoordinatorNotAvailable
}

// lost reports whether err says that the log is not ours, for now or for good.
func lost(err error) bool {
	if refused(err) {
		return false
	}
	return errors.Is(err, kerr.NotLeaderForPartition) || errors.Is(err, kerr.FencedLeaderEpoch) ||
		errors.Is(err, kerr.KafkaStorageError) || errors.Is(err, kerr.UnknownTopicOrPartition)
}

// refused reports whether err says that the log took nothing, is whole, and may take
// other records or the same ones later: the disk is full, replicas are missing, the
// records are too large.
func refused(err error) bool {
	return errors.Is(err, vfs.ErrNoSpace) || errors.Is(err, kerr.NotEnoughReplicas) ||
		errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge)
}
