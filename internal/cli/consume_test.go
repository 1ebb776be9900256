package cli

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A range is cut at the colon that leaves two positions, though times have colons too.
func TestCutRange(t *testing.T) {
	for _, c := range []struct{ span, from, to string }{
		{"1:2", "1", "2"},
		{":", "start", "end"},
		{"-10:", "-10", "end"},
		{":+3", "start", "+3"},
		{"-2h:-1h30m", "-2h", "-1h30m"},
		{"-7d:@-1d", "-7d", "@-1d"},
		{"@2026-01-31T12:00:00Z:@2026-01-31T13:00:00Z", "@2026-01-31T12:00:00Z", "@2026-01-31T13:00:00Z"},
		{"@2026-01-31T12:30:@2026-02-01", "@2026-01-31T12:30", "@2026-02-01"},
		{"@1700000000000:end", "@1700000000000", "end"},
	} {
		if from, to, err := cutRange(c.span); err != nil || from != c.from || to != c.to {
			t.Errorf("%s: %q to %q, %v", c.span, from, to, err)
		}
	}
	for _, span := range []string{"", "1", "a:b", "1:2:3", "--1:2", "@:1", "1:-", "+-1:2"} {
		if from, to, err := cutRange(span); exitCode(err) != exitUsage {
			t.Errorf("%q: %q to %q, %v", span, from, to, err)
		}
	}
}

// Positions outside a partition are its ends.
func TestOffsetAt(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	for _, c := range []struct {
		text string
		want int64
	}{
		{"start", 100}, {"end", 200}, {"150", 150}, {"0", 100}, {"999", 200},
		{"+5", 105}, {"+500", 200}, {"-5", 195}, {"-500", 100}, {"+0", 100}, {"-0", 200},
	} {
		p, err := parsePosition(c.text, now)
		if err != nil {
			t.Fatal(err)
		}
		q := asker{starts: map[string]map[int32]int64{"t": {0: 100}}, ends: map[string]map[int32]int64{"t": {0: 200}}}
		at, err := q.at(p)
		if err != nil || at["t"][0] != c.want {
			t.Errorf("%s: %v, %v, want %d", c.text, at, err, c.want)
		}
	}
	for text, want := range map[string]int64{"-1h": now.Add(-time.Hour).UnixMilli(), "@5": 5, "@-1m": now.Add(-time.Minute).UnixMilli()} {
		if p, err := parsePosition(text, now); err != nil || p.kind != '@' || p.n != want {
			t.Errorf("%s: %+v, %v, want %d", text, p, err, want)
		}
	}
}

// What a layout writes it reads again, as long as what stands between fields is in none.
func TestLayoutThereAndBack(t *testing.T) {
	for _, c := range []struct{ format, line string }{
		{"%v", "a value: with, all"},
		{"%k:%v", "key:value:rest"},
		{`%k\t%v\t%h`, "k\tv\ta=1,b=2"},
		{`%p|%T|%k`, "3|2023-11-14T22:13:20.000Z|k"},
		{`%%%k\x3b %v`, "%k; v"},
	} {
		l, err := parseLayout(c.format, "kvhTp")
		if err != nil {
			t.Fatal(err)
		}
		var r kgo.Record
		if err := l.parse([]byte(c.line), &r); err != nil {
			t.Errorf("%s: %v", c.format, err)
			continue
		}
		if got := string(l.write(nil, &r, "null")); got != c.line {
			t.Errorf("%s: %q, want %q", c.format, got, c.line)
		}
	}
	for _, bad := range []string{"%", "%z", `\`, `\q`, `\x`, `\xz0`} {
		if _, err := parseLayout(bad, "kv"); exitCode(err) != exitUsage {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Bounded partitions are done when their last record came, or one that lies beyond it.
func TestPending(t *testing.T) {
	p := newPending(ranges{"t": {0: {0, 3}, 1: {5, 5}, 2: {0, 10}}})
	record := func(partition int32, offset int64) *kgo.Record {
		return &kgo.Record{Topic: "t", Partition: partition, Offset: offset}
	}
	if p.reached(record(0, 1)) || p.reached(record(0, 2)) || !p.reached(record(0, 3)) || !p.reached(record(1, 5)) {
		t.Error("what is beyond is told wrongly")
	}
	if p.done() || p.String() != "t-2" {
		t.Errorf("left: %s", p)
	}
	if !p.reached(record(2, 12)) || !p.done() { // compaction took the last ones
		t.Errorf("left: %s", p)
	}
	if pending(nil).reached(record(0, 0)) {
		t.Error("without bounds nothing is beyond")
	}
}
