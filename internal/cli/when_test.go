package cli

import (
	"math"
	"testing"
	"time"
)

func TestParseWhere(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]where{
		"start":                      {kind: atStart},
		"end":                        {kind: atEnd},
		"42":                         {atOffset, 42},
		"+10":                        {atShift, 10},
		"-10":                        {atShift, -10},
		"@1700000000000":             {atTime, 1700000000000},
		"@-24h":                      {atTime, now.Add(-24 * time.Hour).UnixMilli()},
		"@-7d":                       {atTime, now.Add(-7 * 24 * time.Hour).UnixMilli()},
		"@2026-03-04":                {atTime, now.Add(-12 * time.Hour).UnixMilli()},
		"@2026-03-04T11:00:00Z":      {atTime, now.Add(-time.Hour).UnixMilli()},
		"@2026-03-04T11:00:00+01:00": {atTime, now.Add(-2 * time.Hour).UnixMilli()},
	} {
		if got, err := parseWhere(text, now); err != nil || got != want {
			t.Errorf("parseWhere(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "soon", "@", "@tomorrow", "@-", "1.5", "99999999999999999999"} {
		if got, err := parseWhere(text, now); exitCode(orNil(err)) != exitUsage {
			t.Errorf("parseWhere(%q) = %v, %v, want a usage error", text, got, err)
		}
	}
}

// orNil makes a missing error one that is no usage error.
func orNil(err error) error {
	if err == nil {
		return errDeclined
	}
	return err
}

func TestParsePartitions(t *testing.T) {
	p, err := parsePartitions("orders:0,4-6")
	if err != nil || p.topic != "orders" || len(p.partitions) != 4 || !p.has(5) || p.has(3) {
		t.Errorf("parsePartitions(orders:0,4-6) = %v, %v", p, err)
	}
	if p, err := parsePartitions("orders"); err != nil || !p.has(7) {
		t.Errorf("parsePartitions(orders) = %v, %v", p, err)
	}
	for _, text := range []string{"orders:", "orders:x", "orders:3-1", "orders:-1", "orders:0-2147483647"} {
		if p, err := parsePartitions(text); err == nil {
			t.Errorf("parsePartitions(%q) = %v, want an error", text, p)
		}
	}
}

func TestISODuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT1H": time.Hour, "P1D": 24 * time.Hour, "P1DT2H3M4.5S": 26*time.Hour + 3*time.Minute + 4500*time.Millisecond,
		"-PT1M": -time.Minute, "pt10s": 10 * time.Second,
	} {
		if got, err := isoDuration(text); err != nil || got != want {
			t.Errorf("isoDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "P", "PT", "1H", "P1M", "PT1D"} {
		if got, err := isoDuration(text); err == nil {
			t.Errorf("isoDuration(%q) = %v, want an error", text, got)
		}
	}
}

func TestJavaFloat(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.0", 1: "1.0", -1.5: "-1.5", 0.001: "0.001", 0.0001: "1.0E-4", 1e7: "1.0E7", 1234567: "1234567.0", 1.25e10: "1.25E10",
		math.Inf(1): "Infinity", math.Inf(-1): "-Infinity",
	} {
		if got := javaFloat(v, 64); got != want {
			t.Errorf("javaFloat(%g) = %s, want %s", v, got, want)
		}
	}
}

func TestToolOptions(t *testing.T) {
	defs := []toolOption{{"topic", needsArg, ""}, {"topics-with-overrides", noArg, ""}, {"list", noArg, ""}, {"state", mayHaveArg, ""}, {"bootstrap-server", needsArg, ""}}
	o, err := parseTool(defs, []string{"--boot=a:1", "-topic", "--odd", "--list", "stray", "--state", "--topics"})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := o.value("bootstrap-server"); v != "a:1" || err != nil {
		t.Errorf("an abbreviation: %q, %v", v, err)
	}
	if v, _ := o.value("topic"); v != "--odd" {
		t.Errorf("an argument that looks like an option: %q", v)
	}
	if !o.has("list") || !o.has("state") || len(o.all("state")) != 0 || !o.has("topics-with-overrides") || o.has("help") {
		t.Errorf("flags: %v", o.values)
	}
	for _, args := range [][]string{{"--t", "x"}, {"--topic"}, {"--list=yes"}, {"--frob"}} {
		if _, err := parseTool(defs, args); err == nil {
			t.Errorf("parseTool(%q) succeeded", args)
		}
	}
	o, _ = parseTool(defs, []string{"--topic", "a", "--topic", "b"})
	if _, err := o.value("topic"); err == nil {
		t.Error("one value of an option that came twice")
	}
}
