package broker_test

import (
	"fmt"
	"slices"

	"github.com/odradek/odradek/internal/proto/record"
)

// plog is what a partition must hold: a record or a marker at each offset, from start on.
type plog struct {
	recs  []entry
	start int64
}

// entry is what stands at an offset.
type entry struct {
	value  string
	txn    *transaction // it was written in, nil for none
	marker bool
}

// transaction is one run of a transactional producer, from its first record to its end.
type transaction struct {
	state   int8 // open, committed or aborted
	parts   []string
	offsets map[string]map[string]pending // of groups, by partition, that the end decides on
}

// pending is an offset that was committed in a transaction, as the commit number when.
type pending struct {
	offset int64
	when   int
}

const (
	open int8 = iota
	committed
	aborted
)

func (l *plog) end() int64 { return int64(len(l.recs)) }

// stable is the last stable offset: nothing before it is undecided.
func (l *plog) stable() int64 {
	for at := l.start; at < l.end(); at++ {
		if e := &l.recs[at]; e.txn != nil && !e.marker && e.txn.state == open {
			return at
		}
	}
	return l.end()
}

// seen is what a reader sees from an offset on.
func (l *plog) seen(from int64, readCommitted bool) (values []string) {
	to := l.end()
	if readCommitted {
		to = l.stable()
	}
	for at := from; at < to; at++ {
		e := &l.recs[at]
		if !e.marker && !(readCommitted && e.txn != nil && e.txn.state == aborted) {
			values = append(values, fmt.Sprint(at, "=", e.value))
		}
	}
	return values
}

func (l *plog) append(t *transaction, values ...string) (base int64) {
	base = l.end()
	for _, v := range values {
		l.recs = append(l.recs, entry{value: v, txn: t})
	}
	return base
}

// writer is a producer with an id: what it wrote last in each partition may be sent again.
type writer struct {
	name  string // transactional id, "" for none
	v2    bool   // transactions version 2: nothing is announced, each end gives a new epoch
	pid   int64
	epoch int16
	next  map[string]int32
	last  map[string]sent
	txn   *transaction // that is open
}

// sent is a batch that was acknowledged.
type sent struct {
	seq    int32
	base   int64
	values []string
}

func (w *writer) renew(pid int64, epoch int16) {
	w.pid, w.epoch, w.next, w.last = pid, epoch, map[string]int32{}, map[string]sent{}
}

// writes tells whether a partition is in the open transaction, if the writer needs one.
func (w *writer) writes(part string) bool {
	return w.name == "" || w.txn != nil && slices.Contains(w.txn.parts, part)
}

// begin opens a transaction if none is open, and takes note of a partition.
func (w *writer) begin(part string) *transaction {
	if w.txn == nil {
		w.txn = &transaction{offsets: map[string]map[string]pending{}}
	}
	if part != "" && !slices.Contains(w.txn.parts, part) {
		w.txn.parts = append(w.txn.parts, part)
	}
	return w.txn
}

// decided ends the open transaction: a marker in each of its partitions, offsets in groups.
func (m *model) decided(w *writer, state int8) {
	for _, part := range w.txn.parts {
		l := m.logs[part]
		l.recs = append(l.recs, entry{txn: w.txn, marker: true})
	}
	if w.txn.state = state; state == committed {
		for group, offsets := range w.txn.offsets {
			for part, p := range offsets {
				if p.when > m.when[group+part] { // what was committed since stays
					m.commit(group, part, p.offset, p.when)
				}
			}
		}
	}
	w.txn = nil
}

// model is what must hold of a node after a sequence of requests.
type model struct {
	logs    map[string]*plog // by NAME-NUMBER
	topics  map[string]int32 // partitions, of those that come and go
	groups  map[string]map[string]int64
	order   int               // of commits, so far
	when    map[string]int    // the last commit of a group in a partition was
	configs map[string]string // retention.ms, by topic
	writers []*writer
	pids    map[int64]bool
}

// commit commits an offset of a group. What counts is when that was asked for: of two
// transactions the one that asked last has the last word, whichever ends last.
func (m *model) commit(group, part string, offset int64, when int) {
	if m.groups[group] == nil {
		m.groups[group] = map[string]int64{}
	}
	m.groups[group][part], m.when[group+part] = offset, when
}

// undecided tells whether an open transaction may change a group's offset.
func (m *model) undecided(group, part string) bool {
	for _, w := range m.writers {
		if w.txn != nil {
			if _, ok := w.txn.offsets[group][part]; ok {
				return true
			}
		}
	}
	return false
}

// build makes the batch of a writer, nil for none.
func build(w *writer, seq int32, values []string) []byte {
	cfg := record.BuilderConfig{ProducerID: -1}
	if w != nil {
		cfg = record.BuilderConfig{ProducerID: w.pid, ProducerEpoch: w.epoch, BaseSequence: seq, Idempotent: true, Transactional: w.name != ""}
	}
	b := record.NewBuilder(cfg)
	for i, v := range values {
		b.Append(record.Record{Offset: int64(i), Timestamp: 1, Value: []byte(v)})
	}
	batch, err := b.Build()
	if err != nil {
		panic("bug: " + err.Error())
	}
	return batch
}
