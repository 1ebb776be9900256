package api

import (
	"context"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Producer is what a partition remembers of a producer that wrote to it.
type Producer struct {
	ID               int64
	Epoch            int16
	LastSequence     int32
	LastTimestamp    int64 // milliseconds
	CoordinatorEpoch int32 // -1 if there was no transaction
	TxnStart         int64 // first offset of the open transaction, -1 if there is none
}

// DescribeProducers, key 61, version 0 (KIP-664): the producers that a partition
// remembers. A partition that is named twice is answered once.
func (s *Server) describeProducers(_ context.Context, r *Request, req *kmsg.DescribeProducersRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDescribeProducersResponse()
	seen := make(map[model.TopicPartition]bool)
	for _, t := range req.Topics {
		rt := kmsg.DescribeProducersResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			tp := model.TopicPartition{Topic: t.Topic, Partition: p}
			if !seen[tp] {
				seen[tp] = true
				rt.Partitions = append(rt.Partitions, s.producersOf(r, tp))
			}
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil
}

func (s *Server) producersOf(r *Request, tp model.TopicPartition) kmsg.DescribeProducersResponseTopicPartition {
	resp := kmsg.NewDescribeProducersResponseTopicPartition()
	resp.Partition = tp.Partition
	var list []Producer
	var err error
	switch bad := model.ValidateTopicName(tp.Topic); {
	case bad != nil:
		err = model.Explain(kerr.InvalidTopicException, "Topic name is invalid: "+bad.Error())
	default:
		if _, _, ok := r.Image.Partition(tp.Topic, tp.Partition); !ok {
			err = kerr.UnknownTopicOrPartition
			break
		}
		list, err = s.cfg.Producers(tp)
	}
	resp.ErrorCode, resp.ErrorMessage = model.ErrorCode(err), model.ErrorMessage(err)
	for _, p := range list {
		resp.ActiveProducers = append(resp.ActiveProducers, kmsg.DescribeProducersResponseTopicPartitionActiveProducer{
			ProducerID: p.ID, ProducerEpoch: int32(p.Epoch), LastSequence: p.LastSequence,
			LastTimestamp: p.LastTimestamp, CoordinatorEpoch: p.CoordinatorEpoch, CurrentTxnStartOffset: p.TxnStart})
	}
	return resp
}
