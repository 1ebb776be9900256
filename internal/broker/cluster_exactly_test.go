package broker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const copiesTopic = "copies" // of chaosTopic, partition by partition

// Whatever happens to nodes, lines, disks and clients: what a pipeline copies in
// transactions, with the offsets of what it has read, is there exactly once and in order.
// Pipelines die in the middle, and two that take each other for dead work at the same time.
func TestRandomPipelines(t *testing.T) {
	first, seeds := uint64(1), uint64(max(1, *clusterSeeds*3/5))
	if testing.Short() {
		seeds = 1
	}
	if *clusterSeed != 0 {
		first = *clusterSeed
		if !flagSet("cluster.seeds") {
			seeds = 1
		}
	}
	var total tally
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { copyThrough(t, seed, &total) })
		})
	}
	t.Logf("%d records copied once, in %d transactions committed and %d aborted, by %d sessions", total.records, total.committed, total.aborted, total.sessions)
}

// tally counts what pipelines did.
type tally struct{ records, committed, aborted, sessions int }

func copyThrough(t *testing.T, seed uint64, total *tally) {
	r := newShape(t, seed)
	for _, m := range r.nodes {
		m.static["transaction.state.log.num.partitions"] = "4"
		m.static["transaction.abort.timed.out.transaction.cleanup.interval.ms"] = "1000"
	}
	defer r.down()
	r.up()
	admin := r.client()
	defer admin.Close()
	adm := kadm.NewClient(admin)
	if _, err := adm.CreateTopics(t.Context(), partitions, 3, nil, chaosTopic, copiesTopic); err != nil {
		t.Fatal(err)
	}
	ctx, stopWriting := context.WithCancel(t.Context())
	s := &story{r: r, acked: map[int32]map[int64]string{}, seen: map[string]int{}}
	for i := range 2 {
		rng := rand.New(rand.NewPCG(seed, uint64(10+i)))
		s.wait.Go(func() { s.produce(ctx, i, rng) })
	}
	copying, stopCopying := context.WithCancel(t.Context())
	pipes := &story{r: r}
	for n := range int32(partitions) {
		for twin := range 2 {
			rng := rand.New(rand.NewPCG(seed, uint64(100+10*int(n)+twin)))
			pipes.wait.Go(func() {
				for copying.Err() == nil {
					pipes.copy(copying, n, rng, total)
					pause(copying, time.Duration(rng.IntN(1500))*time.Millisecond)
				}
			})
		}
	}
	defer pipes.wait.Wait()
	defer stopCopying()
	for round := range 8 {
		r.misfortune(round, adm)
		time.Sleep(time.Duration(r.rng.IntN(3000)) * time.Millisecond)
	}
	r.heal()
	time.Sleep(2 * time.Second)
	stopWriting()
	s.wait.Wait()
	r.eventually("all replicas are in sync", r.allInSync)
	want := s.values()
	for n := range int32(partitions) {
		r.copied(n, want[n])
		total.records += len(want[n])
	}
	for _, err := range append(s.errs, pipes.errs...) {
		t.Error(err)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// values are what was acknowledged, by partition, in order.
func (s *story) values() (v [partitions][]string) {
	for n, acked := range s.acked {
		for at := int64(0); len(v[n]) < len(acked); at++ {
			if value, ok := acked[at]; ok {
				v[n] = append(v[n], value)
			}
		}
	}
	return v
}

// copied waits until a partition's records have been copied, and checks the copy: it may
// have what was written and not acknowledged, too, but has all of it once, in order.
func (r *rig) copied(n int32, want []string) {
	r.t.Helper()
	var got []string
	r.eventually(fmt.Sprintf("partition %d is copied", n), func() bool {
		got = r.seen(copiesTopic, n, kgo.ReadCommitted())
		return len(want) == 0 || slices.Contains(got, want[len(want)-1])
	})
	source := r.seen(chaosTopic, n, kgo.ReadCommitted())
	if len(got) > len(source) || !slices.Equal(got, source[:len(got)]) {
		for i := range got {
			if i >= len(source) || got[i] != source[i] {
				r.t.Errorf("partition %d: copy %d is %s; around it the copy has %v, the source %v", n, i, got[i], around(got, i), around(source, i))
				return
			}
		}
	}
	at := 0
	for _, v := range want {
		i := slices.Index(source[at:], v)
		if i < 0 {
			r.t.Errorf("partition %d: %s was acknowledged and is not there, or not in order", n, v)
			return
		}
		at += i + 1
	}
}

func around(v []string, i int) string {
	return strings.Join(v[min(len(v), max(0, i-3)):min(len(v), i+4)], " ")
}

// copy is one life of a pipeline: some transactions, until it fails or dies.
func (s *story) copy(ctx context.Context, n int32, rng *rand.Rand, total *tally) {
	p, err := s.r.newSession(ctx, fmt.Sprint("pipe-", n), copiesTopic, rng.IntN(3) > 0)
	if err != nil {
		return
	}
	defer p.c.Close()
	s.add(&total.sessions)
	at, err := p.offsetOf("pipes", n, true)
	if err != nil {
		return
	}
	source := s.r.client(kgo.FetchMaxWait(100*time.Millisecond), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		chaosTopic: {n: kgo.NewOffset().At(max(0, at))}}))
	defer source.Close()
	for range 1 + rng.IntN(8) {
		if s.copySome(ctx, p, source, n, rng, total) != nil {
			return
		}
	}
}

// copySome is one transaction; an error ends the session's life.
func (s *story) copySome(ctx context.Context, p *session, source *kgo.Client, n int32, rng *rand.Rand, total *tally) error {
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	records := source.PollRecords(short, 1+rng.IntN(6)).Records()
	cancel()
	if len(records) == 0 {
		return ctx.Err()
	}
	if !p.v2 {
		if err := p.add(n); err != nil {
			return err
		}
	}
	for _, rec := range records { // each a batch of its own: some of it may come late
		if _, err := p.put(n, string(rec.Value)); err != nil {
			return err
		}
	}
	if err := p.commitOffset("pipes", n, records[len(records)-1].Offset+1); err != nil {
		return err
	}
	switch fate := rng.IntN(10); {
	case fate < 1:
		return errDied // the coordinator has to see to what it has begun
	case fate < 3:
		if p.end(false) == nil {
			s.add(&total.aborted)
		}
		return errDied // what it read is to be read again
	}
	if err := p.end(true); err != nil {
		return err
	}
	s.add(&total.committed)
	return nil
}

func (s *story) add(n *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
}
