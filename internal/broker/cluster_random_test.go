package broker

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"

	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

var (
	clusterSeeds = flag.Int("cluster.seeds", 5, "random clusters to live through")
	clusterSeed  = flag.Uint64("cluster.seed", 0, "one seed only, or the first one, if it is not 0")
)

// Whatever happens to nodes, lines and disks, as long as disks keep what was synced: no
// acknowledged record is lost, moved, doubled or put out of order, replicas agree, groups
// see everything, and the cluster serves again when all is well. Where acknowledged is not
// durable records may be lost, but nothing else.
func TestRandomClusters(t *testing.T) {
	first, seeds := uint64(1), uint64(*clusterSeeds)
	if testing.Short() {
		seeds = 1
	}
	if *clusterSeed != 0 {
		first = *clusterSeed
		if !flagSet("cluster.seeds") {
			seeds = 1
		}
	}
	var lived lives
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { liveThrough(t, seed, &lived) })
		})
	}
	t.Logf("%v in virtual time, %d records acknowledged; after healing all partitions took records within %s",
		lived.time, lived.records, spread(lived.healing))
}

func flagSet(name string) (set bool) {
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// lives are what many clusters lived through.
type lives struct {
	time    time.Duration
	records int
	healing []time.Duration
}

// spread is a distribution in words.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "nothing"
	}
	slices.Sort(d)
	at := func(p int) time.Duration { return d[min(len(d)-1, len(d)*p/100)].Round(time.Millisecond) }
	return fmt.Sprintf("%v (p50) %v (p99) %v (max) of %d", at(50), at(99), at(100), len(d))
}

// newShape is the cluster of a seed: how many nodes, in which roles, and how it is set.
func newShape(t *testing.T, seed uint64) *rig {
	var r *rig
	switch seed % 5 {
	case 0:
		r = newRig(t, seed, 3, 2)
	case 1:
		r = newRig(t, seed, 3, 1)
	case 2:
		r = newRig(t, seed, 3, 0)
	case 3:
		r = newRig(t, seed, 3, 4)
		for _, m := range r.nodes[:3] {
			m.roles = "controller"
		}
	case 4:
		r = newRig(t, seed, 5, 0)
	}
	if seed%3 == 0 {
		for _, m := range r.nodes {
			m.static["metadata.log.max.record.bytes.between.snapshots"] = "3000"
		}
	}
	r.wipes = seed%2 == 0
	return r
}

func liveThrough(t *testing.T, seed uint64, lived *lives) {
	r := newShape(t, seed)
	began := time.Now()
	r.up()
	admin := r.client()
	defer admin.Close()
	adm := kadm.NewClient(admin)
	if _, err := adm.CreateTopics(t.Context(), partitions, 3, nil, chaosTopic); err != nil {
		t.Fatal(err)
	}
	loose := "os"
	if _, err := adm.CreateTopics(t.Context(), 2, 3, map[string]*string{"odradek.durability": &loose, "segment.bytes": text("1048576")}, looseTopic); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &story{r: r, acked: map[int32]map[int64]string{}, seen: map[string]int{}}
	for i := range 2 {
		rng := rand.New(rand.NewPCG(seed, uint64(10+i)))
		s.wait.Go(func() { s.produce(ctx, i, rng) })
	}
	for i := range 2 {
		rng := rand.New(rand.NewPCG(seed, uint64(20+i)))
		s.wait.Go(func() { s.produceLoosely(ctx, i, rng) })
	}
	s.wait.Go(func() { s.flicker(ctx) })
	readers, stopReaders := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	groups := []string{"readers", "others"}
	for _, group := range groups {
		reading.Go(func() { s.consume(readers, group) })
	}
	for round := range 10 {
		r.misfortune(round, adm)
		time.Sleep(time.Duration(r.rng.IntN(3000)) * time.Millisecond)
	}
	healed := time.Now()
	r.heal()
	before := s.ends()
	t.Logf("healed, %d records acknowledged", s.count())
	for !s.allBeyond(before) {
		if time.Since(healed) > time.Minute {
			t.Fatalf("not all partitions take records a minute after healing: %s", r.unsettled(false))
		}
		time.Sleep(10 * time.Millisecond)
	}
	if took := time.Since(healed); took > 15*time.Second {
		t.Errorf("all partitions took records only %v after healing", took)
	}
	lived.healing = append(lived.healing, time.Since(healed))
	cancel()
	s.wait.Wait()
	r.settle(adm)
	s.check()
	for _, group := range groups {
		r.eventually("group "+group+" has seen everything", func() bool { return s.missing(group) == "" })
	}
	stopReaders()
	reading.Wait()
	lived.time += time.Since(began)
	lived.records += s.count()
	r.down()
}

func text(s string) *string { return &s }

// settle ends what moves, and waits until every partition is as it should be.
func (r *rig) settle(adm *kadm.Client) {
	r.t.Helper()
	image := r.nodes[0].broker.feed.Image()
	all, req := make(kadm.TopicsSet), kadm.AlterPartitionAssignmentsReq{}
	for topic := range image.Topics() {
		for n := range topic.Partitions {
			all.Add(topic.Name, int32(n))
			req.Assign(topic.Name, int32(n), r.someBrokers(3))
		}
	}
	if _, err := adm.AlterPartitionAssignments(r.t.Context(), req); err != nil {
		r.t.Error(err)
	}
	r.eventually("all replicas are in sync", r.allInSync)
	if _, err := adm.ElectLeaders(r.t.Context(), kadm.ElectPreferredReplica, all); err != nil {
		r.t.Error(err)
	}
	r.eventually("the preferred replicas lead", func() bool { return r.unsettled(true) == "" })
	r.eventually("all replicas have the same high watermark", r.sameMarks)
}

func (r *rig) allInSync() bool { return r.unsettled(false) == "" }

// unsettled is a partition that is not as it should be, on some node's image.
func (r *rig) unsettled(preferred bool) string {
	for _, m := range r.nodes {
		for topic := range m.broker.feed.Image().Topics() {
			for n, p := range topic.Partitions {
				if p.Leader < 0 || len(p.ISR) != len(p.Replicas) || len(p.ELR) > 0 || p.Reassigning() || preferred && p.Leader != p.Preferred() {
					return fmt.Sprintf("%s-%d on node %d: %+v", topic.Name, n, m.id, *p)
				}
				for i, id := range p.Replicas {
					if b, ok := m.broker.feed.Image().Broker(id); !ok || !slices.Contains(b.LogDirs, p.Dirs[i]) {
						return fmt.Sprintf("%s-%d on node %d: broker %d has no such folder: %+v", topic.Name, n, m.id, id, *p)
					}
				}
			}
		}
	}
	return ""
}

// someBrokers draws n ids of brokers.
func (r *rig) someBrokers(n int) (ids []int32) {
	for _, i := range r.rng.Perm(len(r.nodes)) {
		if m := r.nodes[i]; m.roles != "controller" && len(ids) < n {
			ids = append(ids, m.id)
		}
	}
	return ids
}
