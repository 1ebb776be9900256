package sim

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

var (
	progress = flag.String("totals", "", "a file to which one line of JSON is appended after each seed")
	sums     = flag.String("sum", "", "a file with such lines that are to be added up")
)

// The lives of several processes are added up.
func TestTotals(t *testing.T) {
	if *sums == "" {
		t.Skip("there is nothing to add up: -sum FILE")
	}
	f, err := os.Open(*sums)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := totals{Faults: map[string]int{}}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var part totals
		if err := json.Unmarshal(lines.Bytes(), &part); err != nil {
			t.Fatal(err)
		}
		all.add(part)
	}
	all.print(t)
}

// totals are what many seeds lived through.
type totals struct {
	Seeds    int            `json:"seeds"`
	Failed   []uint64       `json:"failed"`
	Forsaken int            `json:"forsaken"` // partitions that nobody may lead end the proof of life
	Virtual  float64        `json:"virtual_hours"`
	Sends    int            `json:"sends"`
	Polled   int            `json:"polled"`
	Others   int            `json:"other_operations"`
	Faults   map[string]int `json:"faults"`
	Healing  []int64        `json:"healing_ms,omitempty"`
	HealP50  int64          `json:"healing_p50_ms"`
	HealP99  int64          `json:"healing_p99_ms"`
	HealMost int64          `json:"healing_max_ms"`
}

func (s *totals) healed(d time.Duration) {
	s.Healing = append(s.Healing, d.Milliseconds())
	slices.Sort(s.Healing)
	at := func(p int) int64 { return s.Healing[min(len(s.Healing)-1, len(s.Healing)*p/100)] }
	s.HealP50, s.HealP99, s.HealMost = at(50), at(99), at(100)
}

// tell appends what there is so far, for one who starts again after a panic.
func (s *totals) tell(seed uint64, took time.Duration) {
	if *progress == "" {
		return
	}
	f, err := os.OpenFile(*progress, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	line, _ := json.Marshal(struct {
		Seed uint64  `json:"seed"`
		Took float64 `json:"seconds"`
		totals
	}{seed, took.Seconds(), *s})
	_, _ = f.Write(append(line, '\n'))
}

func (s *totals) add(o totals) {
	s.Seeds += o.Seeds
	s.Failed = append(s.Failed, o.Failed...)
	s.Forsaken += o.Forsaken
	s.Virtual += o.Virtual
	s.Sends, s.Polled, s.Others = s.Sends+o.Sends, s.Polled+o.Polled, s.Others+o.Others
	for name, n := range o.Faults {
		s.Faults[name] += n
	}
	for _, ms := range o.Healing {
		s.healed(time.Duration(ms) * time.Millisecond)
	}
}

func (s *totals) print(t *testing.T) {
	slices.Sort(s.Failed)
	brief := *s
	brief.Healing = nil
	line, _ := json.Marshal(brief)
	t.Logf("%s", line)
	fmt.Printf("%s\n", line)
}
