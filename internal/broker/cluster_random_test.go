package broker

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	clusterSeeds = flag.Int("cluster.seeds", 12, "random clusters to live through")
	clusterSeed  = flag.Uint64("cluster.seed", 0, "one seed only, if it is not 0")
)

// Whatever happens to nodes and lines, as long as disks keep what was synced: no
// acknowledged record is lost, moved, doubled or put out of order, replicas agree, groups
// see everything, and the cluster serves again when all is well.
func TestRandomClusters(t *testing.T) {
	seeds := uint64(*clusterSeeds)
	if testing.Short() {
		seeds = 2
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		if *clusterSeed != 0 {
			seed, seeds = *clusterSeed, 0
		}
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { liveThrough(t, seed) })
		})
	}
}

const chaosTopic = "orders"

// story is what clients saw.
type story struct {
	r      *rig
	mu     sync.Mutex
	acked  map[int32]map[int64]string // partition, offset: value
	seen   map[string]int             // by the group
	errs   []error
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

func liveThrough(t *testing.T, seed uint64) {
	r := newRig(t, seed, 3, int(seed%2))
	r.up()
	admin := r.client()
	if _, err := kadm.NewClient(admin).CreateTopics(t.Context(), 4, 3, nil, chaosTopic); err != nil {
		t.Fatal(err)
	}
	admin.Close()
	ctx, cancel := context.WithCancel(t.Context())
	s := &story{r: r, acked: map[int32]map[int64]string{}, seen: map[string]int{}, cancel: cancel}
	for i := range 2 {
		rng := rand.New(rand.NewPCG(seed, uint64(10+i)))
		s.wait.Go(func() { s.produce(ctx, i, rng) })
	}
	readers, stopReaders := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	groups := []string{"readers", "others"}
	for _, group := range groups {
		reading.Go(func() { s.consume(readers, group) })
	}
	for round := range 8 {
		r.misfortune(round)
		time.Sleep(time.Duration(r.rng.IntN(3000)) * time.Millisecond)
	}
	r.heal()
	t.Logf("healed, %d records acknowledged", s.count())
	before := s.count()
	r.eventually("records are acknowledged again", func() bool { return s.count() > before+20 })
	cancel()
	s.wait.Wait()
	r.eventually("all replicas are in sync", func() bool { return r.inSync(chaosTopic) })
	s.check()
	for _, group := range groups {
		r.eventually("group "+group+" has seen everything", func() bool { return s.missing(group) == "" })
	}
	stopReaders()
	reading.Wait()
	r.down()
}

// produce writes records one after the other until ctx ends.
func (s *story) produce(ctx context.Context, id int, rng *rand.Rand) {
	c := s.r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(chaosTopic), kgo.ProducerLinger(0))
	defer c.Close()
	for n := 0; ctx.Err() == nil; n++ {
		rec := &kgo.Record{Partition: rng.Int32N(4), Value: fmt.Appendf(nil, "%d-%06d", id, n)}
		// Not ctx: a record that is given up leaves a gap in the sequence.
		err := c.ProduceSync(context.WithoutCancel(ctx), rec).FirstErr()
		s.mu.Lock()
		if err != nil {
			s.errs = append(s.errs, fmt.Errorf("producer %d, record %d: %w", id, n, err))
		} else {
			if s.acked[rec.Partition] == nil {
				s.acked[rec.Partition] = map[int64]string{}
			}
			if was, twice := s.acked[rec.Partition][rec.Offset]; twice {
				s.errs = append(s.errs, fmt.Errorf("offset %d of partition %d was given to %s and to %s", rec.Offset, rec.Partition, was, rec.Value))
			}
			s.acked[rec.Partition][rec.Offset] = string(rec.Value)
		}
		s.mu.Unlock()
		time.Sleep(time.Duration(1+rng.IntN(20)) * time.Millisecond)
	}
}

// consume reads all partitions and commits what it has seen. It is no member of the group:
// the library holds a lock while it waits for the others, which stops a bubble.
func (s *story) consume(ctx context.Context, group string) {
	start := map[int32]kgo.Offset{}
	for n := range int32(4) {
		start[n] = kgo.NewOffset().AtStart()
	}
	c := s.r.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{chaosTopic: start}))
	defer c.Close()
	adm := kadm.NewClient(c)
	done := map[int32]int64{}
	for ctx.Err() == nil {
		at := kadm.Offsets{}
		fetches := c.PollFetches(ctx)
		s.mu.Lock()
		fetches.EachRecord(func(rec *kgo.Record) {
			s.seen[group+string(rec.Value)]++
			at.AddOffset(rec.Topic, rec.Partition, rec.Offset+1, rec.LeaderEpoch)
		})
		s.mu.Unlock()
		if len(at) == 0 {
			continue
		}
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		if err := adm.CommitAllOffsets(short, group, at); err == nil {
			at.Each(func(o kadm.Offset) { done[o.Partition] = o.At })
		}
		if kept, err := adm.FetchOffsets(short, group); err == nil {
			for n, want := range done {
				if got, _ := kept.Lookup(chaosTopic, n); got.Err == nil && got.At < want {
					s.blame(fmt.Errorf("group %s: offset %d of partition %d was committed, and is %d now", group, want, n, got.At))
				}
			}
		}
		cancel()
	}
}

func (s *story) blame(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

func (s *story) count() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.acked {
		n += len(p)
	}
	return n
}

// missing is an acknowledged record that a group has not seen.
func (s *story) missing(group string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.acked {
		for _, v := range p {
			if s.seen[group+v] == 0 {
				return v
			}
		}
	}
	return ""
}

// misfortune lets something happen to the cluster, and perhaps heals something.
func (r *rig) misfortune(round int) {
	m := r.nodes[r.rng.IntN(len(r.nodes))]
	what := "nothing"
	switch kind := r.rng.IntN(10); {
	case m.cutOff:
		what = "heal"
		m.isolate(false, false)
	case m.broker == nil:
		what = "start"
		m.launch()
	case kind < 4:
		what = "kill"
		m.kill()
	case kind < 5:
		what = "stop"
		m.stop(nil)
		<-m.done
		m.broker = nil
	case kind < 8:
		what = "isolate"
		m.isolate(true, kind == 7)
	case kind < 9:
		what = "kill all"
		for _, o := range r.nodes {
			if o.broker != nil {
				o.kill()
			}
		}
		for _, o := range r.nodes {
			o.launch()
		}
	}
	r.t.Logf("round %d: %s node %d", round, what, m.id)
}

// heal brings everything back.
func (r *rig) heal() {
	for _, m := range r.nodes {
		if m.cutOff {
			m.isolate(false, false)
		}
	}
	r.up()
}

// check reads all there is and holds it against what was acknowledged.
func (s *story) check() {
	t := s.r.t
	for _, err := range s.errs {
		t.Error(err)
	}
	for n := range int32(4) {
		all := s.log(n)
		at := map[string]int64{}
		last := map[byte]string{}
		for offset, v := range all {
			if before, twice := at[v]; twice {
				t.Errorf("partition %d: %s is at %d and at %d", n, v, before, offset)
			}
			at[v] = offset
		}
		for offset := range int64(len(all)) {
			v, ok := all[offset]
			if !ok {
				t.Errorf("partition %d: there is nothing at %d", n, offset)
				continue
			}
			if v <= last[v[0]] {
				t.Errorf("partition %d: %s comes after %s", n, v, last[v[0]])
			}
			last[v[0]] = v
		}
		for offset, v := range s.acked[n] {
			if all[offset] != v {
				t.Errorf("partition %d: %s was acknowledged at %d, and there is %q", n, v, offset, all[offset])
			}
		}
		s.r.replicasAgree(n)
	}
}

// log reads a partition as a consumer.
func (s *story) log(n int32) map[int64]string {
	t := s.r.t
	c := s.r.client()
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(t.Context(), chaosTopic)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(chaosTopic, n)
	c.AddConsumePartitions(map[string]map[int32]kgo.Offset{chaosTopic: {n: kgo.NewOffset().AtStart()}})
	all := map[int64]string{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for int64(len(all)) < end.Offset && ctx.Err() == nil {
		c.PollFetches(ctx).EachRecord(func(rec *kgo.Record) { all[rec.Offset] = string(rec.Value) })
	}
	return all
}

// replicasAgree compares the bytes of every replica of a partition.
func (r *rig) replicasAgree(n int32) {
	tp := model.TopicPartition{Topic: chaosTopic, Partition: n}
	var first []byte
	var of int32
	for _, m := range r.nodes {
		p, err := m.broker.host.Partition(tp)
		if err != nil {
			continue // not a replica
		}
		b, err := readLog(p)
		if err != nil {
			r.t.Errorf("node %d: %v", m.id, err)
			continue
		}
		if of == 0 {
			first, of = b, m.id
		} else if !bytes.Equal(first, b) {
			r.t.Errorf("partition %d differs on node %d (%d bytes) and %d (%d bytes)", n, of, len(first), m.id, len(b))
		}
	}
}

func readLog(p interface {
	ReadLog(from int64, maxBytes int) ([]byte, int64, error)
}) (all []byte, err error) {
	for from := int64(0); ; {
		b, next, err := p.ReadLog(from, 1<<20)
		if err != nil {
			return nil, err
		}
		if len(b) == 0 {
			return all, nil
		}
		if next <= from {
			return nil, errors.New("a read does not go on")
		}
		all, from = append(all, b...), next
	}
}
