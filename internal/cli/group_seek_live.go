package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// errCannotFence is what a cluster says that does not fence members for a commit.
var errCannotFence = errors.New("this cluster does not move a group that has members. Hint: stop them first")

// commitLive makes a group that runs begin at offsets: its coordinator drops the members in
// the same command, so that none commits over them; they join again and begin there. It
// returns what became of each partition.
func commitLive(ctx context.Context, cl *kgo.Client, group string, offsets kadm.Offsets) (map[topicPartition]error, error) {
	var topics []string
	for topic := range offsets {
		topics = append(topics, topic)
	}
	details, err := kadm.NewClient(cl).ListTopicsWithInternal(ctx, topics...)
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group = group
	req.UnknownTags.Set(model.TagFenceMembers, model.FenceMembers)
	byID := make(map[[16]byte]string)
	for _, t := range offsets.Sorted() {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != t.Topic {
			rt := kmsg.NewOffsetCommitRequestTopic()
			rt.Topic, rt.TopicID = t.Topic, details[t.Topic].ID
			byID[rt.TopicID] = t.Topic
			req.Topics = append(req.Topics, rt)
		}
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset, rp.LeaderEpoch = t.Partition, t.At, t.LeaderEpoch
		rt := &req.Topics[len(req.Topics)-1]
		rt.Partitions = append(rt.Partitions, rp)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	if resp.Version < 8 {
		return nil, errCannotFence // the request has no fields that this could be asked in
	}
	out := make(map[topicPartition]error)
	for _, t := range resp.Topics {
		name := firstOf(t.Topic, byID[t.TopicID])
		for _, p := range t.Partitions {
			err := kerr.ErrorForCode(p.ErrorCode)
			if errors.Is(err, kerr.UnknownMemberID) {
				return nil, fmt.Errorf("%w (UNKNOWN_MEMBER_ID)", errCannotFence)
			}
			out[topicPartition{name, p.Partition}] = err
		}
	}
	for _, o := range offsets.Sorted() {
		if _, ok := out[topicPartition{o.Topic, o.Partition}]; !ok {
			out[topicPartition{o.Topic, o.Partition}] = kerr.UnknownServerError
		}
	}
	return out, nil
}
