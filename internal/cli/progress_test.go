package cli

import (
	"testing"
	"time"
)

// Progress is judged by the last while, does not run backwards, and says nothing about
// speed before it knows it.
func TestProgress(t *testing.T) {
	start := time.Unix(1000, 0)
	p := &progress{total: 1000 << 20, totalParts: 10}
	for _, c := range []struct {
		after time.Duration
		bytes int64
		parts int
		want  string
	}{
		{0, 0, 0, "0 of 10 partitions, 0 B of 1000.0 MiB"},
		{10 * time.Second, 100 << 20, 1, "1 of 10 partitions, 100.0 MiB of 1000.0 MiB, 10.0 MiB/s, 1m30s to go"},
		{15 * time.Second, 90 << 20, 1, "1 of 10 partitions, 100.0 MiB of 1000.0 MiB, 6.7 MiB/s, 2m15s to go"},
		{25 * time.Second, 400 << 20, 4, "4 of 10 partitions, 400.0 MiB of 1000.0 MiB, 16.0 MiB/s, 38s to go"},
		{60 * time.Second, 400 << 20, 4, "4 of 10 partitions, 400.0 MiB of 1000.0 MiB"},
		{61 * time.Second, 2000 << 20, 10, "10 of 10 partitions, 1000.0 MiB of 1000.0 MiB"},
	} {
		p.observe(start.Add(c.after), c.bytes, c.parts)
		if got := p.String(); got != c.want {
			t.Errorf("after %v: %s, want %s", c.after, got, c.want)
		}
	}
}
