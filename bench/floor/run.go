//go:build linux

package floor

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/odradek/odradek/bench/load/raw"
)

// Run measures s against a process that it starts by command, which must call Serve with
// the Spec that is its last argument, in JSON.
func Run(ctx context.Context, command []string, s Spec) (r Result, err error) {
	s = s.withDefaults()
	r = Result{Spec: s}
	if err := s.check(); err != nil {
		return r, err
	}
	w, err := wordsOf(s)
	if err != nil {
		return r, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return r, err
	}
	child := exec.CommandContext(ctx, command[0], append(command[1:], string(text))...)
	child.Stderr = os.Stderr
	in, err1 := child.StdinPipe()
	out, err2 := child.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return r, err
	}
	if err := child.Start(); err != nil {
		return r, err
	}
	defer func() { in.Close(); err = errors.Join(err, child.Wait()) }()
	lines := json.NewDecoder(bufio.NewReader(out))
	d := driver{spec: s, words: w}
	if err := lines.Decode(&d.hello); err != nil {
		return r, fmt.Errorf("the serving process said nothing: %w", err)
	}
	if n := int64(s.Warmup * float64(s.Requests)); n > 0 {
		if _, _, err := d.drive(ctx, n, lines); err != nil {
			return r, fmt.Errorf("warm-up: %w", err)
		}
	}
	cpu, began := clientCPU(), time.Now()
	done, u, err := d.drive(ctx, s.Requests, lines)
	if err != nil {
		return r, err
	}
	r.Seconds, r.ClientCPU = time.Since(began).Seconds(), clientCPU()-cpu
	r.Requests, r.Bytes = done.Requests, done.Requests*int64(s.Batch)
	r.User, r.System, r.Voluntary = u.User, u.System, u.Voluntary
	r.PerRequest = (u.User + u.System) / float64(r.Requests) * 1e6
	if r.Bytes > 0 {
		r.PerGB = (u.User + u.System) / (float64(r.Bytes) / 1e9)
	}
	r.P50, r.P99 = done.Latency.Quantile(0.5).Microseconds(), done.Latency.Quantile(0.99).Microseconds()
	if s.Op == Produce && s.File == Fresh && u.Bytes != r.Bytes {
		err = fmt.Errorf("%d bytes were appended of %d", u.Bytes, r.Bytes)
	}
	return r, err
}

// driver sends requests to the serving process.
type driver struct {
	spec  Spec
	words words
	hello hello
}

func (d *driver) drive(ctx context.Context, requests int64, lines *json.Decoder) (raw.Done, usage, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", d.hello.Address)
	if err != nil {
		return raw.Done{}, usage{}, err
	}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	offset := func(i int64) int64 { return i % max(d.hello.Stored, 1) * d.words.records }
	s := raw.Stream{Conn: c, InFlight: d.spec.InFlight, Burst: d.spec.Burst, MaxAnswer: d.spec.Batch + 4096,
		Request: func(i int64) []byte {
			if d.spec.Op == Fetch {
				binary.BigEndian.PutUint64(d.words.request[d.words.offsetAt:], uint64(offset(i)))
			}
			return d.words.request
		},
		Check: func(i int64, answer []byte) error { return d.words.check(d.spec.Op, answer, offset(i)) },
	}
	done, err := s.Run(raw.Limit{Requests: requests})
	c.Close()
	var u usage
	if said := lines.Decode(&u); said != nil {
		return done, u, errors.Join(err, said)
	}
	if u.Error != "" {
		err = errors.Join(err, errors.New(u.Error))
	}
	return done, u, err
}

// clientCPU is what this process has used, in seconds.
func clientCPU() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return of(u.Utime) + of(u.Stime)
}
