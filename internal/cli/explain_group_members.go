package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// title names a member as a person knows it.
func (m *groupMember) title() string {
	text := m.Member
	if m.Instance != nil && *m.Instance != "" {
		text = *m.Instance
	}
	return fmt.Sprintf("%s (client %s at %s)", text, orDash(m.Client), strings.TrimPrefix(orDash(m.Host), "/"))
}

// titles names members, few of many.
func titles(members []*groupMember) string {
	const most = 5
	var words []string
	for _, m := range members {
		words = append(words, m.title())
	}
	if more := len(words) - most; more > 1 {
		return strings.Join(words[:most], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return andText(words)
}

func (f *groupFacts) memberReasons() []reason {
	var out []reason
	if len(f.view.Members) == 0 {
		why := "No consumer has joined it, or all have left or were silent for their session's time-out."
		if lag, behind := sumLag(f.offsets); lag > 0 {
			why += fmt.Sprintf(" What waits: %s, %s of the topic's time.", plural(int(lag), "record"), lagTime(behind))
		}
		out = append(out, reason{"no-members", "it has no members", why, "start consumers of the group."})
	}
	if len(f.gone) > 0 {
		out = append(out, reason{"topic-missing", fmt.Sprintf("its members want to read %s, which is not there", andText(f.gone)), "",
			"create it: odradek topic create " + strings.Join(f.gone, " ")})
	}
	return out
}

// rebalanceReasons say who has not done its part in a rebalance.
func (f *groupFacts) rebalanceReasons() []reason {
	switch g := &f.view; g.State {
	case "PreparingRebalance":
		return []reason{{"rebalancing", fmt.Sprintf("it waits until all its %s have joined again", count(len(g.Members), "member")),
			fmt.Sprintf("Its coordinator does not tell which have. They are %s.", titles(pointers(g.Members))),
			"members join when they poll next; one that does not is dropped after its rebalance time-out (max.poll.interval.ms of a Java consumer)."}}
	case "CompletingRebalance":
		return []reason{{"rebalancing", "all have joined, and the member that leads has not assigned partitions yet",
			fmt.Sprintf("Its members are %s.", titles(pointers(g.Members))),
			"it is dropped after the rebalance time-out if it does not; a leader that assigns many partitions takes its time."}}
	case "Assigning":
		return []reason{{"assigning", fmt.Sprintf("its coordinator computes who shall read what: the group is at epoch %s, what is assigned at %s", dashed(g.Epoch), dashed(g.TargetEpoch)),
			"", "wait: the coordinator does that by itself, within milliseconds or a second."}}
	case "NotReady":
		return []reason{{"not-ready", "its streams application is not ready: topics that it needs are missing, or members differ in their topology", "",
			"create its internal topics, or bring all members to one version."}}
	case "Reconciling":
		return f.reconciling()
	}
	return nil
}

// reconciling names the members of a group of type consumer that have not given back what
// others shall have, and else those that have not taken over what is free. What a member
// was told to give back is no longer in what it has, though it may still read it: then only
// its epoch tells that it has not answered.
func (f *groupFacts) reconciling() []reason {
	g := &f.view
	shall, lacking := f.targets()
	var out []reason
	var late []*groupMember
	for i := range g.Members {
		m := &g.Members[i]
		if len(surplus(m)) > 0 || m.Epoch != nil && g.TargetEpoch != nil && *m.Epoch < *g.TargetEpoch {
			late = append(late, m)
		}
	}
	for _, m := range late {
		keeps := surplus(m)
		if len(keeps) == 0 && len(late) == 1 {
			keeps = lacking
		}
		what, why := "what it shall no longer have", ""
		if len(keeps) > 0 {
			what = partsText(keeps)
			if who := waiting(keeps, shall, m); len(who) > 0 {
				why = fmt.Sprintf("It goes to %s. ", titles(who))
			}
		}
		out = append(out, reason{"not-revoked", fmt.Sprintf("%s has not given back %s", m.title(), what),
			why + fmt.Sprintf("The member is at epoch %s, the group at %s.", dashed(m.Epoch), dashed(g.Epoch)),
			"it gives back when it polls next and has committed; if it does not within its rebalance time-out (max.poll.interval.ms of a Java consumer) it is dropped. Stopping it frees its partitions at once."})
	}
	if len(out) > 0 {
		return out
	}
	for _, m := range waiting(lacking, shall, nil) {
		var lacks []topicPartition
		for _, p := range lacking {
			if shall[p] == m {
				lacks = append(lacks, p)
			}
		}
		out = append(out, reason{"not-taken", fmt.Sprintf("%s has not taken over %s, which nobody has", m.title(), partsText(lacks)),
			fmt.Sprintf("The member is at epoch %s, the group at %s.", dashed(m.Epoch), dashed(g.Epoch)),
			"it takes them over with its next heartbeat; a member that sends none is dropped after its session time-out."})
	}
	if len(out) == 0 {
		out = append(out, reason{"reconciling", "its members are about to take over what they shall have", "", "wait: each does with its next heartbeats."})
	}
	return out
}

// targets says who shall have which partition, and which of these nobody has.
func (f *groupFacts) targets() (shall map[topicPartition]*groupMember, lacking []topicPartition) {
	shall = make(map[topicPartition]*groupMember)
	owners := f.view.owners()
	for i := range f.view.Members {
		eachAssigned(f.view.Members[i].Target, func(p topicPartition) {
			shall[p] = &f.view.Members[i]
			if len(owners[p]) == 0 {
				lacking = append(lacking, p)
			}
		})
	}
	return shall, lacking
}

// surplus is what a member has and shall not have.
func surplus(m *groupMember) (out []topicPartition) {
	target := make(map[topicPartition]bool)
	eachAssigned(m.Target, func(p topicPartition) { target[p] = true })
	eachAssigned(m.Assigned, func(p topicPartition) {
		if !target[p] {
			out = append(out, p)
		}
	})
	return out
}

// waiting are the members but one that shall have one of parts, without repetition.
func waiting(parts []topicPartition, shall map[topicPartition]*groupMember, but *groupMember) []*groupMember {
	set := make(map[string]*groupMember)
	for _, p := range parts {
		if m := shall[p]; m != nil && m != but {
			set[m.Member] = m
		}
	}
	var out []*groupMember
	for _, id := range slices.Sorted(maps.Keys(set)) {
		out = append(out, set[id])
	}
	return out
}

func pointers(members []groupMember) []*groupMember {
	var out []*groupMember
	for i := range members {
		out = append(out, &members[i])
	}
	return out
}
