package group

import (
	"context"
	"sync"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// end is where a partition ends, or why that is not known.
type end struct {
	offset int64
	err    error
}

// ends asks the leaders of partitions where those end.
func (s *Service) ends(ctx context.Context, of []model.TopicPartition) map[model.TopicPartition]end {
	ends := make(map[model.TopicPartition]end, len(of))
	if s.cfg.Ask == nil {
		return ends
	}
	image, byLeader := s.cfg.Image(), map[int32][]model.TopicPartition{}
	for _, tp := range of {
		_, p, ok := image.Partition(tp.Topic, tp.Partition)
		switch {
		case !ok:
			ends[tp] = end{err: kerr.UnknownTopicOrPartition}
		case p.Leader == model.NoLeader:
			ends[tp] = end{err: kerr.LeaderNotAvailable}
		default:
			byLeader[p.Leader] = append(byLeader[p.Leader], tp)
		}
	}
	var mu sync.Mutex // guards ends while leaders are asked
	var group sync.WaitGroup
	for leader, tps := range byLeader {
		group.Go(func() {
			found := s.endsAt(ctx, leader, tps)
			mu.Lock()
			defer mu.Unlock()
			for tp, e := range found {
				ends[tp] = e
			}
		})
	}
	group.Wait()
	return ends
}

// endsAt asks one leader.
func (s *Service) endsAt(ctx context.Context, leader int32, tps []model.TopicPartition) map[model.TopicPartition]end {
	req := kmsg.NewPtrListOffsetsRequest()
	at := map[string]int{}
	for _, tp := range tps {
		i, ok := at[tp.Topic]
		if !ok {
			i = len(req.Topics)
			at[tp.Topic] = i
			rt := kmsg.NewListOffsetsRequestTopic()
			rt.Topic = tp.Topic
			req.Topics = append(req.Topics, rt)
		}
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = tp.Partition, model.OffsetLatest
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, rp)
	}
	found := make(map[model.TopicPartition]end, len(tps))
	resp, err := s.cfg.Ask(ctx, leader, req)
	for _, tp := range tps {
		found[tp] = end{err: kerr.UnknownServerError} // left out of the answer
		if err != nil {
			found[tp] = end{err: kerr.NetworkException}
		}
	}
	if err != nil {
		return found
	}
	for _, t := range resp.(*kmsg.ListOffsetsResponse).Topics {
		for _, p := range t.Partitions {
			found[model.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = end{p.Offset, kerr.ErrorForCode(p.ErrorCode)}
		}
	}
	return found
}
