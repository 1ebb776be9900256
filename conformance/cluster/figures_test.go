package cluster

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/conformance/figures"
)

// figure is one line of the results file: what came of one piece of a run. Which fields
// are set depends on Kind.
type figure struct {
	Kind    string  `json:"kind"` // failover, soak, cut, pause, thousand, tool
	Program string  `json:"program"`
	Day     string  `json:"day"`
	Name    string  `json:"name,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`

	// failover: milliseconds from the kill on
	Leader bool      `json:"leader,omitempty"` // the victim led the metadata quorum
	Write  []float64 `json:"write,omitempty"`  // for each partition that it led
	Read   []float64 `json:"read,omitempty"`
	Create float64   `json:"create,omitempty"`

	// soak
	Kills   int   `json:"kills,omitempty"`
	Rounds  int   `json:"rounds,omitempty"`
	Cells   int   `json:"cells,omitempty"`
	Again   int   `json:"again,omitempty"` // cells that were tried more than once
	Acked   int64 `json:"acked,omitempty"`
	Checked int64 `json:"checked,omitempty"`
	Wrong   int   `json:"wrong,omitempty"`

	// thousand
	Numbers map[string]float64 `json:"numbers,omitempty"`

	// tool
	Text string `json:"text,omitempty"`
}

// record appends a figure to the results file, if there is one, and logs it.
func record(t *testing.T, f figure) {
	t.Helper()
	f.Day = figures.Today()
	figures.Append(t, *results, f)
}

// quantile is the smallest value that so much of the sample does not exceed.
func quantile(sample []float64, q float64) float64 {
	if len(sample) == 0 {
		return math.NaN()
	}
	s := slices.Clone(sample)
	slices.Sort(s)
	return s[max(0, int(math.Ceil(q*float64(len(s))))-1)]
}

func seconds(millis float64) string {
	if math.IsNaN(millis) {
		return "–"
	}
	return fmt.Sprintf("%.2f s", millis/1000)
}

func millis(d time.Duration) float64 { return math.Round(float64(d.Microseconds())/100) / 10 }

func title(program string) string {
	return strings.NewReplacer("odradek", "Odradek", "kafka", "Apache Kafka 4.2.1").Replace(program)
}

func TestQuantile(t *testing.T) {
	sample := make([]float64, 200)
	for i := range sample {
		sample[199-i] = float64(i + 1)
	}
	for q, want := range map[float64]float64{0.5: 100, 0.99: 198, 1: 200} {
		if got := quantile(sample, q); got != want {
			t.Errorf("quantile %v of 1 to 200: %v, want %v", q, got, want)
		}
	}
}
