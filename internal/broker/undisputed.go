package broker

import (
	"context"
	"errors"
	"time"

	"github.com/odradek/odradek/internal/cluster/brokers"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// election asks those who may have been elected in a leader's place.
type election struct {
	rivals func(model.TopicPartition) (epoch int32, nodes []int32, err error)
	ask    brokers.Ask
}

// Pauses between two questions to those who could not say, and how long one is waited for
// before it is looked again who is in the ISR: who is silent leaves it.
const (
	firstDoubt = 2 * time.Millisecond
	lastDoubt  = 50 * time.Millisecond
	voteTime   = 500 * time.Millisecond
)

// undisputed returns nil if nobody else led a partition when it was called. This node may have
// been replaced without knowing: its lease tells that the controller hears it, not that it
// hears the controller. Who may have been elected is in the ISR, so its other members are
// asked whether they have taken an epoch beyond the leader's; a leader of a later one cannot have
// acted before the answer without one of them.
// It returns kerr.NotCoordinator if another leads, or if that cannot be told before ctx ends.
func (e *election) undisputed(ctx context.Context, tp model.TopicPartition) error {
	for pause := firstDoubt; ; pause = min(2*pause, lastDoubt) {
		epoch, nodes, err := e.rivals(tp)
		if err != nil {
			return kerr.NotCoordinator
		}
		switch err := e.poll(ctx, tp, epoch, nodes); {
		case err == nil:
			return nil
		case errors.Is(err, kerr.FencedLeaderEpoch):
			return kerr.NotCoordinator
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return kerr.NotCoordinator
		}
	}
}

// poll asks all of them at the same time. One who knows of another leader is enough.
func (e *election) poll(ctx context.Context, tp model.TopicPartition, epoch int32, nodes []int32) (err error) {
	ctx, cancel := context.WithTimeout(ctx, voteTime)
	defer cancel()
	answers := make(chan error, len(nodes))
	for _, n := range nodes {
		go func() { answers <- e.vote(ctx, n, tp, epoch) }()
	}
	for range nodes {
		switch a := <-answers; {
		case errors.Is(a, kerr.FencedLeaderEpoch):
			return a
		case a != nil:
			err = a
		}
	}
	return err
}

// vote returns nil if a node knows of no leader after the one of this epoch. It follows
// that one, or has not heard of it yet.
func (e *election) vote(ctx context.Context, node int32, tp model.TopicPartition, epoch int32) error {
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	t := kmsg.NewOffsetForLeaderEpochRequestTopic()
	t.Topic = tp.Topic
	p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = tp.Partition, epoch, epoch
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	answer, err := e.ask(ctx, node, req)
	if err != nil {
		return err
	}
	resp := answer.(*kmsg.OffsetForLeaderEpochResponse)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return kerr.UnknownServerError // it says nothing
	}
	switch err := kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode); {
	case errors.Is(err, kerr.NotLeaderForPartition), errors.Is(err, kerr.UnknownLeaderEpoch):
		return nil
	case err != nil:
		return err
	}
	return kerr.FencedLeaderEpoch // it leads, in an epoch that is ours here
}

// rivals are those of a partition of this node.
func (b *Broker) rivals(tp model.TopicPartition) (epoch int32, nodes []int32, err error) {
	p, err := b.host.Partition(tp)
	if err != nil {
		return 0, nil, err
	}
	return p.Rivals()
}
