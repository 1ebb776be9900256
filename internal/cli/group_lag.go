package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// lagHelp says how lag is measured.
const lagHelp = `LAG counts the offsets from the committed one to the end; of a share group it is what the
cluster says: records that are not done with. LAG-TIME is how far that is in the topic's own
time: the newest timestamp of the partition less that of the last record that the group is
done with, or of the next one that is there. It needs one request for all newest timestamps
and reads one batch of each partition that lags; --no-times spares that.`

// groupOffset is where a group is in a partition.
type groupOffset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed *int64 `json:"committed"` // of a share group its start offset; null: nothing was committed
	Start     *int64 `json:"start"`
	End       *int64 `json:"end"`
	Lag       *int64 `json:"lag"`
	LagMillis *int64 `json:"lagMillis"` // null: not known
	Member    string `json:"member,omitempty"`
	Client    string `json:"client,omitempty"`
	Error     string `json:"error,omitempty"`

	epoch int32 // leader epoch of what was committed, -1: unknown
	err   error
}

func (o *groupOffset) key() topicPartition { return topicPartition{o.Topic, o.Partition} }

// groupOffsets are the partitions for which g committed, or of which a member is the
// owner, in order.
func (a *App) groupOffsets(ctx context.Context, cl *kgo.Client, g groupView, times bool) ([]groupOffset, error) {
	adm := kadm.NewClient(cl)
	at, err := committedOffsets(ctx, adm, g)
	if err != nil {
		return nil, err
	}
	owners := g.owners()
	for p, members := range owners {
		o, ok := at[p]
		if !ok {
			o = &groupOffset{Topic: p.topic, Partition: p.partition, epoch: -1}
			at[p] = o
		}
		o.Member, o.Client = members[0].Member, members[0].Client
		if len(members) > 1 {
			o.Member, o.Client = fmt.Sprintf("%d members", len(members)), ""
		}
	}
	var list []groupOffset
	var topics []string
	for _, o := range at {
		list = append(list, *o)
		topics = append(topics, o.Topic)
	}
	slices.SortFunc(list, func(x, y groupOffset) int { return x.key().compare(y.key()) })
	if len(list) == 0 {
		return list, nil
	}
	ends, err := a.logEnds(ctx, adm, uniq(topics)...)
	if _, some := errors.AsType[*kadm.ShardErrors](err); err != nil && !some {
		return nil, err
	}
	for i := range list {
		list[i].measure(ends)
	}
	if times {
		measureTimes(ctx, cl, list)
	}
	return list, nil
}

// committedOffsets are where g begins in each partition for which it committed something.
func committedOffsets(ctx context.Context, adm *kadm.Client, g groupView) (map[topicPartition]*groupOffset, error) {
	out := make(map[topicPartition]*groupOffset)
	if g.Type == shareGroup {
		answers, err := adm.DescribeShareGroupOffsets(ctx, g.Group)
		if err != nil {
			return nil, err
		}
		for _, o := range answers[g.Group].Offsets.Sorted() {
			item := groupOffset{Topic: o.Topic, Partition: o.Partition, err: o.Err, epoch: o.LeaderEpoch}
			if o.StartOffset >= 0 {
				item.Committed = &o.StartOffset
			}
			if o.Lag >= 0 {
				item.Lag = &o.Lag
			}
			out[item.key()] = &item
		}
		return out, answers[g.Group].Err
	}
	answers, err := adm.FetchOffsets(ctx, g.Group)
	if err != nil {
		return nil, err
	}
	for _, o := range answers.Sorted() {
		item := groupOffset{Topic: o.Topic, Partition: o.Partition, err: o.Err, epoch: o.LeaderEpoch}
		if o.At >= 0 {
			item.Committed = &o.At
		}
		out[item.key()] = &item
	}
	return out, nil
}

// measure fills in where the partition begins and ends, and the lag. The share
// coordinator's own count of records, which knows what is done out of order, stays.
func (o *groupOffset) measure(ends logEnds) {
	start, end, err := ends.bounds(o.Topic, o.Partition)
	if o.err = cmp.Or(o.err, err); o.err != nil {
		o.Error = explain(o.err)
	}
	if err != nil {
		return
	}
	o.Start, o.End = &start, &end
	if o.Lag == nil && o.Committed != nil {
		lag := max(0, end-*o.Committed)
		o.Lag = &lag
	}
}

// readers is how many batches are read at a time.
const readers = 8

// measureTimes fills in how far each partition lags in its own time. What cannot be
// measured stays unknown.
func measureTimes(ctx context.Context, cl *kgo.Client, list []groupOffset) {
	var lagging []*groupOffset
	var topics []string
	for i := range list {
		switch o := &list[i]; {
		case o.Lag == nil || o.Committed == nil || o.Start == nil:
		case *o.Lag == 0:
			o.LagMillis = new(int64)
		default:
			lagging = append(lagging, o)
			topics = append(topics, o.Topic)
		}
	}
	if len(lagging) == 0 {
		return
	}
	adm := kadm.NewClient(cl)
	newest, _ := adm.ListMaxTimestampOffsets(ctx, uniq(topics)...) // beside an error, what was answered
	details, err := adm.ListTopicsWithInternal(ctx, uniq(topics)...)
	if err != nil {
		return
	}
	inParallel(lagging, func(o *groupOffset) {
		if last, ok := newest.Lookup(o.Topic, o.Partition); ok && last.Err == nil && last.Timestamp >= 0 {
			from := min(max(*o.Committed-1, *o.Start), *o.End-1)
			rec, _, err := reader{topic: details[o.Topic], partition: o.Partition}.first(ctx, cl, from)
			if err == nil && rec != nil {
				behind := max(0, last.Timestamp-rec.Timestamp.UnixMilli())
				o.LagMillis = &behind
			}
		}
	})
}

// inParallel calls f with each partition, some at a time, and returns when all are done.
func inParallel(list []*groupOffset, f func(*groupOffset)) {
	slots := make(chan struct{}, readers)
	var all sync.WaitGroup
	for _, o := range list {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			f(o)
		})
	}
	all.Wait()
}

// reader reads single batches of a partition, by its leader.
type reader struct {
	topic     kadm.TopicDetail
	partition int32
	data      bool // only records that who reads what is committed would see
}

// batchesRead is how many batches are looked at for a record. Compaction may have emptied
// some, and some are ends of transactions.
const batchesRead = 4

// first returns the first record at or after offset, nil if none was found before next.
func (r reader) first(ctx context.Context, cl *kgo.Client, offset int64) (rec *kgo.Record, next int64, err error) {
	leader := r.topic.Partitions[r.partition].Leader
	if leader < 0 {
		return nil, offset, kerr.LeaderNotAvailable
	}
	opts := kgo.ProcessFetchPartitionOpts{KeepControlRecords: !r.data, Topic: r.topic.Topic, Partition: r.partition}
	if r.data {
		opts.IsolationLevel = kgo.ReadCommitted()
	}
	for range batchesRead {
		resp, err := r.fetch(ctx, cl, leader, offset)
		if err != nil {
			return nil, offset, err
		}
		opts.Offset = offset
		read, next := kgo.ProcessFetchPartition(opts, resp, kgo.DefaultDecompressor(), nil)
		if len(read.Records) > 0 {
			return read.Records[0], next, nil
		}
		if read.Err != nil || next <= offset {
			return nil, offset, read.Err
		}
		offset = next
	}
	return nil, offset, nil
}

// fetch asks for the batch of one offset: a batch comes whole, however large.
func (r reader) fetch(ctx context.Context, cl *kgo.Client, leader int32, offset int64) (*kmsg.FetchResponseTopicPartition, error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = 100, 1, 1, -1
	if r.data {
		req.IsolationLevel = 1
	}
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = r.partition, offset, 1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID, t.Partitions = r.topic.Topic, r.topic.ID, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	kresp, err := cl.Broker(int(leader)).RetriableRequest(ctx, req)
	if err != nil {
		return nil, err
	}
	resp := kresp.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, kerr.UnknownServerError
	}
	return &resp.Topics[0].Partitions[0], nil
}

// sumLag are the records by which a group lags in all partitions, and the longest of
// their times: nil if there is none that is known.
func sumLag(list []groupOffset) (records int64, millis *int64) {
	for _, o := range list {
		if o.Lag != nil {
			records += *o.Lag
		}
		if o.LagMillis != nil && (millis == nil || *o.LagMillis > *millis) {
			millis = o.LagMillis
		}
	}
	return records, millis
}

// rough words a time as 250ms, 42s, 3m20s, 7h5m or 12d.
func rough(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + rough(-d)
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func lagTime(ms *int64) string {
	if ms == nil {
		return "-"
	}
	if *ms == 0 {
		return "0s"
	}
	return rough(millisDuration(*ms))
}
