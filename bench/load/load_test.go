package load

import (
	"context"
	"encoding/json"
	"flag"
	"strings"
	"testing"

	"github.com/odradek/odradek/server"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func node(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.Start(t.Context(), server.Config{Properties: map[string]string{"group.initial.rebalance.delay.ms": "0"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Every kind of load says of a sound node exactly what was asked for, and leaves nothing.
func TestEachKind(t *testing.T) {
	s := node(t)
	for name, c := range map[string]struct {
		spec             Spec
		records, perUnit int64 // perUnit is bytes of a record
	}{
		"produce":     {Spec{Kind: Produce, Partitions: 3, Records: 1000, Idempotent: true, Linger: 1}, 1000, 1000},
		"bytes":       {Spec{Kind: Produce, Bytes: 50_000, Size: 100, Producers: 3, Spread: true, Partitions: 7}, 500, 100},
		"lz4, acks 1": {Spec{Kind: Produce, Records: 100, Compression: "lz4", Acks: "1"}, 100, 1000},
		"zstd":        {Spec{Kind: Produce, Records: 100, Compression: "zstd"}, 100, 1000},
		"acks 0":      {Spec{Kind: Produce, Records: 100, Acks: "0"}, 100, 1000},
		"rate":        {Spec{Kind: Produce, Records: 200, Rate: 10_000, Warmup: 0.01, Producers: 2}, 200, 1000},
		"idle beside": {Spec{Kind: Produce, Records: 100, Idle: 40}, 100, 1000},
		"idle":        {Spec{Kind: Idle, Idle: 10, Seconds: 0.01}, 0, 0},
		"consume":     {Spec{Kind: Consume, Bytes: 100_000, Partitions: 3, Passes: 2, Consumers: 2, Warmup: 0.1}, 400, 1000},
		"groups":      {Spec{Kind: Consume, Bytes: 100_000, Partitions: 3, Consumers: 2, Group: true}, 200, 1000},
		"tail":        {Spec{Kind: Tail, Seconds: 60, Records: 500, Consumers: 3, Partitions: 2}, 1500, 1000},
		"tail groups": {Spec{Kind: Tail, Seconds: 60, Records: 500, Consumers: 2, Group: true}, 1000, 1000},
		"endtoend":    {Spec{Kind: EndToEnd, Seconds: 0.1, Rate: 2000, Size: 16, Warmup: 0.05, Producers: 2}, 200, 16},
		"txn":         {Spec{Kind: Txn, Seconds: 60, Records: 600, Commit: 5, Producers: 2, Partitions: 3}, 600, 1000},
		"catchup":     {Spec{Kind: CatchUp, Seconds: 0.2, Rate: 1000, Bytes: 300_000, Partitions: 2, Cold: []string{t.TempDir()}}, 400, 1000},
		"raw produce": {Spec{Kind: RawProduce, Batch: 16 << 10, Records: 40, Partitions: 6, Spots: 2, InFlight: 4, Warmup: 0.01}, 40 * 2 * 16, 1024},
		"raw one":     {Spec{Kind: RawProduce, Size: 10, Records: 30, Producers: 3}, 30, 78},
		"raw fetch":   {Spec{Kind: RawFetch, Batch: 1024, Bytes: 20 << 10, Size: 100, InFlight: 3, Records: 60, Seconds: 60, Producers: 2}, 0, 0},
		"raw ping":    {Spec{Kind: RawPing, Records: 200, InFlight: 20, Burst: 10}, 0, 0},
	} {
		c.spec.Bootstrap = s.Addr()
		ready, ran := 0, 0
		r := Run(t.Context(), c.spec, Hooks{Ready: func() { ready++ }, Ran: func() { ran++ }})
		if len(r.Errors) > 0 || ready != 1 || ran != 1 {
			t.Errorf("%s: errors %q, ready %d, ran %d", name, r.Errors, ready, ran)
			continue
		}
		if c.records > 0 && (r.Records != c.records || r.Bytes != c.records*c.perUnit) {
			t.Errorf("%s: %d records and %d bytes, want %d and %d", name, r.Records, r.Bytes, c.records, c.records*c.perUnit)
		}
		if c.spec.Kind == RawFetch && (r.Requests != 60 || r.Bytes != 60<<10) || c.spec.Kind == RawPing && r.Requests != 200 {
			t.Errorf("%s: %d requests, %d bytes", name, r.Requests, r.Bytes)
		}
		if c.spec.Kind != Consume && c.spec.Kind != Idle && (r.Latency.Count == 0 || r.Latency.P50 > r.Latency.P999 || r.Latency.P999 > r.Latency.Max) {
			t.Errorf("%s: %+v", name, r.Latency)
		}
		if r.Seconds <= 0 || r.CPU <= 0 {
			t.Errorf("%s: %v s, %v s of processor", name, r.Seconds, r.CPU)
		}
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(s.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if topics, err := kadm.NewClient(c).ListTopics(t.Context()); err != nil || len(topics) > 0 {
		t.Errorf("topics are left: %v, %v", topics.Names(), err)
	}
}

// What a load was told and is not true is an error of the load.
func TestLiesAreFound(t *testing.T) {
	s := node(t)
	somebody := func(does func(c *kgo.Client) error) func() {
		return func() {
			c, err := kgo.NewClient(kgo.SeedBrokers(s.Addr()))
			if err == nil {
				err = does(c)
				c.Close()
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
	more := somebody(func(c *kgo.Client) error {
		return c.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: make([]byte, 1000)}).FirstErr()
	})
	fewer := somebody(func(c *kgo.Client) error {
		offsets := make(kadm.Offsets)
		offsets.AddOffset("t", 0, 5, -1)
		_, err := kadm.NewClient(c).DeleteRecords(t.Context(), offsets)
		return err
	})
	gone := somebody(func(c *kgo.Client) error {
		_, err := kadm.NewClient(c).DeleteTopic(t.Context(), "t")
		return err
	})
	for name, x := range map[string]struct {
		spec  Spec
		hooks Hooks
		want  string
	}{
		"more than was acknowledged":   {Spec{Kind: Produce, Records: 10}, Hooks{Ran: more}, "was acknowledged"},
		"more than the raw load wrote": {Spec{Kind: RawProduce, Records: 10}, Hooks{Ran: more}, "was acknowledged"},
		"more than was sent, read too": {Spec{Kind: EndToEnd, Seconds: 0.01, Rate: 1000}, Hooks{Ran: more}, "was acknowledged"},
		"an open end of transactions":  {Spec{Kind: Txn, Records: 10}, Hooks{Ran: more}, "was acknowledged"},
		"records that are gone":        {Spec{Kind: Consume, Bytes: 10_000}, Hooks{Ready: fewer}, "offset 5 came where 0 comes next"},
		"batches that are gone":        {Spec{Kind: RawFetch, Bytes: 10_000}, Hooks{Ready: fewer}, "OFFSET_OUT_OF_RANGE"},
		"cold data that is gone":       {Spec{Kind: CatchUp, Bytes: 10_000, Rate: 100, Seconds: 0.05}, Hooks{Ready: fewer}, "OFFSET_OUT_OF_RANGE"},
		"no topic any more":            {Spec{Kind: RawProduce, Records: 10}, Hooks{Ready: gone}, "UNKNOWN_TOPIC_OR_PARTITION"},
		"a spec that cannot be":        {Spec{Kind: RawProduce, Spots: 2}, Hooks{}, "do not divide"},
	} {
		x.spec.Bootstrap, x.spec.Topic = s.Addr(), "t"
		r := Run(t.Context(), x.spec, x.hooks)
		if !strings.Contains(strings.Join(r.Errors, "; "), x.want) {
			t.Errorf("%s: errors are %q, want one with %q", name, r.Errors, x.want)
		}
	}
}

// A load ends with its context, and says that it did not do what it should.
func TestInterrupted(t *testing.T) {
	s := node(t)
	for _, kind := range []string{Produce, RawPing, EndToEnd} {
		ctx, stop := context.WithCancel(t.Context())
		r := Run(ctx, Spec{Kind: kind, Bootstrap: s.Addr(), Seconds: 3600, Rate: 100}, Hooks{Ready: stop})
		if len(r.Errors) == 0 {
			t.Errorf("%s: an interrupted load has no errors", kind)
		}
	}
}

// The loads of the comparison are sound and have names of their own.
func TestLoads(t *testing.T) {
	seen := make(map[string]bool)
	for _, n := range Loads() {
		s := n.Spec
		s.Bootstrap = "b:1"
		s = s.withDefaults()
		if err := s.check(); err != nil || seen[n.Name] || s.Load != n.Name || n.Nodes < s.Replication {
			t.Errorf("%s: %v", n.Name, err)
		}
		seen[n.Name] = true
	}
}

// Flags and JSON say the same, and what comes later holds.
func TestFlags(t *testing.T) {
	var s Spec
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	Flags(fs, &s)
	if err := fs.Parse(strings.Fields("-load produce-10k -bootstrap b:1 -producers 3 -cold x,y")); err != nil {
		t.Fatal(err)
	}
	want, _ := ByName("produce-10k")
	want.Spec.Bootstrap, want.Spec.Producers, want.Spec.Cold = "b:1", 3, []string{"x", "y"}
	a, _ := json.Marshal(s)
	b, _ := json.Marshal(want.Spec)
	if string(a) != string(b) {
		t.Errorf("%s\nwant\n%s", a, b)
	}
	fs = flag.NewFlagSet("", flag.ContinueOnError)
	var again Spec
	Flags(fs, &again)
	if err := fs.Parse([]string{"-spec", string(a)}); err != nil {
		t.Fatal(err)
	}
	if c, _ := json.Marshal(again); string(c) != string(a) {
		t.Errorf("%s\nwant\n%s", c, a)
	}
}
