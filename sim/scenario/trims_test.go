package scenario

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What was deleted stays deleted when the power of all nodes fails right after the answer:
// the answer waits until the log start is durable wherever the partition is. It comes, too,
// where nothing is written afterwards.
func TestDeletedRecordsStayAway(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		c := r.Client(kgo.DefaultProduceTopic(orders), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer c.Close()
		sent := int64(0)
		for round := range 8 {
			for range 1 + round*5 {
				r.must(c.ProduceSync(r.t.Context(), &kgo.Record{Value: fmt.Append(nil, sent)}).FirstErr())
				sent++
			}
			before := sent - int64(round%3)
			r.eventually("records are deleted", func() bool {
				ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
				defer cancel()
				var o kadm.Offsets
				o.AddOffset(orders, 0, before, -1)
				gone, err := adm.DeleteRecords(ctx, o)
				d, _ := gone.Lookup(orders, 0)
				return err == nil && d.Err == nil && d.LowWatermark == before
			})
			for _, n := range r.Nodes() {
				n.Kill()
			}
			r.Up()
			r.eventually("the log start is told", func() bool {
				starts, err := adm.ListStartOffsets(r.t.Context(), orders)
				s, ok := starts.Lookup(orders, 0)
				if err != nil || !ok || s.Err != nil {
					return false
				}
				if s.Offset < before {
					r.t.Fatalf("round %d: records before %d were deleted, and the log starts at %d", round, before, s.Offset)
				}
				return true
			})
		}
	})
}
