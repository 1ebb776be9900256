package balance

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// brokers are open ones: 1 2 3 have no rack, 1a 2b have.
func brokers(text string) (out []Broker) {
	for f := range strings.FieldsSeq(text) {
		b := Broker{Open: true}
		rest := strings.TrimLeft(f, "0123456789")
		fmt.Sscan(strings.TrimSuffix(f, rest), &b.ID)
		b.Rack, b.Open = strings.TrimSuffix(rest, "!"), !strings.HasSuffix(rest, "!")
		out = append(out, b)
	}
	return out
}

// partitions are of topic t, from lists of replicas.
func partitions(text string) (out []Partition) {
	for i, f := range strings.Fields(text) {
		p := Partition{Topic: "t", Partition: int32(i), Bytes: 100}
		for id := range strings.SplitSeq(f, ",") {
			var n int32
			fmt.Sscan(id, &n)
			p.Replicas = append(p.Replicas, n)
		}
		out = append(out, p)
	}
	return out
}

func show(p Plan) string {
	var out []string
	for _, m := range p.Moves {
		out = append(out, fmt.Sprintf("%d:%v>%v", m.Partition.Partition, m.Replicas, m.To))
	}
	for _, s := range p.Stuck {
		out = append(out, fmt.Sprintf("%d stuck", s.Partition))
	}
	return strings.ReplaceAll(strings.Join(out, "; "), " ", ",")
}

func TestSpread(t *testing.T) {
	for _, c := range []struct{ name, brokers, parts, want string }{
		{"what is even stays", "1 2 3", "1,2 2,3 3,1", ""},
		{"give or take one stays", "1 2 3", "1,2 2,3 3,1 1,2", ""},
		{"a new broker gets its share", "1 2 3 4", "1,2 2,3 3,1 1,2 2,3 3,1", "0:[1,2]>[4,1];,1:[2,3]>[2,4];,2:[3,1]>[3,4]"},
		{"leaders go around without a copy", "1 2 3", "1,2,3 1,2,3 1,2,3", "0:[1,2,3]>[2,1,3];,1:[1,2,3]>[3,2,1]"},
		{"replicas of one rack are parted", "1a 2a 3b", "1,2", "0:[1,2]>[3,2]"},
		{"a move that would join racks is not made", "1a 2b 3a", "1,2 1,2 1,2", "0:[1,2]>[3,2];,1:[1,2]>[2,1]"},
		{"a broker that is not open gets nothing", "1 2 3!", "1,2 1,2 1,2", "0:[1,2]>[2,1]"},
		{"nothing", "", "", ""},
		{"a replica on a broker that is gone stays", "1 2", "9,1 9,2", ""},
	} {
		if got := show(Spread(brokers(c.brokers), partitions(c.parts))); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestEmpty(t *testing.T) {
	for _, c := range []struct{ name, brokers, parts, want string }{
		{"onto the emptiest", "1 2 3 4", "1,2 2,1 3,2", "0:[1,2]>[4,2];,1:[2,1]>[2,3]"},
		{"into a rack of its own", "1a 2b 3b 4c", "1,2 3,4 3,4 3,4", "0:[1,2]>[4,2]"},
		{"nowhere to go", "1 2 3", "1,2,3 2,3", "0,stuck"},
		{"it is empty", "1 2 3", "2,3", ""},
		{"a broker that is gone", "2 3 4", "1,2 3,1", "0:[1,2]>[4,2];,1:[3,1]>[3,2]"},
		{"not onto one that is not open", "1 2! 3", "1,3 1,2", "1:[1,2]>[3,2];,0,stuck"},
	} {
		if got := show(Empty(brokers(c.brokers), partitions(c.parts), []int32{1})); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// Of random clusters, every plan keeps the number of replicas, puts no two on one broker,
// makes no partition's racks worse, and leaves no broker two ahead of another without
// racks; and a second plan finds nothing to do.
func TestSpreadHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 7))
	for round := range 300 {
		n, racks := 1+r.IntN(8), r.IntN(4)
		var bs []Broker
		for i := range n {
			b := Broker{ID: int32(i), Open: true}
			if racks > 0 {
				b.Rack = fmt.Sprint(r.IntN(racks))
			}
			bs = append(bs, b)
		}
		var ps []Partition
		for i := range r.IntN(60) {
			ps = append(ps, Partition{Topic: fmt.Sprint(i % 3), Partition: int32(i), Replicas: ids(r.Perm(n)[:1+r.IntN(min(n, 3))]), Bytes: r.Int64N(100)})
		}
		plan := Spread(bs, ps)
		after := check(t, round, bs, ps, plan)
		if again := Spread(bs, after); len(again.Moves) > 0 {
			t.Errorf("round %d: a second plan moves %s", round, show(again))
		}
		if racks == 0 {
			even(t, round, "replicas", n, after, func(p Partition) []int32 { return p.Replicas })
		}
	}
}

func ids(perm []int) (out []int32) {
	for _, i := range perm {
		out = append(out, int32(i))
	}
	return out
}

func check(t *testing.T, round int, bs []Broker, ps []Partition, plan Plan) []Partition {
	t.Helper()
	after := slices.Clone(ps)
	for _, m := range plan.Moves {
		i := slices.IndexFunc(ps, func(p Partition) bool { return p.Topic == m.Topic && p.Partition == m.Partition.Partition })
		sorted := slices.Clone(m.To)
		slices.Sort(sorted)
		if len(slices.Compact(sorted)) != len(ps[i].Replicas) {
			t.Errorf("round %d: %v becomes %v", round, ps[i].Replicas, m.To)
		}
		if rackCount(bs, m.To) < rackCount(bs, ps[i].Replicas) {
			t.Errorf("round %d: %v to %v joins racks", round, ps[i].Replicas, m.To)
		}
		after[i].Replicas = m.To
	}
	return after
}

func rackCount(bs []Broker, replicas []int32) int {
	var seen []string
	for _, id := range replicas {
		seen = append(seen, bs[id].Rack)
	}
	slices.Sort(seen)
	return len(slices.Compact(seen))
}

func even(t *testing.T, round int, what string, n int, ps []Partition, of func(Partition) []int32) {
	t.Helper()
	counts := make([]int, n)
	for _, p := range ps {
		for _, id := range of(p) {
			counts[id]++
		}
	}
	if slices.Max(counts)-slices.Min(counts) > 1 {
		t.Errorf("round %d: %s are %v", round, what, counts)
	}
}

// A broker more in a cluster of 10,000 partitions gets its share, and no replica moves
// but to it.
func TestGrowthMovesTheLeast(t *testing.T) {
	var bs []Broker
	for i := range 4 {
		bs = append(bs, Broker{ID: int32(i), Open: true})
	}
	var ps []Partition
	for i := range 3000 {
		ps = append(ps, Partition{Topic: fmt.Sprint(i % 100), Partition: int32(i), Replicas: []int32{int32(i % 3), int32((i + 1) % 3), int32((i + 2) % 3)}})
	}
	plan := Spread(bs, ps)
	copies := 0
	for _, m := range plan.Moves {
		for _, id := range m.Added() {
			copies++
			if id != 3 {
				t.Fatalf("%v to %v", m.Replicas, m.To)
			}
		}
	}
	if copies != 2250 { // a quarter of 9,000
		t.Errorf("%d replicas are copied, want 2250", copies)
	}
	even(t, 0, "leaders", 4, check(t, 0, bs, ps, plan), func(p Partition) []int32 { return p.Replicas[:1] })
	slices.SortFunc(ps, func(x, y Partition) int { return cmp.Compare(y.Partition, x.Partition) })
	if show(Spread(bs, ps)) != show(plan) {
		t.Error("the plan depends on the order of its input")
	}
}
