package world_test

import (
	"context"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/sim/world"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Three nodes become a cluster; one dies, and clients go on.
func TestWorldOutlivesANode(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := world.New(t, 1, world.Shape{})
		defer w.Down()
		w.Up()
		c := w.Client(kgo.DefaultProduceTopic("orders"))
		defer c.Close()
		if _, err := kadm.NewClient(c).CreateTopic(t.Context(), 1, 3, nil, "orders"); err != nil {
			t.Fatal(err)
		}
		put := func() {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := c.ProduceSync(ctx, kgo.StringRecord("v")).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		put()
		w.Leader("orders", 0).Kill()
		put()
		w.Heal()
		if err := w.Settle(time.Minute); err != nil {
			t.Fatal(err)
		}
	})
}
