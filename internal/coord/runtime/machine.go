package runtime

import (
	"context"
	"time"

	"github.com/odradek/odradek/internal/base/clock"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/producers"
)

// Log is what the runtime wants of the partition that holds a machine's records.
type Log interface {
	// AppendRecords appends one batch under the leadership of epoch and returns the log
	// end after it. It orders and does not wait. Under another leadership it refuses.
	AppendRecords(b record.Batch, epoch int32) (end int64, err error)
	// AppendTxn is AppendRecords for records of a producer's open transaction, which the
	// log knows to be open or the guard says to be.
	AppendTxn(b record.Batch, epoch int32, g Guard) (end int64, err error)
	// AppendMarker is AppendRecords for the control batch that ends a transaction. It
	// returns the epoch of the leadership besides.
	AppendMarker(b record.Batch, epoch int32, txnVersion int16) (end int64, leaderEpoch int32, err error)
	// Wait returns nil once everything below end is committed, and an error when ctx or
	// the leadership of epoch ends before.
	Wait(ctx context.Context, end int64, epoch int32) error
	// ReadLog returns whole batches from the one that holds offset from, or from the log
	// start if that is later, and where to go on; none when from is the log end. They may
	// not be committed yet: what a leader has in its log will be. One batch is returned
	// however large.
	ReadLog(from int64, maxBytes int) (batches []byte, next int64, err error)
}

// Guard is what the partition gave before its transaction was verified (BeginTxn).
type Guard = producers.Guard

// Machine is the state of one partition: what its log says (hard), and what only this
// leader knows, such as who waits and when (soft). Hard state changes in Replay alone.
// Soft state may change while a command runs, because a command whose records cannot be
// appended costs the whole machine: it is thrown away and loaded again.
//
// The methods are called one at a time.
type Machine interface {
	// Replay takes the next entry of the log. An error says that the log holds what this
	// version cannot read.
	Replay(e Entry) error
	// Loaded is called once, when the whole log has been replayed.
	Loaded(t *Turn)
	// Fire is called when an armed timer is due; the timer is gone by then.
	Fire(t *Turn, key any)
}

// Entry is one record of the log, or one control record, with what its batch says of
// it. Key and Value are valid during Replay; nil is null.
type Entry struct {
	Offset        int64
	Timestamp     int64
	ProducerID    int64 // record.NoProducerID if none
	ProducerEpoch int16
	Transactional bool
	Control       bool
	Key, Value    []byte
}

// Record is what a command writes. A nil Value is a tombstone.
type Record struct{ Key, Value []byte }

// Turn is what a command may do besides reading the machine: know the time, write
// records, give answers and set timers. It is valid until the command returns.
type Turn struct {
	// Now is the time of the command.
	Now time.Time
	// MaxBytes is the size that one record must stay below to fit the log.
	MaxBytes int

	records []Record
	txn     *transactional // of the last command, which is not among records
	bytes   int
	answers []given
	timers  *timers
	clock   clock.Clock
}

// Millis is the time of the command as the wall clock shows it: what is told and kept.
// Timers go by Now.
func (t *Turn) Millis() int64 { return t.clock.Millis(t.Now) }

// Write adds a record to what the command appends. It is replayed after it has been
// appended, which is after the command has returned.
func (t *Turn) Write(r Record) {
	t.records = append(t.records, r)
	t.bytes += len(r.Key) + len(r.Value) + recordOverhead
}

// Arm sets the timer key, comparable, to fire at or after at; it replaces one of the
// same key.
func (t *Turn) Arm(key any, at time.Time) { t.timers.arm(key, at) }

// Disarm drops a timer, if it is set.
func (t *Turn) Disarm(key any) { t.timers.disarm(key) }

// Armed reports whether a timer is set.
func (t *Turn) Armed(key any) bool { return t.timers.byKey[key] != nil }

// run runs a command and notes which answers rest on records of its own.
func (t *Turn) run(command func()) {
	records, answers := len(t.records), len(t.answers)
	command()
	wrote := len(t.records) > records
	if wrote && t.txn != nil {
		panic("bug: a command writes for a producer and for itself")
	}
	for i := range t.answers[answers:] {
		t.answers[answers+i].wrote = wrote || t.txn != nil
	}
}

// given is an answer that waits for the records of its turn to be appended.
type given struct {
	settler
	wrote bool // its command wrote records
}

// settler is a Deferred of any type.
type settler interface{ settle(end int64, err error) }

// Deferred is an answer that a command gives at once or that a later one gives.
type Deferred[T any] struct {
	value T
	err   error
	given bool
	end   int64         // what the answer saw ends here
	done  chan struct{} // closed when value, err and end stand
}

// Give answers. The answer leaves once what this turn saw and wrote is committed. An
// answer is given once.
func (d *Deferred[T]) Give(t *Turn, value T, err error) {
	if d.given {
		panic("bug: an answer was given twice")
	}
	d.value, d.err, d.given = value, err, true
	t.answers = append(t.answers, given{settler: d})
}

// settle lets the answer go; err is why its command's records were not appended.
func (d *Deferred[T]) settle(end int64, err error) {
	d.end = end
	if err != nil {
		var none T
		d.value, d.err = none, err
	}
	close(d.done)
}

// NewTurn returns a turn for a machine that is run without a runtime, in tests and in
// tools that read a log.
func NewTurn(now time.Time) *Turn {
	return &Turn{Now: now, MaxBytes: defaultMaxBytes, timers: newTimers()}
}

// Written returns the records that the command wrote.
func (t *Turn) Written() []Record {
	if t.txn != nil {
		return t.txn.records
	}
	return t.records
}
