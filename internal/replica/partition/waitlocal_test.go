package partition

import (
	"testing"
	"testing/synctest"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/twmb/franz-go/pkg/kerr"
)

// acks=1 waits for this replica's disk and not for its followers; acks=all for them too.
func TestWaitLocal(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p, h := newPartition(t)
		r := leader
		r.Epoch, r.PartitionEpoch, r.Self, r.Leader = r.Epoch+1, r.PartitionEpoch+1, 1, 1
		r.Replicas, r.ISR = []int32{1, 2}, []int32{1, 2}
		p.Assign(r)
		h.held = true
		a, err := p.Append(batch(t, 1), AppendArgs{ProduceVersion: 12, Acks: 1})
		if err != nil {
			t.Fatal(err)
		}
		local, all := make(chan error, 1), make(chan error, 1)
		go func() { local <- p.WaitLocal(t.Context(), a.End, a.Epoch) }()
		go func() { all <- p.Wait(t.Context(), a.End, a.Epoch) }()
		synctest.Wait()
		if len(local) > 0 {
			t.Fatalf("answered before it is durable: %v", <-local)
		}
		p.Durable(a.End)
		synctest.Wait()
		select {
		case err := <-local:
			if err != nil {
				t.Errorf("WaitLocal: %v", err)
			}
		default:
			t.Error("WaitLocal waits for the follower")
		}
		if len(all) > 0 {
			t.Errorf("Wait does not: %v", <-all)
		}
		r.Leading, r.Leader, r.Epoch = false, 2, r.Epoch+1
		p.Assign(r)
		if err := <-all; err != kerr.NotLeaderForPartition {
			t.Errorf("Wait after the leader has changed: %v", err)
		}
	})
}
