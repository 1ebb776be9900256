// Package measure says what processes cost the machine: processor time, memory, bytes written,
// switches, system calls. It reads what Linux tells of a process and of a disk, before a load and
// after it, and knows nothing of what the load does. A Watch owns one goroutine until it is ended.
package measure

import (
	"errors"
	"math"
	"slices"
)

// Usage is what processes have used since they were started, added up.
type Usage struct {
	UserSeconds   float64 `json:"user_seconds"`
	SystemSeconds float64 `json:"system_seconds"`

	Read       int64 `json:"read_calls"`  // calls of the system that read, of whatever kind: read, pread, readv, sendfile
	Write      int64 `json:"write_calls"` // and that write
	WroteBytes int64 `json:"wrote_bytes"` // to a disk, or to pages that will go there
	Switches   int64 `json:"switches"`    // of context: threads that waited, or that had to give way
}

// CPU is the processor time.
func (u Usage) CPU() float64 { return u.UserSeconds + u.SystemSeconds }

// Since is what was used after an earlier look.
func (u Usage) Since(e Usage) Usage {
	return Usage{
		UserSeconds: exact(u.UserSeconds - e.UserSeconds), SystemSeconds: exact(u.SystemSeconds - e.SystemSeconds),
		Read: u.Read - e.Read, Write: u.Write - e.Write, WroteBytes: u.WroteBytes - e.WroteBytes, Switches: u.Switches - e.Switches,
	}
}

// exact is a difference of times in hundredths of a second, without what binary fractions add.
func exact(seconds float64) float64 { return math.Round(seconds*100) / 100 }

func (u Usage) plus(o Usage) Usage { return u.Since(Usage{}.Since(o)) }

// Machine is processor time of the whole machine, in seconds.
type Machine struct {
	Busy   float64 `json:"busy"`   // of all processes, and of the kernel for itself
	Stolen float64 `json:"stolen"` // that a virtual machine did not get
}

// Since is what was used after an earlier look.
func (m Machine) Since(e Machine) Machine {
	return Machine{exact(m.Busy - e.Busy), exact(m.Stolen - e.Stolen)}
}

// ErrUnknown is returned where the system does not tell.
var ErrUnknown = errors.New("this system does not tell")

// Quantile is the smallest value of a sample that so much of it does not exceed.
func Quantile(sample []float64, q float64) float64 {
	if len(sample) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(sample))
	return s[max(0, int(math.Ceil(q*float64(len(s))))-1)]
}

// Median is the middle of a sample, or the mean of the two in the middle.
func Median(sample []float64) float64 {
	if len(sample) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(sample))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
