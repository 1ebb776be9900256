package history

import (
	"bytes"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// full is an operation with something in every field.
func full(kind Kind) Op {
	op := Blank()
	op.Kind, op.Process, op.Outcome, op.Invoke, op.Return, op.Err = kind, 3, OK, 17, 19, "A \"B\"\n"
	op.Topic, op.Partition, op.Offset, op.Epoch, op.From = "t", 2, 0, 0, 0
	op.High, op.Stable, op.Start, op.Isolation, op.Spec = 0, 5, 0, Committed, MaxTimestamp
	op.Records, op.Deliveries = Reads{{0, MakeValue(1, 0)}, {7, 0}}, []int16{1, 2}
	op.Value, op.Key, op.Acks = MakeValue(1<<24-1, 1<<40-1), "ключ", AcksNone
	op.Txn, op.TransactionalID, op.Commit, op.ProducerID, op.ProducerEpoch = 9, "tx", true, 0, 0
	op.Group, op.Member, op.Generation, op.Rules = "g", "m", 0, Consumer
	op.Places, op.RequireStable, op.Meta, op.Ack = []Place{{"t", 0}, {"u", 1}}, true, "meta", Renew
	op.Broker, op.Nodes, op.Text, op.Absent = 0, []int32{0, 2}, "text", true
	op.Principal, op.Host, op.Operation, op.Resource = "p", "h", "o", "r"
	return op
}

// What is written is read again as it was, for every kind, full and blank.
func TestLines(t *testing.T) {
	var want []Op
	var b bytes.Buffer
	w := NewWriter(&b)
	for k := Kind(1); k < kinds; k++ {
		blank := Blank()
		blank.Kind = k
		for _, op := range []Op{full(k), blank} {
			want = append(want, op)
			if err := w.Write(&op); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		var got Op
		if err := got.UnmarshalJSON([]byte(line)); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if !reflect.DeepEqual(got, want[i]) {
			t.Errorf("read %+v,\nwrote %+v,\nas %s", got, want[i], line)
		}
	}
}

// No field of an operation is forgotten by full, and so by the test above.
func TestFull(t *testing.T) {
	a, b := reflect.ValueOf(full(Get)), reflect.ValueOf(Blank())
	for i := range a.NumField() {
		if name := a.Type().Field(i).Name; name != "ID" && reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			t.Errorf("%s is as in a blank operation", name)
		}
	}
}

// A value is read from what was made of it, and from nothing that was torn.
func TestValue(t *testing.T) {
	for _, v := range []Value{MakeValue(1, 0), MakeValue(7, 120), MakeValue(1<<24-1, 1<<40-1)} {
		for _, size := range []int{0, 5, 100} {
			b := v.Bytes(size)
			if got, ok := ParseValue(b); !ok || got != v || len(b) < size {
				t.Errorf("%v became %q, and that %v, %v", v, b, got, ok)
			}
		}
		torn := v.Bytes(100)
		torn[60] ^= 1
		if got, ok := ParseValue(torn); ok {
			t.Errorf("%q was read as %v", torn, got)
		}
	}
	for _, s := range []string{"", "1#2", ";", "0#1;", "01#1;", "1#;", "#1;", "1#02;", "-1#2;", "16777216#1;", "1#1099511627776;", "1#99999999999999999999999;"} {
		if v, ok := ParseValue([]byte(s)); ok {
			t.Errorf("%q was read as %v", s, v)
		}
	}
}

// Stamps rise where the clock stands still; what did not end is Info; and lines tell the
// same as memory does.
func TestRecorder(t *testing.T) {
	still := func() int64 { return 100 }
	var b bytes.Buffer
	memory, lines := NewRecorder(still), NewLines(still, &b)
	for _, r := range []*Recorder{memory, lines} {
		send := Blank()
		send.Kind, send.Topic, send.Value, send.Key = Send, "t", MakeValue(1, 0), "k"
		one, two := r.Begin(send), r.Begin(send)
		one.Offset = 5
		r.End(one, OK)
		two.Offset = 7 // filled in by an answer that nobody ended with
		poll := Blank()
		poll.Kind, poll.Topic, poll.Records = Poll, "t", Reads{{5, send.Value}}
		p := r.Begin(poll)
		r.End(p, OK)
		fault := Blank()
		fault.Kind, fault.Text = Fault, "kill"
		r.Note(fault)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	reader := NewReader()
	cut := b.String() + `{"kind":"se`
	if err := reader.Read(strings.NewReader(cut)); err != nil {
		t.Fatal(err)
	}
	kept, read := memory.History(), reader.History()
	if sends, polled, rest := kept.Count(); sends != 2 || polled != 1 || rest != 1 {
		t.Fatalf("%d sends, %d polled, %d others", sends, polled, rest)
	}
	s := kept.Sends
	if s[0].Outcome != OK || s[0].Invoke != 100 || s[0].Return != 102 || s[1].Outcome != Info || s[1].Return != Never || s[1].Invoke != 101 {
		t.Errorf("sends are %+v", s)
	}
	if s[1].Offset != Unknown {
		t.Error("an answer was taken that nobody ended with")
	}
	if !reflect.DeepEqual(ops(kept), ops(read)) {
		t.Errorf("memory has %+v,\nlines have %+v", ops(kept), ops(read))
	}
}

func ops(h *History) (all []Op) {
	h.All(func(op Op) bool { all = append(all, op); return true })
	return all
}

// Many goroutines may record at once.
func TestRecorderOfMany(t *testing.T) {
	r := NewRecorder(nil)
	var wg sync.WaitGroup
	for p := range int32(8) {
		wg.Go(func() {
			for i := range int64(100) {
				op := Blank()
				op.Kind, op.Process, op.Value = Send, p, MakeValue(p+1, i)
				r.End(r.Begin(op), OK)
			}
		})
	}
	wg.Wait()
	seen := map[int64]bool{}
	h := r.History()
	for _, s := range h.Sends {
		seen[s.Invoke], seen[s.Return] = true, true
	}
	if len(h.Sends) != 800 || len(seen) != 1600 {
		t.Errorf("%d sends with %d stamps", len(h.Sends), len(seen))
	}
}

// What is no history is refused.
func TestBadLines(t *testing.T) {
	for _, line := range []string{
		`{}`, `{"kind":"sned"}`, `{"kind":""}`, `{"kind":"send","colour":1}`, `{"kind":"send","value":"x"}`,
		`{"kind":"poll","records":[[1,"1#1"],2]}`, `{"kind":"poll","records":[[1,"1"]]}`, `{"kind":"poll","records":[[]]}`,
		`{"kind":"poll","records":[["1","1#1"]]}`, `{"kind":"poll","records":{"a":1}}`, `{"kind":"poll","records":[[1,"1#1",3]]}`,
		`{"kind":"send","id":1,"return":5}`, `{"kind":"get"`,
	} {
		if err := NewReader().Read(strings.NewReader(line + "\n")); err == nil {
			t.Errorf("%s was read", line)
		}
	}
}
