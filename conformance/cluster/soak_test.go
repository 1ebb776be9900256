package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/odradek/odradek/conformance/crash"
)

var (
	soak    = flag.Duration("soak", 0, "how long the matrix of clients runs while brokers are killed; the round that has begun is finished")
	clients = flag.String("clients", "", "only these clients of the matrix, by name, with commas")
	tries   = flag.Int("tries", 4, "how often a client may try a scenario while brokers are killed under it")
	jobs    = flag.Int("jobs", 3, "how many clients of the matrix run at a time")
)

// matrixSettings are those that the kit gives to one node.
var matrixSettings = []string{
	"num.partitions=1",
	"group.initial.rebalance.delay.ms=300",
	"log.cleaner.backoff.ms=200",
	"group.consumer.min.heartbeat.interval.ms=100",
	"group.consumer.heartbeat.interval.ms=200",
	"group.consumer.min.session.timeout.ms=1000",
	"group.consumer.session.timeout.ms=6000",
}

// killable are the scenarios that can be held to their words while brokers die. Those of
// transactions count offsets, to which a marker that is written twice adds, and share groups
// count deliveries, of which a leader's death makes more; conformance/eos has the first ones
// under kills.
const killable = "cluster,topics,configs,acks,codecs,headers,nulls,big,idempotent,positions,group,static,commit,trim,compact,pipeline,consumer,pattern"

// The whole matrix of clients runs, with three copies of everything, of which two must be
// in sync, while one broker after the other is killed and started again every few
// seconds. Every client finishes; beside it the load of package crash goes on, and
// nothing acknowledged is lost, doubled or reordered.
//
// A broker's death is allowed to fail a single call of a client that does not try again,
// so a scenario may be tried several times; how often that was needed is written down.
func TestMatrixUnderKills(t *testing.T) {
	if *soak == 0 {
		t.Skip("asked for with -soak=2m; needs what conformance/run --install fetches")
	}
	kit := buildKit(t)
	r := newRig(t, Config{Settings: matrixSettings})
	r.startLoad(5 * time.Millisecond)
	r.progress(500)
	began, total := time.Now(), figure{Kind: "soak", Program: r.cluster.Program.Name}
	lines := filepath.Join(t.TempDir(), "cells.json")
	for time.Since(began) < *soak {
		total.Rounds++
		total.Kills += r.round(kit, lines, total.Rounds)
	}
	r.settle()
	bad := r.count(lines, &total)
	total.Seconds = float64(time.Since(began).Milliseconds()) / 1000
	total.Acked, total.Checked = r.history.Figures()
	record(t, total)
	for _, b := range bad {
		t.Error(b)
	}
	t.Logf("%d rounds of the matrix, %d kills, %d cells, %d of them tried again: %s", total.Rounds, total.Kills, total.Cells, total.Again, r.figures())
}

// buildKit builds the program that runs the clients, and makes sure that they are there.
func buildKit(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "kit")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".")
	cmd.Dir = filepath.Join("..", "kit")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the kit: %v\n%s", err, out)
	}
	return binary
}

// round runs the matrix once and kills brokers until it ends; it returns how many.
func (r *rig) round(kit, lines string, number int) (killed int) {
	r.t.Helper()
	var pairs []string
	for _, n := range r.cluster.All {
		pairs = append(pairs, n.Proxy+"="+n.Flaky)
	}
	args := []string{"--root", "..", "--peer", r.cluster.Program.Name, "--at", strings.Join(r.cluster.Addrs(), ","), "--proxies", strings.Join(pairs, ","),
		"--copies", "3", "--tries", fmt.Sprint(*tries), "--jobs", fmt.Sprint(*jobs), "--suffix", fmt.Sprintf(".r%d", number), "--lines", lines, "--scenarios", killable}
	if *clients != "" {
		args = append(args, "--clients", *clients)
	}
	// A program of the matrix may take this long before the kit ends it.
	ctx, cancel := context.WithTimeout(r.t.Context(), 40*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, kit, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Env = append(os.Environ(), "PEER_LOG_DIR="+r.cluster.All[0].Data)
	out, err := os.OpenFile(filepath.Join(r.cluster.Dir, "matrix.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	r.try(err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	r.try(r.cluster.starter.start(cmd))
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	defer func() {
		cancel()
		if err != nil || r.t.Failed() {
			text, _ := os.ReadFile(out.Name())
			r.t.Logf("the matrix said:\n%s", text[max(0, len(text)-6000):])
		}
	}()
	for {
		r.killOne()
		if killed++; killed%3 == 0 {
			r.check()
		} else {
			r.progress(50)
		}
		select {
		case err = <-done:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				r.t.Errorf("the matrix: %v", err)
			}
			return killed
		default:
		}
	}
}

// count adds the cells of the matrix to the figure and returns what is wrong with them.
func (r *rig) count(lines string, f *figure) (bad []string) {
	file, err := os.Open(lines)
	r.try(err)
	defer file.Close()
	for in := bufio.NewScanner(file); in.Scan(); {
		var cell struct {
			Client, Scenario, Status, Reason string
			Tries                            []string
		}
		r.try(json.Unmarshal(in.Bytes(), &cell))
		switch cell.Status {
		case "skip":
			continue
		case "fail":
			f.Wrong++
			bad = append(bad, fmt.Sprintf("%s %s failed: %s", cell.Client, cell.Scenario, cell.Reason))
		}
		f.Cells++
		if len(cell.Tries) > 0 {
			f.Again++
			r.t.Logf("%s %s was tried again after: %s", cell.Client, cell.Scenario, strings.Join(cell.Tries, "; "))
		}
	}
	if f.Cells == 0 {
		bad = append(bad, "the matrix had no cell that could be run")
	}
	return bad
}

// The check of a whole cluster must be able to fail: the history of a healthy one is
// given a record that was never sent, and one that stands elsewhere.
func TestLossIsSeen(t *testing.T) {
	r := newRig(t, Config{})
	r.startLoad(0)
	r.progress(2000)
	ctx, cancel := r.context()
	defer cancel()
	r.load.Pause()
	r.try(r.load.Flush(ctx))
	r.check()
	_, hw := r.history.Bounds(crash.Place{Topic: "small", Partition: 1})
	r.history.Acked(crash.Place{Topic: "small", Partition: 1}, hw, crash.ID{Producer: 99, Seq: 1})
	r.history.Died()
	r.try(crash.Check(ctx, r.cluster.Addrs(), r.history))
	wrong := strings.Join(r.history.Wrong(), "\n")
	if !strings.Contains(wrong, "lost {99 1}") || !strings.Contains(wrong, "high watermark went back") {
		t.Errorf("a record that was acknowledged is not there, and the check found this: %q", wrong)
	}
}
