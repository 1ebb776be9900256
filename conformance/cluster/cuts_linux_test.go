package cluster

import (
	"context"
	"flag"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	cuts   = flag.Bool("cuts", false, "cut the network between nodes; needs root, ip and iptables")
	cutFor = flag.Duration("cut-for", 8*time.Second, "how long a cut lasts")
	cases  = flag.String("cases", "", "only those cuts whose name contains this")
)

// away cuts a node off from the others: it does not hear them, or is not heard, or both.
func away(node, nodes int, in, out bool, ports ...string) (list []cut) {
	for other := range nodes {
		if other == node {
			continue
		}
		if in {
			list = append(list, cut{from: other, to: node, ports: ports})
		}
		if out {
			list = append(list, cut{from: node, to: other, ports: ports})
		}
	}
	return list
}

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}

// The network between nodes is cut, both ways or one way, between all of their ports or
// between voters only, while clients reach every node. The majority goes on; an old
// leader that the others have replaced acknowledges nothing, and after the cut is healed
// all are in sync again. The history of package crash holds throughout.
func TestCuts(t *testing.T) {
	if !*cuts {
		t.Skip("asked for with -cuts; needs root, ip and iptables")
	}
	net := newNetwork(t, 3)
	r := newRig(t, Config{Hosts: net.Hosts, Exec: net.Exec()})
	r.startLoad(5 * time.Millisecond)
	r.makeProbes()
	r.progress(500)
	var ports []string // on which voters talk
	for _, n := range r.cluster.All {
		ports = append(ports, port(n.Controller))
	}
	for _, c := range []struct {
		name  string
		chief bool // the victim leads the quorum
		list  func(victim, other int) []cut
		alone bool // the victim must lose its leaderships
	}{
		{"a broker, both ways", false, func(v, _ int) []cut { return away(v, 3, true, true) }, true},
		{"the quorum's leader, both ways", true, func(v, _ int) []cut { return away(v, 3, true, true) }, true},
		{"a broker that is not heard", false, func(v, _ int) []cut { return away(v, 3, false, true) }, true},
		{"a broker that does not hear", false, func(v, _ int) []cut { return away(v, 3, true, false) }, true},
		{"the quorum's leader is not heard", true, func(v, _ int) []cut { return away(v, 3, false, true) }, true},
		{"the quorum's leader does not hear", true, func(v, _ int) []cut { return away(v, 3, true, false) }, true},
		{"the quorum's leader, by voters only", true, func(v, _ int) []cut { return away(v, 3, true, true, ports...) }, false},
		{"the quorum's leader is not heard, by voters only", true, func(v, _ int) []cut { return away(v, 3, false, true, ports...) }, false},
		{"two brokers, from each other", false, func(v, o int) []cut { return []cut{{from: v, to: o}, {from: o, to: v}} }, false},
		{"two brokers, one way", false, func(v, o int) []cut { return []cut{{from: v, to: o}} }, false},
	} {
		if !strings.Contains(c.name, *cases) {
			continue
		}
		began := time.Now()
		victim, others := r.chooseVictim(c.chief)
		list := c.list(victim, others[r.rng.IntN(len(others))])
		f := figure{Kind: "cut", Program: r.cluster.Program.Name, Name: c.name, Numbers: make(map[string]float64)}
		r.cutOff(net, list, victim, others, c.alone, f.Numbers)
		f.Seconds = time.Since(began).Seconds()
		record(t, f)
		r.check()
	}
	r.settle()
	t.Log(r.figures())
}

// chooseVictim waits until all are in sync and lead what they should, and picks one.
func (r *rig) chooseVictim(chief bool) (victim int, others []int) {
	r.t.Helper()
	ctx, cancel := r.context()
	defer cancel()
	r.try(r.cluster.Until(ctx, "in sync", WholeISR))
	r.try(r.cluster.ElectPreferred(ctx))
	r.try(r.cluster.Until(ctx, "led by their first replicas", Preferred, probes))
	leader, err := r.cluster.ControllerLeader(ctx)
	r.try(err)
	victim = int(leader) - 1
	for !chief && int32(victim)+1 == leader {
		victim = r.rng.IntN(3)
	}
	for i := range 3 {
		if i != victim {
			others = append(others, i)
		}
	}
	return victim, others
}

// cutOff cuts and heals, and measures what clients see of it.
func (r *rig) cutOff(net *network, list []cut, victim int, others []int, alone bool, numbers map[string]float64) {
	r.t.Helper()
	ctx, cancel := r.context()
	defer cancel()
	node := r.cluster.All[victim]
	p := r.hasty(kgo.ProduceRequestTimeout(500*time.Millisecond), kgo.RequestTimeoutOverhead(time.Second))
	defer p.Close()
	from := r.warm(ctx, p, node)
	began := time.Now()
	net.Cut(list...)
	healed := make(chan struct{})
	heal := time.AfterFunc(*cutFor, func() { net.Heal(); close(healed) })
	defer heal.Stop()
	times := r.timeWrites(ctx, p, from, began)
	if len(times) != len(from) {
		r.t.Fatalf("of %d partitions only %d take records", len(from), len(times))
	}
	numbers["writes again"] = slices.Max(times)
	if alone {
		r.mute(ctx, node, r.cluster.All[others[0]], healed, numbers)
	}
	<-healed
	began = time.Now()
	r.try(r.cluster.Until(ctx, "in sync", WholeISR))
	numbers["in sync after the end"] = millis(time.Since(began))
	r.progress(100)
}

// mute asks an old leader, that others have replaced, to take records: it must not
// acknowledge one, unless the cut is over. A node that asks for acks=1 alone may learn
// late that it was replaced; Odradek's lease tells it.
func (r *rig) mute(ctx context.Context, old, other *Node, healed <-chan struct{}, numbers map[string]float64) {
	r.t.Helper()
	witness, l := other.Line(), old.Line()
	defer witness.Close()
	defer l.Close()
	for asked := 0; ; asked++ {
		_, views, err := witness.Metadata(ctx, probes)
		r.try(err)
		_, told, err := l.Metadata(ctx, probes)
		for _, v := range views {
			if err != nil || v.Leader == old.ID {
				continue // it cannot be asked, or leads by right
			}
			at := slices.IndexFunc(told, func(o View) bool { return o.Partition == v.Partition })
			if at < 0 || told[at].Leader != old.ID {
				continue // it does not even believe that it leads
			}
			one, cancel := context.WithTimeout(ctx, 3*time.Second)
			offset, err := l.Produce(one, probes, v.Partition, -1, []byte("to an old leader"))
			cancel()
			select {
			case <-healed:
				numbers["asked the old leader"] = float64(asked)
				return
			default:
			}
			numbers["asked the old leader"]++
			if err == nil {
				r.t.Errorf("node %d was replaced in partition %d and acknowledges a record at %d", old.ID, v.Partition, offset)
			}
		}
		select {
		case <-healed:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}
