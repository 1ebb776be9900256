package history

import (
	"cmp"
	"slices"
)

// Sent is an Op of kind Send, made small: ten million fit into a gigabyte.
type Sent struct {
	Invoke, Return int64
	Offset         int64
	Value          Value
	Txn            int64
	ProducerID     int64
	Process        int32
	// Place is an index into Places, Key into Strings; below 0, of a tombstone, it is
	// -1 - that.
	Place, Key int32
	// ProducerEpoch is Unknown, or below 32768.
	ProducerEpoch int16
	Outcome       Outcome
	Acks          int8
}

// Fetched is an Op of kind Poll that was answered, made small.
type Fetched struct {
	Invoke, Return            int64
	From, High, Stable, Start int64
	Process                   int32
	Place, Group              int32
	Epoch                     int32
	Isolation                 Isolation
	Records                   Reads
}

// History is all operations of a run, in the order in which they ended: sends, and polls
// that were answered, small and by themselves, the rest in Ops.
type History struct {
	Sends []Sent
	Polls []Fetched
	Ops   []Op

	// Places and Strings are what Sent and Fetched point into. Strings[0] is "".
	Places  []Place
	Strings []string

	places  map[Place]int32
	strings map[string]int32
}

// Add appends an operation. Records, Deliveries, Places and Nodes are the history's from
// then on.
func (h *History) Add(op Op) {
	switch op.Kind {
	case Send:
		h.Sends = append(h.Sends, h.sent(op))
	case Poll:
		if op.Outcome != OK {
			h.Ops = append(h.Ops, op)
			return
		}
		h.Polls = append(h.Polls, Fetched{
			op.Invoke, op.Return, op.From, op.High, op.Stable, op.Start, op.Process,
			h.PlaceID(op.Topic, op.Partition), h.stringID(op.Group), op.Epoch, op.Isolation, op.Records,
		})
	default:
		h.Ops = append(h.Ops, op)
	}
}

// sent makes an Op of kind Send small, with what h has for its names.
func (h *History) sent(op Op) Sent {
	key := h.stringID(op.Key)
	if op.Absent {
		key = -1 - key
	}
	return Sent{
		op.Invoke, op.Return, op.Offset, op.Value, op.Txn, op.ProducerID, op.Process,
		h.PlaceID(op.Topic, op.Partition), key, int16(op.ProducerEpoch), op.Outcome, op.Acks,
	}
}

// KeyID is the index of its key in Strings, and whether it deletes it.
func (s *Sent) KeyID() (key int32, tombstone bool) {
	if s.Key < 0 {
		return -1 - s.Key, true
	}
	return s.Key, false
}

// Op makes the send whole again. Err is lost.
func (s *Sent) Op(h *History) Op {
	op := Blank()
	op.Kind, op.Process, op.Outcome, op.Invoke, op.Return = Send, s.Process, s.Outcome, s.Invoke, s.Return
	op.Topic, op.Partition, op.Offset = h.Places[s.Place].Topic, h.Places[s.Place].Partition, s.Offset
	key, tombstone := s.KeyID()
	op.Value, op.Key, op.Absent, op.Acks, op.Txn = s.Value, h.Strings[key], tombstone, s.Acks, s.Txn
	op.ProducerID, op.ProducerEpoch = s.ProducerID, int32(s.ProducerEpoch)
	return op
}

// Op makes the poll whole again. Err is lost.
func (f *Fetched) Op(h *History) Op {
	op := Blank()
	op.Kind, op.Process, op.Outcome, op.Invoke, op.Return = Poll, f.Process, OK, f.Invoke, f.Return
	op.Topic, op.Partition = h.Places[f.Place].Topic, h.Places[f.Place].Partition
	op.From, op.High, op.Stable, op.Start, op.Epoch = f.From, f.High, f.Stable, f.Start, f.Epoch
	op.Isolation, op.Group, op.Records = f.Isolation, h.Strings[f.Group], f.Records
	return op
}

// All visits every operation: first the sends, then the polls, then the rest.
func (h *History) All(visit func(Op) bool) {
	for i := range h.Sends {
		if !visit(h.Sends[i].Op(h)) {
			return
		}
	}
	for i := range h.Polls {
		if !visit(h.Polls[i].Op(h)) {
			return
		}
	}
	for _, op := range h.Ops {
		if !visit(op) {
			return
		}
	}
}

// Sort puts all into the order in which it ended, which is that of a Recorder already.
func (h *History) Sort() {
	order(h.Sends, func(a, b Sent) int { return inTime(a.Invoke, a.Return, b.Invoke, b.Return) })
	order(h.Polls, func(a, b Fetched) int { return inTime(a.Invoke, a.Return, b.Invoke, b.Return) })
	order(h.Ops, func(a, b Op) int { return inTime(a.Invoke, a.Return, b.Invoke, b.Return) })
}

func order[T any](all []T, by func(a, b T) int) {
	if !slices.IsSortedFunc(all, by) {
		slices.SortStableFunc(all, by)
	}
}

func inTime(invoke, ret, invoke2, ret2 int64) int {
	return cmp.Or(cmp.Compare(ret, ret2), cmp.Compare(invoke, invoke2))
}

// Count is how many operations there are, where a polled record is one: sends, records
// that were polled, and the rest.
func (h *History) Count() (sends, polled, rest int) {
	for i := range h.Polls {
		polled += len(h.Polls[i].Records)
	}
	return len(h.Sends), polled, len(h.Ops)
}

// PlaceID is the index of a partition in Places, which it gets if it has none.
func (h *History) PlaceID(topic string, partition int32) int32 {
	p := Place{topic, partition}
	id, ok := h.places[p]
	if !ok {
		if h.places == nil {
			h.places = make(map[Place]int32)
		}
		id = int32(len(h.Places))
		h.Places, h.places[p] = append(h.Places, p), id
	}
	return id
}

func (h *History) stringID(s string) int32 {
	if h.strings == nil {
		h.Strings, h.strings = []string{""}, map[string]int32{"": 0}
	}
	id, ok := h.strings[s]
	if !ok {
		id = int32(len(h.Strings))
		h.Strings, h.strings[s] = append(h.Strings, s), id
	}
	return id
}
