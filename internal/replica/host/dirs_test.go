package host

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// One replica that the controller refuses makes the report fail, but for those that are
// gone.
func TestRefusedDirs(t *testing.T) {
	answer := func(whole *kerr.Error, each ...*kerr.Error) *kmsg.AssignReplicasToDirsResponse {
		resp := kmsg.NewPtrAssignReplicasToDirsResponse()
		topic := kmsg.NewAssignReplicasToDirsResponseDirectoryTopic()
		for _, err := range each {
			p := kmsg.NewAssignReplicasToDirsResponseDirectoryTopicPartition()
			if err != nil {
				p.ErrorCode = err.Code
			}
			topic.Partitions = append(topic.Partitions, p)
		}
		dir := kmsg.NewAssignReplicasToDirsResponseDirectory()
		dir.Topics = append(dir.Topics, topic)
		resp.Directories = append(resp.Directories, dir)
		if whole != nil {
			resp.ErrorCode = whole.Code
		}
		return resp
	}
	for name, c := range map[string]struct {
		resp *kmsg.AssignReplicasToDirsResponse
		want error
	}{
		"all taken":     {answer(nil, nil, nil), nil},
		"a topic gone":  {answer(nil, kerr.UnknownTopicID, nil, kerr.UnknownTopicOrPartition), nil},
		"one refused":   {answer(nil, nil, kerr.NotLeaderForPartition), kerr.NotLeaderForPartition},
		"all of it":     {answer(kerr.StaleBrokerEpoch, nil), kerr.StaleBrokerEpoch},
		"gone, refused": {answer(nil, kerr.UnknownTopicID, kerr.InvalidRequest), kerr.InvalidRequest},
	} {
		if err := refusedDirs(c.resp); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
