// Command confluent is a pipeline with confluent-kafka-go, which is librdkafka.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/odradek/odradek/conformance/kit/eos/worker"
)

func main() {
	j := worker.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	worker.Ready()
	for ctx.Err() == nil {
		if err := session(ctx, j); err != nil && ctx.Err() == nil {
			var ke kafka.Error
			if errors.As(err, &ke) && (ke.Code() == kafka.ErrFenced || ke.Code() == kafka.ErrProducerFenced || ke.Code() == kafka.ErrInvalidProducerEpoch) {
				worker.Fenced(err.Error())
				os.Exit(3)
			}
			worker.Failed(err.Error())
		}
	}
}

// pipe is one producer and one consumer.
type pipe struct {
	worker.Job
	p *kafka.Producer
	c *kafka.Consumer

	moved bool // partitions came or went since the last batch
}

func session(ctx context.Context, j worker.Job) error {
	seeds := strings.Join(j.Seeds, ",")
	p, err := kafka.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers": seeds, "client.id": j.ID, "transactional.id": j.ID, "log_level": 0,
		"transaction.timeout.ms": int(worker.Timeout / time.Millisecond), "linger.ms": 5,
	})
	if err != nil {
		return err
	}
	defer p.Close()
	go func() {
		for range p.Events() { // reports are not looked at: the end of the transaction tells
		}
	}()
	start, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := p.InitTransactions(start); err != nil {
		return fmt.Errorf("init transactions: %w", err)
	}
	set := kafka.ConfigMap{
		"bootstrap.servers": seeds, "client.id": j.ID, "group.id": j.Group, "log_level": 0,
		"auto.offset.reset": "earliest", "enable.auto.commit": false, "isolation.level": "read_committed", "fetch.wait.max.ms": 100,
	}
	if j.Protocol == "consumer" {
		set["group.protocol"] = "consumer"
	} else {
		set["session.timeout.ms"], set["heartbeat.interval.ms"] = int(worker.Session/time.Millisecond), 500
	}
	c, err := kafka.NewConsumer(&set)
	if err != nil {
		return err
	}
	defer c.Close()
	x := &pipe{Job: j, p: p, c: c}
	// Partitions come and go between two transactions alone, as only there is Poll called.
	if err := c.Subscribe(j.In, func(*kafka.Consumer, kafka.Event) error { x.moved = true; return nil }); err != nil {
		return err
	}
	for ctx.Err() == nil {
		batch, err := x.poll(ctx)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			continue
		}
		if err := x.transaction(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// poll takes what is there, without waiting long for more.
func (x *pipe) poll(ctx context.Context) (batch []*kafka.Message, err error) {
	wait := 200
	x.moved = false
	for len(batch) < worker.Most && ctx.Err() == nil {
		e := x.c.Poll(wait)
		if x.moved && len(batch) > 0 { // what was taken may be another's, or come again
			return nil, x.rewind()
		}
		switch e := e.(type) {
		case nil:
			return batch, nil
		case *kafka.Message:
			if e.TopicPartition.Error != nil {
				return nil, e.TopicPartition.Error
			}
			batch, wait = append(batch, e), 5
		case kafka.Error:
			if e.IsFatal() {
				return nil, e
			}
		}
	}
	return batch, nil
}

func (x *pipe) transaction(ctx context.Context, batch []*kafka.Message) error {
	if err := x.p.BeginTransaction(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	err := x.work(ctx, batch)
	if err == nil {
		worker.Committed(len(batch))
		return nil
	}
	var ke kafka.Error
	if errors.As(err, &ke) && ke.IsFatal() {
		return err
	}
	for {
		aborted := x.p.AbortTransaction(ctx)
		if aborted == nil {
			break
		}
		if !errors.As(aborted, &ke) || !ke.IsRetriable() {
			return fmt.Errorf("abort: %w", aborted)
		}
	}
	worker.Aborted(err.Error())
	return x.rewind()
}

var errGaveUp = errors.New("given up")

func (x *pipe) work(ctx context.Context, batch []*kafka.Message) error {
	next := make(map[int32]kafka.Offset)
	for _, m := range batch {
		to := kafka.TopicPartition{Topic: &x.Out, Partition: m.TopicPartition.Partition}
		if err := x.p.Produce(&kafka.Message{TopicPartition: to, Key: m.Key, Value: m.Value}, nil); err != nil {
			return err
		}
		next[m.TopicPartition.Partition] = m.TopicPartition.Offset + 1
	}
	worker.Dawdle()
	if worker.GiveUp() {
		return errGaveUp
	}
	var offsets []kafka.TopicPartition
	for p, o := range next {
		offsets = append(offsets, kafka.TopicPartition{Topic: &x.In, Partition: p, Offset: o})
	}
	meta, err := x.c.GetConsumerGroupMetadata()
	if err != nil {
		return err
	}
	retry := func(what string, do func() error) error {
		for ctx.Err() == nil {
			err := do()
			var ke kafka.Error
			if err == nil || !errors.As(err, &ke) || !ke.IsRetriable() {
				if err != nil {
					return fmt.Errorf("%s: %w", what, err)
				}
				return nil
			}
		}
		return ctx.Err()
	}
	if err := retry("send offsets", func() error { return x.p.SendOffsetsToTransaction(ctx, offsets, meta) }); err != nil {
		return err
	}
	return retry("commit", func() error { return x.p.CommitTransaction(ctx) })
}

// rewind goes back to what is committed in all partitions that it has.
func (x *pipe) rewind() error {
	mine, err := x.c.Assignment()
	if err != nil {
		return err
	}
	if len(mine) == 0 {
		return nil
	}
	at, err := x.c.Committed(mine, 30_000)
	if err != nil {
		return fmt.Errorf("committed: %w", err)
	}
	for _, tp := range at {
		if tp.Error != nil {
			return tp.Error
		}
		if tp.Offset < 0 {
			tp.Offset = kafka.OffsetBeginning
		}
		if err := x.c.Seek(tp, 5000); err != nil {
			return fmt.Errorf("seek: %w", err)
		}
	}
	return nil
}
