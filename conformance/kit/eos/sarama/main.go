// Command sarama is a pipeline with IBM/sarama. Each input partition has a transactional id
// of its own, which whoever takes the partition takes over: so was it done before KIP-447,
// and a member that has lost its partition finds itself fenced. The offset to go on from is
// asked for when the id is taken: by then nothing is pending.
package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/IBM/sarama"
	"github.com/odradek/odradek/conformance/kit/eos/worker"
)

func main() {
	j := worker.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	worker.Ready()
	for ctx.Err() == nil {
		if err := consume(ctx, j); err != nil && ctx.Err() == nil {
			worker.Failed(err.Error())
		}
	}
}

func config(j worker.Job) *sarama.Config {
	c := sarama.NewConfig()
	c.Version, c.ClientID = sarama.MaxVersion, j.ID
	c.Producer.Return.Successes, c.Producer.RequiredAcks = true, sarama.WaitForAll
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Idempotent, c.Net.MaxOpenRequests = true, 1
	c.Producer.Transaction.Timeout = worker.Timeout
	c.Consumer.IsolationLevel, c.Consumer.Offsets.Initial = sarama.ReadCommitted, sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Group.Session.Timeout, c.Consumer.Group.Heartbeat.Interval = worker.Session, 500*time.Millisecond
	c.Consumer.Group.Rebalance.Timeout = 10 * time.Second
	return c
}

func consume(ctx context.Context, j worker.Job) error {
	c := config(j)
	g, err := sarama.NewConsumerGroup(j.Seeds, j.Group, c)
	if err != nil {
		return err
	}
	defer g.Close()
	for ctx.Err() == nil {
		if err := g.Consume(ctx, []string{j.In}, &member{j}); err != nil {
			return err
		}
	}
	return nil
}

type member struct{ worker.Job }

func (*member) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim works on one partition. Whatever goes wrong, the member joins again, and the
// partition begins with a new producer.
func (m *member) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	p, from, err := m.take(claim.Partition())
	if err != nil {
		worker.Failed(err.Error())
		return err
	}
	defer p.Close()
	beat := time.NewTicker(50 * time.Millisecond)
	defer beat.Stop()
	var batch []*sarama.ConsumerMessage
	for {
		full := false
		select {
		case msg, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			if msg.Offset >= from {
				batch = append(batch, msg)
			}
			full = len(batch) >= worker.Most
		case <-beat.C:
			full = len(batch) > 0
		case <-s.Context().Done():
			return nil
		}
		if !full {
			continue
		}
		again, err := m.transaction(s, p, batch)
		if err != nil {
			if fenced(err) {
				worker.Fenced(err.Error())
			} else {
				worker.Failed(err.Error())
			}
			return err
		}
		if !again { // what was given up is done again
			batch = nil
		}
	}
}

// take makes the producer of a partition, which ends what its predecessor left, and tells
// from where it goes on.
func (m *member) take(partition int32) (sarama.SyncProducer, int64, error) {
	c := config(m.Job)
	c.Producer.Transaction.ID = fmt.Sprintf("%s-%d", m.Group, partition)
	p, err := sarama.NewSyncProducer(m.Seeds, c)
	if err != nil {
		return nil, 0, fmt.Errorf("new producer: %w", err)
	}
	a, err := sarama.NewClusterAdmin(m.Seeds, config(m.Job))
	if err != nil {
		p.Close()
		return nil, 0, fmt.Errorf("new admin: %w", err)
	}
	defer a.Close()
	os, err := a.ListConsumerGroupOffsets(m.Group, map[string][]int32{m.In: {partition}})
	if err == nil && os.Err != sarama.ErrNoError {
		err = os.Err
	}
	if err == nil && os.GetBlock(m.In, partition) == nil {
		err = errors.New("no answer about the partition")
	}
	if err == nil && os.GetBlock(m.In, partition).Err != sarama.ErrNoError {
		err = os.GetBlock(m.In, partition).Err
	}
	if err != nil {
		p.Close()
		return nil, 0, fmt.Errorf("fetch the offset: %w", err)
	}
	return p, os.GetBlock(m.In, partition).Offset, nil
}

func (m *member) transaction(s sarama.ConsumerGroupSession, p sarama.SyncProducer, batch []*sarama.ConsumerMessage) (again bool, err error) {
	if err := p.BeginTxn(); err != nil {
		return false, fmt.Errorf("begin: %w", err)
	}
	var out []*sarama.ProducerMessage
	for _, r := range batch {
		out = append(out, &sarama.ProducerMessage{Topic: m.Out, Partition: r.Partition, Key: sarama.ByteEncoder(r.Key), Value: sarama.ByteEncoder(r.Value)})
	}
	if err := p.SendMessages(out); err != nil {
		var many sarama.ProducerErrors
		if errors.As(err, &many) && len(many) > 0 {
			err = many[0].Err
		}
		return false, fmt.Errorf("produce: %w", err)
	}
	worker.Dawdle()
	if worker.GiveUp() {
		if err := p.AbortTxn(); err != nil {
			return false, fmt.Errorf("abort: %w", err)
		}
		worker.Aborted("given up")
		return true, nil
	}
	meta := sarama.NewConsumerGroupMetadataFromSession(s, m.Group, nil)
	if err := p.AddMessageToTxnWithGroupMetadata(batch[len(batch)-1], meta, nil); err != nil {
		return false, fmt.Errorf("add the offset: %w", err)
	}
	if err := p.CommitTxn(); err != nil {
		return false, fmt.Errorf("commit: %w", err)
	}
	worker.Committed(len(batch))
	return false, nil
}

func fenced(err error) bool {
	return errors.Is(err, sarama.ErrProducerFenced) || errors.Is(err, sarama.ErrInvalidProducerEpoch)
}
