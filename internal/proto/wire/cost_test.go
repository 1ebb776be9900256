//go:build !race

// The race detector makes the allocator count more than there is.

package wire

import (
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// No body that passes makes kmsg allocate more than the budget. The bodies here are
// the greediest there are: each array of each request in turn has as many of the
// smallest elements as fit.
func TestDecodingStaysWithinTheBudget(t *testing.T) {
	passed, refused := 0, 0
	for key := int16(0); key <= MaxKey; key++ {
		s, ok := Lookup(key)
		req := kmsg.RequestForKey(key)
		if !ok || req == nil {
			continue
		}
		v := min(s.Max, req.MaxVersion())
		for _, f := range arraysOf(s.body, v, nil) {
			m := minimal{version: v, flexible: s.Flexible(v), target: f, n: 1 << 15}
			m.structure(s.body)
			switch err := CheckRequest(key, v, m.b); {
			case errors.Is(err, ErrTooCostly):
				refused++
			case err != nil:
				t.Errorf("%s v%d, many %s: %v", s.Name, v, f.name, err)
			default:
				passed++
				// Size classes round up, and bodies have strings of no bytes.
				if got, most := decoded(t, key, v, m.b), budgetFor(len(m.b))*5/4; got > most {
					t.Errorf("%s v%d, many %s: %d bytes for a body of %d, most is %d", s.Name, v, f.name, got, len(m.b), most)
				}
			}
		}
	}
	t.Logf("%d passed, %d refused", passed, refused)
	if passed < 50 || refused < 5 {
		t.Error("too few of either to mean anything")
	}
}

// decoded is how many bytes kmsg allocates for a body.
func decoded(t *testing.T, key, version int16, body []byte) int {
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := req.ReadFrom(body)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Errorf("%s v%d: %v", kmsg.NameForKey(key), version, err)
	}
	return int(after.TotalAlloc - before.TotalAlloc)
}

// arraysOf finds the arrays that a version has, nested ones too.
func arraysOf(s *structure, version int16, all []*field) []*field {
	for i := range s.fields {
		f := &s.fields[i]
		if !f.in.has(version) || f.tagged.has(version) {
			continue
		}
		if f.kind == kindArray {
			all = append(all, f)
		}
		if f.sub != nil {
			all = arraysOf(f.sub, version, all)
		}
	}
	return all
}

// minimal writes the shortest body there is, but for one array of n elements and the
// arrays around it, which have one.
type minimal struct {
	b        []byte
	version  int16
	flexible bool
	target   *field
	n        int
}

func (m *minimal) structure(s *structure) {
	for i := range s.fields {
		f := &s.fields[i]
		if f.in.has(m.version) && !(m.flexible && f.tagged.has(m.version)) {
			m.field(f)
		}
	}
	if m.flexible {
		m.b = append(m.b, 0)
	}
}

func (m *minimal) field(f *field) {
	switch f.kind {
	case kindString:
		m.count(0, 2)
	case kindBytes:
		m.count(0, 4)
	case kindArray:
		m.array(f)
	case kindStructure:
		if f.null.has(m.version) {
			m.b = append(m.b, 1)
		}
		m.structure(f.sub)
	default:
		m.b = append(m.b, make([]byte, fixedSize(f.kind))...)
	}
}

func (m *minimal) array(f *field) {
	n := 0
	if f == m.target {
		n = m.n
	} else if f.sub != nil && m.around(f.sub) {
		n = 1
	}
	m.count(n, 4)
	for range n {
		switch f.elem {
		case kindStructure:
			m.structure(f.sub)
		case kindString:
			m.count(0, 2)
		case kindBytes:
			m.count(0, 4)
		default:
			m.b = append(m.b, make([]byte, fixedSize(f.elem))...)
		}
	}
}

func (m *minimal) around(s *structure) bool {
	for _, f := range arraysOf(s, m.version, nil) {
		if f == m.target {
			return true
		}
	}
	return false
}

func (m *minimal) count(n, size int) {
	switch {
	case m.flexible:
		m.b = binary.AppendUvarint(m.b, uint64(n+1))
	case size == 2:
		m.b = binary.BigEndian.AppendUint16(m.b, uint16(n))
	default:
		m.b = binary.BigEndian.AppendUint32(m.b, uint32(n))
	}
}
