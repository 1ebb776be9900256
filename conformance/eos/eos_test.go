package eos

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/odradek/odradek/conformance/cluster"
)

var (
	lasts   = flag.Duration("eos", 0, "how long brokers and pipelines are killed; 0 leaves the test out")
	program = flag.String("program", "odradek", "what the nodes run: odradek or kafka")
	only    = flag.String("clients", "", "only these clients, with commas: franz-go,java,confluent,sarama")
	workers = flag.Int("workers", 2, "how many pipelines of each client")
	proto   = flag.String("protocol", "", "how all groups divide their partitions: classic or consumer; default: each client's own")
	pace    = flag.Duration("pace", 40*time.Millisecond, "between two inputs of a partition")
	every   = flag.Duration("every", 3*time.Second, "between two kills of pipelines, and as long as a broker is away; a broker is killed after twice as long; chance halves it or adds half")
	calm    = flag.Bool("calm", false, "kill nobody")
	seed    = flag.Uint64("seed", 0, "of the victims and the moments; 0 takes one of its own and prints it")
	keep    = flag.String("keep", "", "folder for the nodes' data and logs; default: one that is removed")
	results = flag.String("results", "", "file to which figures are appended, a line of JSON each")
	heap    = flag.Int("heap", 320, "megabytes for each node of Apache Kafka")
)

// patience keeps a cluster that hangs from hanging the test; nothing is measured by it.
const patience = 4 * time.Minute

// settings are those of the rig beside what package cluster sets.
var settings = []string{"group.consumer.min.session.timeout.ms=1000", "group.consumer.session.timeout.ms=6000",
	"group.consumer.min.heartbeat.interval.ms=500", "group.consumer.heartbeat.interval.ms=500", "group.initial.rebalance.delay.ms=500", "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000"}

// Pipelines consume, transform and produce in transactions, several to a group, while
// brokers and pipelines are killed, and pipelines that stood still come back to find another
// one in their place. A reader that follows from the start, and one that comes when all is
// over, see each input once, in order by partition; a reader of everything sees that there
// were transactions that were aborted; and none is left open.
func TestExactlyOnce(t *testing.T) {
	if *lasts == 0 {
		t.Skip("asked for with -eos=1m")
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("repeat the choices with -seed=%d", *seed)
	r := newRig(t)
	var run sync.WaitGroup
	feeding, full := context.WithCancel(context.Background())
	defer full()
	for _, p := range r.pipes {
		run.Go(func() { p.input.run(feeding, *pace) })
		run.Go(func() { p.followErr = follow(r.ctx, r.cluster.Addrs(), p.crew.out(), p.live, p.wanted) })
		p.crew.begin(*workers)
	}
	r.hurt()
	r.calmDown()
	full()
	for _, p := range r.pipes {
		ctx, cancel := r.context()
		put, err := p.input.finish(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		p.put.Store(&put)
	}
	done := make(chan struct{})
	go func() { run.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Errorf("the pipelines do not get through their input in %v", patience)
		r.stop()
		<-done
	}
	r.verdict()
}

// hurt kills brokers and pipelines until the time is over.
func (r *rig) hurt() {
	stop := make(chan struct{})
	var all sync.WaitGroup
	if !*calm {
		for i, p := range r.pipes {
			rng := rand.New(rand.NewPCG(*seed, uint64(i+1)))
			all.Go(func() {
				for wait(moment(rng, *every), stop) {
					p.crew.harm(rng, stop)
				}
			})
		}
		all.Go(func() { r.killBrokers(rand.New(rand.NewPCG(*seed, 0)), stop) })
	}
	time.Sleep(*lasts) // the time that was asked for, not a wait
	close(stop)
	all.Wait()
}

// killBrokers kills one after the other, and brings each back.
func (r *rig) killBrokers(rng *rand.Rand, stop <-chan struct{}) {
	for wait(moment(rng, 2**every), stop) {
		victim := r.cluster.All[rng.IntN(len(r.cluster.All))]
		if err := victim.Kill(); err != nil {
			r.t.Error(err)
			return
		}
		r.kills++
		wait(moment(rng, *every), stop)
		if !r.restart() {
			return
		}
	}
}

// moment is between half and one and a half of d.
func moment(rng *rand.Rand, d time.Duration) time.Duration {
	return d/2 + time.Duration(rng.Int64N(int64(d)))
}

func wait(d time.Duration, stop <-chan struct{}) bool {
	select {
	case <-stop:
		return false
	case <-time.After(d):
		return true
	}
}

// programOf finds or builds what the nodes run.
func programOf(t *testing.T, root string) cluster.Program {
	t.Helper()
	switch *program {
	case "odradek":
		binary := os.Getenv("ODRADEK_BINARY")
		if binary == "" {
			binary = filepath.Join(t.TempDir(), "odradek")
			cmd := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "github.com/odradek/odradek/cmd/odradek")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("build: %v\n%s", err, out)
			}
		}
		return cluster.Odradek(binary)
	case "kafka":
		libs, err := cluster.KafkaJars(root)
		if err == nil {
			libs, err = filepath.Abs(libs)
		}
		if err != nil {
			t.Skipf("SKIPPED: Apache Kafka cannot be started: %v", err)
		}
		return cluster.Kafka(libs, *heap)
	}
	t.Fatalf("no program is called %q: odradek or kafka", *program)
	return cluster.Program{}
}

func wants(client string) bool {
	return *only == "" || strings.Contains(","+*only+",", ","+client+",")
}

func shorten(list []string, most int) string {
	text := strings.Join(list[:min(most, len(list))], "\n  ")
	if len(list) > most {
		text += fmt.Sprintf("\n  and %d more", len(list)-most)
	}
	return text
}
