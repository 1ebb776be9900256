package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/odradek/odradek/conformance/kit/peer"
	"github.com/odradek/odradek/conformance/kit/raw"
	"github.com/odradek/odradek/conformance/kit/scenario"
)

// clientLimit is how long one program may take for all scenarios.
const clientLimit = 6 * time.Minute

// results are those of one peer, by client and scenario.
type results map[string]map[string]scenario.Result

// outcome is what was seen of one peer.
type outcome struct {
	results results
	raw     []raw.Answer
}

func (o options) scenarios() []string {
	if list := split(o.scenes); len(list) > 0 {
		return list
	}
	return scenario.Names
}

// runPeer starts a node and runs every client against it, a few at a time.
func runPeer(ctx context.Context, o options, name string, clients []client) (_ *outcome, err error) {
	p, err := startPeer(ctx, o, name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if stopErr := p.Stop(); err == nil && stopErr != nil {
			err = stopErr
		}
	}()
	out := &outcome{results: make(results)}
	if o.at == "" { // one node is enough to compare frames
		if out.raw, err = raw.Run(p.Bootstrap); err != nil {
			return nil, err
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, o.jobs)
	for _, c := range clients {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			rs := runClient(ctx, o, p, c)
			mu.Lock()
			defer mu.Unlock()
			out.results[c.name] = rs
		})
	}
	wg.Wait()
	checkCuts(p, out.results)
	return out, errors.Join(ctx.Err(), o.writeLines(out.results))
}

// runClient runs a client's program. A scenario for which no line came has failed.
func runClient(ctx context.Context, o options, p *peer.Peer, c client) map[string]scenario.Result {
	rs := make(map[string]scenario.Result)
	status, reason := "skip", c.reason
	names := o.scenarios()
	tries := o.tries
	if p.Name == "kafka" {
		// The other program is what ours is held against: a pause of the machine in which its
		// transaction ran out of time says nothing of us. Ours has the tries that were asked for.
		tries = max(tries, 3)
	}
	for try := 1; try <= tries && len(names) > 0 && ctx.Err() == nil; try++ {
		now := make(map[string]scenario.Result)
		if c.reason == "" {
			status = "fail"
			reason = runProgram(ctx, o, p, c, names, try, now)
		}
		var failed []string
		for _, name := range names {
			r, ok := now[name]
			if !ok {
				r = scenario.Result{Client: c.name, Scenario: name, Status: status, Reason: reason}
			}
			if r.Tries = append(rs[name].Tries, rs[name].Reason); try == 1 {
				r.Tries = nil
			}
			if rs[name] = r; r.Status == "fail" {
				failed = append(failed, name)
			}
		}
		names = failed
		if len(names) > 0 && try < tries {
			rest(ctx, time.Duration(try)*time.Second) // a broker that was killed is back, or has a successor
		}
	}
	return rs
}

// rest waits for d, or less if ctx ends.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// writeLines appends every result to the file that was asked for.
func (o options) writeLines(rs results) error {
	if o.lines == "" {
		return nil
	}
	f, err := os.OpenFile(o.lines, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	out := json.NewEncoder(f)
	for _, of := range rs {
		for _, r := range of {
			r.Observed = nil
			if err := out.Encode(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func runProgram(ctx context.Context, o options, p *peer.Peer, c client, names []string, try int, rs map[string]scenario.Result) string {
	ctx, cancel := context.WithTimeout(ctx, clientLimit)
	defer cancel()
	suffix := o.suffix
	if try > 1 {
		suffix += fmt.Sprintf(".%d", try)
	}
	args := append(slices.Clone(c.argv[1:]), "--bootstrap", p.Bootstrap, "--flaky", p.Flaky, "--copies", strconv.Itoa(o.copies), "--suffix", suffix)
	cmd := exec.CommandContext(ctx, c.argv[0], append(args, names...)...)
	cmd.Env = append(os.Environ(), "PEER_LOG_DIR="+p.LogDir, "PEER_NAME="+p.Name)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err.Error()
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var r scenario.Result
		if json.Unmarshal(lines.Bytes(), &r) != nil || r.Scenario == "" {
			continue // a library's own words
		}
		r.Client = c.name
		rs[r.Scenario] = r
		say("  %-10s %-24s %-10s %-4s %6d ms %s", p.Name, c.name, r.Scenario, r.Status, r.Millis, firstLine(r.Reason))
	}
	err = cmd.Wait()
	text := bytes.TrimSpace(stderr.Bytes())
	_ = os.WriteFile(p.Output+"."+c.argv[len(c.argv)-1][lastSlash(c.argv[len(c.argv)-1]):], text, 0o644)
	tail := text[max(0, len(text)-300):]
	if at := bytes.Index(text, []byte("panic: ")); at >= 0 {
		tail = text[at:min(len(text), at+300)]
	}
	return fmt.Sprintf("the program ended without a word on it (%v): %s", err, tail)
}

func lastSlash(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '/' {
			return i + 1
		}
	}
	return 0
}

// checkCuts fails idempotent scenarios that lost no answer: they showed nothing.
func checkCuts(p *peer.Peer, rs results) {
	cuts := p.Cuts()
	for name, of := range rs {
		r, ok := of["idempotent"]
		if !ok || r.Status != "ok" {
			continue
		}
		if cuts[name] == 0 {
			r.Status, r.Reason = "fail", "no answer to Produce was lost: it showed nothing"
		}
		of["idempotent"] = r
	}
}
