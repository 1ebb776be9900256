package delivery

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/coord/share"
)

// A history is some hundreds of random actions of members, of time, of the log and of the
// coordinator that stores, on one share partition; and beside it a model that knows every
// record by itself. What must hold:
//
//	no member gets what another has, and nobody what is done with
//	nothing is delivered more often than may be since a leader began
//	the start never falls, and everything below it is done with
//	what was acknowledged and answered never comes again, whoever leads
//	in the end every record is done with: none is lost, none is stuck
type history struct {
	*testing.T
	rng   *rand.Rand
	now   time.Time
	rules rules
	state *state
	log   []bounds
	end   int64

	records map[int64]*modelled
	start   int64 // the greatest seen
	stored  stored
	wrote   *write
	waiting []answer // acknowledgements that a write will answer, by its ticket
	queued  []answer
	trace   []string
}

// modelled is what is true of a record.
type modelled struct {
	member     string
	until      time.Time
	acked      bool // by its member; not yet answered
	done       bool // answered as accepted, rejected or a gap: it never comes again
	spent      bool // given up, which a leader may not live to store
	deliveries int  // since this leader began, and what was stored before
}

type answer struct {
	offset int64
	kind   int8
}

// stored is what the coordinator has.
type stored struct {
	start int64
	of    map[int64]share.StateBatch // of one record each
}

func TestHistories(t *testing.T) {
	for seed := range uint64(250) {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { runHistory(t, seed) }) {
			return
		}
	}
}

func runHistory(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 77))
	h := &history{T: t, rng: rng, now: time.Unix(1000, 0), records: map[int64]*modelled{},
		rules:  rules{maxDeliveries: 2 + rng.IntN(6), maxInFlight: 10 + rng.IntN(60), lock: 10 * time.Second, deadLetters: rng.IntN(2) == 0},
		stored: stored{of: map[int64]share.StateBatch{}}}
	h.lead()
	for range 300 {
		h.step()
		h.check()
	}
	h.drain()
}

func (h *history) tell(format string, args ...any) {
	h.trace = append(h.trace, fmt.Sprintf(format, args...))
}

func (h *history) fail(format string, args ...any) {
	h.Helper()
	for _, line := range h.trace[max(0, len(h.trace)-60):] {
		h.Log(line)
	}
	h.Fatalf("%s\n%v", fmt.Sprintf(format, args...), h.state)
}

// lead begins anew with what is stored. What was not answered may have been lost.
func (h *history) lead() {
	p := share.PartitionState{Start: h.stored.start}
	var offsets []int64
	for o := range h.stored.of {
		offsets = append(offsets, o)
	}
	slices.Sort(offsets)
	for _, o := range offsets {
		b := h.stored.of[o]
		if n := len(p.Batches); n > 0 && h.rng.IntN(3) > 0 {
			if last := &p.Batches[n-1]; last.Last+1 == o && last.State == b.State && last.Deliveries == b.Deliveries {
				last.Last = o
				continue
			}
		}
		p.Batches = append(p.Batches, b)
	}
	var err error
	if h.state, err = newState(p); err != nil {
		h.fail("%v", err)
	}
	h.start, h.wrote, h.waiting, h.queued = h.state.start, nil, nil, nil
	for o, r := range h.records {
		b, known := h.stored.of[o]
		r.member, r.acked, r.deliveries = "", false, int(b.Deliveries)
		r.spent = known && b.State != available || o < h.stored.start
	}
	h.tell("leads from %v", h.state)
}

func (h *history) step() {
	members := []string{"a", "b", "c"}
	member := members[h.rng.IntN(len(members))]
	switch n := h.rng.IntN(100); {
	case n < 15:
		h.append()
	case n < 45:
		h.acquire(member)
	case n < 70:
		h.acknowledge(member)
	case n < 85:
		h.write(h.rng.IntN(10) > 0)
	case n < 92:
		h.pass(time.Duration(h.rng.IntN(6)) * time.Second)
	case n < 94:
		h.leave(member)
	case n < 96:
		h.bury()
	case n < 97:
		h.cut()
	case n < 99:
		h.compact()
	default:
		h.lead()
	}
}

func (h *history) append() {
	b := bounds{base: h.end, last: h.end + int64(h.rng.IntN(8)), hidden: h.rng.IntN(6) == 0}
	h.log, h.end = append(h.log, b), b.last+1
	for o := b.base; o <= b.last; o++ {
		h.records[o] = &modelled{done: b.hidden}
	}
	h.tell("append %v", b)
}

func (h *history) acquire(member string) {
	if !h.state.ready(h.rules) {
		return
	}
	from := h.state.wanted()
	var read []bounds
	most := 1 + h.rng.IntN(6)
	for _, b := range h.log {
		if b.last >= from && len(read) < most {
			read = append(read, b)
		}
	}
	ask := Ask{Member: member, RecordLimit: h.rng.IntN(2) == 0, BatchSize: 1 + h.rng.IntN(10), MaxRecords: 1 + h.rng.IntN(12)}
	got := h.state.acquire(ask, from, read, h.rules, h.now)
	h.tell("%s takes %+v from %d of %v: %v", member, ask, from, read, got)
	total := int64(0)
	for _, g := range got {
		total += g.Last - g.First + 1
		for o := g.First; o <= g.Last; o++ {
			r := h.records[o]
			if r == nil {
				continue // taken by compaction, or never there
			}
			switch {
			case o < h.start:
				h.fail("%d is delivered, below the start %d", o, h.start)
			case r.member != "" && r.until.After(h.now):
				h.fail("%d is delivered to %s and %s", o, r.member, member)
			case r.done || r.spent:
				h.fail("%d is delivered again", o)
			}
			if r.deliveries++; r.deliveries > h.rules.maxDeliveries {
				h.fail("%d is delivered %d times", o, r.deliveries)
			}
			if int(g.Deliveries) != r.deliveries {
				h.fail("%d is delivered for the %d. time, it is said to be the %d.", o, r.deliveries, g.Deliveries)
			}
			r.member, r.until, r.acked = member, h.now.Add(h.rules.lock), false
		}
	}
	if ask.RecordLimit && total > int64(ask.MaxRecords) {
		h.fail("%d records in place of %d", total, ask.MaxRecords)
	}
}

// acknowledge acknowledges some of what a member believes to have, and now and then more.
func (h *history) acknowledge(member string) {
	var have []int64
	for o, r := range h.records {
		if r.member == member && !r.acked && r.until.After(h.now) && o >= h.state.start {
			have = append(have, o)
		}
	}
	slices.Sort(have)
	if len(have) == 0 {
		return
	}
	have = have[h.rng.IntN(len(have)):]
	n := 1
	for n < len(have) && have[n] == have[0]+int64(n) && h.rng.IntN(8) > 0 {
		n++
	}
	a := Ack{First: have[0], Last: have[0] + int64(n-1)}
	kinds := []int8{Accept, Accept, Accept, Release, Reject, Gap, Renew}
	a.Types = []int8{kinds[h.rng.IntN(len(kinds))]}
	if h.rng.IntN(3) == 0 {
		a.Types = nil
		for range n {
			a.Types = append(a.Types, kinds[h.rng.IntN(len(kinds))])
		}
	}
	if err := Check([]Ack{a}, Renew); err != nil {
		h.fail("%v: %v", a, err)
	}
	_, err := h.state.acknowledge(member, []Ack{a}, h.rules, h.now)
	h.tell("%s acks %v: %v", member, a, err)
	if err != nil {
		h.fail("%s acknowledges %v, which it has: %v", member, a, err)
	}
	for i := range n {
		kind := a.Types[min(i, len(a.Types)-1)]
		r := h.records[a.First+int64(i)]
		if kind == Renew {
			r.until = h.now.Add(h.rules.lock)
			continue
		}
		r.acked = true
		h.queued = append(h.queued, answer{a.First + int64(i), kind})
	}
}

// write begins a write or ends the one that is under way, which may be stored and
// reported to have failed.
func (h *history) write(ok bool) {
	if h.wrote == nil {
		h.state.restate = h.state.stale() && h.rng.IntN(2) == 0
		w, some := h.state.prepare()
		if !some {
			return
		}
		h.tell("write %+v", w)
		h.wrote, h.waiting, h.queued = &w, h.queued, nil
		return
	}
	stored := ok || h.rng.IntN(2) == 0
	h.tell("written %v, reported %v", stored, ok)
	if stored {
		h.store(h.wrote)
	}
	wrote := *h.wrote
	h.wrote = nil
	if !ok {
		h.state.failed(wrote.ticket, h.rules, h.now)
		for _, a := range h.waiting {
			r := h.records[a.offset]
			if r.acked = false; !r.until.After(h.now) {
				h.expire(r)
			} // else it is its member's still
		}
		return
	}
	h.state.written(wrote)
	for _, a := range h.waiting {
		r := h.records[a.offset]
		r.member, r.acked = "", false
		switch {
		case a.kind != Release:
			r.done = true
		case r.deliveries >= h.rules.maxDeliveries:
			r.done = true
		}
	}
}

// store is the coordinator: it takes what it is told, but from the same delivery or a later
// one, and nothing below the start.
func (h *history) store(w *write) {
	if w.start < h.stored.start {
		h.fail("the stored start falls from %d to %d", h.stored.start, w.start)
	}
	h.stored.start = w.start
	for _, b := range w.batches {
		for o := b.First; o <= b.Last; o++ {
			was, known := h.stored.of[o]
			if known && (was.Deliveries > b.Deliveries || was.Deliveries == b.Deliveries && was.State > b.State) {
				continue
			}
			h.stored.of[o] = share.StateBatch{First: o, Last: o, State: b.State, Deliveries: b.Deliveries}
		}
	}
	for o := range h.stored.of {
		if o < w.start {
			delete(h.stored.of, o)
		}
	}
}

func (h *history) pass(d time.Duration) {
	h.now = h.now.Add(d)
	h.tell("after %v", d)
	h.state.expire(h.rules, h.now)
	for _, r := range h.records {
		if r.member != "" && !r.acked && !r.until.After(h.now) {
			h.expire(r)
		}
	}
}

// expire is the end of a lock in the model.
func (h *history) expire(r *modelled) {
	r.member = ""
	r.spent = r.deliveries >= h.rules.maxDeliveries
}

func (h *history) leave(member string) {
	h.tell("%s leaves", member)
	h.state.release(member, h.rules)
	for o, r := range h.records {
		if r.member == member && !r.acked && r.until.After(h.now) && o >= h.state.start {
			r.acked = true
			h.queued = append(h.queued, answer{o, Release})
		}
	}
}

func (h *history) bury() {
	for _, l := range h.state.letters() {
		h.tell("buries %v", l)
		h.state.buried(l.first, l.last)
	}
}

// cut moves the log start; what it takes is done with.
func (h *history) cut() {
	at := h.state.start + int64(h.rng.IntN(6))
	if at > h.end {
		return
	}
	h.tell("log starts at %d", at)
	h.state.logStarts(at)
	for o := range h.records {
		if o < at {
			delete(h.records, o)
		}
	}
	h.log = slices.DeleteFunc(h.log, func(b bounds) bool { return b.last < at })
}

// compact takes a batch out of the middle of the log.
func (h *history) compact() {
	if len(h.log) < 3 {
		return
	}
	i := h.rng.IntN(len(h.log) - 1)
	b := h.log[i]
	h.tell("compacts %v", b)
	h.log = slices.Delete(h.log, i, i+1)
	for o := b.base; o <= b.last; o++ {
		delete(h.records, o)
	}
	// Their acknowledgements mean nothing any more.
	gone := func(a answer) bool { return a.offset >= b.base && a.offset <= b.last }
	h.waiting, h.queued = slices.DeleteFunc(h.waiting, gone), slices.DeleteFunc(h.queued, gone)
}

func (h *history) check() {
	if err := h.state.sound(); err != nil {
		h.fail("%v", err)
	}
	if h.state.start < h.start {
		h.fail("the start falls from %d to %d", h.start, h.state.start)
	}
	h.start = h.state.start
	for o, r := range h.records {
		if o < h.start && !r.done && !r.spent {
			h.fail("%d is below the start and not done with: %+v", o, r)
		}
	}
	gone := func(a answer) bool { return h.records[a.offset] == nil }
	h.waiting, h.queued = slices.DeleteFunc(h.waiting, gone), slices.DeleteFunc(h.queued, gone)
	if n := len(h.state.batches); n > 0 {
		for _, b := range h.state.batches {
			if len(b.runs) > int(b.last-b.first+1) {
				h.fail("batch %d-%d has %d runs", b.first, b.last, len(b.runs))
			}
		}
	}
}

// drain lets one member accept all that there is.
func (h *history) drain() {
	for range 2000 {
		if h.state.start >= h.end || len(h.log) == 0 || h.state.start > h.log[len(h.log)-1].last {
			break
		}
		h.acquire("z")
		for h.had("z") {
			h.acceptAll("z")
		}
		h.write(true)
		h.write(true)
		h.bury()
		h.pass(11 * time.Second)
		h.check()
	}
	for o, r := range h.records {
		if !r.done && !r.spent || o >= h.state.start {
			h.fail("%d is left over: %+v", o, r)
		}
	}
}

func (h *history) had(member string) bool {
	for o, r := range h.records {
		if r.member == member && !r.acked && o >= h.state.start {
			return true
		}
	}
	return false
}

func (h *history) acceptAll(member string) {
	for o, r := range h.records {
		if r.member == member && !r.acked && o >= h.state.start {
			if _, err := h.state.acknowledge(member, []Ack{{o, o, []int8{Accept}}}, h.rules, h.now); err != nil {
				h.fail("%s acknowledges %d: %v", member, o, err)
			}
			r.acked = true
			h.queued = append(h.queued, answer{o, Accept})
		}
	}
}
