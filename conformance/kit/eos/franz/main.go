// Command franz is a pipeline with franz-go, by its GroupTransactSession.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/odradek/odradek/conformance/kit/eos/worker"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	j := worker.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	worker.Ready()
	for ctx.Err() == nil {
		if err := session(ctx, j); ctx.Err() == nil {
			if fenced(err) {
				worker.Fenced(err.Error())
				os.Exit(3)
			}
			worker.Failed(err.Error())
		}
	}
}

func fenced(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch)
}

// session works until something goes wrong that a transaction cannot be aborted for.
func session(ctx context.Context, j worker.Job) error {
	opts := []kgo.Opt{
		kgo.SeedBrokers(j.Seeds...), kgo.ClientID(j.ID),
		kgo.TransactionalID(j.ID), kgo.TransactionTimeout(worker.Timeout), kgo.DefaultProduceTopic(j.Out),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ConsumerGroup(j.Group), kgo.ConsumeTopics(j.In), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(),
		kgo.SessionTimeout(worker.Session), kgo.HeartbeatInterval(500 * time.Millisecond), kgo.FetchMaxWait(500 * time.Millisecond),
	}
	if j.Protocol == "consumer" {
		opts = append(opts, kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer()))
	}
	s, err := kgo.NewGroupTransactSession(opts...)
	if err != nil {
		return err
	}
	defer s.Close()
	for ctx.Err() == nil {
		fs := s.PollRecords(ctx, worker.Most)
		if fs.IsClientClosed() || ctx.Err() != nil {
			break
		}
		rs := fs.Records()
		if len(rs) == 0 {
			continue
		}
		if err := s.Begin(); err != nil {
			return err
		}
		failed := kgo.AbortingFirstErrPromise(s.Client())
		for _, r := range rs {
			s.Produce(ctx, &kgo.Record{Partition: r.Partition, Key: r.Key, Value: r.Value}, failed.Promise())
		}
		worker.Dawdle()
		gaveUp := worker.GiveUp()
		wrong := failed.Err()
		committed, err := s.End(ctx, kgo.TransactionEndTry(!gaveUp && wrong == nil))
		switch {
		case err != nil:
			return errors.Join(err, wrong)
		case committed:
			worker.Committed(len(rs))
		case fenced(wrong):
			return wrong
		case wrong != nil:
			worker.Aborted(wrong.Error())
		case gaveUp:
			worker.Aborted("given up")
		default:
			worker.Aborted("the group has moved on")
		}
	}
	return nil
}
