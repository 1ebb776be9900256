// Package report keeps what a comparison has measured, a line of JSON for each run, and makes of it
// the page, its tables and its plots, which say nothing else. Figures are compared within a round of
// a session only: what two systems did on one machine one after the other. It starts and measures
// nothing and owns no goroutines.
package report

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/odradek/odradek/bench/load"
	"github.com/odradek/odradek/bench/measure"
	"github.com/odradek/odradek/conformance/figures"
)

// Line is one line of the file: a session, or a run of the session before.
type Line struct {
	Session *Session `json:"session,omitempty"`
	Run     *Run     `json:"run,omitempty"`
}

// Session is one call of the command.
type Session struct {
	ID      string             `json:"id"` // when it began, UTC
	Command string             `json:"command"`
	Machine Machine            `json:"machine"`
	Systems []System           `json:"systems"`
	Rounds  int                `json:"rounds"`
	Short   bool               `json:"short,omitempty"` // small loads, to see that all of it works: no results
	Rates   map[string]float64 `json:"rates,omitempty"` // records a second, of loads at a rate that was found first
}

// Machine is what a session ran on.
type Machine struct {
	CPU    string  `json:"cpu"`
	Cores  int     `json:"cores"`
	Memory float64 `json:"memory_gib"`
	Kernel string  `json:"kernel"`
	Disk   string  `json:"disk"` // the file system
	Go     string  `json:"go"`
	Java   string  `json:"java"`
	Others float64 `json:"others"` // processors that others used when the session began
	Full   bool    `json:"full"`   // its memory was kept full (bench/ballast)
}

// System is one of those that are compared.
type System struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Version string `json:"version"`
	About   string `json:"about"`
}

// Run is one load on one system in one round, or one start.
type Run struct {
	Session  string `json:"session"`
	Round    int    `json:"round"` // from 1
	System   string `json:"system"`
	Workload string `json:"workload"`
	Failed   string `json:"failed,omitempty"` // why there are no figures

	Load  *load.Result `json:"load,omitempty"`
	Cost  *Cost        `json:"cost,omitempty"`
	Start *Start       `json:"start,omitempty"`
	Calls *Calls       `json:"calls,omitempty"`
}

// Cost is what the nodes together used, and the machine.
type Cost struct {
	During measure.Usage   `json:"during"`           // from Ready to Ran
	After  measure.Usage   `json:"after"`            // from then on until the nodes were quiet
	Memory measure.Memory  `json:"memory"`           // resident, during the load
	Before int64           `json:"resident_before"`  // bytes
	Device *int64          `json:"device,omitempty"` // bytes that the disk was given, by whomever, until all was on it
	Heap   *measure.Heap   `json:"heap,omitempty"`   // of systems in Go that tell
	Busy   measure.Machine `json:"busy"`             // processors, all of the machine's processes together
}

// CPU is the processor time of the nodes, with what the load left for them to do.
func (c *Cost) CPU() float64 { return c.During.CPU() + c.After.CPU() }

// Start is how a system came up. Seconds count from when its process was started.
type Start struct {
	Partitions int     `json:"partitions"`
	Answers    float64 `json:"answers_seconds"` // until it answered a client
	First      float64 `json:"first_seconds"`   // until a record was acknowledged
	CPU        float64 `json:"cpu_seconds"`     // processor time until then
	Resident   int64   `json:"resident"`        // bytes, when it had nothing more to do
	Format     float64 `json:"format_seconds"`  // for folders and settings before the first start
}

// Calls are system calls of a load of their own, which was not timed.
type Calls struct {
	By       string `json:"by"` // what counted them
	Calls    int64  `json:"calls"`
	Requests int64  `json:"requests"`
	Records  int64  `json:"records"`
}

// Read returns the sessions of a file, each with its runs, in the order of the file. A file
// that is not there has none.
func Read(file string) ([]*Book, error) {
	lines, err := figures.All[Line](file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var books []*Book
	byID := make(map[string]*Book)
	for n, l := range lines {
		switch {
		case l.Session != nil:
			b := &Book{Session: *l.Session}
			byID[b.ID] = b
			books = append(books, b)
		case l.Run != nil && byID[l.Run.Session] != nil:
			b := byID[l.Run.Session]
			b.Runs = append(b.Runs, *l.Run)
		default:
			return nil, fmt.Errorf("%s:%d: neither a session nor a run of one", file, n+1)
		}
	}
	return books, nil
}

// Book is a session with its runs.
type Book struct {
	Session
	Runs []Run
}
