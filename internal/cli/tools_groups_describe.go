package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func (g *groupsToolRun) describe(ctx context.Context) error {
	names, err := g.groups(ctx)
	if err != nil || len(names) == 0 {
		return err
	}
	slices.Sort(names)
	described, err := g.described(ctx, names)
	if err != nil {
		return err
	}
	for _, d := range described {
		switch {
		case g.o.has("members"):
			g.printMembers(d)
		case g.o.has("state"):
			g.printState(d)
		default:
			err = g.printOffsets(ctx, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// described are groups of consumers, in order. One that is not there, or of another type,
// fails all.
func (g *groupsToolRun) described(ctx context.Context, names []string) ([]groupView, error) {
	found, err := lookAtGroups(ctx, g.cl, names)
	if err != nil {
		return nil, err
	}
	var out []groupView
	for _, name := range names {
		d, err := found.get(name)
		if err == nil && d.Type != classicGroup && d.Type != consumerGroup {
			err = javaError{kerr.GroupIDNotFound, "Group " + name + " is not a consumer group."}
		} else if errors.Is(err, kerr.GroupIDNotFound) {
			err = javaError{kerr.GroupIDNotFound, "Group " + name + " not found."}
		}
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// alive says on stderr what is the matter with a group, and reports whether there is
// anything to show.
func (g *groupsToolRun) alive(d groupView, rows int) bool {
	switch d.State {
	case "Dead":
		g.failed(g.title + " '" + d.Group + "' does not exist.")
		return false
	case "Empty":
		g.a.warn("\n%s '%s' has no active members.", g.title, d.Group)
	case "PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling":
		g.a.warn("\nWarning: Consumer group '%s' is rebalancing.", d.Group)
	}
	return rows > 0
}

// toolOffset is a line of --describe --offsets.
type toolOffset struct {
	topic                    string
	partition                int32
	epoch, offset, end, lag  string
	consumer, host, clientID string
}

const missing = "-"

func (g *groupsToolRun) printOffsets(ctx context.Context, d groupView) error {
	committed, err := g.adm.FetchOffsets(ctx, d.Group)
	if err != nil {
		return err
	}
	rows, err := g.offsetRows(ctx, d, committed)
	if err != nil {
		return err
	}
	if !g.alive(d, len(rows)) {
		return nil
	}
	group, topic, consumer, host := max(15, len(d.Group)), 15, 15, 15
	for _, r := range rows {
		topic, consumer, host = max(topic, len(r.topic)), max(consumer, len(r.consumer)), max(host, len(r.host))
	}
	verbose := g.o.has("verbose")
	line := func(groupID, partition string, r toolOffset) {
		fmt.Fprintf(g.a.Stdout, "\n%-*s %-*s %-10s ", group, groupID, topic, r.topic, partition)
		if verbose {
			fmt.Fprintf(g.a.Stdout, "%-15s ", r.epoch)
		}
		fmt.Fprintf(g.a.Stdout, "%-15s %-15s %-15s %-*s %-*s %s", r.offset, r.end, r.lag, consumer, r.consumer, host, r.host, r.clientID)
	}
	line("GROUP", "PARTITION", toolOffset{topic: "TOPIC", epoch: "LEADER-EPOCH", offset: "CURRENT-OFFSET", end: "LOG-END-OFFSET", lag: "LAG",
		consumer: "CONSUMER-ID", host: "HOST", clientID: "CLIENT-ID"})
	for _, r := range rows {
		line(d.Group, strconv.Itoa(int(r.partition)), r)
	}
	fmt.Fprintln(g.a.Stdout)
	return nil
}

// offsetRows are the partitions of members, those with most first, and then what was
// committed for others.
func (g *groupsToolRun) offsetRows(ctx context.Context, d groupView, committed kadm.OffsetResponses) ([]toolOffset, error) {
	assigned := make(kadm.TopicsSet)
	type holder struct {
		member groupMember
		parts  []kadm.Partition
	}
	var holders []holder
	for _, m := range d.Members {
		h := holder{member: m, parts: memberPartitions(m)}
		for _, p := range h.parts {
			assigned.Add(p.Topic, p.Partition)
		}
		holders = append(holders, h)
	}
	slices.SortStableFunc(holders, func(x, y holder) int { return len(y.parts) - len(x.parts) })
	all := make(kadm.TopicsSet)
	all.Merge(assigned)
	for _, o := range committed.Sorted() {
		all.Add(o.Topic, o.Partition)
	}
	if len(all) == 0 {
		return nil, nil
	}
	ends, err := g.adm.ListEndOffsets(ctx, all.Topics()...)
	if _, some := errors.AsType[*kadm.ShardErrors](err); err != nil && !some { // what has no leader has no end
		return nil, err
	}
	var rows []toolOffset
	for _, h := range holders {
		for _, p := range h.parts {
			rows = append(rows, newToolOffset(p.Topic, p.Partition, committed, ends, h.member.Member, h.member.Host, h.member.Client))
		}
	}
	for _, o := range committed.Sorted() {
		if !assigned.Lookup(o.Topic, o.Partition) {
			rows = append(rows, newToolOffset(o.Topic, o.Partition, committed, ends, missing, missing, missing))
		}
	}
	return rows, nil
}

// memberPartitions are what a member was assigned, by topic and partition.
func memberPartitions(m groupMember) []kadm.Partition {
	var out []kadm.Partition
	eachAssigned(m.Assigned, func(p topicPartition) { out = append(out, kadm.Partition{Topic: p.topic, Partition: p.partition}) })
	return out
}

func newToolOffset(topic string, partition int32, committed kadm.OffsetResponses, ends kadm.ListedOffsets, consumer, host, clientID string) toolOffset {
	r := toolOffset{topic: topic, partition: partition, epoch: missing, offset: missing, end: missing, lag: missing,
		consumer: consumer, host: host, clientID: clientID}
	at, ok := committed.Lookup(topic, partition)
	ok = ok && at.At >= 0
	if ok {
		r.offset = strconv.FormatInt(at.At, 10)
		if at.LeaderEpoch >= 0 {
			r.epoch = strconv.Itoa(int(at.LeaderEpoch))
		}
	}
	if end, known := ends.Lookup(topic, partition); known && end.Err == nil {
		r.end = strconv.FormatInt(end.Offset, 10)
		if ok {
			r.lag = strconv.FormatInt(end.Offset-at.At, 10)
		}
	}
	return r
}

// memberWidths are the widths of the columns of --members.
type memberWidths struct {
	group, consumer, instance, host, client, current, target int
	static                                                   bool // a member has an instance id
	mixed                                                    bool // there are members of both protocols
}

func widthsOf(d groupView) memberWidths {
	w := memberWidths{group: max(15, len(d.Group)), consumer: 15, instance: 17, host: 15, client: 15, current: 20, target: 20}
	var old, new bool
	for _, m := range d.Members {
		w.consumer, w.host, w.client = max(w.consumer, len(m.Member)), max(w.host, len(m.Host)), max(w.client, len(m.Client))
		w.current, w.target = max(w.current, len(assignedText(m.Assigned))), max(w.target, len(assignedText(m.Target)))
		if m.Instance != nil {
			w.static = true
			w.instance = max(w.instance, len(*m.Instance))
		}
		old, new = old || m.Type == classicGroup, new || m.Type == consumerGroup
	}
	w.mixed = old && new
	return w
}

func (g *groupsToolRun) printMembers(d groupView) {
	if !g.alive(d, len(d.Members)) && d.State == "Dead" {
		return
	}
	w := widthsOf(d)
	line := func(groupID, member, instanceID, hostName, clientID, count, epoch, current, targetEpoch, target, upgraded string) {
		fmt.Fprintf(g.a.Stdout, "%-*s %-*s ", w.group, groupID, w.consumer, member)
		if w.static {
			fmt.Fprintf(g.a.Stdout, "%-*s ", w.instance, instanceID)
		}
		fmt.Fprintf(g.a.Stdout, "%-*s %-*s %-15s ", w.host, hostName, w.client, clientID, count)
		if g.o.has("verbose") {
			fmt.Fprintf(g.a.Stdout, "%-15s %-*s %-15s %-*s", epoch, w.current, current, targetEpoch, w.target, target)
			if w.mixed {
				fmt.Fprint(g.a.Stdout, " "+upgraded)
			}
		}
		fmt.Fprintln(g.a.Stdout)
	}
	fmt.Fprintln(g.a.Stdout)
	line("GROUP", "CONSUMER-ID", "GROUP-INSTANCE-ID", "HOST", "CLIENT-ID", "#PARTITIONS", "CURRENT-EPOCH", "CURRENT-ASSIGNMENT", "TARGET-EPOCH", "TARGET-ASSIGNMENT", "UPGRADED")
	for _, m := range d.Members {
		line(d.Group, m.Member, value(m.Instance), m.Host, m.Client, strconv.Itoa(len(memberPartitions(m))),
			dashed(m.Epoch), assignedText(m.Assigned), dashed(d.TargetEpoch), assignedText(m.Target), strconv.FormatBool(m.Type == consumerGroup))
	}
}

// coordinatorText is HOST:PORT  (ID).
func coordinatorText(d groupView) string {
	return fmt.Sprintf("%s  (%d)", net.JoinHostPort(d.at.Host, strconv.Itoa(int(d.at.Port))), d.at.NodeID)
}

func (g *groupsToolRun) printState(d groupView) {
	if !g.alive(d, 1) {
		return
	}
	coordinator := coordinatorText(d)
	group, width := max(15, len(d.Group)), max(25, len(coordinator))
	line := func(groupID, coord, strategy, state, epoch, target, members string) {
		fmt.Fprintf(g.a.Stdout, "\n%-*s %-*s %-20s %-20s ", group, groupID, width, coord, strategy, state)
		if g.o.has("verbose") {
			fmt.Fprintf(g.a.Stdout, "%-15s %-25s ", epoch, target)
		}
		fmt.Fprint(g.a.Stdout, members)
	}
	line("GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE", "GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH", "#MEMBERS")
	line(d.Group, coordinator, orDash(d.Assignor), d.State, dashed(d.Epoch), dashed(d.TargetEpoch), strconv.Itoa(len(d.Members)))
	fmt.Fprintln(g.a.Stdout)
}
