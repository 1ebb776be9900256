package check

import (
	"cmp"
	"slices"

	"github.com/anishathalye/porcupine"
	"github.com/odradek/odradek/sim/history"
)

// register is one value that operations read and change: is there an order of them all, in
// which each takes effect between its invocation and its return?
type register struct{ acts []act }

// act is an operation on a register. What returns never may take effect at any time after
// it was invoked; one that came last of all had none, so it may also have had none.
type act struct {
	do          deed
	value       string
	invoke, ret int64
	by          opRef
}

type deed uint8

const (
	// set leaves value.
	set deed = iota
	// makeNew leaves value if there is none; madeNew is one that found none.
	makeNew
	madeNew
	// unset leaves none if there is one; unsetOld is one that found one.
	unset
	unsetOld
	// saw found value; sawSome found any; sawNone found none.
	saw
	sawSome
	sawNone
)

// none is the state of a register that has no value.
const none = "\x00none"

// step is what an act does to a state, and whether it can have been so.
func (a act) step(state string) (next string, ok bool) {
	switch a.do {
	case set:
		return a.value, true
	case makeNew:
		if state != none {
			return state, true
		}
		return a.value, true
	case madeNew:
		return a.value, state == none
	case unset:
		return none, true
	case unsetOld:
		return none, state != none
	case saw:
		return state, state == a.value
	case sawSome:
		return state, state != none
	case sawNone:
		return state, state == none
	}
	panic("bug: an act that is none")
}

// patience is how many steps one register is thought about: about a second. Steps and not
// time, which stands still in a simulator that thinks.
const patience = 300_000

// judge says whether an order exists; it is Unknown if that takes too long to find out,
// which many operations at once make it that nobody was told the end of.
func judge(acts []act) porcupine.CheckResult {
	acts = slices.DeleteFunc(slices.Clone(acts), func(a act) bool {
		// A set that may have happened, and whose value nobody saw, explains nothing.
		return a.do == set && a.ret == history.Never && !slices.ContainsFunc(acts, func(b act) bool {
			return b.do == sawSome || b.do == unsetOld || b.do == saw && b.value == a.value
		})
	})
	ops := make([]porcupine.Operation, len(acts))
	for i, a := range acts {
		ops[i] = porcupine.Operation{Input: a, Call: a.invoke, Return: a.ret}
	}
	steps := 0 // one register is thought about by one goroutine
	result := porcupine.CheckOperationsTimeout(porcupine.Model{
		Init: func() any { return none },
		Step: func(state, input, _ any) (bool, any) {
			steps++
			next, ok := input.(act).step(state.(string))
			return ok && steps <= patience, next
		},
		Equal: func(a, b any) bool { return a == b },
	}, ops, 0)
	if steps > patience {
		return porcupine.Unknown
	}
	return result
}

// firstWrong finds the first operation, by its return, with which no order exists any more,
// and what led to it: a few that came before.
func (g *register) firstWrong() []opRef {
	acts := slices.Clone(g.acts)
	slices.SortStableFunc(acts, func(a, b act) int { return cmp.Compare(a.ret, b.ret) })
	low, high := 0, len(acts)-1 // acts[:high+1] are wrong
	for low < high {
		if mid := (low + high) / 2; judge(upTo(acts, mid)) == porcupine.Illegal {
			high = mid
		} else {
			low = mid + 1
		}
	}
	var refs []opRef
	for _, a := range acts[max(0, low-4) : low+1] {
		refs = append(refs, a.by)
	}
	return refs
}

// upTo are the acts as they were known when the nth of them returned.
func upTo(acts []act, n int) []act {
	known := slices.Clone(acts[:n+1])
	for _, a := range acts[n+1:] {
		if a.invoke < acts[n].ret && a.do < saw {
			a.ret = history.Never
			switch a.do {
			case madeNew:
				a.do = makeNew
			case unsetOld:
				a.do = unset
			}
			known = append(known, a)
		}
	}
	return known
}

// report adds what is wrong with the register, if anything is.
func (g *register) report(f *facts, r *report, name string) {
	switch judge(g.acts) {
	case porcupine.Illegal:
		if r.full() {
			r.more++
			return
		}
		r.add(f.ops(0, g.firstWrong()...), "%s: no order of its operations explains what was answered to the last of these", name)
	case porcupine.Unknown:
		f.o.Undecided(name)
	}
}
