package main

import (
	"bufio"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/odradek/odradek/conformance/chaos/clock"
	"github.com/odradek/odradek/sim/history"
)

// log is where a worker tells what it did. Lines of workers that are never killed wait in
// a buffer until close.
type log struct {
	*history.Recorder
	to    *os.File
	lines *bufio.Writer // nil if every line is written at once
	mu    sync.Mutex    // guards lines
	who   atomic.Int32  // the process of the newest client
}

// Write takes a line from the recorder.
func (l *log) Write(b []byte) (int, error) {
	if l.lines == nil {
		return l.to.Write(b)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(b)
}

func newLog(j job) (*log, error) {
	f, err := os.OpenFile(j.Out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	l := &log{to: f}
	if !j.Mortal {
		l.lines = bufio.NewWriterSize(f, 1<<18)
	}
	l.Recorder = history.NewLines(clock.Now, l)
	l.who.Store(int32(j.Process) - 1)
	return l, nil
}

// next is the process of a client that starts: it has that number alone.
func (l *log) next() int32 { return l.who.Add(1) }

// complain tells people, not checkers, what went wrong.
func (l *log) complain(what string) { fmt.Fprintf(os.Stderr, "%d %s\n", l.who.Load(), what) }

func (l *log) close() error {
	if l.lines != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if err := l.lines.Flush(); err != nil {
			return err
		}
	}
	if err := l.Err(); err != nil {
		return err
	}
	return l.to.Close()
}

// op is an operation of a process about a partition.
func op(kind history.Kind, process int32, topic string, partition int32) history.Op {
	o := history.Blank()
	o.Kind, o.Process, o.Topic, o.Partition = kind, process, topic, partition
	return o
}

// outcome is OK, or Info with what went wrong: no worker claims that something has
// certainly not happened.
func outcome(o *history.Op, err error) {
	o.Outcome = history.OK
	if err != nil {
		o.Outcome, o.Err = history.Info, err.Error()
	}
}
