package cli

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// partitionReasons are partitions without leader, and without owner.
func (f *groupFacts) partitionReasons() []reason {
	var out []reason
	var free []topicPartition
	owners := f.view.owners()
	wanted := make(map[string]bool)
	for _, t := range f.view.subscribed() {
		wanted[t] = true
	}
	for _, tp := range slices.SortedFunc(maps.Keys(f.parts), topicPartition.compare) {
		p := f.parts[tp]
		if p.leader < 0 {
			out = append(out, reason{"partition-offline", fmt.Sprintf("%s has no leader: nobody can read it", tp), p.away(), p.revive(tp)})
		}
		if wanted[tp.topic] && len(owners[tp]) == 0 {
			free = append(free, tp)
		}
	}
	// While the group rebalances that is as it should be.
	if len(free) > 0 && f.view.State == "Stable" {
		out = append(out, reason{"no-owner", fmt.Sprintf("no member has %s", partsText(free)),
			"Members want to read the topic, and the assignment left them out: partitions that are newer than it, or members of another subscription.",
			"wait until members hear of new partitions (metadata.max.age.ms, five minutes by default, in a classic group); or restart a member."})
	}
	return out
}

// offsetReasons are committed offsets at which there is nothing to read.
func (f *groupFacts) offsetReasons() []reason {
	var before, after, none []topicPartition
	for _, o := range f.offsets {
		switch {
		case o.Start == nil || o.End == nil:
		case o.Committed == nil && o.Member != "" && *o.End > *o.Start && f.watched == 0 && f.view.Type != shareGroup:
			none = append(none, o.key())
		case o.Committed == nil:
		case *o.Committed < *o.Start:
			before = append(before, o.key())
		case *o.Committed > *o.End:
			after = append(after, o.key())
		}
	}
	seek := fmt.Sprintf("members go where auto.offset.reset says, or fail if it says none; or stop them and move the group: odradek group seek %s --to start.", f.name)
	var out []reason
	if len(before) > 0 && f.view.Type != shareGroup {
		out = append(out, reason{"offset-gone", fmt.Sprintf("what it committed for %s is before the start of the log", partsText(before)),
			"The records that it had yet to read were deleted, by retention or on request.", seek})
	}
	if len(after) > 0 {
		out = append(out, reason{"offset-beyond", fmt.Sprintf("what it committed for %s is after the end of the log", partsText(after)),
			"The log was truncated by an unclean election, or the topic was deleted and made anew.", seek})
	}
	if len(none) > 0 {
		out = append(out, reason{"never-committed", fmt.Sprintf("it has committed nothing for %s, where there is something to read", partsText(none)),
			"A member that begins there goes where auto.offset.reset says: at latest it sees only what comes.",
			fmt.Sprintf("to read from the start: stop its members, odradek group seek %s --to start, start them.", f.name)})
	}
	return out
}

// holderReasons are transactions that hold back records from who reads what is committed,
// or offsets of the group.
func (f *groupFacts) holderReasons() []reason {
	var out []reason
	read, _ := f.moved()
	for i := range f.offsets {
		o := &f.offsets[i]
		if !f.heldBack(o) || read[o.key()] > 0 { // who was seen to read on reads what is not committed, too
			continue
		}
		p := f.parts[o.key()]
		r := reason{"records-held", fmt.Sprintf("%s wait in %s for an open transaction, from who reads what is committed", plural(int(*p.end-*p.stable), "offset"), o.key()),
			"Members that set isolation.level=read_committed see nothing from offset " + fmt.Sprint(*p.stable) + " on until it ends.", ""}
		r.Why, r.Free = f.blame(o.key(), r.Why)
		out = append(out, r)
	}
	if len(f.pending) > 0 {
		r := reason{"offsets-pending", fmt.Sprintf("offsets for %s were committed in a transaction that is not over", partsText(f.pending)),
			"Members that begin there are told to wait (UNSTABLE_OFFSET_COMMIT) until it ends.", ""}
		r.Why, r.Free = f.blame(f.home, r.Why)
		out = append(out, r)
	}
	return out
}

// blame adds which transaction holds a partition, the one that began first, and says how
// that ends.
func (f *groupFacts) blame(tp topicPartition, why string) (because, free string) {
	open := f.open[tp]
	if len(open) == 0 {
		return why, "ask odradek txn find-hanging " + tp.String() + " --older-than 0s."
	}
	t := slices.MinFunc(open, func(x, y openTxn) int { return int(min(max(x.Start-y.Start, -1), 1)) })
	if t.ID == "" {
		return why + fmt.Sprintf(" It is of producer %d, epoch %d, which no transactional id has.", t.Producer, t.Epoch),
			fmt.Sprintf("if it hangs (odradek txn find-hanging %s): odradek txn abort %s --start-offset %d.", tp, tp, t.Start)
	}
	why += fmt.Sprintf(" It is %q, of producer %d", t.ID, t.Producer)
	d, ok := f.txns[t.ID]
	if !ok || !d.open() {
		return why + ".", fmt.Sprintf("odradek explain txn %s says more.", t.ID)
	}
	why += fmt.Sprintf(", %s, open since %s", d.State, rough(f.now.Sub(d.started())))
	if d.State != txnOngoing {
		return why + ".", fmt.Sprintf("its markers are being written: odradek explain txn %s says what they wait for.", t.ID)
	}
	left := max(0, d.deadline().Sub(f.now))
	return why + ".", fmt.Sprintf("its producer ends it; else its coordinator aborts it in %s; or at once: odradek txn abort %s.", rough(left), t.ID)
}

// moved is by how much what is committed has moved while the group was watched, and by how
// much the end has.
func (f *groupFacts) moved() (read, came map[topicPartition]int64) {
	read, came = make(map[topicPartition]int64), make(map[topicPartition]int64)
	before := make(map[topicPartition]*groupOffset)
	for i := range f.offsets {
		before[f.offsets[i].key()] = &f.offsets[i]
	}
	for _, o := range f.later {
		b := before[o.key()]
		if b == nil {
			continue
		}
		if o.Committed != nil {
			from := *o.Committed
			if b.Committed != nil {
				from = *b.Committed
			} else if b.Start != nil {
				from = min(from, *b.Start)
			}
			read[o.key()] = *o.Committed - from
			if b.Committed == nil {
				read[o.key()]++ // that it commits at all is progress
			}
		}
		if o.End != nil && b.End != nil {
			came[o.key()] = *o.End - *b.End
		}
	}
	return read, came
}

// moves reports whether the group was seen to progress.
func (f *groupFacts) moves() bool {
	read, _ := f.moved()
	for _, n := range read {
		if n > 0 {
			return true
		}
	}
	return false
}

// speed says how fast the group is, and when it will be at the end.
func (f *groupFacts) speed() string {
	read, came := f.moved()
	var done, new int64
	for tp := range read {
		done, new = done+read[tp], new+came[tp]
	}
	seconds := f.watched.Seconds()
	lag, _ := sumLag(f.later)
	text := fmt.Sprintf("%.0f records/s are done, %.0f/s come, %d wait", float64(done)/seconds, float64(new)/seconds, lag)
	if done > new && lag > 0 {
		text += fmt.Sprintf(", so it is at the end in %s", rough(time.Duration(float64(lag)/float64(done-new)*float64(f.watched))))
	}
	return text
}

// pace are the owners that did not commit, or not as fast as records came, while the group
// was watched.
func (f *groupFacts) pace() []reason {
	if f.watched == 0 {
		return nil
	}
	read, came := f.moved()
	owners := f.view.owners()
	still, slow := make(map[string][]topicPartition), make(map[string][]topicPartition)
	for i := range f.later {
		o := &f.later[i]
		tp := o.key()
		p := f.parts[tp]
		switch {
		case len(owners[tp]) == 0 || !f.waits(o) || p == nil || p.leader < 0 || f.heldBack(o):
		case read[tp] == 0:
			still[o.Member] = append(still[o.Member], tp)
		case came[tp] > read[tp]:
			slow[o.Member] = append(slow[o.Member], tp)
		}
	}
	did, what := "committed", "process"
	if f.view.Type == shareGroup {
		did, what = "finished", "acknowledge"
	}
	var out []reason
	for _, id := range slices.Sorted(maps.Keys(still)) {
		who := owners[still[id][0]]
		out = append(out, reason{"no-commits", fmt.Sprintf("%s %s nothing of %s for %s, though records wait there", titles(who), did, partsText(still[id]), rough(f.watched)),
			f.stuckWhy(), fmt.Sprintf("look at what that member does: whether it polls, what it waits for when it tries to %s a record, what its log says. Stopping it gives the partitions to others.", what)})
	}
	for _, id := range slices.Sorted(maps.Keys(slow)) {
		who := owners[slow[id][0]]
		var done, new int64
		for _, tp := range slow[id] {
			done, new = done+read[tp], new+came[tp]
		}
		out = append(out, reason{"too-slow", fmt.Sprintf("%s falls behind in %s", titles(who), partsText(slow[id])),
			fmt.Sprintf("In %s %s came and it was done with %d.", rough(f.watched), plural(int(new), "record"), done),
			"more members, up to one a partition; more partitions; or faster work for each record."})
	}
	return out
}

func (f *groupFacts) stuckWhy() string {
	if f.view.Type == shareGroup {
		return "Its members heartbeat, so they are alive; records that they took and did not acknowledge come back when their lock ends."
	}
	return "It heartbeats, so it is alive, and its partitions have leaders. It may be busy with one record, fail and try again, commit elsewhere, or commit seldom."
}
