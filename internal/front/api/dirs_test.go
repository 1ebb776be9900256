package api

import (
	"slices"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// movers is a host whose replicas can move, but those of topic "away" are elsewhere.
type movers struct {
	Host
	moved map[model.TopicPartition]string
}

func (m *movers) MoveReplica(tp model.TopicPartition, dir string) error {
	switch {
	case tp.Topic == "away":
		return kerr.ReplicaNotAvailable
	case dir == "/nowhere":
		return kerr.LogDirNotFound
	}
	m.moved[tp] = dir
	return nil
}

// Replicas move to the folders that are named, and each is answered once for each folder.
func TestAlterReplicaLogDirs(t *testing.T) {
	host := &movers{moved: map[model.TopicPartition]string{}}
	d := newDesk(t, func(_ *desk, c *Config) { c.Host = host })
	req := kmsg.NewPtrAlterReplicaLogDirsRequest()
	add := func(dir, topic string, partitions ...int32) {
		req.Dirs = append(req.Dirs, kmsg.AlterReplicaLogDirsRequestDir{Dir: dir,
			Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: topic, Partitions: partitions}}})
	}
	add("/one", "a", 0, 1)
	add("/nowhere", "a", 2)
	add("/two", "away", 0)
	for version := int16(1); version <= 2; version++ {
		clear(host.moved)
		resp := ask[*kmsg.AlterReplicaLogDirsResponse](d, version, req)
		var codes []int16
		for _, topic := range resp.Topics {
			for _, p := range topic.Partitions {
				codes = append(codes, p.ErrorCode)
			}
		}
		if len(resp.Topics) != 2 || !slices.Equal(codes, []int16{0, 0, kerr.LogDirNotFound.Code, kerr.ReplicaNotAvailable.Code}) {
			t.Errorf("version %d: %+v", version, resp.Topics)
		}
		if len(host.moved) != 2 || host.moved[model.TopicPartition{Topic: "a", Partition: 1}] != "/one" {
			t.Errorf("version %d moved %v", version, host.moved)
		}
	}
}
