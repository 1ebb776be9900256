package world

import (
	"context"
	"flag"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var seed = flag.Uint64("seed", 1, "what draws how it happens")
var only = flag.String("fault", "", "this fault only")

// Everything that may befall a world does happen, is undone by Heal, and takes nothing that
// was acknowledged.
func TestEveryFault(t *testing.T) {
	for _, f := range Faults() {
		if *only != "" && f.Name != *only {
			continue
		}
		t.Run(strings.ReplaceAll(f.Name, " ", "-"), func(t *testing.T) {
			if testing.Short() && *only == "" && f.Name != "kill all" && f.Name != "lost disk" {
				t.Skip("one of many")
			}
			bubble.Test(t, func(t *testing.T) { befall(t, f) })
		})
	}
}

func befall(t *testing.T, f Fault) {
	w := New(t, *seed, Shape{Brokers: 1, Dirs: 2})
	w.May = func(do, _ string) bool { return do != MayShrink || f.Name == "delete records" }
	defer w.Down()
	w.Up()
	c := w.Client(kgo.DefaultProduceTopic("orders"))
	w.AtDown(c.Close)
	if _, err := kadm.NewClient(c).CreateTopic(t.Context(), 2, 3, nil, "orders"); err != nil {
		t.Fatal(err)
	}
	var sent atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() { // one after the other, whatever befalls
		for ctx.Err() == nil {
			if err := c.ProduceSync(t.Context(), kgo.StringRecord("v")).FirstErr(); err != nil {
				t.Error(err)
				return
			}
			sent.Add(1)
			time.Sleep(15 * time.Millisecond)
		}
	})
	put := func(n int64) {
		t.Helper()
		goal := sent.Load() + n
		w.Eventually("records are acknowledged", time.Minute, func() bool { return sent.Load() >= goal })
	}
	put(20)
	for range 3 {
		what := ""
		for range 100 {
			if what = f.Do(w); what != "" {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if what == "" {
			t.Fatal("it does not happen")
		}
		t.Log(what)
		time.Sleep(time.Second)
		w.Heal()
		if len(w.lasting) > 0 || w.replacing != nil {
			t.Fatalf("it lasts: %+v", w.lasting)
		}
		put(5)
		w.Eventually("all replicas are in sync", time.Minute, func() bool { return w.Unsettled(false) == "" })
		if f.Name == "lost disk" {
			break
		}
	}
	stop()
	writing.Wait()
	if err := w.Settle(time.Minute); err != nil {
		t.Fatal(err)
	}
	if want, got := int(sent.Load()), held(w, "orders"); got != want {
		t.Errorf("%d records were acknowledged, and there are %d", want, got)
	}
}

// held is how many records the replicas of a topic's leaders have had.
func held(w *World, topic string) (n int) {
	info, _ := w.Image().Topic(topic)
	for i := range info.Partitions {
		p, err := w.Leader(topic, int32(i)).Broker().Replica(model.TopicPartition{Topic: topic, Partition: int32(i)})
		if err != nil {
			w.t.Fatal(err)
		}
		n += int(p.HighWatermark())
	}
	return n
}
