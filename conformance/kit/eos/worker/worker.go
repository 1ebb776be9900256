// Package worker is what the pipelines of conformance/eos share: how one is told what to
// do, and the lines of JSON by which it tells what became of its transactions. It knows no
// client.
package worker

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"
)

// Job is what a pipeline does: it takes records from partition p of In, and writes each to
// partition p of Out, in transactions that also commit what was taken, as a member of Group.
type Job struct {
	Seeds    []string
	In, Out  string
	Group    string
	ID       string // the transactional id, or what its ids begin with
	Protocol string // classic or consumer
}

// Most is how many records a transaction takes.
const Most = 40

// Timeout is that of a transaction: a worker that was killed holds readers up for no longer.
const Timeout = 10 * time.Second

// Session is how long a member may be silent.
const Session = 6 * time.Second

// Parse reads the command line.
func Parse() Job {
	var j Job
	seeds := flag.String("bootstrap", "", "addresses of brokers, with commas")
	flag.StringVar(&j.In, "in", "", "the topic to take from")
	flag.StringVar(&j.Out, "out", "", "the topic to write to")
	flag.StringVar(&j.Group, "group", "", "the consumer group")
	flag.StringVar(&j.ID, "id", "", "the transactional id")
	flag.StringVar(&j.Protocol, "protocol", "classic", "how the group divides its partitions: classic or consumer")
	flag.Parse()
	j.Seeds = strings.Split(*seeds, ",")
	return j
}

// GiveUp tells whether a transaction is to be aborted for no reason.
func GiveUp() bool { return rand.IntN(8) == 0 }

// Dawdle stays in a transaction for a while, so that some are killed in it.
func Dawdle() {
	if rand.IntN(4) == 0 {
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
	}
}

type event struct {
	Event   string `json:"event"` // ready, commit, abort, fenced, failed
	Records int    `json:"records,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

var (
	writing sync.Mutex // orders the lines
	lines   = json.NewEncoder(os.Stdout)
)

func say(e event) {
	writing.Lock()
	defer writing.Unlock()
	if lines.Encode(e) != nil {
		os.Exit(1) // nobody listens any more
	}
}

// Ready tells that the worker has begun.
func Ready() { say(event{Event: "ready"}) }

// Committed tells of a transaction that was committed.
func Committed(records int) { say(event{Event: "commit", Records: records}) }

// Aborted tells of one that was aborted, and why.
func Aborted(reason string) { say(event{Event: "abort", Reason: reason}) }

// Fenced tells that another producer has taken the transactional id.
func Fenced(reason string) { say(event{Event: "fenced", Reason: reason}) }

// Failed tells of an error after which the worker begins anew.
func Failed(reason string) {
	say(event{Event: "failed", Reason: reason})
	time.Sleep(200 * time.Millisecond)
}
