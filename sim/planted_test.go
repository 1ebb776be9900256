//go:build planted

package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/planted"
)

var (
	mistakes     = flag.String("mistakes", "sample", "to plant: names with commas between them, all, or a sample of those that are found soon")
	mistakeSeeds = flag.Int("mistakes.seeds", 500, "after how many seeds a mistake counts as not found")
	mistakeTime  = flag.Duration("mistakes.time", 10*time.Minute, "after which time, too")
	seeded       = flag.Bool("mistakes.seeded", false, "live through what TestSeeds draws, and not through the traps")
	figures      = flag.Bool("mistakes.figures", false, "note what was found in "+figuresFile)
)

// sampled are found by the first seed of their traps, by different checks, in seconds.
var sampled = []planted.Bug{planted.AckBelowMinISR, planted.VolatileProducers, planted.PendingOffsetsTold, planted.StaleEndTxn}

// A simulator that finds nothing may be one that cannot. Each mistake that others have made
// is planted in a process of its own, which lives through seeds until a checker rejects what
// clients saw; without the mistake the same seeds pass.
func TestPlanted(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes")
	}
	for _, b := range chosen(t) {
		t.Run(string(b), func(t *testing.T) { hunt(t, b) })
	}
}

func chosen(t *testing.T) []planted.Bug {
	switch *mistakes {
	case "all":
		return planted.All()
	case "sample":
		return sampled
	}
	var list []planted.Bug
	for _, name := range strings.Split(*mistakes, ",") {
		b := planted.Bug(name)
		if !slices.Contains(planted.All(), b) {
			t.Fatalf("there is no mistake %q: %q", name, planted.All())
		}
		list = append(list, b)
	}
	return list
}

func hunt(t *testing.T, b planted.Bug) {
	f := found{Bug: b, Test: "TestTraps/" + string(b)}
	if *seeded {
		f.Test = "TestSeeds"
	}
	ctx, cancel := context.WithTimeout(t.Context(), *mistakeTime)
	defer cancel()
	with := liveApart(ctx, t, f.Test, b, *first, *mistakeSeeds)
	if f.Seeds, f.Seconds = with.lived, with.seconds; with.failed == 0 {
		t.Fatalf("nobody finds %s: %d seeds of %s in %.0f s, %v", b, with.lived, f.Test, with.seconds, ctx.Err())
	}
	f.Seed, f.By, f.Words = with.failed, with.checks(), with.words()
	if len(f.By) == 0 {
		t.Fatalf("%s: seed %d fails, but by no checker:\n%s", b, f.Seed, with.tail())
	}
	t.Logf("%s: %s in seed %d of %s, after %d seeds and %.1f CPU s: %s", b, strings.Join(f.By, ", "), f.Seed, f.Test, f.Seeds, f.Seconds, f.Words)
	without := liveApart(t.Context(), t, f.Test, "", *first, f.Seeds)
	if without.failed != 0 {
		t.Errorf("without a mistake seed %d fails too:\n%s", without.failed, without.tail())
	}
	if *figures && !t.Failed() {
		f.Seconds = math.Round(f.Seconds*10) / 10
		f.note(t)
	}
}

// note appends what was found to the figures.
func (f *found) note(t *testing.T) {
	line, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(figuresFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = file.Write(append(line, '\n')); err != nil {
		t.Error(err)
	}
	if err = file.Close(); err != nil {
		t.Error(err)
	}
}

// lives are what became of the seeds of one process.
type lives struct {
	lived   int    // how many, the one that failed included
	failed  uint64 // the first that did, 0 if none
	seconds float64
	output  []byte
}

// liveApart has a process of its own live through seeds, until one fails.
func liveApart(ctx context.Context, t *testing.T, test string, b planted.Bug, from uint64, seeds int) (l lives) {
	dir := t.TempDir()
	progress := filepath.Join(dir, "totals")
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+strings.ReplaceAll(test, "/", "$/^")+"$", "-test.failfast", "-test.timeout=0",
		fmt.Sprint("-first=", from), fmt.Sprint("-seeds=", seeds), fmt.Sprint("-traps=", seeds), "-totals="+progress)
	cmd.Env = append(os.Environ(), "ODRADEK_PLANTED="+string(b), "GOMAXPROCS=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	l.output = out.Bytes()
	if s := cmd.ProcessState; s != nil {
		l.seconds = (s.UserTime() + s.SystemTime()).Seconds()
	}
	last := lastSeed(progress)
	switch m := failedSeed.FindSubmatch(l.output); {
	case m != nil:
		l.failed, _ = strconv.ParseUint(string(m[1]), 10, 64)
	case err != nil && ctx.Err() == nil: // a goroutine of the cluster took all with it
		l.failed = max(from, last+1)
	}
	if l.lived = int(max(from, last+1) - from); l.failed != 0 {
		l.lived = int(l.failed - from + 1)
	}
	return l
}

var (
	failedSeed = regexp.MustCompile(`--- FAIL: \S*/seed=(\d+) `)
	verdict    = regexp.MustCompile(`(?m)^\s+\S+_test\.go:\d+: (C\d+|client): (.*)$`)
	stopped    = regexp.MustCompile(`(?m)^\s+\S+\.go:\d+: (node \d+: it has stopped by itself)$`)
)

// lastSeed is the last that the file of totals tells of.
func lastSeed(progress string) uint64 {
	b, err := os.ReadFile(progress)
	if err != nil {
		return 0
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	var last struct{ Seed uint64 }
	if json.Unmarshal(lines[len(lines)-1], &last) != nil {
		return 0
	}
	return last.Seed
}

// checks are those that rejected the history, by name.
func (l *lives) checks() (names []string) {
	for _, m := range verdict.FindAllSubmatch(l.output, -1) {
		if name := string(m[1]); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 && stopped.Match(l.output) {
		names = append(names, "stopped")
	}
	return names
}

// words are what the first of them said.
func (l *lives) words() string {
	if m := verdict.FindSubmatch(l.output); m != nil {
		return string(m[2])
	}
	if m := stopped.FindSubmatch(l.output); m != nil {
		return string(m[1])
	}
	return ""
}

// tail is the end of what it said.
func (l *lives) tail() string { return string(l.output[max(0, len(l.output)-4000):]) }
