package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/odradek/odradek/server"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func start(t *testing.T, cfg server.Config) *server.Server {
	t.Helper()
	if cfg.Properties == nil {
		cfg.Properties = map[string]string{"group.initial.rebalance.delay.ms": "0"}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	s, err := server.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func client(t *testing.T, s *server.Server, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.Addr())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func createTopic(t *testing.T, c *kgo.Client, partitions int32, topic string) {
	t.Helper()
	res, err := kadm.NewClient(c).CreateTopic(bounded(t), partitions, 1, nil, topic)
	if err != nil || res.Err != nil {
		t.Fatalf("create %s: %v %v", topic, err, res.Err)
	}
}

func produce(t *testing.T, c *kgo.Client, topic string, from, to int) {
	t.Helper()
	var records []*kgo.Record
	for i := from; i < to; i++ {
		records = append(records, &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "k%d", i%7), Value: fmt.Append(nil, i)})
	}
	if err := c.ProduceSync(bounded(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// consume reads n records from the start.
func consume(t *testing.T, c *kgo.Client, n int) map[string]int {
	t.Helper()
	ctx := bounded(t)
	got := make(map[string]int)
	for total := 0; total < n; {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		fetches.EachError(func(topic string, p int32, err error) { t.Fatalf("%s-%d: %v", topic, p, err) })
		fetches.EachRecord(func(r *kgo.Record) { got[string(r.Value)]++; total++ })
	}
	return got
}

// A record that was acknowledged is read back, once, on disk and in memory.
func TestProduceConsume(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		s := start(t, server.Config{Dir: dir})
		c := client(t, s)
		createTopic(t, c, 3, "orders")
		produce(t, c, "orders", 0, 1000)
		reader := client(t, s, kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		once(t, consume(t, reader, 1000), 1000)
	}
}

func once(t *testing.T, got map[string]int, n int) {
	t.Helper()
	for i := range n {
		if c := got[fmt.Sprint(i)]; c != 1 {
			t.Errorf("record %d was read %d times", i, c)
		}
	}
}

// A node that is stopped and started again has its topics, records and committed offsets.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	s := start(t, server.Config{Dir: dir})
	c := client(t, s)
	createTopic(t, c, 2, "orders")
	produce(t, c, "orders", 0, 100)
	group := client(t, s, kgo.ConsumeTopics("orders"), kgo.ConsumerGroup("g"), kgo.DisableAutoCommit())
	consume(t, group, 100)
	if err := group.CommitUncommittedOffsets(bounded(t)); err != nil {
		t.Fatal(err)
	}
	group.Close()
	c.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = start(t, server.Config{Dir: dir})
	produce(t, client(t, s), "orders", 100, 150)
	group = client(t, s, kgo.ConsumeTopics("orders"), kgo.ConsumerGroup("g"))
	got := consume(t, group, 50)
	for i := range 100 {
		if got[fmt.Sprint(i)] != 0 {
			t.Errorf("record %d came again after its offset was committed", i)
		}
	}
}

// Properties are checked before anything starts.
func TestBadProperties(t *testing.T) {
	for _, p := range []map[string]string{{"num.partitions": "0"}, {"num.partitons": "3"}, {"log.dirs": "/elsewhere"}} {
		if s, err := server.Start(t.Context(), server.Config{Properties: p}); err == nil {
			s.Close()
			t.Errorf("started with %v", p)
		}
	}
}
