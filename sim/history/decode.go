package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// UnmarshalJSON reads an operation; fields that are not there are as in Blank.
func (op *Op) UnmarshalJSON(b []byte) error {
	type plain Op
	p := plain(Blank())
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return err
	}
	if p.Kind == 0 {
		return errors.New("an operation without a kind")
	}
	*op = Op(p)
	return nil
}

// UnmarshalText reads "producer#seq".
func (v *Value) UnmarshalText(b []byte) (err error) {
	var ok bool
	if *v, ok = parseText(b); !ok {
		err = fmt.Errorf("%q is no producer#seq", b)
	}
	return err
}

// UnmarshalJSON reads what appendRead wrote, by hand: histories are mostly this.
func (r *Reads) UnmarshalJSON(b []byte) error {
	all := make(Reads, 0, bytes.Count(b, []byte{'['}))
	s := scanner{b: b}
	s.want('[')
	for !s.take(']') && !s.bad {
		if len(all) > 0 {
			s.want(',')
		}
		all = append(all, s.read())
	}
	if s.bad {
		return fmt.Errorf("%.40q are no records", b)
	}
	*r = all
	return nil
}

// scanner goes over JSON that encoding/json has found to be well formed.
type scanner struct {
	b   []byte
	i   int
	bad bool
}

func (s *scanner) read() (r Read) {
	s.want('[')
	r.Offset = s.int()
	if s.take(',') {
		s.want('"')
		n := max(bytes.IndexByte(s.b[s.i:], '"'), 0)
		v, ok := parseText(s.b[s.i : s.i+n])
		r.Value, s.bad = v, s.bad || !ok
		s.i += n
		s.want('"')
	}
	s.want(']')
	return r
}

func (s *scanner) int() (n int64) {
	s.space()
	negative := s.take('-')
	start := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		n = n*10 + int64(s.b[s.i]-'0')
		s.i++
	}
	s.bad = s.bad || s.i == start || s.i-start > 18
	if negative {
		return -n
	}
	return n
}

func (s *scanner) take(c byte) bool {
	s.space()
	if s.i >= len(s.b) || s.b[s.i] != c {
		return false
	}
	s.i++
	return true
}

func (s *scanner) want(c byte) { s.bad = !s.take(c) || s.bad }

func (s *scanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\t' || s.b[s.i] == '\n' || s.b[s.i] == '\r') {
		s.i++
	}
}

// Reader joins JSON lines of any number of writers to a history.
type Reader struct {
	h    History
	open map[[2]int64]Op
}

// NewReader returns one that has read nothing.
func NewReader() *Reader { return &Reader{open: make(map[[2]int64]Op)} }

// Read takes all lines of r. The last may be cut off, as it is if its writer was killed.
func (r *Reader) Read(from io.Reader) error {
	lines := bufio.NewReaderSize(from, 1<<20)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err == nil && len(bytes.TrimSpace(line)) > 0 {
			err = r.line(line)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
}

func (r *Reader) line(line []byte) error {
	var op Op
	if err := op.UnmarshalJSON(line); err != nil {
		return err
	}
	id := [2]int64{int64(op.Process), op.ID}
	_, began := r.open[id]
	switch {
	case op.ID == 0:
		r.h.Add(op)
	case !began && op.Return == Never:
		r.open[id] = op
	case !began || op.Return == Never:
		return fmt.Errorf("process %d ends or begins %d out of order", op.Process, op.ID)
	default:
		delete(r.open, id)
		op.ID = 0
		r.h.Add(op)
	}
	return nil
}

// History is all that was read; what began and did not end is Info. The Reader is not to
// be used afterwards.
func (r *Reader) History() *History {
	for _, op := range slices.SortedFunc(maps.Values(r.open), byInvoke) {
		op.ID = 0
		r.h.Add(op)
	}
	r.h.Sort()
	return &r.h
}
