package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// sender is an idempotent producer. Each of its partitions has one burst on its way at a
// time.
type sender struct {
	job
	out      *lines
	producer sarama.AsyncProducer

	mu  sync.Mutex // orders numbers as records are handed to the client
	seq int64
}

// burst is what its records point to while they are on their way.
type burst struct {
	known  sync.WaitGroup
	name   []string
	invoke []int64
}

func send(ctx context.Context, j job, out *lines) error {
	c := j.config()
	c.Producer.Idempotent, c.Net.MaxOpenRequests, c.Producer.RequiredAcks = true, 1, sarama.WaitForAll
	c.Producer.Partitioner, c.Producer.Timeout = sarama.NewManualPartitioner, 5*time.Second
	c.Producer.Return.Successes, c.Producer.Return.Errors = true, true
	c.Producer.Retry.Max, c.Producer.Retry.Backoff = 60, 200*time.Millisecond
	c.Producer.Flush.Frequency = 2 * time.Millisecond
	c.Producer.Compression = map[string]sarama.CompressionCodec{"gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
		"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}[j.codec] // the zero value is none
	p, err := again(ctx, func() (sarama.AsyncProducer, error) { return sarama.NewAsyncProducer(j.seeds, c) })
	if err != nil {
		return err
	}
	s := &sender{job: j, out: out, producer: p}
	var answers, all sync.WaitGroup
	answers.Go(func() {
		for m := range p.Successes() {
			s.told(m, nil)
		}
	})
	answers.Go(func() {
		for e := range p.Errors() {
			s.told(e.Msg, e.Err)
		}
	})
	for topic, n := range j.topics {
		for partition := range n {
			all.Go(func() {
				rng := rand.New(rand.NewPCG(j.seed, uint64(partition)))
				for wait(ctx, j.pause(rng)) {
					s.burst(topic, partition, rng)
				}
			})
		}
	}
	all.Wait()
	p.AsyncClose()
	answers.Wait()
	return nil
}

// burst sends some records to a partition, and returns when all are known.
func (s *sender) burst(topic string, partition int32, rng *rand.Rand) {
	n := 1 + rng.IntN(s.most)
	b := &burst{name: make([]string, n), invoke: make([]int64, n)}
	b.known.Add(n)
	s.mu.Lock()
	for i := range n {
		b.name[i], b.invoke[i] = fmt.Sprintf("%d#%d", s.process, s.seq), now()
		s.seq++
		size := rng.IntN(100)
		if rng.IntN(50) == 0 {
			size = 1000 + rng.IntN(3000)
		}
		s.producer.Input() <- &sarama.ProducerMessage{Topic: topic, Partition: partition, Value: sarama.StringEncoder(valueOf(b.name[i], size)), Metadata: mark{b, i}}
	}
	s.mu.Unlock()
	b.known.Wait()
}

// mark says which record of which burst a message is.
type mark struct {
	*burst
	i int
}

func (s *sender) told(m *sarama.ProducerMessage, wrong error) {
	at := m.Metadata.(mark)
	x := line{Kind: "send", Process: s.process, Outcome: "ok", Invoke: at.invoke[at.i], Return: now(), Topic: m.Topic, Partition: m.Partition, Value: at.name[at.i]}
	if wrong != nil {
		x.Outcome, x.Err = "info", wrong.Error()
		fmt.Fprintln(os.Stderr, wrong)
	} else {
		x.Offset = &m.Offset
	}
	s.out.tell(x)
	at.known.Done()
}
