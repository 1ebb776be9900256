package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// read follows every partition from its start. Each is a process of its own, as each has a
// connection's worth of polls of its own.
func read(ctx context.Context, j job, out *lines) error {
	c := j.config()
	c.Consumer.Return.Errors, c.Consumer.MaxWaitTime, c.Consumer.Fetch.Min = true, 500*time.Millisecond, 2000
	c.Consumer.IsolationLevel = sarama.ReadUncommitted
	level := "uncommitted"
	if j.level == "read_committed" {
		c.Consumer.IsolationLevel, level = sarama.ReadCommitted, "committed"
	}
	consumer, err := again(ctx, func() (sarama.Consumer, error) { return sarama.NewConsumer(j.seeds, c) })
	if err != nil {
		return err
	}
	defer consumer.Close()
	var all sync.WaitGroup
	process := j.process
	for topic, n := range j.topics {
		for partition := range n {
			p, err := again(ctx, func() (sarama.PartitionConsumer, error) {
				return consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
			})
			if err != nil {
				return err
			}
			who := process
			process++
			all.Go(func() {
				follow(ctx, p, line{Kind: "poll", Process: who, Outcome: "ok", Topic: topic, Partition: partition, Isolation: level}, out)
			})
		}
	}
	all.Wait()
	return nil
}

// follow tells of a partition's records, as many at a time as come within a moment. They
// may have been fetched at any time since the one before the last.
func follow(ctx context.Context, p sarama.PartitionConsumer, x line, out *lines) {
	defer p.AsyncClose()
	last := now()
	before := last
	for ctx.Err() == nil {
		x.Records = nil
		moment := time.After(300 * time.Millisecond)
		for more := true; more; {
			select {
			case m := <-p.Messages():
				if name := nameOf(string(m.Value)); name != "" {
					x.Records = append(x.Records, [2]any{m.Offset, name})
				} else {
					x.Records = append(x.Records, [1]any{m.Offset})
				}
			case err := <-p.Errors():
				fmt.Fprintln(os.Stderr, err)
			case <-moment:
				more = false
			case <-ctx.Done():
				more = false
			}
		}
		if len(x.Records) > 0 {
			x.Invoke, x.Return = before, now()
			out.tell(x)
			before, last = last, x.Return
		}
	}
}
