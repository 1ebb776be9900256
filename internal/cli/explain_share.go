package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// States of records after a share group's start offset, as its coordinator keeps them.
// What a member has locked is known to the partition's leader alone.
const (
	shareAvailable    = 0
	shareAcknowledged = 2
	shareArchived     = 4
)

// shareFacts is what the share coordinator keeps of a partition for a group.
type shareFacts struct {
	start   int64
	batches []shareBatch // in order
	err     error
}

type shareBatch struct {
	first, last int64
	state       int8
	deliveries  int16
}

func (b shareBatch) records() int64 { return b.last - b.first + 1 }

// sharePartitionsAsked bounds what one explanation costs: each partition may have another
// coordinator.
const sharePartitionsAsked = 200

// readShareState asks the share coordinators for the state of the partitions that lag.
func readShareState(ctx context.Context, cl *kgo.Client, group string, offsets []groupOffset, parts map[topicPartition]*partitionFacts) map[topicPartition]shareFacts {
	out := make(map[topicPartition]shareFacts)
	var topics []string
	for _, o := range offsets {
		topics = append(topics, o.Topic)
	}
	adm := kadm.NewClient(cl)
	details, err := adm.ListTopicsWithInternal(ctx, uniq(topics)...)
	if err != nil {
		return out
	}
	keys := make(map[string]topicPartition)
	for _, o := range offsets {
		if parts[o.key()] != nil && o.Committed != nil && (o.Lag == nil || *o.Lag > 0) && len(keys) < sharePartitionsAsked {
			id := details[o.Topic].ID
			keys[fmt.Sprintf("%s:%s:%d", group, base64.RawURLEncoding.EncodeToString(id[:]), o.Partition)] = o.key()
		}
	}
	if len(keys) == 0 {
		return out
	}
	for _, c := range adm.FindShareCoordinators(ctx, slices.Sorted(maps.Keys(keys))...) {
		tp, ok := keys[c.Name]
		if ok && c.Err == nil {
			out[tp] = askShareState(ctx, cl, c.NodeID, group, details[tp.topic].ID, tp.partition)
		}
	}
	return out
}

// askShareState reads the state as its leader would. Who reads with an epoch above that of
// the leader would fence it, so the one that is known is asked for first.
func askShareState(ctx context.Context, cl *kgo.Client, coordinator int32, group string, topic [16]byte, partition int32) (f shareFacts) {
	epoch, err := shareLeaderEpoch(ctx, cl, coordinator, group, topic, partition)
	if err != nil {
		return shareFacts{err: err}
	}
	req := kmsg.NewPtrReadShareGroupStateRequest()
	req.GroupID = group
	t := kmsg.NewReadShareGroupStateRequestTopic()
	p := kmsg.NewReadShareGroupStateRequestTopicPartition()
	p.Partition, p.LeaderEpoch = partition, epoch
	t.TopicID, t.Partitions = topic, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	kresp, err := cl.Broker(int(coordinator)).RetriableRequest(ctx, req)
	if err != nil {
		return shareFacts{err: err}
	}
	for _, rt := range kresp.(*kmsg.ReadShareGroupStateResponse).Topics {
		for _, rp := range rt.Partitions {
			f.err, f.start = kerr.ErrorForCode(rp.ErrorCode), rp.StartOffset
			for _, b := range rp.StateBatches {
				f.batches = append(f.batches, shareBatch{b.FirstOffset, b.LastOffset, b.DeliveryState, b.DeliveryCount})
			}
		}
	}
	return f
}

func shareLeaderEpoch(ctx context.Context, cl *kgo.Client, coordinator int32, group string, topic [16]byte, partition int32) (int32, error) {
	req := kmsg.NewPtrReadShareGroupStateSummaryRequest()
	req.GroupID = group
	t := kmsg.NewReadShareGroupStateSummaryRequestTopic()
	p := kmsg.NewReadShareGroupStateSummaryRequestTopicPartition()
	p.Partition, p.LeaderEpoch = partition, -1
	t.TopicID, t.Partitions = topic, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	kresp, err := cl.Broker(int(coordinator)).RetriableRequest(ctx, req)
	if err != nil {
		return 0, err
	}
	for _, rt := range kresp.(*kmsg.ReadShareGroupStateSummaryResponse).Topics {
		for _, rp := range rt.Partitions {
			return rp.LeaderEpoch, kerr.ErrorForCode(rp.ErrorCode)
		}
	}
	return 0, kerr.UnknownServerError
}

// shareReasons say which records of a share group are not done with.
func (f *groupFacts) shareReasons() []reason {
	if f.view.Type != shareGroup {
		return nil
	}
	var out []reason
	var fresh []topicPartition
	for i := range f.offsets {
		o := &f.offsets[i]
		if o.Committed == nil && o.Member != "" && o.Start != nil && o.End != nil && *o.End > *o.Start {
			fresh = append(fresh, o.key())
			continue
		}
		if o.Committed == nil || o.Lag == nil || *o.Lag == 0 {
			continue
		}
		if r, ok := shareReason(o, f.share[o.key()]); ok {
			out = append(out, r)
		}
	}
	if len(fresh) > 0 && len(f.view.Members) > 0 {
		out = append(out, reason{"share-not-begun", fmt.Sprintf("no record of %s was acknowledged yet, so it is not kept where the group begins there", partsText(fresh)),
			"Until then it begins where share.auto.offset.reset of the group says: latest unless it was set, which leaves out all that was there when the first member came.",
			fmt.Sprintf("if it shall read that: stop its members, odradek group seek %s --to start, start them; or set share.auto.offset.reset=earliest before the first member comes.", f.name)})
	}
	return out
}

// shareReason says what keeps the start offset of a partition where it is.
func shareReason(o *groupOffset, s shareFacts) (reason, bool) {
	var back, archived, acknowledged, end int64
	var worst int16
	end = *o.Committed
	for _, b := range s.batches {
		end = max(end, b.last+1)
		switch b.state {
		case shareAvailable:
			if b.deliveries > 0 {
				back += b.records()
				worst = max(worst, b.deliveries)
			}
		case shareAcknowledged:
			acknowledged += b.records()
		case shareArchived:
			archived += b.records()
		}
	}
	if s.err != nil || len(s.batches) == 0 {
		return reason{}, false // nothing was done out of order
	}
	why := fmt.Sprintf("From there to %d, %d came back (released, or the lock ended), up to %d times; %d are done with, %d archived (rejected, or delivered too often); the others are locked by members or were not delivered.",
		end, back, worst, acknowledged, archived)
	return reason{"share-unfinished", fmt.Sprintf("in %s the record at offset %d is not done with", partitionName(o.Topic, o.Partition), *o.Committed), why,
		"a member that takes it acknowledges it: accept, or reject; it is archived when it was delivered as often as share.delivery.count.limit of the group says. A lock ends after share.record.lock.duration.ms."}, true
}
