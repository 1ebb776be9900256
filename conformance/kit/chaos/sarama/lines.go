package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// line is an operation of a history, with those fields that this worker fills.
type line struct {
	Kind      string `json:"kind"`
	Process   int    `json:"process"`
	Outcome   string `json:"outcome"`
	Err       string `json:"err,omitempty"`
	Invoke    int64  `json:"invoke"`
	Return    int64  `json:"return"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    *int64 `json:"offset,omitempty"`
	Value     string `json:"value,omitempty"`
	Isolation string `json:"isolation,omitempty"`
	High      *int64 `json:"high,omitempty"`
	Records   []any  `json:"records,omitempty"`
}

// lines is the file that they are added to, when all is over at the latest.
type lines struct {
	mu   sync.Mutex // guards the buffer
	file *os.File
	buf  *bufio.Writer
	enc  *json.Encoder
	err  error
}

func newLines(path string) (*lines, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	l := &lines{file: f, buf: bufio.NewWriterSize(f, 1<<18)}
	l.enc = json.NewEncoder(l.buf)
	return l, nil
}

func (l *lines) tell(x line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.enc.Encode(x); err != nil && l.err == nil {
		l.err = err
	}
}

func (l *lines) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = l.buf.Flush()
	}
	if err := l.file.Close(); l.err == nil {
		l.err = err
	}
	return l.err
}

// now is the clock that all processes of the machine share and nobody sets.
func now() int64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return time.Now().UnixNano()
	}
	return t.Nano()
}

// valueOf is a name again and again, of at least so many bytes.
func valueOf(name string, size int) string {
	name += ";"
	n := max(size, len(name))
	return strings.Repeat(name, n/len(name)+1)[:n]
}

// nameOf is the name that a value repeats, or nothing if it is none of ours.
func nameOf(value string) string {
	name, _, ok := strings.Cut(value, ";")
	n := len(name) + 1
	if !ok || value[n:] != value[:len(value)-n] || strings.Count(name, "#") != 1 || strings.Trim(name, "0123456789#") != "" {
		return ""
	}
	return name
}
