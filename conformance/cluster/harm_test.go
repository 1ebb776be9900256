package cluster

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/conformance/crash"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	pauses   = flag.Int("pauses", 1, "how often a broker is made to stand still")
	hurt     = flag.Bool("hurt", false, "let brokers stand still, lose their disk or, as coordinators, their life")
	pauseFor = flag.Duration("pause-for", 5*time.Second, "how long a broker stands still at the least; chance adds up to twice as much")
)

// A broker is made to stand still (SIGSTOP), its sockets open, while it leads: the others
// go on without it. When it goes on, with requests in its sockets that were meant for a
// leader, it comes back as a follower; nothing is lost and nothing stands twice.
func TestPaused(t *testing.T) {
	if !*hurt {
		t.Skip("asked for with -hurt")
	}
	r := newRig(t, Config{})
	r.startLoad(2 * time.Millisecond)
	r.makeProbes()
	r.progress(500)
	for i := range *pauses {
		ctx, cancel := r.context()
		chief, err := r.cluster.ControllerLeader(ctx)
		r.try(err)
		victim := r.cluster.Node(chief)
		for i%2 == 1 && victim.ID == chief {
			victim = r.cluster.All[r.rng.IntN(3)]
		}
		p := r.hasty(kgo.ProduceRequestTimeout(500*time.Millisecond), kgo.RequestTimeoutOverhead(time.Second))
		r.try(r.cluster.ElectPreferred(ctx))
		r.try(r.cluster.Until(ctx, "led by their first replicas", Preferred, probes))
		from := r.warm(ctx, p, victim)
		f := figure{Kind: "pause", Program: r.cluster.Program.Name, Leader: victim.ID == chief, Numbers: make(map[string]float64)}
		began := time.Now()
		r.try(victim.Pause())
		resumed := make(chan error, 1)
		long := *pauseFor + time.Duration(r.rng.Int64N(int64(2**pauseFor)))
		time.AfterFunc(long, func() { resumed <- victim.Resume() })
		times := r.timeWrites(ctx, p, from, began)
		p.Close()
		r.try(<-resumed)
		if len(times) != len(from) {
			t.Fatalf("of %d partitions only %d take records", len(from), len(times))
		}
		f.Seconds, f.Numbers["writes again"] = long.Seconds(), slices.Max(times)
		began = time.Now()
		r.try(r.cluster.Until(ctx, "in sync", WholeISR))
		f.Numbers["in sync after the end"] = millis(time.Since(began))
		record(t, f)
		cancel()
		r.check()
	}
	r.settle()
	t.Log(r.figures())
}

// The disk with a broker's partitions is replaced by an empty one: it fetches everything
// again. Then the two others are killed one after the other, so that what is read must
// come from the new disk.
func TestWipedDisk(t *testing.T) {
	if !*hurt {
		t.Skip("asked for with -hurt")
	}
	r := newRig(t, Config{MetadataApart: true})
	r.startLoad(2 * time.Millisecond)
	r.progress(3000)
	victim := r.cluster.All[r.rng.IntN(3)]
	r.try(victim.Kill())
	wiped := len(r.partitions(victim))
	if wiped == 0 {
		t.Fatalf("no partition was found in %s", victim.Data)
	}
	r.try(os.RemoveAll(victim.Data))
	r.restart()
	r.whole()
	r.check()
	for _, n := range r.cluster.All {
		if n == victim {
			continue
		}
		r.try(n.Kill())
		r.progress(200)
		r.check()
		r.restart()
		r.whole()
	}
	r.settle()
	t.Logf("%d partitions wiped: %s", wiped, r.figures())
}

// Bytes in the middle of a follower's segments are changed while it is away. It must not
// serve them to anybody: it fetches them again. As before, the others are then killed, so
// that everything is read from what it has.
func TestCorruptSegment(t *testing.T) {
	if !*hurt {
		t.Skip("asked for with -hurt")
	}
	if *program != "odradek" {
		t.Skip("only Odradek looks for it")
	}
	// Every log is looked at every two seconds, as fast as the disk gives it.
	r := newRig(t, Config{Settings: []string{"odradek.scrub.interval.ms=2000", "odradek.scrub.bytes.per.second=0"}})
	r.startLoad(2 * time.Millisecond)
	r.progress(3000)
	r.whole()
	victim := r.cluster.All[r.rng.IntN(3)]
	ctx, cancel := r.context()
	defer cancel()
	r.try(victim.Stop(ctx)) // in good order: no recovery has reason to look at every byte
	spoilt := r.eachLog(victim, func(path string, info fs.FileInfo) error {
		if info.Size() < 1000 {
			return nil
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		b := make([]byte, 64)
		_, err = f.ReadAt(b, info.Size()/2)
		for i := range b {
			b[i] ^= 0x5a
		}
		_, err2 := f.WriteAt(b, info.Size()/2)
		return errors.Join(err, err2, f.Close())
	})
	if spoilt == 0 {
		t.Fatalf("no segment was found in %s", victim.Data)
	}
	r.restart()
	r.healed(victim)
	r.whole()
	r.check()
	// Whoever reads from the replica that was spoilt gets what was written.
	for _, n := range r.cluster.All {
		if n == victim {
			continue
		}
		r.try(n.Kill())
		r.check()
		r.restart()
		r.whole()
	}
	r.settle()
	t.Logf("%d segments spoilt: %s", spoilt, r.figures())
}

// healed waits until a node has given up what is rotten in its logs, and has found no more
// while it has looked at all of them again. Damage near the end of a log may be found by
// its recovery, and cut off.
func (r *rig) healed(n *Node) {
	r.t.Helper()
	ctx, cancel := r.context()
	defer cancel()
	for found, quiet := 0, 0; found == 0 || quiet < 80; quiet++ {
		b, err := os.ReadFile(n.Output)
		r.try(err)
		if now := bytes.Count(b, []byte("what is rotten was given up")); now != found {
			found, quiet = now, 0
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			r.t.Fatalf("node %d has not healed its spoilt logs", n.ID)
		}
	}
}

// whole waits until everything is in sync.
func (r *rig) whole() {
	r.t.Helper()
	ctx, cancel := r.context()
	defer cancel()
	r.try(r.cluster.Until(ctx, "in sync", WholeISR))
}

// partitions are the folders of a node's partitions of the load and of the groups.
func (r *rig) partitions(n *Node) (dirs []string) {
	r.t.Helper()
	entries, err := os.ReadDir(n.Data)
	r.try(err)
	for _, e := range entries {
		topic, _, ok := cutLast(e.Name(), "-")
		if e.IsDir() && ok && (slices.Contains(crash.Topics(), topic) || topic == "__consumer_offsets") {
			dirs = append(dirs, filepath.Join(n.Data, e.Name()))
		}
	}
	return dirs
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if at := strings.LastIndex(s, sep); at >= 0 {
		return s[:at], s[at+len(sep):], true
	}
	return s, "", false
}

// eachLog calls f for each segment of the partitions of the load, and counts them.
func (r *rig) eachLog(n *Node, f func(path string, info fs.FileInfo) error) (count int) {
	r.t.Helper()
	for _, dir := range r.partitions(n) {
		r.try(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".log") {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			count++
			return f(path, info)
		}))
	}
	return count
}

// Committed offsets survive with their group's coordinator: the one that leads the
// group's partition is killed, and the next one knows the same.
func TestCoordinatorKilled(t *testing.T) {
	if !*hurt {
		t.Skip("asked for with -hurt")
	}
	r := newRig(t, Config{})
	r.startLoad(2 * time.Millisecond)
	r.progress(1000)
	for range 3 {
		ctx, cancel := r.context()
		r.try(r.coordinator(ctx, "readers").Kill())
		r.progress(300)
		r.check() // also of what the groups have committed
		cancel()
		r.restart()
		r.whole()
	}
	r.settle()
	t.Log(r.figures())
}

func (r *rig) coordinator(ctx context.Context, group string) *Node {
	r.t.Helper()
	c := r.hasty()
	defer c.Close()
	found := kadm.NewClient(c).FindGroupCoordinators(ctx, group)
	r.try(found.Error())
	return r.cluster.Node(found[group].NodeID)
}
