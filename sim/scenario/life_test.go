package scenario

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/sim/world"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Three nodes become a cluster; any of them may be killed and come back, and clients go on.
func TestClusterOutlivesAnyNode(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newStage(t, 1, world.Shape{})
		began := time.Now()
		r.Up()
		t.Logf("up after %v", time.Since(began))
		c := r.Client()
		defer c.Close()
		adm := kadm.NewClient(c)
		if _, err := adm.CreateTopics(t.Context(), 6, 3, nil, "orders"); err != nil {
			t.Fatal(err)
		}
		sent := 0
		put := func(n int) {
			t.Helper()
			for range n {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				rec := &kgo.Record{Topic: "orders", Key: fmt.Append(nil, sent), Value: fmt.Append(nil, sent)}
				if err := c.ProduceSync(ctx, rec).FirstErr(); err != nil {
					t.Fatalf("record %d: %v", sent, err)
				}
				cancel()
				sent++
			}
		}
		put(50)
		for _, m := range r.Nodes() {
			m.Kill()
			began := time.Now()
			put(50)
			t.Logf("node %d killed: 50 records took %v", m.ID, time.Since(began))
			r.Up()
			put(10)
			r.eventually("all replicas in sync", func() bool { return r.InSync("orders") })
		}
		got := r.readAll("orders", sent)
		if len(got) != sent {
			t.Errorf("%d records, want %d", len(got), sent)
		}
		for v, n := range got {
			if n != 1 {
				t.Errorf("record %s came %d times", v, n)
			}
		}
		r.Down()
	})
}

// readAll reads a topic from its start until it has seen n records, and counts values.
func (r *stage) readAll(topic string, n int) map[string]int {
	r.t.Helper()
	c := r.Client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	got := make(map[string]int)
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	for total := 0; total < n && ctx.Err() == nil; {
		fetches := c.PollFetches(ctx)
		fetches.EachRecord(func(rec *kgo.Record) {
			got[string(rec.Value)]++
			total++
		})
	}
	return got
}

// Nodes of one role each go on as those of both do: a controller without partitions has
// less to run, but does not end for that.
func TestClusterOfRolesApart(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newStage(t, 1, world.Shape{Brokers: 3, Split: true})
		r.Up()
		time.Sleep(time.Minute)
		for _, m := range r.Nodes() {
			if !m.Running() {
				t.Fatalf("node %d has ended", m.ID)
			}
		}
		r.Down()
	})
}

// A voter whose disk is lost has forgotten what it voted for: it is refused, and told how
// it may come back.
func TestVoterWithoutItsDiskIsRefused(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newStage(t, 1, world.Shape{})
		r.Up()
		m := r.Node(2)
		m.Kill()
		m.Wipe()
		m.Launch()
		err := m.Serving()
		if err == nil || !strings.Contains(err.Error(), "odradek cluster voters replace 2") {
			t.Errorf("the node says %v, and not how it is replaced", err)
		}
		r.Down()
	})
}

// A broker whose disk is lost comes back with an empty one, gets its replicas from the
// others, and may lead them: the cluster knows the folder that they are in now.
func TestBrokerWithoutItsDiskComesBack(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newStage(t, 1, world.Shape{Voters: 1, Brokers: 2})
		r.Up()
		c := r.Client(kgo.DefaultProduceTopic("orders"))
		defer c.Close()
		adm := kadm.NewClient(c)
		if _, err := adm.CreateTopic(t.Context(), 3, 3, nil, "orders"); err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(t.Context(), kgo.StringRecord("kept")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		m := r.Node(3)
		m.Kill()
		m.Wipe()
		r.Up()
		r.settle()
		if got := r.readAll("orders", 1); got["kept"] != 1 {
			t.Errorf("records %v", got)
		}
		r.Down()
	})
}
