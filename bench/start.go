package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"time"

	"github.com/odradek/odradek/bench/load/raw"
	"github.com/odradek/odradek/bench/measure"
	"github.com/odradek/odradek/bench/report"
	"github.com/odradek/odradek/bench/system"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	startTopic = "start"
	perTopic   = 1000 // partitions
)

// start measures how a node of its own comes up: empty, or on a disk on which it has so many
// partitions with a record each. Before that second start it was stopped in good order.
func (s *session) start(ctx context.Context, sys *system.System, partitions int) (*report.Start, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	began := time.Now()
	r, err := sys.Prepare(1, s.folder(sys.Name))
	if err != nil {
		return nil, err
	}
	defer s.end(r)
	came := &report.Start{Partitions: partitions, Format: since(began)}
	if partitions > 0 {
		if err := s.fill(ctx, r, partitions); err != nil {
			return nil, err
		}
	}
	if s.disk != nil {
		if err := s.disk.Sync(); err != nil {
			return nil, err
		}
	}
	began = time.Now()
	if err := r.Launch(); err != nil {
		return nil, err
	}
	if err := accepts(ctx, r); err != nil {
		return nil, err
	}
	came.Answers = since(began)
	if err := first(ctx, r, partitions == 0); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, r.LastWords())
	}
	came.First = since(began)
	used, err := measure.Of(r.PIDs()...)
	if err != nil {
		return nil, err
	}
	came.CPU = used.CPU()
	resting, stop := context.WithTimeout(ctx, settle)
	defer stop()
	if _, err := measure.Quiet(resting, r.PIDs()...); err != nil {
		return nil, err
	}
	came.Resident, err = measure.Resident(r.PIDs()...)
	return came, err
}

// since is a time in seconds, to a tenth of a millisecond.
func since(began time.Time) float64 { return math.Round(time.Since(began).Seconds()*1e4) / 1e4 }

// accepts waits until a client's connection is accepted.
func accepts(ctx context.Context, r *system.Running) error {
	addr, _, _ := strings.Cut(r.Bootstrap(), ",")
	for {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		if err := again(ctx, r, err); err != nil {
			return err
		}
	}
}

// first waits until a record is acknowledged; if the node is empty a topic has to be made.
func first(ctx context.Context, r *system.Running, empty bool) error {
	topic := startTopic
	if !empty {
		topic += "-0"
	}
	batch, _, err := raw.Batch(0, 100)
	if err != nil {
		return err
	}
	request := raw.Produce(topic, []int32{0}, -1, batch)
	for made := !empty; ; {
		if !made {
			if err = create(ctx, r); err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
				made = true
			}
		}
		if made {
			if err = produce(r, request); err == nil {
				return nil
			}
		}
		if err := again(ctx, r, err); err != nil {
			return err
		}
	}
}

// produce sends a request and waits for what it asks for.
func produce(r *system.Running, request []byte) error {
	addr, _, _ := strings.Cut(r.Bootstrap(), ",")
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write(request); err != nil {
		return err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	answer := make([]byte, min(binary.BigEndian.Uint32(size[:]), 1<<20))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	return raw.CheckProduce(answer, 1)
}

// again waits a little before what failed is tried once more, unless that makes no sense.
func again(ctx context.Context, r *system.Running, failed error) error {
	if !r.Alive() {
		return fmt.Errorf("the node has ended: %w\n%s", failed, r.LastWords())
	}
	select {
	case <-ctx.Done():
		return errors.Join(failed, ctx.Err())
	case <-time.After(time.Millisecond):
		return nil
	}
}

// create makes the topic of the first record.
func create(ctx context.Context, r *system.Running) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.Bootstrap()), kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err = kadm.NewClient(client).CreateTopic(ctx, 1, 1, nil, startTopic)
	return err
}

// fill starts a node, makes partitions, writes a record into each, and lays it to rest.
func (s *session) fill(ctx context.Context, r *system.Running, partitions int) error {
	if err := r.Launch(); err != nil {
		return err
	}
	if err := r.Ready(ctx); err != nil {
		return err
	}
	var topics []string
	for i := range partitions / perTopic {
		topics = append(topics, fmt.Sprintf("%s-%d", startTopic, i))
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(r.Bootstrap()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	for _, topic := range topics { // one by one: the timeout of a request is for all that it names
		if _, err := adm.CreateTopic(ctx, perTopic, 1, nil, topic); err != nil {
			return fmt.Errorf("make %s: %w", topic, err)
		}
	}
	for _, topic := range topics {
		records := make([]*kgo.Record, perTopic)
		for p := range records {
			records[p] = &kgo.Record{Topic: topic, Partition: int32(p), Value: []byte("a record")}
		}
		if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return fmt.Errorf("fill %s: %w", topic, err)
		}
	}
	return r.Rest(ctx)
}
