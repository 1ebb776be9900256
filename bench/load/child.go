package load

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// child runs another program's load to its end and returns what it printed. Its processor
// time is the result's.
func child(ctx context.Context, r *Result, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	var out, problems bytes.Buffer
	c.Stdout, c.Stderr = &out, &problems
	err := c.Run()
	if c.ProcessState != nil {
		r.CPU = (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()
	}
	if err != nil {
		words := strings.TrimSpace(problems.String() + "\n" + out.String())
		return "", fmt.Errorf("%s: %w: %s", name, err, words[max(0, len(words)-1000):])
	}
	return out.String(), nil
}

// foreign is what the loads of other programs have in common: a topic that is filled, or
// warmed, by producers of ours.
type foreign struct {
	spec    *Spec
	cluster *cluster
	ours    int64 // records that we produced
}

func (f *foreign) prepare(ctx context.Context) error {
	if f.spec.fills() {
		ends, err := f.cluster.fillTopic(ctx)
		f.ours = sum(ends)
		return err
	}
	if f.spec.Warmup == 0 {
		return nil
	}
	ps, err := f.cluster.producers()
	if err != nil {
		return err
	}
	defer ps.close()
	err = ps.warm(ctx)
	f.ours = ps.acked()
	return err
}

// check compares the topic's ends with what the program says that it produced, or what it
// read with what we produced.
func (f *foreign) check(ctx context.Context, r *Result) error {
	if !f.spec.fills() {
		return f.cluster.holds(ctx, f.ours+r.Records, f.cluster.ends)
	}
	if r.Records != f.ours || r.Bytes != f.ours*int64(f.spec.Size) {
		return fmt.Errorf("%d records of %d bytes were read, want %d of %d", r.Records, r.Bytes, f.ours, f.ours*int64(f.spec.Size))
	}
	return nil
}

func (f *foreign) close() {}
