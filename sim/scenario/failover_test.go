package scenario

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/sim/world"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A leader dies, and records are acknowledged again well within a second of the cluster's
// time, whether the controller dies with it or not. The time is that of the bubble: what
// is waited for, and not what a busy machine adds.
func TestClusterFailsOverAtOnce(t *testing.T) {
	var alone, withController []time.Duration
	for seed := range uint64(failovers()) {
		bubble.Test(t, func(t *testing.T) {
			r := newStage(t, seed, world.Shape{Brokers: 1})
			r.Up()
			c := r.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
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
				time.Sleep(time.Duration(r.Rand.IntN(1000)) * time.Millisecond)
				m := r.leaderOf("orders", 0)
				both := m == r.Leading()
				m.Kill()
				began := time.Now()
				put()
				took := time.Since(began)
				if both {
					withController = append(withController, took)
				} else {
					alone = append(alone, took)
				}
				r.Up()
				r.eventually("all replicas in sync", func() bool { return r.InSync("orders") })
			}
			c.Close()
			r.Down()
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
	return 3
}

// spread is a distribution in words.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "nothing"
	}
	slices.Sort(d)
	at := func(p int) time.Duration { return d[min(len(d)-1, len(d)*p/100)].Round(time.Millisecond) }
	return fmt.Sprintf("%v (p50) %v (p99) %v (max) of %d", at(50), at(99), at(100), len(d))
}
