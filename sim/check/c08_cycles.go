package check

import (
	"cmp"
	"maps"
	"slices"

	"github.com/odradek/odradek/sim/history"
)

// C8: no transaction depends on what depends on it. One depends on another if between its
// beginning and its end its process read, as committed, what the other wrote. A transaction
// that reads its own writes so is a cycle of one. Order of writes makes no dependency:
// Kafka's transactions do not isolate writes from each other (G0), and a reader that goes
// from partition to partition sees each at another time, so that what it has not read makes
// none either.

func checkCycles(f *facts, r *report) {
	byProcess := make(map[int32][]*txn)
	for _, id := range slices.Sorted(maps.Keys(f.txns)) {
		if t := f.txns[id]; t.begin != nil {
			byProcess[t.begin.Process] = append(byProcess[t.begin.Process], t)
		}
	}
	for _, all := range byProcess {
		slices.SortFunc(all, func(a, b *txn) int { return cmp.Compare(a.begin.Invoke, b.begin.Invoke) })
	}
	g := graph{edges: make(map[int64][]edge)}
	f.eachCommitted(func(i int, p *history.Fetched, ref opRef, offset int64) {
		s := &f.h.Sends[i]
		if reader := openAt(byProcess[p.Process], p); reader != nil {
			g.add(reader.id, edge{s.Txn, ref, int32(i), offset})
		}
	})
	for _, cycle := range g.cycles() {
		var ops []history.Op
		for _, id := range cycle {
			for _, e := range g.edges[id] {
				if slices.Contains(cycle, e.to) {
					ops = append(ops, f.ops(e.offset, e.by, sendRef(int(e.send)))...)
					break
				}
			}
		}
		r.add(ops, "transactions %v each read what the next wrote, round and round", cycle)
	}
}

// openAt is the transaction in which a process polled, or nil.
func openAt(all []*txn, p *history.Fetched) *txn {
	i, _ := slices.BinarySearchFunc(all, p.Invoke, func(t *txn, at int64) int { return cmp.Compare(t.begin.Invoke, at) })
	if i == 0 || p.Return > all[i-1].answered {
		return nil
	}
	return all[i-1]
}

type edge struct {
	to     int64
	by     opRef
	send   int32
	offset int64
}

// graph has the transactions that each depends on.
type graph struct {
	edges map[int64][]edge

	// What follows is Tarjan's.
	number, low map[int64]int
	stack       []int64
	on          map[int64]bool
	found       [][]int64
}

func (g *graph) add(from int64, e edge) {
	all := g.edges[from]
	if len(all) == 0 || all[len(all)-1].to != e.to {
		g.edges[from] = append(all, e)
	}
}

// cycles are the strongly connected components that are more than a node.
func (g *graph) cycles() [][]int64 {
	g.number, g.low, g.on = make(map[int64]int), make(map[int64]int), make(map[int64]bool)
	for _, id := range slices.Sorted(maps.Keys(g.edges)) {
		if g.number[id] == 0 {
			g.visit(id)
		}
	}
	return g.found
}

func (g *graph) visit(root int64) {
	type frame struct {
		id   int64
		next int
	}
	enter := func(id int64) frame {
		n := len(g.number) + 1
		g.number[id], g.low[id], g.on[id] = n, n, true
		g.stack = append(g.stack, id)
		return frame{id: id}
	}
	path := []frame{enter(root)}
	for len(path) > 0 {
		at := &path[len(path)-1]
		if at.next < len(g.edges[at.id]) {
			to := g.edges[at.id][at.next].to
			at.next++
			switch {
			case g.number[to] == 0:
				path = append(path, enter(to))
			case g.on[to]:
				g.low[at.id] = min(g.low[at.id], g.number[to])
			}
			continue
		}
		id := at.id
		if path = path[:len(path)-1]; len(path) > 0 {
			up := path[len(path)-1].id
			g.low[up] = min(g.low[up], g.low[id])
		}
		if g.low[id] == g.number[id] {
			g.component(id)
		}
	}
}

func (g *graph) component(root int64) {
	var all []int64
	for {
		id := g.stack[len(g.stack)-1]
		g.stack, g.on[id] = g.stack[:len(g.stack)-1], false
		all = append(all, id)
		if id == root {
			break
		}
	}
	self := slices.ContainsFunc(g.edges[root], func(e edge) bool { return e.to == root })
	if len(all) > 1 || self {
		slices.Sort(all)
		g.found = append(g.found, all)
	}
}
