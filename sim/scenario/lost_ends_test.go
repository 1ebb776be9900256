package scenario

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/sim/world"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The power of all nodes fails, and the disk of one has lost the ends of logs, or has changed
// the name of a partition; all start at one time. It leads over nothing that it has lost, and
// has it again from the others within half a minute; every record that was acknowledged is
// there. Each node is the one, in turn.
func TestLostEnds(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		c := r.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
		defer c.Close()
		var acked [2][]string
		put := func(n int) {
			r.t.Helper()
			for range n {
				for p := range acked {
					value := fmt.Sprint(len(acked[p]))
					r.must(c.ProduceSync(r.t.Context(), &kgo.Record{Topic: orders, Partition: int32(p), Value: []byte(value)}).FirstErr())
					acked[p] = append(acked[p], value)
				}
			}
		}
		for round := range 9 {
			put(20)
			time.Sleep(time.Duration(r.Rand.IntN(20)) * time.Second) // checkpoints may know of it, or not
			put(20)
			for _, n := range r.Nodes() {
				n.Kill()
			}
			victim := r.Nodes()[round%3]
			if round < 6 {
				r.lose(victim)
			} else {
				r.rename(victim)
			}
			for _, n := range r.Nodes() {
				n.Launch()
			}
			began := time.Now()
			r.settle()
			if took := time.Since(began); took > 30*time.Second {
				r.t.Errorf("round %d: it took %v to heal", round, took)
			}
			for p := range acked {
				r.wantSeen(orders, int32(p), kgo.ReadUncommitted(), acked[p]...)
			}
		}
	})
}

// lose has the disk of a node that is down lose the ends of the last segments of a topic.
func (r *stage) lose(n *world.Node) {
	r.t.Helper()
	for p := range 2 {
		dir := path.Join("/data", fmt.Sprint(orders, "-", p))
		entries, err := n.Disk().ReadDir(dir)
		r.must(err)
		var segments []string
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".log") {
				segments = append(segments, e.Name())
			}
		}
		f, err := n.Disk().OpenFile(path.Join(dir, slices.Max(segments)), os.O_RDWR, 0)
		r.must(err)
		size, err := f.Size()
		r.must(err)
		r.must(f.Truncate(r.Rand.Int64N(size + 1)))
		r.must(f.Sync())
		r.must(f.Close())
	}
}

// rename changes a bit in the topic ids that the folders of a node bear.
func (r *stage) rename(n *world.Node) {
	r.t.Helper()
	for p := range 2 {
		name := path.Join("/data", fmt.Sprint(orders, "-", p), "partition.metadata")
		r.must(n.Disk().Rot(name, 8*r.Rand.Int64N(43)))
	}
}
