package fetcher

import (
	"context"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// atOnce bounds how long questions besides fetching may take.
const atOnce = 10 * time.Second

// findRange finds out what the leader has of the partitions whose end is not in it.
func (f *Fetcher) findRange(ctx context.Context) {
	if len(f.strayed) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, atOnce)
	defer cancel()
	ends := f.listOffsets(ctx, model.OffsetLatest)
	starts := f.listOffsets(ctx, model.OffsetEarliest)
	for i, st := range f.strayed {
		f.returnTo(st, starts[i], ends[i])
	}
	clear(f.strayed)
	f.strayed = f.strayed[:0]
}

// found is an offset of the leader, or why it is not known.
type found struct {
	offset int64
	err    error
}

// returnTo brings a partition back into the leader's range. One that ends beyond the
// leader is cut to the leader's end: an unclean election has lost what it has more. One
// that ends before the leader's start begins anew there: what lay between was deleted
// while it was away. Else the range has changed meanwhile, and it goes on after a pause: if
// it is the history that the leader does not know, nothing here changes that.
func (f *Fetcher) returnTo(st *state, start, end found) {
	for _, err := range []error{start.err, end.err} {
		if err == kerr.FencedLeaderEpoch {
			f.fenced(st)
			return
		} else if err != nil {
			f.complain(st, err)
			return
		}
	}
	var err error
	switch {
	case end.offset < st.offset:
		f.log.Warn("truncating to the end of a leader that has less", "partition", st.replica.TP(), "end", st.offset, "leader_end", end.offset)
		err = st.replica.Truncate(st.epoch, partition.EpochEnd{Epoch: model.NoEpoch, End: end.offset})
	case start.offset > st.offset:
		f.log.Warn("beginning anew: the leader has deleted what follows here", "partition", st.replica.TP(), "end", st.offset, "leader_start", start.offset)
		err = st.replica.Restart(st.epoch, start.offset)
	default:
		f.complain(st, kerr.OffsetOutOfRange)
		return
	}
	if err != nil {
		f.trouble(st, "return to the leader's range", err)
		return
	}
	f.ask(st)
}

// listOffsets asks the leader for an offset of each partition that has strayed.
func (f *Fetcher) listOffsets(ctx context.Context, spec int64) []found {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = f.cfg.Self
	for _, st := range f.strayed {
		addListOffset(req, st.replica.TP(), st.epoch, spec)
	}
	list := make([]found, len(f.strayed))
	resp, err := f.client.Do(ctx, req)
	if err != nil {
		for i := range list {
			list[i].err = err
		}
		return list
	}
	answers := make(map[model.TopicPartition]found)
	for _, t := range resp.(*kmsg.ListOffsetsResponse).Topics {
		for _, p := range t.Partitions {
			answers[model.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = found{p.Offset, kerr.ErrorForCode(p.ErrorCode)}
		}
	}
	for i, st := range f.strayed {
		a, ok := answers[st.replica.TP()]
		if list[i] = a; !ok || a.err == nil && a.offset < 0 {
			list[i].err = kerr.UnknownServerError
		}
	}
	return list
}

func addListOffset(req *kmsg.ListOffsetsRequest, tp model.TopicPartition, epoch int32, spec int64) {
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.CurrentLeaderEpoch, p.Timestamp = tp.Partition, epoch, spec
	if i := slices.IndexFunc(req.Topics, func(t kmsg.ListOffsetsRequestTopic) bool { return t.Topic == tp.Topic }); i >= 0 {
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
		return
	}
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic, t.Partitions = tp.Topic, []kmsg.ListOffsetsRequestTopicPartition{p}
	req.Topics = append(req.Topics, t)
}
