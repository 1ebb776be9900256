package txn

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
)

// machine is the state of one partition of __transaction_state: its transactional ids.
//
//   - An id has one producer, and one transaction at most is open.
//   - The epochs of a producer id only grow; an epoch that a client had is never given to
//     another.
//   - A transaction that is prepared ends as it was prepared, and nothing of its id moves
//     until every partition has acknowledged its marker.
//
// Ids change in Replay alone. Which markers are on their way is known to this leadership
// only; whoever comes next sends them all again. Commands are independent of each other,
// so that those of different ids share an append and one that the log refuses does not
// cost the machine: an id that a command of the same turn has changed answers
// CONCURRENT_TRANSACTIONS to the next.
type machine struct {
	settings func() Settings
	level    func() int16 // transaction.version
	notify   func()       // chores are due
	log      *slog.Logger
	serial   uint64 // tells this machine from those before it

	txns   map[string]*txn
	open   map[*txn]time.Time // ongoing, and since when, whatever the hour was: see overdue
	outbox []*txn             // prepared, and nobody has taken the markers yet
	marked map[*txn]struct{}  // prepared, every marker acknowledged
	due    chore
	// born are the ids that turn has written and the log does not have yet.
	born    map[string]*txn
	turn    *runtime.Turn
	live    bool // everything has been replayed
	skipped bool // the log holds records of a type that is not known
}

// txn is a transactional id.
type txn struct {
	id string
	value
	soft *soft // nil while nothing is under way
}

// soft is what the log does not say of an id.
type soft struct {
	// turn has written steps, which are to be replayed. If they are not, the log refused them.
	turn  *runtime.Turn
	steps []value
	// claimed: whoever asked for the end takes the markers along.
	claimed bool
	// unmarked are the partitions of a prepared transaction that have not acknowledged.
	unmarked []model.TopicPartition
	// waiting are wishes to begin the next transaction.
	waiting []held
}

// chore is a set of things that a machine does of its own accord.
type chore uint8

const (
	sweep  chore = 1 << iota // abort transactions that took too long
	expiry                   // forget ids that nobody used
	finish                   // write again what the log refused
)

func newMachine(settings func() Settings, level func() int16, serial uint64, notify func(), log *slog.Logger) *machine {
	return &machine{
		settings: settings, level: level, serial: serial, notify: notify, log: log,
		txns: map[string]*txn{}, open: map[*txn]time.Time{}, marked: map[*txn]struct{}{},
	}
}

// Replay takes the next record of the log.
func (m *machine) Replay(e runtime.Entry) error {
	if e.Control {
		return nil
	}
	kind, id, err := parseKey(e.Key)
	if err != nil {
		return err
	}
	if kind != keyTxn {
		if !m.skipped {
			m.skipped = true
			m.log.Warn("records of an unknown type are left alone", "type", kind, "offset", e.Offset)
		}
		return nil
	}
	x := m.txns[id]
	if e.Value == nil {
		if x != nil {
			m.forget(x)
		}
		return nil
	}
	v, err := parseValue(e.Value)
	if err != nil {
		return fmt.Errorf("transactional id %q: %w", id, err)
	}
	if x == nil {
		if x = m.born[id]; x == nil {
			x = &txn{id: id}
		}
		delete(m.born, id)
		m.txns[id] = x
	}
	m.become(x, v)
	return nil
}

func (m *machine) forget(x *txn) {
	delete(m.txns, x.id)
	delete(m.open, x)
	delete(m.marked, x)
}

// become makes a value true.
func (m *machine) become(x *txn, v value) {
	claimed := false
	since, known := m.open[x]
	var left *soft
	if s := x.soft; s != nil && len(s.steps) > 0 && s.steps[0].is(&v) {
		v, claimed = s.steps[0], s.claimed // version 0 does not say all of it
		if !known {
			since = s.turn.Now
		}
		if rest := s.steps[1:]; len(rest) > 0 {
			left = &soft{turn: s.turn, steps: rest}
		}
	}
	x.value, x.soft = v, left
	delete(m.open, x)
	delete(m.marked, x)
	switch {
	case v.phase == ongoing:
		m.open[x] = since
	case v.phase.prepared():
		x.soft = &soft{unmarked: v.partitions}
		if m.live && !claimed {
			m.outbox = append(m.outbox, x)
		}
	}
}

// is reports whether two values are the same step of a producer.
func (v *value) is(w *value) bool {
	return v.producerID == w.producerID && v.epoch == w.epoch && v.phase == w.phase
}

// Loaded has the prepared transactions completed and begins to look for old ones.
func (m *machine) Loaded(t *runtime.Turn) {
	m.live = true
	for x := range m.open {
		m.open[x] = t.Now.Add(-max(0, time.Duration(t.Millis()-x.started)*time.Millisecond))
	}
	for _, id := range slices.Sorted(maps.Keys(m.txns)) {
		if x := m.txns[id]; x.phase.prepared() {
			m.outbox = append(m.outbox, x)
		}
	}
	t.Arm(sweep, t.Now.Add(m.settings().AbortInterval))
	t.Arm(expiry, t.Now.Add(m.settings().ExpiryInterval))
	if len(m.outbox) > 0 {
		m.notify()
	}
}

// Fire only says what is due: what the log refuses of a timer would cost the machine.
func (m *machine) Fire(t *runtime.Turn, key any) {
	c := key.(chore)
	some := len(m.outbox) > 0
	switch c {
	case sweep:
		some = some || len(m.open) > 0
		t.Arm(sweep, t.Now.Add(m.settings().AbortInterval))
	case expiry:
		some = some || len(m.txns) > 0
		t.Arm(expiry, t.Now.Add(m.settings().ExpiryInterval))
	case finish:
		some = some || len(m.marked) > 0
	}
	if some {
		m.due |= c
		m.notify()
	}
}

// write makes v the next value of an id, once it is appended. A turn may take two steps: it
// completes a transaction and begins the next.
func (m *machine) write(t *runtime.Turn, x *txn, v value, claimed bool) {
	s := &soft{turn: t, claimed: claimed}
	if x.soft != nil {
		s.unmarked, s.waiting = x.soft.unmarked, x.soft.waiting
		if x.busy(t) {
			s.steps = x.soft.steps
		}
	}
	s.steps = append(s.steps, v)
	x.soft = s
	t.Write(runtime.Record{Key: appendKey(nil, x.id), Value: v.append(nil, min(max(m.level(), 0), maxValueVersion))})
}

// bear returns an id that the log does not have, for its first record to be written.
func (m *machine) bear(t *runtime.Turn, id string) *txn {
	if m.turn != t || m.born == nil {
		m.turn, m.born = t, map[string]*txn{}
	}
	x := &txn{id: id, value: value{producerID: noProducer, prevID: noProducer, nextID: noProducer, epoch: noEpoch, lastEpoch: noEpoch}}
	m.born[id] = x
	return x
}

// unborn reports whether this turn has written the first record of an id.
func (m *machine) unborn(t *runtime.Turn, id string) bool { return m.turn == t && m.born[id] != nil }

// busy reports whether a command of this turn has changed the id, so that nobody knows
// yet what it is.
func (x *txn) busy(t *runtime.Turn) bool { return x.soft != nil && x.soft.turn == t }

func millis(d time.Duration) int64 { return d.Milliseconds() }

func compare(a, b model.TopicPartition) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// union is a, which is sorted, with b, sorted and without doubles.
func union(a, b []model.TopicPartition) []model.TopicPartition {
	if len(b) == 0 {
		return a
	}
	all := slices.Concat(a, b)
	slices.SortFunc(all, compare)
	return slices.Compact(all)
}

// contains reports whether a sorted list has all of b.
func contains(a, b []model.TopicPartition) bool {
	return !slices.ContainsFunc(b, func(tp model.TopicPartition) bool {
		_, found := slices.BinarySearchFunc(a, tp, compare)
		return !found
	})
}
