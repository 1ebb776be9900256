package delivery

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/coord/share"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A script is the life of one share partition, a line an action:
//
//	stored 5: 5-9 acked, 12-14 free×2    what a leader before this one has left
//	log 0-4 5-9 10!                      the record batches there are; ! is not for members
//	a takes 10 -> 0-4×1 5-9×1            at most ten records, and what it gets
//	a takes 3 exactly -> 0-2×1           in the mode in which the limit binds
//	a takes 9 by 5 -> …                  in batches of about five
//	a takes 9 of 2 -> …                  only two record batches are read
//	a acks 0-4 accept -> ok              or gap, release, reject, renew, or all of them: a,r,j
//	a leaves                             its session ends
//	after 30s                            time passes
//	logstart 7                           retention or DeleteRecords
//	store | fail                         a write, and what becomes of it
//	bury 0-4                             the dead letter queue has them
//	letters -> 0-4×5                     what it is to have
//	is -> 5|10: 5-9 a×1                  start, next and what lies between
type table struct {
	t     *testing.T
	line  string
	now   time.Time
	log   []bounds
	state *state
	rules rules
	wrote *write
}

func script(t *testing.T, r rules, lines string) {
	t.Helper()
	tb := &table{t: t, now: time.Unix(1000, 0), rules: r}
	tb.stored("0:")
	for line := range strings.Lines(lines) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		if tb.line = strings.TrimSpace(line); tb.line != "" {
			tb.do()
			tb.check()
		}
	}
}

var usual = rules{maxDeliveries: 5, maxInFlight: 2000, lock: 30 * time.Second}

func (tb *table) do() {
	tb.t.Helper()
	what, want, asks := strings.Cut(tb.line, " -> ")
	w := strings.Fields(what)
	got := ""
	switch {
	case w[0] == "stored":
		tb.stored(strings.TrimPrefix(what, "stored "))
	case w[0] == "log":
		tb.log = nil
		for _, f := range w[1:] {
			first, last := span(strings.TrimSuffix(f, "!"))
			tb.log = append(tb.log, bounds{first, last, strings.HasSuffix(f, "!")})
		}
	case len(w) > 1 && w[1] == "takes":
		got = tb.takes(w[0], w[2:])
	case len(w) > 1 && w[1] == "acks":
		got = tb.acks(w[0], w[2:])
	case len(w) > 1 && w[1] == "leaves":
		tb.state.release(w[0], tb.rules)
	case w[0] == "after":
		d, err := time.ParseDuration(w[1])
		tb.fatal(err)
		tb.now = tb.now.Add(d)
		tb.state.expire(tb.rules, tb.now)
	case w[0] == "logstart":
		tb.state.logStarts(number(w[1]))
	case w[0] == "prepare":
		got = tb.prepare()
	case w[0] == "store":
		if tb.wrote == nil {
			got = tb.prepare()
		}
		if tb.wrote != nil {
			tb.state.written(*tb.wrote)
		}
		tb.wrote = nil
	case w[0] == "fail":
		if tb.wrote == nil {
			got = tb.prepare()
		}
		tb.state.failed(tb.wrote.ticket, tb.rules, tb.now)
		tb.wrote = nil
	case w[0] == "letters":
		var list []string
		for _, l := range tb.state.letters() {
			list = append(list, show(l.first, l.last)+"×"+strconv.Itoa(int(l.deliveries))+[]string{" exceeded", " rejected"}[l.why])
		}
		got = strings.Join(list, ", ")
	case w[0] == "bury":
		tb.state.buried(span(w[1]))
	case w[0] == "is":
		got = tb.state.String()
	default:
		tb.t.Fatalf("%s: unknown", tb.line)
	}
	if asks && got != strings.TrimSpace(want) {
		tb.t.Errorf("%s\n got %s", tb.line, got)
	}
}

// stored begins anew with what is stored.
func (tb *table) stored(text string) {
	start, rest, _ := strings.Cut(text, ":")
	p := share.PartitionState{Start: number(start)}
	for _, f := range strings.Split(rest, ",") {
		if f = strings.TrimSpace(f); f == "" {
			continue
		}
		where, how, _ := strings.Cut(f, " ")
		kind, n, counted := strings.Cut(how, "×")
		b := share.StateBatch{State: map[string]int8{"acked": acknowledged, "free": available, "archived": archived, "archiving": archiving}[kind], Deliveries: 1}
		if counted {
			b.Deliveries = int16(number(n))
		}
		b.First, b.Last = span(where)
		p.Batches = append(p.Batches, b)
	}
	var err error
	tb.state, err = newState(p)
	tb.fatal(err)
}

func (tb *table) takes(member string, w []string) string {
	ask := Ask{Member: member, MaxRecords: int(number(w[0])), BatchSize: 1000}
	most := len(tb.log)
	for i := 1; i < len(w); i++ {
		switch w[i] {
		case "exactly":
			ask.RecordLimit = true
		case "by":
			ask.BatchSize = int(number(w[i+1]))
		case "of":
			most = int(number(w[i+1]))
		}
	}
	if !tb.state.ready(tb.rules) {
		return "full"
	}
	from := tb.state.wanted()
	var read []bounds
	for _, b := range tb.log {
		if b.last >= from && len(read) < most {
			read = append(read, b)
		}
	}
	var list []string
	for _, g := range tb.state.acquire(ask, from, read, tb.rules, tb.now) {
		list = append(list, fmt.Sprintf("%s×%d", show(g.First, g.Last), g.Deliveries))
	}
	return strings.Join(list, " ")
}

func (tb *table) acks(member string, w []string) string {
	var acks []Ack
	for i := 0; i+1 < len(w); i += 2 {
		a := Ack{}
		a.First, a.Last = span(w[i])
		for _, k := range strings.Split(w[i+1], ",") {
			a.Types = append(a.Types, map[string]int8{"gap": Gap, "accept": Accept, "release": Release, "reject": Reject, "renew": Renew}[k])
		}
		acks = append(acks, a)
	}
	if err := Check(acks, Renew); err != nil {
		return "unchecked " + name(err)
	}
	if _, err := tb.state.acknowledge(member, acks, tb.rules, tb.now); err != nil {
		return name(err)
	}
	return "ok"
}

func (tb *table) prepare() string {
	w, ok := tb.state.prepare()
	if !ok {
		tb.wrote = nil
		return "nothing"
	}
	tb.wrote = &w
	list := []string{fmt.Sprintf("%d+%d:", w.start, w.completed)}
	for _, b := range w.batches {
		list = append(list, fmt.Sprintf("%s %s×%d", show(b.First, b.Last), word(b.State), b.Deliveries))
	}
	return strings.Join(list, " ")
}

func (tb *table) fatal(err error) {
	if err != nil {
		tb.t.Helper()
		tb.t.Fatalf("%s: %v", tb.line, err)
	}
}

// check holds the state to its invariants.
func (tb *table) check() {
	tb.t.Helper()
	if err := tb.state.sound(); err != nil {
		tb.t.Fatalf("after %s: %v\n%v", tb.line, err, tb.state)
	}
}

// sound is what is always true of a state.
func (s *state) sound() error {
	end, free, held := s.start, false, time.Time{}
	for i, b := range s.batches {
		if b.last >= s.next || b.first > b.last || len(b.runs) == 0 {
			return fmt.Errorf("batch %d-%d of %d runs below %d", b.first, b.last, len(b.runs), s.next)
		}
		if b.gap && (len(b.runs) != 1 || !b.runs[0].free() || b.runs[0].deliveries != 0) {
			return fmt.Errorf("gap %d-%d is touched", b.first, b.last)
		}
		if b.runs[len(b.runs)-1].last != b.last {
			return fmt.Errorf("batch %d-%d has no run at its end", b.first, b.last)
		}
		for j := range b.runs {
			r := &b.runs[j]
			if r.first < end || r.last < r.first || j > 0 && r.first != b.runs[j-1].last+1 {
				return fmt.Errorf("run %d-%d after %d", r.first, r.last, end)
			}
			if i == 0 && j == 0 && (r.first != s.start && !b.gap || settled(r)) {
				return fmt.Errorf("run %d-%d at the start, %d", r.first, r.last, s.start)
			}
			if (r.state == acquired) != (r.member != "") {
				return fmt.Errorf("run %d-%d in state %d has member %q", r.first, r.last, r.state, r.member)
			}
			if r.to != nowhere && r.state != acquired || r.taken && r.state != archiving {
				return fmt.Errorf("run %d-%d goes from %d to %d", r.first, r.last, r.state, r.to)
			}
			if (r.to != nowhere || r.unsaved) && r.ticket == 0 && !s.unwritten {
				return fmt.Errorf("run %d-%d is forgotten", r.first, r.last)
			}
			if end = r.last + 1; r.held() && (held.IsZero() || r.until.Before(held)) {
				held = r.until
			}
			free = free || r.free()
		}
	}
	switch {
	case free && !s.mayBeFree:
		return errors.New("something is free that nobody looks for")
	case !held.IsZero() && (s.due.IsZero() || s.due.After(held)):
		return fmt.Errorf("a lock ends at %v, the next is due at %v", held, s.due)
	case len(s.batches) == 0 && s.start != s.next:
		return fmt.Errorf("nothing between %d and %d", s.start, s.next)
	}
	return nil
}

// String shows a state: start|next, and each run by its member or what became of it, with
// what it waits for.
func (s *state) String() string {
	var list []string
	for _, b := range s.batches {
		for i := range b.runs {
			r := &b.runs[i]
			how := word(r.state)
			switch {
			case b.gap:
				how = "gap"
			case r.state == acquired:
				how = r.member
			}
			if r.to != nowhere {
				how += ">" + word(r.to)
			}
			if r.unsaved {
				how += "!"
			}
			list = append(list, fmt.Sprintf("%s %s×%d", show(r.first, r.last), how, r.deliveries))
		}
	}
	return strings.TrimSpace(fmt.Sprintf("%d|%d: %s", s.start, s.next, strings.Join(list, ", ")))
}

func word(state int8) string {
	return [...]string{"free", "acquired", "acked", "archiving", "archived"}[state]
}

func show(first, last int64) string {
	if first == last {
		return strconv.FormatInt(first, 10)
	}
	return fmt.Sprintf("%d-%d", first, last)
}

func span(text string) (first, last int64) {
	a, b, ok := strings.Cut(text, "-")
	if !ok {
		b = a
	}
	return number(a), number(b)
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func name(err error) string {
	if ke, ok := errors.AsType[*kerr.Error](err); ok {
		return ke.Message
	}
	return err.Error()
}
