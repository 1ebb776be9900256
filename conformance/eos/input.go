package eos

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// partitions are those of each input and each output.
const partitions = 6

// input writes numbered records to a pipeline's topic, at a pace, and knows which were
// acknowledged.
type input struct {
	topic  string
	client *kgo.Client

	mu  sync.Mutex // guards what follows; held across nothing that waits
	put map[int32]int64
	err error
}

func newInput(seeds []string, topic string) (*input, error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(20*time.Millisecond))
	return &input{topic: topic, client: c, put: make(map[int32]int64)}, err
}

// run writes until ctx ends, and then waits for what is on its way.
func (in *input) run(ctx context.Context, pace time.Duration) {
	next := make(map[int32]int64)
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for ctx.Err() == nil {
		for p := range int32(partitions) {
			n := next[p]
			next[p]++
			in.client.Produce(context.Background(), &kgo.Record{Partition: p, Key: []byte(fmt.Sprint(p)), Value: []byte(valueOf(p, n))}, func(_ *kgo.Record, err error) {
				in.mu.Lock()
				defer in.mu.Unlock()
				if err != nil && in.err == nil {
					in.err = fmt.Errorf("the input of %s cannot be written: %w", in.topic, err)
				}
				in.put[p] = n + 1
			})
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// finish waits until all is acknowledged, and tells how much that is.
func (in *input) finish(ctx context.Context) (map[int32]int64, error) {
	defer in.client.Close()
	if err := in.client.Flush(ctx); err != nil {
		return nil, fmt.Errorf("the input of %s is not acknowledged: %w", in.topic, err)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	return maps.Clone(in.put), in.err
}

// makeTopics makes the topics of all pipelines.
func makeTopics(ctx context.Context, seeds []string, names ...string) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(seeds...))
	if err != nil {
		return err
	}
	defer c.Close()
	rs, err := kadm.NewClient(c).CreateTopics(ctx, partitions, 3, nil, names...)
	if err != nil {
		return err
	}
	return rs.Error()
}
