package host

import (
	"errors"
	"testing"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A node leads nothing of an earlier life, though the image still says so, unless it is
// the only replica; what it is given after it has registered it leads.
func TestLeadsInThisLife(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		lead := func(topic byte, epoch int32, replicas ...int32) metadata.Record {
			return metadata.AddPartition{Topic: model.ID{topic}, Partition: metadata.Partition{
				Leader: 1, LeaderEpoch: epoch, PartitionEpoch: epoch, Replicas: replicas, ISR: replicas[:1], Dirs: make([]model.ID, len(replicas)),
			}}
		}
		r.apply(metadata.RegisterBroker{Broker: metadata.Broker{ID: 1, Epoch: 5}},
			metadata.AddTopic{Name: "alone", ID: model.ID{1}}, lead(1, 3, 1),
			metadata.AddTopic{Name: "shared", ID: model.ID{2}}, lead(2, 3, 1, 2))
		r.start() // its registration is number 7
		try := func(topic string, want error) {
			t.Helper()
			if _, err := r.partition(topic, 0).Append(r.batch("k", "v"), partition.AppendArgs{ProduceVersion: 12, Acks: partition.AllInSync}); !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("append to %s: %v, want %v", topic, err, want)
			}
		}
		try("alone", nil)
		try("shared", kerr.NotLeaderForPartition)
		r.apply(metadata.RegisterBroker{Broker: metadata.Broker{ID: 1, Epoch: 7}})
		try("shared", kerr.NotLeaderForPartition)
		r.apply(metadata.ChangePartition{Topic: model.ID{2}, Number: 0, Partition: lead(2, 4, 1, 2).(metadata.AddPartition).Partition})
		try("shared", nil)
		r.end()
	})
}
