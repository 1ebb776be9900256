// Command nats is NATS JetStream's part of the comparison: it puts a load on a server and says what it
// saw in the words of bench/load, so that the rig drives and measures it as it does Kafka's. It has a
// module of its own, so that what it needs is not needed by the product. A stream stands for each
// partition; its messages are kept in files, one copy, and acknowledged by the server.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// spec is what of a load.Spec is known here.
type spec struct {
	Load       string  `json:"load"`
	Kind       string  `json:"kind"`
	Bootstrap  string  `json:"bootstrap"`
	Partitions int     `json:"partitions"`
	Size       int     `json:"size"`
	Producers  int     `json:"producers"`
	Rate       float64 `json:"rate"`
	Passes     int     `json:"passes"`
	Seconds    float64 `json:"seconds"`
	Bytes      int64   `json:"bytes"`
	Warmup     float64 `json:"warmup_seconds"`
}

// result is what of a load.Result is told here.
type result struct {
	Load    string   `json:"load"`
	Spec    spec     `json:"spec"`
	Records int64    `json:"records"`
	Bytes   int64    `json:"bytes"`
	Seconds float64  `json:"seconds"`
	CPU     float64  `json:"cpu_client"`
	Latency latency  `json:"latency_us"`
	Errors  []string `json:"errors"`
}

type latency struct {
	Count int64 `json:"count"`
	P50   int64 `json:"p50"`
	P95   int64 `json:"p95"`
	P99   int64 `json:"p99"`
	P999  int64 `json:"p999"`
	Max   int64 `json:"max"`
}

func main() {
	var s spec
	flag.Func("spec", "a load.Spec in JSON", func(text string) error { return json.Unmarshal([]byte(text), &s) })
	hold := flag.Bool("hold", false, "wait for a line of input before and after the load")
	flag.Parse()
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	event := func(name string) {
		if *hold {
			_ = out.Encode(map[string]string{"event": name})
			_, _ = in.ReadString('\n')
		}
	}
	r := result{Load: s.Load, Spec: s, Errors: []string{}}
	if err := run(s, &r, event); err != nil {
		r.Errors = append(r.Errors, err.Error())
	}
	if out.Encode(r) != nil || len(r.Errors) > 0 {
		os.Exit(1)
	}
}

func run(s spec, r *result, event func(string)) (err error) {
	s.Producers, s.Partitions, s.Passes = max(s.Producers, 1), max(s.Partitions, 1), max(s.Passes, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	l, err := connect(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close(ctx)) }()
	var do func(context.Context) ([]time.Duration, int64, error)
	switch s.Kind {
	case "produce":
		if _, _, err := l.produce(ctx, seconds(s.Warmup), 0); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
		do = func(ctx context.Context) ([]time.Duration, int64, error) {
			return l.produce(ctx, seconds(s.Seconds), s.Bytes)
		}
	case "consume":
		if _, _, err := l.produce(ctx, time.Hour, s.Bytes); err != nil {
			return fmt.Errorf("fill: %w", err)
		}
		do = l.consume
	case "endtoend":
		do = l.endToEnd
	default:
		return fmt.Errorf("%s is no load for NATS", s.Kind)
	}
	event("ready")
	before, began := cpu(), time.Now()
	took, n, err := do(ctx)
	r.Seconds, r.CPU = time.Since(began).Seconds(), cpu()-before
	event("ran")
	r.Records, r.Bytes, r.Latency = n, n*int64(s.Size), latencyOf(took)
	return errors.Join(err, l.check(ctx))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// cpu is the processor time of this process.
func cpu() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func latencyOf(took []time.Duration) latency {
	if len(took) == 0 {
		return latency{}
	}
	slices.Sort(took)
	at := func(q float64) int64 { return took[min(len(took)-1, int(q*float64(len(took))))].Microseconds() }
	return latency{int64(len(took)), at(0.5), at(0.95), at(0.99), at(0.999), at(1)}
}

// value is text that compresses about as well as JSON does.
func value(size int) []byte {
	return []byte(strings.Repeat("etaoin shrdlu{},", size/16+1)[:size])
}
