package partition

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// rot has a node find that a batch of its log is not what was written.
func (c *cluster) rot(n *node) {
	log, err := n.p.Log()
	if err != nil {
		c.t.Fatalf("node %d: %v", n.id, err)
	}
	var bases []int64
	for base := range n.batches(1 << 62) {
		bases = append(bases, base)
	}
	if len(bases) == 0 {
		return
	}
	for id := int32(1); id <= 3; id++ { // where all are rotten nothing can be promised
		if id != n.id && (c.now().lost[id] > 0 || c.nodes[id].up && c.nodes[id].p.Rotten()) {
			return
		}
	}
	slices.Sort(bases)
	at := bases[c.rng.IntN(len(bases))]
	n.p.Suspect(log, at, at+1)
	c.trace("node %d is rotten at %d", n.id, at)
}

// mend does what a host does about it.
func (c *cluster) mend(n *node) {
	for i, r := range c.heard {
		if r.node == n.id && r.epoch == n.epoch && n.at >= r.at {
			n.p.Reported(r.lost)
			c.heard = slices.Delete(c.heard, i, i+1)
			break
		}
	}
	pending := func(r report) bool { return r.node == n.id && r.epoch == n.epoch }
	if !slices.ContainsFunc(c.told, pending) && !slices.ContainsFunc(c.heard, pending) {
		s := c.states[n.at]
		st := Standing{Role: s.Role, Eligible: s.elr}
		st.Self, st.Leading, st.Lost = n.id, s.Leader == n.id, s.lost[n.id] > 0
		if lost, report := n.p.Report(st); report {
			c.tell(n, lost)
		}
	}
	heal := func() {
		healed, err := n.p.Heal()
		c.check(err)
		if healed {
			c.trace("node %d has healed: %+v", n.id, c.marks(n))
		}
	}
	if c.mood.crash > 1 && n.p.Rotten() && c.rng.IntN(10) == 0 {
		n.cutWithin(heal)
		return
	}
	heal()
}

// report has the controller hear, or not.
func (c *cluster) report() {
	if len(c.told) == 0 {
		return
	}
	r := c.told[0]
	c.told = c.told[1:]
	if c.rng.IntN(8) > 0 {
		c.assign(r)
	}
}

func (c *cluster) tell(n *node, lost bool) {
	c.told = append(c.told, report{node: n.id, epoch: n.epoch, lost: lost})
	c.trace("node %d reports that it is lost: %v", n.id, lost)
}

// Compaction that comes upon a rotten batch has the host look at the log.
func TestCompactionDoubts(t *testing.T) {
	p, h := newPartition(t)
	s := settings()
	s.Log.SegmentBytes, s.Log.Compact, s.Log.Delete, s.Log.MinCleanableRatio = 200, true, false, 0
	p.Configure(s)
	doubts := 0
	p.doubts = func(*Partition) { doubts++ }
	for i := range 10 {
		b := record.NewBuilder(record.BuilderConfig{})
		b.Append(record.Record{Timestamp: 1, Key: []byte("k"), Value: fmt.Append(nil, "value", i)})
		built, err := b.Build()
		if err == nil {
			_, err = p.Append(built, AppendArgs{ProduceVersion: 12, Acks: AllInSync})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	f, err := h.disk.OpenFile("/d/orders-0/00000000000000000000.log", os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt([]byte{0xff}, 70)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Compact(time.Now())
	wantErr(t, "compact", err, kerr.CorruptMessage)
	if doubts == 0 {
		t.Error("nobody is told to look")
	}
}
