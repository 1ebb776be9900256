package chaos

import (
	"flag"
	"testing"
)

var damages = flag.Int("damages", 0, "how often TestDamagedMinority damages files of one node while all are down")

// All nodes are killed under load, files of one are damaged, and all start at one time, so
// that nobody knows who has everything. What was acknowledged is there: the one that was
// damaged does not lead over what it has lost, and gets it back from others.
func TestDamagedMinority(t *testing.T) {
	if *damages == 0 {
		t.Skip("asked for with -damages=10")
	}
	r := startRig(t, Config{Without: []Need{Memory, Tracer, Network}, Settings: []string{
		"odradek.scrub.interval.ms=1000", "odradek.scrub.bytes.per.second=0", "log.segment.bytes=1048576"}})
	makeTopic(t, r, cutPartitions, cutTopic)
	p := newPromises(t, r, 2)
	rng, kinds := r.Rand(4), []Fault{flips, torn, scratched}
	for i := range *damages {
		p.await(t, 500+rng.IntN(3000))
		for _, n := range r.Nodes {
			n.Doom()
		}
		for _, n := range r.Nodes {
			n.End()
		}
		f, on := kinds[rng.IntN(len(kinds))], r.Nodes[rng.IntN(len(r.Nodes))]
		h, err := r.Do(within(t), f, on)
		try(t, err)
		for _, n := range r.Nodes {
			try(t, n.begin())
		}
		try(t, h.Undo(within(t)))
		try(t, r.Heal(within(t)))
		t.Logf("%d: %s on %v: %s", i+1, f.Name, h.IDs(), h.Detail)
		if len(h.Refused) > 0 {
			t.Errorf("the node does not start, though only partitions are damaged")
		}
		_, wrong := p.readBack(t, r)
		report(t, wrong)
		if t.Failed() {
			t.Fatalf("go test -run TestDamagedMinority ./conformance/chaos -damages=%d -rig-seed=%d", i+1, r.Seed)
		}
	}
	p.end(t)
	n, wrong := p.readBack(t, r)
	report(t, wrong)
	t.Logf("%d times damaged; %d records acknowledged, none lost, moved or doubled", *damages, n)
}
