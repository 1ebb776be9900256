// Package scenario is what the Go programs of the matrix share: the names of the
// scenarios, how a program is told what to run, and the line of JSON that it prints for
// each. It knows no client.
package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// Names are the scenarios, in the order of the table. conformance/README.md says what
// each does.
var Names = []string{
	"cluster", "topics", "configs", "acks", "codecs", "headers", "nulls", "big",
	"idempotent", "positions", "group", "static", "commit", "trim", "compact",
	"transactions", "isolation", "fencing", "expiry", "pipeline",
	"consumer", "instance", "pattern", "migration", "share",
}

// Result is the line that a program prints for each scenario.
type Result struct {
	Client   string         `json:"client"`
	Scenario string         `json:"scenario"`
	Status   string         `json:"status"` // ok, fail or skip
	Reason   string         `json:"reason,omitempty"`
	Millis   int64          `json:"millis"`
	Observed map[string]any `json:"observed,omitempty"`
	Tries    []string       `json:"tries,omitempty"` // why earlier tries failed
}

// Func is one scenario in the words of one client. It panics by way of T to stop early.
type Func func(ctx context.Context, t *T)

// T is what a scenario is given, and where it says what it saw.
type T struct {
	Bootstrap string // plain listeners, with commas
	Flaky     string // listeners behind proxies that lose every third answer to Produce
	Copies    int    // of each partition
	Topic     string // a name that no other scenario of any client uses
	result    *Result
}

type stop struct{ status, reason string }

// Seeds are the plain listeners, one by one.
func (t *T) Seeds() []string { return strings.Split(t.Bootstrap, ",") }

// Observe notes what can be compared between peers.
func (t *T) Observe(key string, value any) { t.result.Observed[key] = value }

// Note says what a scenario that passed left out, and why.
func (t *T) Note(format string, args ...any) { t.result.Reason = fmt.Sprintf(format, args...) }

// Fatal ends the scenario as failed.
func (t *T) Fatal(format string, args ...any) { panic(stop{"fail", fmt.Sprintf(format, args...)}) }

// Skip ends the scenario as one that this client cannot do.
func (t *T) Skip(reason string) { panic(stop{"skip", reason}) }

// OK ends the scenario as failed unless err is nil.
func (t *T) OK(err error, what string) {
	if err != nil {
		t.Fatal("%s: %v", what, err)
	}
}

// Want ends the scenario as failed unless got and want print alike.
func (t *T) Want(what string, got, want any) {
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Fatal("%s: got %s, want %s", what, g, w)
	}
}

// Eventually waits until get prints as want: Kafka answers a change before every part of
// it has learnt of it.
func (t *T) Eventually(ctx context.Context, what string, get func() any, want any) {
	for end := time.Now().Add(10 * time.Second); ; {
		got := get()
		if fmt.Sprint(got) == fmt.Sprint(want) {
			return
		}
		if ctx.Err() != nil || time.Now().After(end) {
			t.Want(what, got, want)
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Main runs the scenarios that the command line names, all if it names none.
func Main(client string, table map[string]Func) {
	var t T
	flag.StringVar(&t.Bootstrap, "bootstrap", "127.0.0.1:9092", "the addresses of nodes, with commas")
	flag.StringVar(&t.Flaky, "flaky", "", "the addresses of the same nodes through proxies that lose answers")
	flag.IntVar(&t.Copies, "copies", 1, "how many copies each partition has")
	suffix := flag.String("suffix", "", "what the names of topics and groups end with")
	limit := flag.Duration("limit", 45*time.Second, "how long one scenario may take")
	flag.Parse()
	names := flag.Args()
	if len(names) == 0 {
		names = Names
	}
	out := json.NewEncoder(os.Stdout)
	for _, name := range names {
		r := run(client, name, *suffix, table[name], *limit, t)
		if err := out.Encode(r); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func run(client, name, suffix string, f Func, limit time.Duration, t T) (r Result) {
	r = Result{Client: client, Scenario: name, Status: "ok", Observed: map[string]any{}}
	if f == nil {
		r.Status, r.Reason = "skip", "the client has no call for it"
		return r
	}
	t.Topic, t.result = strings.ReplaceAll(client, " ", "-")+"."+name+suffix, &r
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	began := time.Now()
	defer func() {
		r.Millis = time.Since(began).Milliseconds()
		switch p := recover().(type) {
		case nil:
		case stop:
			r.Status, r.Reason = p.status, p.reason
		default:
			panic(p)
		}
	}()
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		f(ctx, &t)
	}()
	select {
	case p := <-done:
		if p != nil {
			panic(p)
		}
	case <-time.After(limit + 5*time.Second):
		panic(stop{"fail", "did not end within its time"})
	}
	return r
}

// Code is the number of a Kafka error inside err, 0 for none, -2 for one that has none.
func Code(err error, codeOf func(error) (int, bool)) int {
	if err == nil {
		return 0
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if code, ok := codeOf(e); ok {
			return code
		}
	}
	return -2
}
