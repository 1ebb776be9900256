package check

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/odradek/odradek/sim/history"
)

// Options say what was promised, where it is less or more than the most that Odradek
// promises. The zero value is for topics with idempotent producers and acks=all.
type Options struct {
	// Topics by name; those that are not here are strict.
	Topics map[string]Topic
	// Groups by name, classic and KIP-848, of which more is known than their operations.
	Groups map[string]Group
	// ShareGroups by name.
	ShareGroups map[string]ShareGroup
	// Session is how long a group's coordinator waits at most for a member's heartbeat.
	// 0: nothing is said about owners that were not heard of.
	Session time.Duration
	// Life bounds what has to work again after the last Heal. 0: nothing is said of it.
	Life Life
	// Rights of C18.
	Rights Rights
	// LateFetches: a Fetch may tell a high watermark, and a last stable offset, that is
	// behind what was told before: a leader that is new learns its predecessor's when its
	// followers have asked it once, as Kafka's do. (ListOffsets waits for that, by KIP-207.)
	LateFetches bool
	// LateAcks: who was given a record of a share group before another was done with it may be
	// told that it is done with it, too: a leader that is new does not know who has what, gives
	// it again, and takes an acknowledgement of what is below its start for done, as Kafka's do.
	LateAcks bool
	// Undecided is told each register of C12 and C14 of which too much is unknown to say
	// whether it is right. Nil: nobody is told.
	Undecided func(name string)
	// Limit is how many violations of one check are listed; 0 is 10.
	Limit int
}

// Topic is what is promised of a topic.
type Topic struct {
	// Loose: its producers are not idempotent, or do not wait for all. Acknowledged records
	// may be lost, come twice and out of order; what was read once still stays.
	Loose bool
	// Compacted: a record may go when its key has a later one.
	Compacted bool
	// DeleteRetention is how long a tombstone of a compacted topic stays, at least.
	DeleteRetention time.Duration
	// Retention is how long a record stays, at least; 0 is for ever. RetentionRecords is
	// how many stay at least, where retention is by size; 0 is all. DeleteRecords is
	// allowed always.
	Retention        time.Duration
	RetentionRecords int64
	// Fleeting: it is deleted and made again, under Key "topic/"+name of Create and Remove.
	// Only what came after the last Create is held to be there.
	Fleeting bool
	// Foreign: it has records that are not of the history. They are not looked at.
	Foreign bool
}

// Group is what is promised of a consumer group.
type Group struct {
	// Complete are topics of which the group must have read every committed record that
	// is there at the end: it started at the beginning, and was given the time.
	Complete []string
}

// ShareGroup is what is promised of a share group.
type ShareGroup struct {
	// Complete: as Group, in that every record was acknowledged, or delivered Deliveries
	// times.
	Complete   []string
	Deliveries int16
}

// Life bounds what has to work again.
type Life struct {
	// Within: this long after the last Heal, whatever is asked is done ...
	Within time.Duration
	// ... in this time.
	Bound time.Duration
}

// Violation is something that cannot have been.
type Violation struct {
	// Check is "C1" to "C19", or "C0" if the history contradicts itself, which is a
	// mistake of who wrote it.
	Check string
	Text  string
	// Ops show it; polls are cut to the records in question.
	Ops []history.Op
}

// String is the violation in a line, and its operations in a line each.
func (v Violation) String() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: %s", v.Check, v.Text)
	for i := range v.Ops {
		b.WriteString("\n    ")
		b.Write(history.AppendJSON(nil, &v.Ops[i]))
	}
	return b.String()
}

// checks are those of a history, in the order in which what they find is listed.
var checks = []struct {
	name string
	run  func(f *facts, r *report)
}{
	{"C0", checkHistory},
	{"C1", checkLost},
	{"C2", checkOffsets},
	{"C3", checkDuplicates},
	{"C4", checkOrder},
	{"C5", checkPhantoms},
	{"C6", checkAtomic},
	{"C7", checkStable},
	{"C8", checkCycles},
	{"C9", checkPolls},
	{"C10", checkMarks},
	{"C11", checkGroups},
	{"C12", checkCommits},
	{"C13", checkProducers},
	{"C14", checkMetadata},
	{"C16", checkRetention},
	{"C17", checkLife},
	{"C18", checkRights},
	{"C19", checkShares},
}

// All runs every check on a history, and puts it in order (History.Sort) if it is not. A
// history that contradicts itself (C0) is judged no further.
func All(h *history.History, o Options) (found []Violation) {
	h.Sort()
	if o.Limit == 0 {
		o.Limit = 10
	}
	if o.Undecided == nil {
		o.Undecided = func(string) {}
	}
	f := &facts{h: h, o: o}
	for _, c := range checks {
		r := &report{check: c.name, limit: o.Limit}
		c.run(f, r)
		found = append(found, r.close()...)
		if c.name == "C0" {
			if len(found) > 0 {
				return found
			}
			f.gather()
		}
	}
	return found
}

// report collects what a check finds.
type report struct {
	check string
	limit int
	found []Violation
	more  int
}

func (r *report) add(ops []history.Op, format string, args ...any) {
	if len(r.found) == r.limit {
		r.more++
		return
	}
	r.found = append(r.found, Violation{r.check, fmt.Sprintf(format, args...), slices.Clone(ops)})
}

// full tells that what is found is only counted from now on, so that nobody looks for
// operations to show.
func (r *report) full() bool { return len(r.found) == r.limit }

func (r *report) close() []Violation {
	if r.more > 0 {
		r.found = append(r.found, Violation{Check: r.check, Text: fmt.Sprintf("and %d more", r.more)})
	}
	return r.found
}
