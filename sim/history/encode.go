package history

import (
	"encoding/json"
	"io"
	"strconv"
)

// Writer writes operations as JSON lines.
type Writer struct {
	w   io.Writer
	buf []byte
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes an operation as one line, in one Write of what is below.
func (w *Writer) Write(op *Op) error {
	w.buf = append(AppendJSON(w.buf[:0], op), '\n')
	_, err := w.w.Write(w.buf)
	return err
}

// WriteAll writes a history.
func WriteAll(w io.Writer, h *History) (err error) {
	lines := NewWriter(w)
	h.All(func(op Op) bool {
		err = lines.Write(&op)
		return err == nil
	})
	return err
}

// AppendJSON appends an operation as a JSON object, without the fields that are as in
// Blank.
func AppendJSON(b []byte, op *Op) []byte {
	o := object(append(b, `{"kind":`...))
	o = strconv.AppendQuote(o, op.Kind.String())
	o.number("process", int64(op.Process), 0)
	o.name("outcome", op.Outcome.String(), Info.String())
	o.number("invoke", op.Invoke, 0)
	o.number("return", op.Return, Never)
	o.number("id", op.ID, 0)
	o.text("err", op.Err)
	o.log(op)
	o.producer(op)
	o.group(op)
	o.number("broker", int64(op.Broker), Unknown)
	list(&o, "nodes", op.Nodes, func(b []byte, n int32) []byte { return strconv.AppendInt(b, int64(n), 10) })
	o.text("text", op.Text)
	o.flag("absent", op.Absent)
	o.text("principal", op.Principal)
	o.text("host", op.Host)
	o.text("operation", op.Operation)
	o.text("resource", op.Resource)
	return append(o, '}')
}

func (o *object) log(op *Op) {
	o.text("topic", op.Topic)
	o.number("partition", int64(op.Partition), 0)
	o.number("offset", op.Offset, Unknown)
	o.number("epoch", int64(op.Epoch), Unknown)
	o.number("from", op.From, Unknown)
	o.number("high", op.High, Unknown)
	o.number("stable", op.Stable, Unknown)
	o.number("start", op.Start, Unknown)
	o.name("isolation", op.Isolation.String(), Uncommitted.String())
	o.name("spec", op.Spec.String(), Latest.String())
	list(o, "records", op.Records, appendRead)
	list(o, "deliveries", op.Deliveries, func(b []byte, n int16) []byte { return strconv.AppendInt(b, int64(n), 10) })
}

func (o *object) producer(op *Op) {
	if op.Value != 0 {
		o.name("value", op.Value.String(), "")
	}
	o.text("key", op.Key)
	o.number("acks", int64(op.Acks), int64(AcksAll))
	o.number("txn", op.Txn, 0)
	o.text("transactionalId", op.TransactionalID)
	o.flag("commit", op.Commit)
	o.number("producerId", op.ProducerID, Unknown)
	o.number("producerEpoch", int64(op.ProducerEpoch), Unknown)
}

func (o *object) group(op *Op) {
	o.text("group", op.Group)
	o.text("member", op.Member)
	o.number("generation", int64(op.Generation), Unknown)
	o.name("rules", op.Rules.String(), Eager.String())
	list(o, "places", op.Places, func(b []byte, p Place) []byte {
		b = append(appendText(append(b, `{"topic":`...), p.Topic), `,"partition":`...)
		return append(strconv.AppendInt(b, int64(p.Partition), 10), '}')
	})
	o.flag("requireStable", op.RequireStable)
	o.text("meta", op.Meta)
	o.name("ack", op.Ack.String(), Accept.String())
}

// object is a JSON object that lacks its end, and has a field.
type object []byte

func (o *object) field(name string) {
	*o = append(append(append(*o, ',', '"'), name...), '"', ':')
}

func (o *object) number(name string, n, unless int64) {
	if n != unless {
		o.field(name)
		*o = strconv.AppendInt(*o, n, 10)
	}
}

// name writes what needs no escape.
func (o *object) name(name, s, unless string) {
	if s != unless {
		o.field(name)
		*o = append(append(append(*o, '"'), s...), '"')
	}
}

func (o *object) text(name, s string) {
	if s != "" {
		o.field(name)
		*o = appendText(*o, s)
	}
}

func (o *object) flag(name string, is bool) {
	if is {
		o.field(name)
		*o = append(*o, "true"...)
	}
}

func list[T any](o *object, name string, all []T, one func([]byte, T) []byte) {
	if len(all) == 0 {
		return
	}
	o.field(name)
	*o = append(*o, '[')
	for i, v := range all {
		if i > 0 {
			*o = append(*o, ',')
		}
		*o = one(*o, v)
	}
	*o = append(*o, ']')
}

func appendText(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic("bug: a string is no JSON: " + err.Error())
	}
	return append(b, text...)
}

// appendRead is [offset,"producer#seq"], or [offset] of a record that is none of ours.
func appendRead(b []byte, r Read) []byte {
	b = strconv.AppendInt(append(b, '['), r.Offset, 10)
	if r.Value != 0 {
		b = append(r.Value.appendText(append(b, ',', '"')), '"')
	}
	return append(b, ']')
}
