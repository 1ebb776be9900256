package eos

import (
	"fmt"
	"strconv"
	"strings"
)

// sequence is what a reader must see in each partition: the numbers from 0 on, each once,
// in order.
type sequence struct {
	next  map[int32]int64
	wrong []string
}

func newSequence() *sequence { return &sequence{next: make(map[int32]int64)} }

// valueOf is the value of a partition's nth record.
func valueOf(partition int32, n int64) string { return fmt.Sprintf("%d/%d", partition, n) }

// see takes note of a record.
func (s *sequence) see(partition int32, offset int64, value string) {
	of, text, _ := strings.Cut(value, "/")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || of != strconv.Itoa(int(partition)) {
		s.fail("partition %d has %q at offset %d", partition, value, offset)
		return
	}
	switch want := s.next[partition]; {
	case n < want:
		s.fail("partition %d: %d came again at offset %d, after %d", partition, n, offset, want-1)
		return
	case n > want:
		s.fail("partition %d: %d to %d are missing before %d at offset %d", partition, want, n-1, n, offset)
	}
	s.next[partition] = n + 1
}

func (s *sequence) fail(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// complete tells whether all of the input has been seen.
func (s *sequence) complete(put map[int32]int64) bool {
	for p, n := range put {
		if s.next[p] < n {
			return false
		}
	}
	return true
}

// count is how many records were seen.
func (s *sequence) count() (n int64) {
	for _, next := range s.next {
		n += next
	}
	return n
}
