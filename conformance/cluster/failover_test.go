package cluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var failovers = flag.String("failovers", "", "the programs whose failover is measured, with commas: kafka,odradek")

const (
	probes     = "probes" // the topic that is measured
	probeCount = 12
)

// Brokers are killed under load; how long is it until each partition that one led takes
// an acks=all record again, until somebody new reads it, and until a topic can be
// created? Every second victim leads the metadata quorum as well. Nothing here asserts a
// time: the figures are written down.
func TestFailover(t *testing.T) {
	if *failovers == "" {
		t.Skip("asked for with -failovers=kafka,odradek -kills=50 -results=FILE")
	}
	for name := range strings.SplitSeq(*failovers, ",") {
		t.Run(name, func(t *testing.T) {
			r := startRig(t, Config{Program: programOf(t, name)})
			r.startLoad(5 * time.Millisecond)
			r.makeProbes()
			r.progress(500)
			for i := range *kills {
				record(t, r.failover(i%2 == 0))
				r.verdict()
			}
			r.settle()
			t.Log(r.figures())
		})
	}
}

func (r *rig) makeProbes() {
	r.t.Helper()
	ctx, cancel := r.context()
	defer cancel()
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = probes, probeCount, 3
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 30000
	l := r.cluster.All[0].Line()
	defer l.Close()
	resp, err := ask[*kmsg.CreateTopicsResponse](ctx, l, req)
	r.try(err)
	r.try(kerr.ErrorForCode(resp.Topics[0].ErrorCode))
}

// hasty is a client that asks again at once: it measures the cluster, not itself.
func (r *rig) hasty(opts ...kgo.Opt) *kgo.Client {
	r.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(r.cluster.Addrs()...), kgo.AlwaysRetryEOF(), kgo.UnknownTopicRetries(-1), kgo.RequestRetries(100000),
		kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }), kgo.MetadataMinAge(10 * time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.FetchMaxWait(100 * time.Millisecond),
	}, opts...)...)
	r.try(err)
	return c
}

// failover kills a broker and measures.
func (r *rig) failover(leader bool) figure {
	r.t.Helper()
	ctx, cancel := r.context()
	defer cancel()
	r.try(r.cluster.Until(ctx, "in sync", WholeISR))
	r.try(r.cluster.ElectPreferred(ctx))
	r.try(r.cluster.Until(ctx, "led by their first replicas", Preferred, probes))
	chief, err := r.cluster.ControllerLeader(ctx)
	r.try(err)
	victim := r.cluster.Node(chief)
	for victim.ID == chief && !leader {
		victim = r.cluster.All[r.rng.IntN(len(r.cluster.All))]
	}
	p := r.hasty()
	defer p.Close()
	from := r.warm(ctx, p, victim)
	var rest []*Node
	for _, n := range r.cluster.All {
		if n != victim {
			rest = append(rest, n)
		}
	}
	time.Sleep(time.Duration(r.rng.IntN(1000)) * time.Millisecond) // the moment, not a wait

	f := figure{Kind: "failover", Program: r.cluster.Program.Name, Leader: leader}
	began := time.Now()
	r.try(victim.Kill())
	var wg sync.WaitGroup
	wg.Go(func() { f.Write = r.timeWrites(ctx, p, from, began) })
	wg.Go(func() { f.Read = r.timeReads(ctx, from, began) })
	wg.Go(func() { f.Create = r.timeCreate(ctx, rest, began) })
	wg.Wait()
	if len(f.Write) != len(from) || len(f.Read) != len(from) || f.Create == 0 {
		r.t.Fatalf("after the kill of node %d: of %d partitions %d took a record and %d gave it back; create took %v", victim.ID, len(from), len(f.Write), len(f.Read), f.Create)
	}
	r.restart()
	return f
}

// warm writes a record to each partition that the victim leads, and returns where the
// next ones will be at the least.
func (r *rig) warm(ctx context.Context, p *kgo.Client, victim *Node) map[int32]kgo.Offset {
	r.t.Helper()
	l := victim.Line()
	defer l.Close()
	_, views, err := l.Metadata(ctx, probes)
	r.try(err)
	from := make(map[int32]kgo.Offset)
	for _, v := range views {
		if v.Leader != victim.ID {
			continue
		}
		rec, err := p.ProduceSync(ctx, &kgo.Record{Topic: probes, Partition: v.Partition, Value: []byte("before")}).First()
		r.try(err)
		from[v.Partition] = kgo.NewOffset().At(rec.Offset + 1)
	}
	if len(from) == 0 {
		r.t.Fatalf("node %d leads none of %v", victim.ID, views)
	}
	return from
}

// timeWrites sends a record to each partition and returns when each was acknowledged.
func (r *rig) timeWrites(ctx context.Context, p *kgo.Client, from map[int32]kgo.Offset, began time.Time) (times []float64) {
	var mu sync.Mutex
	for partition := range from {
		p.Produce(ctx, &kgo.Record{Topic: probes, Partition: partition, Value: []byte("after")}, func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				r.t.Errorf("partition %d takes nothing: %v", partition, err)
				return
			}
			times = append(times, millis(time.Since(began)))
		})
	}
	if err := p.Flush(ctx); err != nil {
		r.t.Errorf("flush: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	return slices.Clone(times)
}

// timeReads has a consumer that knows nothing yet read those records.
func (r *rig) timeReads(ctx context.Context, from map[int32]kgo.Offset, began time.Time) (times []float64) {
	c := r.hasty(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{probes: from}))
	defer c.Close()
	for seen := make(map[int32]bool); len(seen) < len(from) && ctx.Err() == nil; {
		c.PollFetches(ctx).EachRecord(func(rec *kgo.Record) {
			if !seen[rec.Partition] && string(rec.Value) == "after" {
				seen[rec.Partition] = true
				times = append(times, millis(time.Since(began)))
			}
		})
	}
	return times
}

// timeCreate asks those that are left for a topic until one makes it.
func (r *rig) timeCreate(ctx context.Context, rest []*Node, began time.Time) float64 {
	var lines []*Line
	for _, n := range rest {
		l := n.Line()
		defer l.Close()
		lines = append(lines, l)
	}
	r.made++
	for i := 0; ctx.Err() == nil; i++ {
		req := kmsg.NewPtrCreateTopicsRequest()
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = fmt.Sprintf("after-%d-%d", r.made, i), 1, 2
		req.Topics, req.TimeoutMillis = append(req.Topics, topic), 2000
		one, cancel := context.WithTimeout(ctx, 4*time.Second)
		resp, err := ask[*kmsg.CreateTopicsResponse](one, lines[i%len(lines)], req)
		cancel()
		if err == nil && len(resp.Topics) == 1 {
			if err = kerr.ErrorForCode(resp.Topics[0].ErrorCode); err == nil {
				return millis(time.Since(began))
			}
		}
		if errors.Is(err, kerr.InvalidReplicationFactor) {
			r.t.Errorf("create a topic with two copies while two brokers live: %v", err)
		}
		sleep(ctx, 10*time.Millisecond)
	}
	return 0
}
