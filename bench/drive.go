package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/odradek/odradek/bench/load"
	"github.com/odradek/odradek/bench/report"
	"github.com/odradek/odradek/bench/system"
	"github.com/odradek/odradek/conformance/cluster"
)

// drive puts one load on a system, from a process of its own, and measures what it costs if there
// is a gauge. A result that holds has no errors in it, so what has is an error here.
func (s *session) drive(ctx context.Context, r *system.Running, spec load.Spec, g *gauge) (*load.Result, *report.Cost, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	spec.Bootstrap = r.Bootstrap()
	if spec.Kind == load.CatchUp {
		spec.Cold = r.Data()
	}
	asked, err := json.Marshal(spec)
	if err != nil {
		return nil, nil, err
	}
	p, err := startLoad(r, cmp.Or(r.System.Load, s.loads), string(asked))
	if err != nil {
		return nil, nil, err
	}
	defer p.kill()
	result, err := p.run(ctx, r, g)
	if err == nil && len(result.Errors) > 0 {
		err = errors.New(strings.Join(result.Errors, "; "))
	}
	if err != nil {
		if !r.Alive() {
			err = fmt.Errorf("a node has ended: %w\n%s", err, r.LastWords())
		}
		return nil, nil, err
	}
	// Where it ran says nothing, and differs each time.
	result.Spec.Bootstrap, result.Spec.Topic, result.Spec.Cold, result.Spec.Jars, result.Spec.Python = "", "", nil, "", ""
	if g == nil {
		return result, nil, nil
	}
	return result, &g.cost, nil
}

// process makes load, and says by lines of JSON how far it is.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan []byte // of its output; closed at its end
	words tail        // of its standard error; whole when lines is closed
	gone  chan struct{}
}

func startLoad(r *system.Running, binary, spec string) (*process, error) {
	p := &process{cmd: exec.Command(binary, "-hold", "-spec", spec), lines: make(chan []byte), gone: make(chan struct{})}
	p.cmd.Stderr = &p.words
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.in = in
	if err := r.Spawn(p.cmd); err != nil {
		return nil, fmt.Errorf("start the load: %w", err)
	}
	go p.read(out)
	return p, nil
}

// read hands lines on until the process has closed its output, and awaits its end.
func (p *process) read(out io.Reader) {
	defer close(p.gone)
	defer close(p.lines)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		p.lines <- bytes.Clone(lines.Bytes())
	}
	_ = p.cmd.Wait() // what it means that it failed is in its result, or in what it said
}

// kill ends the process, if it has not ended, with the tools that it runs, which would hold its
// output open, and waits for its end.
func (p *process) kill() {
	select {
	case <-p.gone: // its id may be another's by now
	default:
		_ = cluster.Kill(p.cmd.Process)
	}
	for range p.lines { // let read get on
	}
	<-p.gone
}

// run follows the process to its result.
func (p *process) run(ctx context.Context, r *system.Running, g *gauge) (*load.Result, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the load does not end: %w", context.Cause(ctx))
		case line, ok := <-p.lines:
			if !ok {
				<-p.gone
				return nil, fmt.Errorf("the load ended without a result: %v: %s", p.cmd.ProcessState, p.words.String())
			}
			var event struct {
				Event string `json:"event"`
			}
			if err := json.Unmarshal(line, &event); err != nil {
				return nil, fmt.Errorf("the load said %q: %w", line, err)
			}
			if event.Event == "" {
				result := new(load.Result)
				return result, json.Unmarshal(line, result)
			}
			if err := p.event(ctx, event.Event, r, g); err != nil {
				return nil, err
			}
		}
	}
}

// event measures at the moments at which the load stands still, and lets it go on.
func (p *process) event(ctx context.Context, name string, r *system.Running, g *gauge) (err error) {
	if g != nil {
		switch name {
		case "ready":
			err = g.ready(ctx, r)
		case "ran":
			err = g.ran(ctx)
		}
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(p.in, "\n")
	return err
}

// tail keeps the end of what is written to it.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	const most = 2000
	t.kept = append(t.kept, p...)
	t.kept = t.kept[max(0, len(t.kept)-most):]
	return len(p), nil
}

func (t *tail) String() string { return strings.TrimSpace(string(t.kept)) }

// settle is how long a system gets to do what is left.
const settle = 10 * time.Second
