package broker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A leader is one if all who may have been elected in its place follow, or know of nothing
// newer; it is none as soon as one of them does; who does not answer is asked again.
func TestUndisputed(t *testing.T) {
	silent := errors.New("no answer")
	follows, unknowing, newer, broken := kerr.NotLeaderForPartition, kerr.UnknownLeaderEpoch, kerr.FencedLeaderEpoch, kerr.KafkaStorageError
	for name, c := range map[string]struct {
		votes [][]error // by node, one after the other; the last stays
		leads error
		want  error
	}{
		"alone":                        {},
		"both follow":                  {votes: [][]error{{follows}, {follows}}},
		"one does not know of it yet":  {votes: [][]error{{unknowing}, {follows}}},
		"another leads":                {votes: [][]error{{follows}, {newer}}, want: kerr.NotCoordinator},
		"another leads, one is silent": {votes: [][]error{{silent}, {newer}}, want: kerr.NotCoordinator},
		"it leads in this epoch":       {votes: [][]error{{nil}}, want: kerr.NotCoordinator},
		"one answers later":            {votes: [][]error{{silent, silent, follows}, {follows}}},
		"one answers never":            {votes: [][]error{{silent}, {follows}}, want: kerr.NotCoordinator},
		"one has lost its disk":        {votes: [][]error{{broken}, {follows}}, want: kerr.NotCoordinator},
		"this one does not lead":       {leads: kerr.NotLeaderForPartition, want: kerr.NotCoordinator},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				answers := make(chan [][]error, 1)
				answers <- c.votes
				e := &election{
					rivals: func(model.TopicPartition) (int32, []int32, error) {
						nodes := []int32{0, 1, 2}[:len(c.votes)]
						return 7, nodes, c.leads
					},
					ask: func(_ context.Context, node int32, req kmsg.Request) (kmsg.Response, error) {
						votes := <-answers
						vote := votes[node][0]
						if len(votes[node]) > 1 {
							votes[node] = votes[node][1:]
						}
						answers <- votes
						asked := req.(*kmsg.OffsetForLeaderEpochRequest).Topics[0]
						if vote == silent || asked.Topic != "t" || asked.Partitions[0].Partition != 3 || asked.Partitions[0].CurrentLeaderEpoch != 7 {
							return nil, silent
						}
						return voted(vote), nil
					},
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := e.undisputed(ctx, model.TopicPartition{Topic: "t", Partition: 3}); !errors.Is(err, c.want) {
					t.Errorf("the answer is %v, want %v", err, c.want)
				}
			})
		})
	}
}

func voted(vote error) kmsg.Response {
	resp := kmsg.NewPtrOffsetForLeaderEpochResponse()
	p := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
	p.ErrorCode = model.ErrorCode(vote)
	resp.Topics = []kmsg.OffsetForLeaderEpochResponseTopic{{Topic: "t", Partitions: []kmsg.OffsetForLeaderEpochResponseTopicPartition{p}}}
	return resp
}

// One who stands still is not waited for when the ISR has gone on without it, and not at
// all when another knows of a new leader.
func TestUndisputedWithoutTheSilent(t *testing.T) {
	for _, c := range []struct {
		other, want error
		within      time.Duration
	}{
		{kerr.NotLeaderForPartition, nil, 1600 * time.Millisecond},
		{kerr.FencedLeaderEpoch, kerr.NotCoordinator, 0},
	} {
		bubble.Test(t, func(t *testing.T) {
			began := time.Now()
			e := &election{
				rivals: func(model.TopicPartition) (int32, []int32, error) {
					if time.Since(began) >= time.Second {
						return 7, []int32{2}, nil
					}
					return 7, []int32{1, 2}, nil
				},
				ask: func(ctx context.Context, node int32, _ kmsg.Request) (kmsg.Response, error) {
					if node == 1 {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					return voted(c.other), nil
				},
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if err := e.undisputed(ctx, model.TopicPartition{Topic: "t"}); !errors.Is(err, c.want) {
				t.Errorf("the answer is %v, want %v", err, c.want)
			}
			if took := time.Since(began); took > c.within {
				t.Errorf("it came after %v", took)
			}
		})
	}
}
