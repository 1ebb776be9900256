package txn

import (
	"maps"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
)

// job is the markers of a transaction, all of them or some.
type job struct {
	serial     uint64 // of the machine that wants them
	id         string
	producerID int64
	epoch      int16
	commit     bool
	version    int8
	partitions []model.TopicPartition
}

func newJob(x *txn, v *value) *job {
	return &job{id: x.id, producerID: v.producerID, epoch: v.epoch, commit: v.phase == prepareCommit, version: v.version, partitions: v.partitions}
}

// attend does what is due and takes the markers that nobody has taken. again: it has
// prepared ends, whose markers can be taken when they are replayed.
func (m *machine) attend(t *runtime.Turn) (taken []*job, again bool) {
	due := m.due
	m.due = 0
	if due&sweep != 0 {
		again = m.abortOverdue(t)
	}
	if due&expiry != 0 {
		m.forgetUnused(t)
	}
	if due&finish != 0 && len(m.marked) > 0 {
		t.Arm(finish, t.Now.Add(completeBackoff))
		for _, x := range sorted(m.marked) {
			m.complete(t, x)
		}
	}
	for _, x := range m.outbox {
		if x.phase.prepared() {
			j := newJob(x, &x.value)
			j.serial = m.serial
			taken = append(taken, j)
		}
	}
	m.outbox = nil
	return taken, again
}

func sorted[T any](set map[*txn]T) []*txn {
	return slices.SortedFunc(maps.Keys(set), func(a, b *txn) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
}

// abortOverdue aborts the transactions whose time is over.
func (m *machine) abortOverdue(t *runtime.Turn) (any bool) {
	for _, x := range sorted(m.open) {
		if x.busy(t) || !m.overdue(t, x) {
			continue
		}
		m.log.Info("transaction took too long and is aborted", "id", x.id, "producer", x.producerID, "epoch", x.epoch)
		m.abort(t, x, false)
		any = true
	}
	return any
}

// overdue reports whether a transaction is open for longer than its producer asked for. It
// goes by the time that has passed here, not by the hour, which may be set wrong: a
// transaction that began when it was late must not hold readers back until it is as late
// again. Of one that began under another coordinator the log has the hour alone, and that is
// believed, unless it is still to come: see Loaded.
func (m *machine) overdue(t *runtime.Turn, x *txn) bool {
	return x.timeoutMillis != noTimeout && t.Now.Sub(m.open[x]) > time.Duration(x.timeoutMillis)*time.Millisecond
}

// forgetUnused writes tombstones for ids that nobody has used for long.
func (m *machine) forgetUnused(t *runtime.Turn) {
	last := t.Millis() - millis(m.settings().IDExpiration)
	for _, id := range slices.Sorted(maps.Keys(m.txns)) {
		if x := m.txns[id]; x.phase.settled() && x.updated <= last && !x.busy(t) {
			x.soft = &soft{turn: t} // busy: what comes in the same turn finds the id gone
			t.Write(runtime.Record{Key: appendKey(nil, id)})
		}
	}
}

// restore gives markers back that were taken and not sent.
func (m *machine) restore(taken []*job) {
	for _, j := range taken {
		if x := m.wanted(j); x != nil && !slices.Contains(m.outbox, x) {
			m.outbox = append(m.outbox, x)
		}
	}
}

// wanted is the id whose markers a job has, nil if this machine does not wait for them.
func (m *machine) wanted(j *job) *txn {
	x := m.txns[j.id]
	if m.serial != j.serial || x == nil || !x.phase.prepared() || x.producerID != j.producerID || x.epoch != j.epoch {
		return nil
	}
	return x
}

// acknowledge notes markers that have been written, and completes transactions that have
// them all.
func (m *machine) acknowledge(t *runtime.Turn, acks []*job) {
	for _, j := range acks {
		x := m.wanted(j)
		if x == nil {
			continue
		}
		x.soft.unmarked = without(x.soft.unmarked, j.partitions)
		if len(x.soft.unmarked) == 0 && !x.busy(t) {
			m.complete(t, x)
		}
	}
}

// without is a sorted list without some.
func without(all, some []model.TopicPartition) []model.TopicPartition {
	if len(some) >= len(all) && contains(some, all) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(all), func(tp model.TopicPartition) bool { return contains(some, []model.TopicPartition{tp}) })
}

// complete takes the last step. If the log refuses it, it is tried again.
func (m *machine) complete(t *runtime.Turn, x *txn) {
	if len(m.marked) == 0 {
		t.Arm(finish, t.Now.Add(completeBackoff))
	}
	m.marked[x] = struct{}{}
	waiting := x.soft.waiting
	x.soft.waiting = nil
	done := x.value.complete(t.Millis())
	m.write(t, x, done, false)
	m.release(t, x, done, waiting)
}

const completeBackoff = time.Second
