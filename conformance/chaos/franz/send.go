package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kgo"
)

// sender is an idempotent producer. Each of its partitions has one burst on its way at a
// time, so that the next one is sent only when all of the last is known.
type sender struct {
	job
	out     *log
	client  *kgo.Client
	process int32
	seq     atomic.Int64
	handing sync.Mutex // orders numbers as records are handed to the client
}

// send writes bursts to every partition of the topics until ctx ends; then it waits for
// what is on its way.
func send(ctx context.Context, j job, out *log) error {
	opts := j.options(
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(2*time.Millisecond),
		kgo.ProduceRequestTimeout(2*time.Second), kgo.ProducerBatchCompression(j.codec()))
	if !j.Patient {
		opts = append(opts, kgo.RecordDeliveryTimeout(8*time.Second))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer client.Close()
	s := &sender{job: j, out: out, client: client, process: out.next()}
	var all sync.WaitGroup
	for _, t := range j.topics {
		for p := range t.partitions {
			all.Go(func() {
				rng := rand.New(rand.NewPCG(j.Seed, uint64(p)))
				for wait(ctx, j.pause(rng)) {
					s.burst(t.name, p, rng)
				}
			})
		}
	}
	all.Wait()
	return nil
}

// burst sends some records to a partition and tells of each when all are known. It is not
// given up when the worker is to end: the client's own patience ends it.
func (s *sender) burst(topic string, partition int32, rng *rand.Rand) {
	n := 1 + rng.IntN(s.Most)
	ops := make([]history.Op, n)
	var known sync.WaitGroup
	known.Add(n)
	s.handing.Lock()
	for i := range ops {
		o := op(history.Send, s.process, topic, partition)
		o.Value = history.MakeValue(s.process, s.seq.Add(1)-1)
		o.Invoke = s.out.Now()
		ops[i] = o
		s.client.Produce(context.Background(), &kgo.Record{Topic: topic, Partition: partition, Value: o.Value.Bytes(size(rng))}, func(r *kgo.Record, err error) {
			told(&ops[i], r, err)
			ops[i].Return = s.out.Now()
			known.Done()
		})
	}
	s.handing.Unlock()
	known.Wait()
	for i := range ops {
		s.out.Add(ops[i])
	}
	if err := ops[n-1].Err; err != "" {
		s.out.complain(err)
	}
}

// told fills in what a client says of a record that was sent.
func told(o *history.Op, r *kgo.Record, err error) {
	outcome(o, err)
	if err == nil {
		o.Offset, o.ProducerID, o.ProducerEpoch = r.Offset, r.ProducerID, int32(r.ProducerEpoch)
	}
}

// size is small for most, so that there are many records, and large for a few.
func size(rng *rand.Rand) int {
	switch dice := rng.IntN(1000); {
	case dice == 0:
		return 64 << 10
	case dice < 20:
		return 1000 + rng.IntN(3000)
	default:
		return rng.IntN(100)
	}
}
