package crash

import "fmt"

// Entry is a record as a client read it.
type Entry struct {
	Offset int64
	ID     ID
	Whole  bool // each byte is as it was sent
}

// Snapshot is all that a client can read of a partition: [Start, End).
type Snapshot struct {
	Start, End int64
	Records    []Entry
	passed     bool // a record at End or above was read
}

// logHistory is what was told of one partition.
type logHistory struct {
	replicated bool

	once  bool         // producers are idempotent
	at    map[int64]ID // what is known to stand at an offset
	where map[ID]int64 // its inverse, if once
	ends  map[uint16]uint64

	start, hw int64          // the highest told
	asked     int64          // the highest start that somebody asked for
	due       int64          // where the high watermark stood when the node died
	unread    map[int64]bool // acknowledged and never read, unless once
}

// died notes that the node is gone. What is told from now on may be younger than a check
// that has begun, so that checks hold the node to what was told until now.
func (l *logHistory) died() {
	l.due = l.hw
	for offset := range l.at {
		l.due = max(l.due, offset+1)
	}
}

// acked notes an acknowledgement. Those of one producer come in the order of its sends.
func (l *logHistory) acked(offset int64, id ID) (wrong []string) {
	if l.once {
		if last, any := l.ends[id.Producer]; any && id.Seq <= last {
			wrong = append(wrong, fmt.Sprintf("acknowledged %v after %d", id, last))
		}
		l.ends[id.Producer] = id.Seq
	} else if _, known := l.at[offset]; !known {
		if l.unread == nil {
			l.unread = make(map[int64]bool)
		}
		l.unread[offset] = true
	}
	return append(wrong, l.know(offset, id)...)
}

// read notes that a client has read a record: it was below the high watermark.
func (l *logHistory) read(e Entry) []string {
	delete(l.unread, e.Offset)
	l.hw = max(l.hw, e.Offset+1)
	if !e.Whole {
		return []string{fmt.Sprintf("at %d %v is not as it was sent", e.Offset, e.ID)}
	}
	return l.know(e.Offset, e.ID)
}

// know notes what stands at an offset, unless it cannot be.
func (l *logHistory) know(offset int64, id ID) []string {
	if was, known := l.at[offset]; known && was != id {
		return []string{fmt.Sprintf("at %d stood %v, now %v", offset, was, id)}
	}
	if was, known := l.where[id]; l.once && known && was != offset {
		return []string{fmt.Sprintf("%v stands at %d and at %d", id, was, offset)}
	}
	l.at[offset] = id
	if l.once {
		l.where[id] = offset
	}
	return nil
}

// check compares all that can be read now with all that was told; what can be read is
// then known as well.
func (l *logHistory) check(s Snapshot) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	switch {
	case s.Start < l.start:
		say("log start went back from %d to %d", l.start, s.Start)
	case s.Start > l.asked:
		say("log starts at %d, nobody asked for more than %d", s.Start, l.asked)
	}
	if s.End < l.due {
		say("high watermark went back from %d to %d", l.due, s.End)
	}
	next, last := s.Start, make(map[uint16]uint64)
	for _, e := range s.Records {
		if e.Offset != next {
			say("after %d comes %d", next-1, e.Offset)
		}
		next = e.Offset + 1
		if seq, any := last[e.ID.Producer]; l.once && any && e.ID.Seq <= seq {
			say("at %d %v comes after %d", e.Offset, e.ID, seq)
		}
		last[e.ID.Producer] = e.ID.Seq
		wrong = append(wrong, l.read(e)...)
	}
	if next != s.End {
		say("records end at %d, the high watermark is %d", next, s.End)
	}
	wrong = append(wrong, l.lost(s)...)
	if l.hw = max(l.hw, s.End); !l.replicated {
		l.start = max(l.start, s.Start)
	}
	return wrong
}

// lost names what is known to stand between start and end and was not read, and drops
// what lies below the start for good.
func (l *logHistory) lost(s Snapshot) (wrong []string) {
	read := make(map[int64]bool, len(s.Records))
	for _, e := range s.Records {
		read[e.Offset] = true
	}
	for offset, id := range l.at {
		switch {
		case offset < s.Start:
			delete(l.at, offset) // where stays: the record must not come back elsewhere
		case !read[offset] && offset < max(s.End, l.due):
			wrong = append(wrong, fmt.Sprintf("lost %v at %d", id, offset))
		}
	}
	return wrong
}

// forgetUnread drops what was acknowledged and never read.
func (l *logHistory) forgetUnread() {
	for offset := range l.unread {
		delete(l.at, offset)
	}
	clear(l.unread)
}
