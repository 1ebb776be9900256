package broker

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A leader dies, and records are acknowledged again well within a second of the cluster's
// time, whether the controller dies with it or not. The time is that of the bubble: what
// is waited for, and not what a busy machine adds.
func TestClusterFailsOverAtOnce(t *testing.T) {
	var alone, withController []time.Duration
	for seed := range uint64(failovers()) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, seed, 3, 1)
			r.up()
			c := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
			if _, err := kadm.NewClient(c).CreateTopic(t.Context(), 1, 3, nil, "orders"); err != nil {
				t.Fatal(err)
			}
			put := func() {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := c.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte("v")}).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			for range 6 {
				put()
				time.Sleep(time.Duration(r.rng.IntN(1000)) * time.Millisecond)
				_, p, _ := r.nodes[0].broker.feed.Image().Partition("orders", 0)
				m, both := r.nodes[p.Leader-1], r.nodes[p.Leader-1] == r.leading()
				m.kill()
				began := time.Now()
				put()
				took := time.Since(began)
				if both {
					withController = append(withController, took)
				} else {
					alone = append(alone, took)
				}
				r.up()
				r.eventually("all replicas in sync", func() bool { return r.inSync("orders") })
			}
			c.Close()
			r.down()
		})
	}
	t.Logf("a leader was killed: acknowledged again within %s", spread(alone))
	t.Logf("a leader that was the controller, too: %s", spread(withController))
	for _, d := range append(alone, withController...) {
		if d > 3*time.Second {
			t.Error(fmt.Sprint("once it took ", d))
		}
	}
}

func failovers() int {
	if testing.Short() {
		return 1
	}
	return max(3, *clusterSeeds/2)
}
