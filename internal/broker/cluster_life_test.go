package broker

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Three nodes become a cluster; any of them may be killed and come back, and clients go on.
func TestClusterOutlivesAnyNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, 3, 0)
		began := time.Now()
		r.up()
		t.Logf("up after %v", time.Since(began))
		c := r.client()
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
		for _, m := range r.nodes {
			m.kill()
			began := time.Now()
			put(50)
			t.Logf("node %d killed: 50 records took %v", m.id, time.Since(began))
			r.up()
			put(10)
			r.eventually("all replicas in sync", func() bool { return r.inSync("orders") })
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
		r.down()
	})
}

// inSync reports whether every partition of a topic has all replicas in its ISR.
func (r *rig) inSync(topic string) bool {
	for _, m := range r.nodes {
		if m.broker == nil {
			continue
		}
		tp, ok := m.broker.feed.Image().Topic(topic)
		if !ok {
			return false
		}
		for _, p := range tp.Partitions {
			if len(p.ISR) != len(p.Replicas) {
				return false
			}
		}
	}
	return true
}

// readAll reads a topic from its start until it has seen n records, and counts values.
func (r *rig) readAll(topic string, n int) map[string]int {
	r.t.Helper()
	c := r.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
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
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, 3, 3)
		for _, m := range r.nodes[:3] {
			m.roles = "controller"
		}
		r.up()
		time.Sleep(time.Minute)
		for _, m := range r.nodes {
			select {
			case err := <-m.done:
				t.Fatalf("node %d, %s, has ended: %v", m.id, m.roles, err)
			default:
			}
		}
		r.down()
	})
}

// A voter whose disk is lost has forgotten what it voted for: it is refused, and told how
// it may come back.
func TestVoterWithoutItsDiskIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, 3, 0)
		r.up()
		m := r.nodes[1]
		m.kill()
		m.disk = vfs.NewMem()
		m.launch()
		err := m.serving()
		if err == nil || !strings.Contains(err.Error(), "odradek cluster voters replace 2") {
			t.Errorf("the node says %v, and not how it is replaced", err)
		}
		r.nodes = append(r.nodes[:1], r.nodes[2])
		r.down()
	})
}

// A broker whose disk is lost comes back with an empty one, gets its replicas from the
// others, and may lead them: the cluster knows the folder that they are in now.
func TestBrokerWithoutItsDiskComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, 1, 2)
		r.up()
		c := r.client(kgo.DefaultProduceTopic("orders"))
		defer c.Close()
		adm := kadm.NewClient(c)
		if _, err := adm.CreateTopic(t.Context(), 3, 3, nil, "orders"); err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(t.Context(), kgo.StringRecord("kept")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		m := r.nodes[2]
		m.kill()
		m.disk = vfs.NewMem()
		r.up()
		r.settle(adm)
		if got := r.readAll("orders", 1); got["kept"] != 1 {
			t.Errorf("records %v", got)
		}
		r.down()
	})
}
