package broker

import (
	"testing"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The end of the leader's epoch is known before anything is written in it: a consumer
// that got the epoch from ListOffsets must not be told that its history was cut.
func TestEpochOfEmptyLog(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.start()
		c := n.client(kgo.AllowAutoTopicCreation())
		put(t, c, 3)
		for range 2 {
			n.stop()
			<-n.done
			n.start()
		}
		adm := kadm.NewClient(c)
		listed, err := adm.ListEndOffsets(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		end, _ := listed.Lookup("orders", 0)
		var ask kadm.OffsetForLeaderEpochRequest
		ask.Add("orders", 0, end.LeaderEpoch)
		ends, err := adm.OffsetForLeaderEpoch(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		if got := ends["orders"][0]; got.Err != nil || got.EndOffset != 3 || got.LeaderEpoch != end.LeaderEpoch {
			t.Errorf("epoch %d ends at %d in epoch %d (%v), want 3", end.LeaderEpoch, got.EndOffset, got.LeaderEpoch, got.Err)
		}
		c.Close()
		n.stop()
		<-n.done
	})
}
