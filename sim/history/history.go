package history

// Sent is an Op of kind Send, made small: ten million fit into a gigabyte.
type Sent struct {
	Invoke, Return int64
	Offset         int64
	Value          Value
	Txn            int64
	ProducerID     int64
	Process        int32
	// Place is an index into Places, Key into Strings.
	Place, Key int32
	// ProducerEpoch is Unknown, or below 32768.
	ProducerEpoch int16
	Outcome       Outcome
	Acks          int8
}

// Fetched is an Op of kind Poll, made small.
type Fetched struct {
	Invoke, Return            int64
	From, High, Stable, Start int64
	Process                   int32
	Place, Group              int32
	Epoch                     int32
	Isolation                 Isolation
	Outcome                   Outcome
	Records                   []Read
}

// History is all operations of a run, in the order in which they ended: sends and polls
// small and by themselves, the rest in Ops.
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
		h.Polls = append(h.Polls, Fetched{
			op.Invoke, op.Return, op.From, op.High, op.Stable, op.Start, op.Process,
			h.PlaceID(op.Topic, op.Partition), h.stringID(op.Group), op.Epoch, op.Isolation, op.Outcome, op.Records,
		})
	default:
		h.Ops = append(h.Ops, op)
	}
}

// sent makes an Op of kind Send small, with what h has for its names.
func (h *History) sent(op Op) Sent {
	return Sent{
		op.Invoke, op.Return, op.Offset, op.Value, op.Txn, op.ProducerID, op.Process,
		h.PlaceID(op.Topic, op.Partition), h.stringID(op.Key), int16(op.ProducerEpoch), op.Outcome, op.Acks,
	}
}

// Op makes the send whole again. Err is lost.
func (s *Sent) Op(h *History) Op {
	op := Blank()
	op.Kind, op.Process, op.Outcome, op.Invoke, op.Return = Send, s.Process, s.Outcome, s.Invoke, s.Return
	op.Topic, op.Partition, op.Offset = h.Places[s.Place].Topic, h.Places[s.Place].Partition, s.Offset
	op.Value, op.Key, op.Acks, op.Txn = s.Value, h.Strings[s.Key], s.Acks, s.Txn
	op.ProducerID, op.ProducerEpoch = s.ProducerID, int32(s.ProducerEpoch)
	return op
}

// Op makes the poll whole again. Err is lost.
func (f *Fetched) Op(h *History) Op {
	op := Blank()
	op.Kind, op.Process, op.Outcome, op.Invoke, op.Return = Poll, f.Process, f.Outcome, f.Invoke, f.Return
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
