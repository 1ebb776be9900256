package sim

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/sim/check"
	"github.com/odradek/odradek/sim/history"
	"github.com/odradek/odradek/sim/load"
	"github.com/odradek/odradek/sim/world"
)

var (
	seeds   = flag.Int("seeds", 5, "how many clusters to live through")
	first   = flag.Uint64("first", 1, "the first seed")
	oneSeed = flag.Uint64("seed", 0, "this seed only, if it is not 0")
	stride  = flag.Uint64("stride", 1, "from one seed to the next")
	keep    = flag.String("history", "", "a file for the history of a seed that fails, %d in its name for the seed")
)

// Whatever befalls a cluster, as long as disks keep what was synced: what clients saw can be
// told as the story of one that nothing befell, and when all is well again it lives.
func TestSeeds(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = min(n, 2)
	}
	from := *first
	if *oneSeed != 0 {
		n, from = 1, *oneSeed
	}
	sum := totals{Faults: map[string]int{}}
	for i := range uint64(n) {
		seed := from + i**stride
		began := time.Now()
		ok := t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			repeatable(t, seed)
			bubble.Test(t, func(t *testing.T) { live(t, seed, &sum) })
		})
		sum.Seeds++
		if !ok {
			sum.Failed = append(sum.Failed, seed)
			t.Logf("to repeat: go test -tags synctests,failpoint,planted ./sim -run TestSeeds -seed %d", seed)
		}
		sum.tell(seed, time.Since(began))
	}
	sum.print(t)
}

// live is the life of one cluster: faults, healing, the proof that it lives, and the check of
// all that its clients saw, which comes even if the world has ended the test before.
func live(t *testing.T, seed uint64, sum *totals) {
	began := time.Now()
	rng := rand.New(rand.NewPCG(seed, 1))
	shape := world.Draw(rng)
	maps.Copy(shape.Static, load.Static())
	w := world.New(t, seed, shape)
	rec := history.NewRecorder(nil)
	l := load.New(w, rec, seed, load.Draw(rng, 3))
	t.Logf("%+v; %v", shape, l.Mix)
	var replicas []folders
	defer func() {
		if p := recover(); p != nil {
			panic(p) // there is no world any more that could go down
		}
		// Nothing that began in the bubble may outlive it. Where the world has ended the test
		// the clients are still at work, and what they are told until the end is to be true.
		w.Down()
		l.Abandon()
		h := rec.History()
		trace(t, seed, h)
		judge(t, w, l, h, replicas)
		sends, polled, others := h.Count()
		sum.Sends, sum.Polled, sum.Others = sum.Sends+sends, sum.Polled+polled, sum.Others+others
		sum.Virtual += time.Since(began).Hours()
		for name, n := range w.Tally() {
			sum.Faults[name] += n
		}
		if t.Failed() {
			t.Logf("faults: %v", tallied(w.Tally()))
			save(t, seed, h)
		}
	}()
	w.Up()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := l.Prepare(ctx); err != nil {
		t.Fatal(err)
	}
	l.Start()
	suffer(t, w, rec, rng)
	healed := time.Now()
	note(rec, history.Heal, func() string { w.Heal(); return "heal" })
	bad := func(what string, err error) {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := l.ProveLife(15 * time.Second); err != nil {
		if what := w.Forsaken(); what != "" {
			sum.Forsaken++
			t.Logf("nobody may lead, and nothing more was promised: %s", what)
			return
		}
		t.Fatalf("it does not live: %v", err)
	}
	sum.healed(time.Since(healed))
	l.StopWriting()
	bad("it does not live", l.NothingOpen(15*time.Second))
	bad("it does not settle", w.Settle(30*time.Second))
	bad("it cannot be read", l.Drain(t.Context()))
	bad("it does not live", l.Caught(45*time.Second))
	l.StopReading()
	l.CheckCopies()
	replicas = foldersOf(w, l)
}

// judge holds what there is to promises: the folders of nodes that have stopped, and what
// clients saw.
func judge(t *testing.T, w *world.World, l *load.Load, h *history.History, replicas []folders) {
	if w.Tally()["bit flips"] > 0 {
		replicas = nil // what is rotten is healed when it is read, which may be never
	}
	for _, r := range replicas {
		for i := range r.all {
			one := &r.all[i]
			one.Start = max(one.Start, startOf(*one, r.place))
		}
		for _, v := range check.Replicas(r.place, r.all, r.compact) {
			t.Errorf("%v", v)
		}
	}
	for _, c := range l.Complaints() {
		t.Error(c)
	}
	verify(t, l, h)
}

// suffer is the phase of faults.
func suffer(t *testing.T, w *world.World, rec *history.Recorder, rng *rand.Rand) {
	nemesis := w.Nemesis()
	for range 8 + rng.IntN(8) {
		note(rec, history.Fault, func() string {
			what := nemesis.Strike()
			t.Log(what)
			return what
		})
		time.Sleep(time.Duration(rng.IntN(2500)) * time.Millisecond)
	}
}

// note records something that happened to the cluster.
func note(rec *history.Recorder, kind history.Kind, do func() string) {
	op := history.Blank()
	op.Kind = kind
	began := rec.Begin(op)
	began.Text = do()
	rec.End(began, history.OK)
}

func tallied(m map[string]int) (s string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		s += fmt.Sprintf("%s %d, ", k, m[k])
	}
	return s
}

// verify holds the history against what is promised.
func verify(t *testing.T, l *load.Load, h *history.History) {
	o := check.Options{Topics: map[string]check.Topic{}, LateFetches: true, LateAcks: true}
	for _, topic := range l.Mix.Topics {
		o.Topics[topic.Name] = check.Topic{Loose: topic.Loose, Compacted: topic.Compact, Foreign: topic.Unsafe,
			DeleteRetention: load.DeleteRetention}
	}
	for _, v := range check.All(h, o) {
		t.Errorf("%v", v)
	}
}

// folders are those of a partition, on all nodes.
type folders struct {
	place   history.Place
	compact bool
	all     []check.Replica
}

// foldersOf are those of every partition that the load has used.
func foldersOf(w *world.World, l *load.Load) (all []folders) {
	image := w.Image()
	for _, t := range l.Mix.Topics {
		for i := range t.Partitions {
			_, p, ok := image.Partition(t.Name, i)
			if !ok {
				continue
			}
			f := folders{place: history.Place{Topic: t.Name, Partition: i}, compact: t.Compact}
			for _, id := range p.Replicas {
				n := w.Node(id)
				replica, err := n.Broker().Replica(model.TopicPartition{Topic: t.Name, Partition: i})
				if err != nil {
					continue
				}
				log, err := replica.Log()
				if err != nil {
					continue
				}
				f.all = append(f.all, check.Replica{Node: id, FS: n.Disk(), Dir: folderOf(n, f.place), Start: log.Start(), High: replica.HighWatermark()})
			}
			all = append(all, f)
		}
	}
	return all
}

// folderOf is where a node has a partition.
func folderOf(n *world.Node, p history.Place) string {
	name := fmt.Sprintf("%s-%d", p.Topic, p.Partition)
	for _, dir := range n.Dirs() {
		if _, err := n.Disk().ReadDir(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name)
		}
	}
	return name // there is none, which is to be told
}

// startOf is the log start that a folder tells. As the nodes stop their leaders are handed
// over, maybe to one that had begun to delete records when it last led: then the others follow.
func startOf(r check.Replica, p history.Place) int64 {
	text, _ := vfs.ReadFile(r.FS, filepath.Join(filepath.Dir(r.Dir), "log-start-offset-checkpoint"))
	for line := range strings.Lines(string(text)) {
		var start int64
		if n, _ := fmt.Sscanf(line, fmt.Sprintf("%s %d %%d", p.Topic, p.Partition), &start); n == 1 {
			return start
		}
	}
	return 0
}

func save(t *testing.T, seed uint64, h *history.History) {
	if *keep == "" {
		return
	}
	f, err := os.Create(strings.ReplaceAll(*keep, "%d", fmt.Sprint(seed)))
	if err != nil {
		t.Log(err)
		return
	}
	defer f.Close()
	out := history.NewWriter(f)
	for op := range h.All {
		if err := out.Write(&op); err != nil {
			t.Log(err)
			return
		}
	}
}
