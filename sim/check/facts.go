package check

import (
	"github.com/odradek/odradek/sim/history"
)

// facts are what several checks need to know of a history, gathered once.
type facts struct {
	h *history.History
	o Options
	*index
	places []*place
	// seen is the offset at which each send's record was read first, or Unknown; flags
	// has how (readThere and what follows it).
	seen  []int64
	flags []uint8
	txns  map[int64]*txn
	// drains are those that got to their end, the last of each partition and isolation.
	drains []*drain

	strangers []stranger
	conflicts []conflict
	repeats   []conflict
	misplaced []conflict
	ghosts    []conflict
	tooSoon   []conflict
}

// place is what is known of a partition.
type place struct {
	history.Place
	Topic
	spots pages
	// known is how far its log was known to go.
	known stairs
	// since is when what is there now was made, in a fleeting topic; gone is when what
	// was there before was deleted, at the latest.
	since, gone int64
	drained     [2]*drain
}

// drain is an operation of that kind that is OK.
type drain struct {
	*history.Op
	place *place
}

// stranger is a record that nobody sent; value is 0 if it could not be read as one.
type stranger struct {
	value  history.Value
	place  int32
	offset int64
	by     opRef
}

// conflict is something that an operation saw of a send, or of an offset.
type conflict struct {
	send, other int32
	place       int32
	offset      int64
	by          opRef
}

// gather is called once the history is known to be sound (C0).
func (f *facts) gather() {
	for i := range f.h.Ops {
		if op := &f.h.Ops[i]; op.Topic != "" {
			f.h.PlaceID(op.Topic, op.Partition) // so that all places are known from here on
		}
	}
	f.gatherPlaces()
	f.gatherDrains()
	f.gatherSends()
	f.gatherTxns()
	for i := range f.h.Polls {
		p := &f.h.Polls[i]
		flags := readThere
		if p.Isolation == history.Committed {
			flags |= readCommitted
		}
		f.gatherReads(p.Records, p.Place, p.Invoke, p.Return, flags|f.drainOf(p), pollRef(i))
	}
	for i := range f.h.Ops {
		if op := &f.h.Ops[i]; op.Kind == history.ShareAcquire && op.Outcome == history.OK {
			f.gatherReads(op.Records, f.h.PlaceID(op.Topic, op.Partition), op.Invoke, op.Return, readThere, otherRef(i))
		}
	}
	f.decideTxns()
	f.gatherKnown()
}

func (f *facts) gatherPlaces() {
	byTopic := make(map[string][]*place)
	for _, p := range f.h.Places {
		pl := &place{Place: p, Topic: f.o.Topics[p.Topic], gone: -1}
		if pl.since = -1; pl.Fleeting {
			byTopic["topic/"+p.Topic] = append(byTopic["topic/"+p.Topic], pl)
		}
		f.places = append(f.places, pl)
	}
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		for _, pl := range byTopic[op.Key] {
			switch {
			case op.Outcome == history.Fail:
			case op.Kind == history.Create && op.Outcome == history.OK:
				pl.since = op.Return
			case op.Kind == history.Create:
				pl.since = history.Never
			case op.Kind == history.Remove:
				pl.since = history.Never
				if op.Outcome == history.OK {
					pl.gone = op.Invoke
				}
			}
		}
	}
}

func (f *facts) gatherDrains() {
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		if op.Kind != history.Drain || op.Outcome != history.OK {
			continue
		}
		pl := f.places[f.h.PlaceID(op.Topic, op.Partition)]
		if pl.since < op.Invoke && !pl.Foreign {
			pl.drained[op.Isolation] = &drain{op, pl}
		}
	}
	for _, pl := range f.places {
		for _, d := range pl.drained {
			if d != nil {
				f.drains = append(f.drains, d)
			}
		}
	}
}

// drainOf returns the flags of a poll's records if it belongs to a drain.
func (f *facts) drainOf(p *history.Fetched) uint8 {
	d := f.places[p.Place].drained[p.Isolation]
	switch {
	case d == nil || d.Process != p.Process || p.Invoke < d.Invoke || p.Return > d.Return:
		return 0
	case p.Isolation == history.Committed:
		return drainedCommitted
	}
	return drained
}

// gatherSends notes at which offsets clients were told that their records are.
func (f *facts) gatherSends() {
	f.seen, f.flags = make([]int64, len(f.h.Sends)), make([]uint8, len(f.h.Sends))
	for i := range f.h.Sends {
		f.seen[i] = history.Unknown
		s := &f.h.Sends[i]
		if !f.owed(s) || s.Offset < 0 {
			continue
		}
		switch at := f.places[s.Place].spots.spot(s.Offset); at.what {
		case 0:
			at.what, at.flags = int32(i)+1, toldThere
		default:
			f.conflicts = append(f.conflicts, conflict{int32(i), at.what - 1, s.Place, s.Offset, sendRef(i)})
		}
	}
}

// owed tells whether a send was acknowledged by all, and must be there for ever.
func (f *facts) owed(s *history.Sent) bool {
	pl := f.places[s.Place]
	return s.Outcome == history.OK && s.Acks == history.AcksAll && !pl.Loose && !pl.Foreign && s.Invoke > pl.since
}

// gatherReads notes where records were read.
func (f *facts) gatherReads(all []history.Read, placeID int32, invoke, ret int64, flags uint8, by opRef) {
	pl := f.places[placeID]
	if pl.Foreign {
		return
	}
	for _, r := range all {
		i := f.find(r.Value)
		if i < 0 {
			f.stranger(pl, placeID, r, by)
			continue
		}
		s := &f.h.Sends[i]
		if s.Invoke > ret {
			f.tooSoon = append(f.tooSoon, conflict{int32(i), -1, placeID, r.Offset, by})
		}
		if s.Place != placeID {
			f.misplaced = append(f.misplaced, conflict{int32(i), -1, placeID, r.Offset, by})
			continue
		}
		if s.Invoke <= pl.since || invoke <= pl.since {
			if s.Return < pl.gone && invoke > pl.since {
				f.ghosts = append(f.ghosts, conflict{int32(i), -1, placeID, r.Offset, by})
			}
			continue
		}
		switch at := pl.spots.spot(r.Offset); at.what {
		case 0:
			at.what, at.flags = int32(i)+1, flags
		case int32(i) + 1:
			at.flags |= flags
		default:
			f.conflicts = append(f.conflicts, conflict{int32(i), at.what - 1, placeID, r.Offset, by})
		}
		f.flags[i] |= flags
		switch f.seen[i] {
		case history.Unknown:
			f.seen[i] = r.Offset
		case r.Offset:
		default:
			f.repeats = append(f.repeats, conflict{int32(i), -1, placeID, r.Offset, by})
		}
	}
}

func (f *facts) stranger(pl *place, placeID int32, r history.Read, by opRef) {
	at := pl.spots.spot(r.Offset)
	if at.what < 0 && f.strangers[-at.what-1].value == r.Value {
		return
	}
	f.strangers = append(f.strangers, stranger{r.Value, placeID, r.Offset, by})
	if at.what == 0 {
		at.what = -int32(len(f.strangers))
	} else {
		f.conflicts = append(f.conflicts, conflict{-1, at.what - 1, placeID, r.Offset, by})
	}
}

// offset is where a send's record is, as read or as told, or Unknown.
func (f *facts) offset(i int) int64 {
	if f.seen[i] != history.Unknown {
		return f.seen[i]
	}
	if s := &f.h.Sends[i]; f.owed(s) {
		return s.Offset
	}
	return history.Unknown
}
