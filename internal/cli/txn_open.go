package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// openTxn is a transaction that a partition takes for open: its leader has seen records of
// it and no marker.
type openTxn struct {
	Topic            string `json:"topic"`
	Partition        int32  `json:"partition"`
	Producer         int64  `json:"producerId"`
	Epoch            int16  `json:"producerEpoch"`
	CoordinatorEpoch int32  `json:"coordinatorEpoch"`
	Start            int64  `json:"startOffset"`
	LastMillis       int64  `json:"lastTimestamp"` // when its producer wrote last
	ID               string `json:"id,omitempty"`  // "": no transactional id has this producer
	Why              string `json:"why,omitempty"` // it is taken for hanging
}

func (t *openTxn) key() topicPartition { return topicPartition{t.Topic, t.Partition} }

// producersAsked is how many partitions one request for producers may name.
const producersAsked = 500

// describeProducers asks the leaders of partitions for their producers, or one broker that
// has replicas of them. The answer of each partition has an error of its own.
func describeProducers(ctx context.Context, cl *kgo.Client, parts []topicPartition, broker *int32) (map[topicPartition]kmsg.DescribeProducersResponseTopicPartition, error) {
	out := make(map[topicPartition]kmsg.DescribeProducersResponseTopicPartition)
	for some := range slices.Chunk(parts, producersAsked) {
		set := make(kadm.TopicsSet)
		for _, p := range some {
			set.Add(p.topic, p.partition)
		}
		req := kmsg.NewPtrDescribeProducersRequest()
		for _, t := range set.IntoList() {
			rt := kmsg.NewDescribeProducersRequestTopic()
			rt.Topic, rt.Partitions = t.Topic, t.Partitions
			req.Topics = append(req.Topics, rt)
		}
		var shards []kgo.ResponseShard
		if broker != nil {
			resp, err := cl.Broker(int(*broker)).RetriableRequest(ctx, req)
			shards = []kgo.ResponseShard{{Resp: resp, Err: err}}
		} else {
			shards = cl.RequestSharded(ctx, req)
		}
		for _, shard := range shards {
			if shard.Err != nil {
				return nil, shard.Err
			}
			for _, t := range shard.Resp.(*kmsg.DescribeProducersResponse).Topics {
				for _, p := range t.Partitions {
					out[topicPartition{t.Topic, p.Partition}] = p
				}
			}
		}
	}
	return out, nil
}

// openTxns are the transactions that partitions take for open, in order. Partitions that
// do not answer become errors of l.
func openTxns(ctx context.Context, cl *kgo.Client, parts []topicPartition, broker *int32, l *listing) ([]openTxn, error) {
	answers, err := describeProducers(ctx, cl, parts, broker)
	if err != nil {
		return nil, err
	}
	var out []openTxn
	for _, tp := range parts {
		p, ok := answers[tp]
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil || !ok {
			l.fail(tp.String(), said(orUnknown(err), value(p.ErrorMessage)))
			continue
		}
		for _, r := range p.ActiveProducers {
			if r.CurrentTxnStartOffset >= 0 {
				out = append(out, openTxn{Topic: tp.topic, Partition: tp.partition, Producer: r.ProducerID, Epoch: int16(r.ProducerEpoch),
					CoordinatorEpoch: r.CoordinatorEpoch, Start: r.CurrentTxnStartOffset, LastMillis: r.LastTimestamp})
			}
		}
	}
	slices.SortStableFunc(out, func(x, y openTxn) int { return x.key().compare(y.key()) })
	return out, nil
}

// orUnknown is err, or that of an answer that says nothing.
func orUnknown(err error) error {
	if err == nil {
		return kerr.UnknownServerError
	}
	return err
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// hanging returns those of open that nobody will end: their coordinator knows nothing of
// them. A transaction whose producer wrote within grace may be too young for it to have
// heard of.
func hanging(ctx context.Context, cl *kgo.Client, open []openTxn, grace time.Duration, now time.Time, l *listing) ([]openTxn, error) {
	open = slices.DeleteFunc(slices.Clone(open), func(t openTxn) bool { return now.Sub(time.UnixMilli(t.LastMillis)) <= grace })
	if len(open) == 0 {
		return nil, nil
	}
	txns, err := nameTxns(ctx, cl, open, l)
	if err != nil {
		return nil, err
	}
	var out []openTxn
	for _, t := range open {
		if t.Why, err = whyHanging(t, txns[t.ID]); err != nil {
			return nil, err
		}
		if t.Why != "" {
			out = append(out, t)
		}
	}
	return out, nil
}

// nameTxns fills in the transactional ids of open and returns what their coordinators say
// of them.
func nameTxns(ctx context.Context, cl *kgo.Client, open []openTxn, l *listing) (kadm.DescribedTransactions, error) {
	filter := txnFilter{longer: -1}
	for _, t := range open {
		filter.producers = append(filter.producers, t.Producer)
	}
	slices.Sort(filter.producers)
	filter.producers = slices.Compact(filter.producers)
	listed, err := listTxns(ctx, cl, filter, l)
	if err != nil {
		return nil, err
	}
	names := make(map[int64]string)
	var ids []string
	for _, t := range listed {
		names[t.Producer] = t.ID
		ids = append(ids, t.ID)
	}
	for i := range open {
		open[i].ID = names[open[i].Producer]
	}
	return describedTxns(ctx, cl, ids)
}

// whyHanging says why nobody will end t, "" if its coordinator will.
func whyHanging(t openTxn, d kadm.DescribedTransaction) (string, error) {
	switch {
	case t.ID == "":
		return fmt.Sprintf("no transactional id has producer %d any more", t.Producer), nil
	case errors.Is(d.Err, kerr.TransactionalIDNotFound):
		return fmt.Sprintf("its coordinator knows no transactional id %q", t.ID), nil
	case d.Err != nil:
		return "", fmt.Errorf("transaction %q: %w", t.ID, d.Err)
	case !d.Topics.Lookup(t.Topic, t.Partition):
		return fmt.Sprintf("transaction %q is %s and does not have this partition", t.ID, d.State), nil
	}
	return "", nil
}
