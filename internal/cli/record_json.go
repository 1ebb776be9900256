package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// jsonRecord is a record as consume prints it and produce reads it. Keys and values that
// are not UTF-8 stand in the fields with Base64.
type jsonRecord struct {
	Topic       string          `json:"topic,omitempty"`
	Partition   *int32          `json:"partition,omitempty"`
	Offset      *int64          `json:"offset,omitempty"`
	Timestamp   json.RawMessage `json:"timestamp,omitempty"` // milliseconds; a date is read too
	Key         json.RawMessage `json:"key,omitempty"`
	KeyBase64   []byte          `json:"keyBase64,omitempty"`
	Value       json.RawMessage `json:"value,omitempty"`
	ValueBase64 []byte          `json:"valueBase64,omitempty"`
	Headers     []jsonHeader    `json:"headers,omitempty"`
}

type jsonHeader struct {
	Name        string          `json:"name"`
	Value       json.RawMessage `json:"value,omitempty"`
	ValueBase64 []byte          `json:"valueBase64,omitempty"`
}

func toJSON(r *kgo.Record) jsonRecord {
	j := jsonRecord{Topic: r.Topic, Partition: &r.Partition, Offset: &r.Offset}
	j.Timestamp = fmt.Append(nil, r.Timestamp.UnixMilli())
	j.Key, j.KeyBase64 = jsonBytes(r.Key)
	j.Value, j.ValueBase64 = jsonBytes(r.Value)
	for _, h := range r.Headers {
		var jh jsonHeader
		jh.Name = h.Key
		jh.Value, jh.ValueBase64 = jsonBytes(h.Value)
		j.Headers = append(j.Headers, jh)
	}
	return j
}

// jsonBytes is a text as JSON, or the bytes themselves if they are no text.
func jsonBytes(b []byte) (json.RawMessage, []byte) {
	switch {
	case b == nil:
		return json.RawMessage("null"), nil
	case !utf8.Valid(b):
		return nil, b
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(string(b)); err != nil {
		panic("bug: a string is not JSON: " + err.Error())
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// fromJSON reads a record. A key or value that is not a string is taken as it is written.
func fromJSON(line []byte, r *kgo.Record) error {
	var j jsonRecord
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&j); err != nil {
		return fmt.Errorf("%q is not a record in JSON: %w", clip(line), err)
	}
	if dec.More() {
		return fmt.Errorf("%q: want one record a line", clip(line))
	}
	var errs []error
	field := func(to *[]byte, text json.RawMessage, raw []byte) {
		b, given, err := fromJSONBytes(text, raw)
		if given {
			*to = b
		}
		errs = append(errs, err)
	}
	field(&r.Key, j.Key, j.KeyBase64)
	field(&r.Value, j.Value, j.ValueBase64)
	for _, h := range j.Headers {
		var v []byte
		field(&v, h.Value, h.ValueBase64)
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Name, Value: v})
	}
	if t, err := jsonTime(j.Timestamp); err != nil {
		errs = append(errs, err)
	} else if !t.IsZero() {
		r.Timestamp = t
	}
	return errors.Join(errs...)
}

func fromJSONBytes(text json.RawMessage, raw []byte) (b []byte, given bool, err error) {
	switch {
	case raw != nil:
		return raw, true, nil
	case len(text) == 0:
		return nil, false, nil
	case string(text) == "null":
		return nil, true, nil
	case text[0] != '"':
		return bytes.Clone(text), true, nil
	}
	var s string
	err = json.Unmarshal(text, &s)
	return []byte(s), true, err
}

func jsonTime(text json.RawMessage) (time.Time, error) {
	if len(text) == 0 || string(text) == "null" {
		return time.Time{}, nil
	}
	ms, err := parseTime(string(bytes.Trim(text, `"`)), time.Now())
	return time.UnixMilli(ms), err
}
