package check

import (
	"github.com/odradek/odradek/sim/history"
)

// C11: a partition has one owner in a group. Nobody is given, in a generation, what another
// member was given in it; the generation of a member does not go back; and who was told by
// the coordinator to be its member (a heartbeat or a commit that succeeded), while it held a
// partition that had been given to somebody else before it asked, was one owner too many.
// In a classic group nobody is listened to in a generation older than one that somebody was
// assigned in. An owner that hears late that it was thrown out does nothing wrong, unless
// it gives the partition up in order, and its last word from the coordinator is not older
// than the session when the next owner gets it.

func checkGroups(f *facts, r *report) {
	g := &groups{
		f: f, r: r, given: make(map[givenTo]opRef), owners: make(map[groupPlace][]*ownership),
		held: make(map[holder]*ownership), newest: make(map[string]opRef), own: make(map[groupProcess]opRef),
	}
	for i := range f.h.Ops {
		op, ref := &f.h.Ops[i], otherRef(i)
		if op.Group == "" || op.Outcome != history.OK {
			continue
		}
		switch op.Kind {
		case history.Assign:
			g.generation(op, ref)
			g.assign(op, ref)
		case history.Revoke, history.Lost:
			g.revoke(op, ref)
		case history.Heartbeat, history.CommitOffset:
			if op.Generation >= 0 {
				g.generation(op, ref)
				g.heard(op, ref)
			}
		}
	}
}

type givenTo struct {
	group      string
	generation int32
	place      history.Place
}

type groupPlace struct {
	group string
	place history.Place
}

type groupProcess struct {
	group   string
	process int32
}

type holder struct {
	groupProcess
	place history.Place
}

// ownership is that a process holds a partition, from when it saw so.
type ownership struct {
	process int32
	member  string
	since   int64
	by      opRef
	// alive is when it last asked something that the coordinator answered as to its member.
	alive int64
}

type groups struct {
	f *facts
	r *report
	// given has who got a partition in a generation.
	given  map[givenTo]opRef
	owners map[groupPlace][]*ownership
	held   map[holder]*ownership
	// newest is the assignment of the highest generation of a classic group; own the
	// newest of each member.
	newest map[string]opRef
	own    map[groupProcess]opRef
}

// generation holds an operation's against those that were known before it began.
func (g *groups) generation(op *history.Op, ref opRef) {
	me := groupProcess{op.Group, op.Process}
	if before, ok := g.own[me]; ok {
		if was := &g.f.h.Ops[before>>2]; was.Return < op.Invoke && was.Generation > op.Generation && was.Member == op.Member {
			g.r.add(g.f.ops(0, before, ref), "member %s of %s went back from generation %d to %d", op.Member, op.Group, was.Generation, op.Generation)
		}
	}
	if before, ok := g.own[me]; !ok || g.f.h.Ops[before>>2].Generation < op.Generation || g.f.h.Ops[before>>2].Member != op.Member {
		g.own[me] = ref
	}
	before, ok := g.newest[op.Group]
	if ok && op.Kind != history.Assign {
		if was := &g.f.h.Ops[before>>2]; was.Return < op.Invoke && was.Generation > op.Generation {
			g.r.add(g.f.ops(0, before, ref), "group %s listened to %s in generation %d, when it was in %d", op.Group, op.Member, op.Generation, was.Generation)
		}
	}
	if op.Kind == history.Assign && op.Rules != history.Consumer && (!ok || g.f.h.Ops[before>>2].Generation < op.Generation) {
		g.newest[op.Group] = ref
	}
}

func (g *groups) assign(op *history.Op, ref opRef) {
	for _, p := range op.Places {
		key := givenTo{op.Group, op.Generation, p}
		if before, ok := g.given[key]; ok && op.Generation >= 0 {
			if was := &g.f.h.Ops[before>>2]; was.Process != op.Process && was.Member != op.Member {
				g.r.add(g.f.ops(0, before, ref), "generation %d of %s gave %v to %s and to %s", op.Generation, op.Group, p, was.Member, op.Member)
			}
		}
		g.given[key] = ref
		at := groupPlace{op.Group, p}
		me := holder{groupProcess{op.Group, op.Process}, p}
		was := g.held[me]
		if was != nil && was.member == op.Member {
			continue
		}
		own := &ownership{op.Process, op.Member, op.Return, ref, op.Invoke}
		g.held[me] = own
		g.owners[at] = append(without(g.owners[at], was), own)
	}
}

func (g *groups) revoke(op *history.Op, ref opRef) {
	for _, p := range op.Places {
		me := holder{groupProcess{op.Group, op.Process}, p}
		own := g.held[me]
		if own == nil {
			continue
		}
		delete(g.held, me)
		at := groupPlace{op.Group, p}
		for _, other := range g.owners[at] {
			if session := int64(g.f.o.Session); op.Kind == history.Revoke && own.member == op.Member && session > 0 && other.since > own.since &&
				other.since < op.Invoke && other.since-own.alive < session {
				g.r.add(g.f.ops(0, own.by, other.by, ref), "%v of %s was given to another before %s gave it up", p, op.Group, op.Member)
			}
		}
		g.owners[at] = without(g.owners[at], own)
	}
}

func without(all []*ownership, one *ownership) (rest []*ownership) {
	for _, o := range all {
		if o != one {
			rest = append(rest, o)
		}
	}
	return rest
}

// heard is told what the coordinator answered as to its member.
func (g *groups) heard(op *history.Op, ref opRef) {
	for at, all := range g.owners {
		if at.group != op.Group {
			continue
		}
		own := g.held[holder{groupProcess{op.Group, op.Process}, at.place}]
		if own == nil || own.member != op.Member || own.since > op.Invoke {
			continue
		}
		own.alive = max(own.alive, op.Invoke)
		for _, other := range all {
			if other.since > own.since && other.since < op.Invoke {
				g.r.add(g.f.ops(0, own.by, other.by, ref), "%v of %s was given to another, and the group still listened to %s, which held it",
					at.place, op.Group, op.Member)
			}
		}
	}
}
