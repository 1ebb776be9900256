package world

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

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
			synctest.Test(t, func(t *testing.T) { befall(t, f) })
		})
	}
}

func befall(t *testing.T, f Fault) {
	w := New(t, 1, Shape{Brokers: 1, Dirs: 2})
	w.May = func(do, _ string) bool { return do != MayShrink || f.Name == "delete records" }
	defer w.Down()
	w.Up()
	c := w.Client(kgo.DefaultProduceTopic("orders"))
	w.AtDown(c.Close)
	if _, err := kadm.NewClient(c).CreateTopic(t.Context(), 2, 3, nil, "orders"); err != nil {
		t.Fatal(err)
	}
	sent := 0
	put := func(n int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range n {
			if err := c.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(sent))).FirstErr(); err != nil {
				t.Fatal(err)
			}
			sent++
		}
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
		if err := w.Settle(time.Minute); err != nil {
			t.Fatal(err)
		}
		if f.Name == "lost disk" {
			break
		}
	}
	if got := held(w, "orders"); got < sent {
		t.Errorf("%d records were acknowledged, and there are %d", sent, got)
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
