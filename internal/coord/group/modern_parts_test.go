package group

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A heartbeat may name a topic as often as it is long; the partition of its group waits
// meanwhile.
func TestReportedOneByOne(t *testing.T) {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	for i := range 100_000 {
		req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: model.ID{1}, Partitions: []int32{int32(50_000 - i%50_000)}})
	}
	req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: model.ID{2}})
	has, reports := reported(req)
	if got := has[model.ID{1}]; !reports || len(has) != 1 || len(got) != 50_000 || got[0] != 1 || got[49_999] != 50_000 {
		t.Fatalf("%d topics, %d partitions", len(has), len(got))
	}
}

// A subscription that could not be stored is refused before the group is looked for.
func TestSubscriptionTooLarge(t *testing.T) {
	st := newState(doors{})
	turn := runtime.NewTurn(time.UnixMilli(0))
	turn.MaxBytes = 1 << 20
	names := []string{strings.Repeat("x", 1<<20)}
	consumer := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	consumer.SubscribedTopicNames = names
	_, one := st.consumerHeartbeat(turn, Caller{}, consumer)
	shared := kmsg.NewPtrShareGroupHeartbeatRequest()
	shared.SubscribedTopicNames = names
	_, other := st.shareHeartbeat(turn, Caller{}, shared)
	want := tooLarge(1<<20+1, 1<<20).Error()
	if fmt.Sprint(one) != want || fmt.Sprint(other) != want {
		t.Fatalf("%v; %v; want %v", one, other, want)
	}
}
