package load

import (
	"strings"
	"testing"
)

// What Kafka's tools print is read as it was meant, and nothing else.
func TestJavaTotals(t *testing.T) {
	var r Result
	out := `26000 records sent, 5199.0 records/sec (4.96 MB/sec), 1000.5 ms avg latency, 1500.0 ms max latency.
100000 records sent, 20000.000000 records/sec (19.07 MB/sec), 12.34 ms avg latency, 310.00 ms max latency, 9 ms 50th, 40 ms 95th, 100 ms 99th, 300 ms 99.9th.
`
	if err := readProduced(out, &r); err != nil {
		t.Fatal(err)
	}
	want := Latency{Count: 100000, Mean: 12340, P50: 9000, P95: 40000, P99: 100000, P999: 300000, Max: 310000}
	if r.Records != 100000 || r.Seconds != 5 || r.Latency != want {
		t.Errorf("%+v", r)
	}
	r = Result{}
	out = "2026-11-22 15:00:00:000, 2026-11-22 15:00:12:500, 190.7349, 15.2588, 200000, 16000.0000, 2500, 10000, 19.0735, 20000.0000\n"
	if err := readConsumed("WARNING: something\n"+out, &r); err != nil {
		t.Fatal(err)
	}
	if r.Records != 200000 || r.Bytes != 200_000_000 || r.Seconds != 10 || r.Figures["rebalance_seconds"] != 2.5 {
		t.Errorf("%+v", r)
	}
	for _, wrong := range []string{"", "26000 records sent, 5199.0 records/sec (4.96 MB/sec)", strings.Repeat("a, ", 9) + "b"} {
		if readProduced(wrong, &r) == nil || readConsumed(wrong, &r) == nil {
			t.Errorf("%q has a total", wrong)
		}
	}
}
