package cli

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
)

func (g *groupsToolRun) describe(ctx context.Context) error {
	names, err := g.groups(ctx)
	if err != nil || len(names) == 0 {
		return err
	}
	slices.Sort(names)
	described, err := g.adm.DescribeGroups(ctx, names...)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := groupError(described[name]); err != nil {
			g.failed("Executing consumer group command failed due to org.apache.kafka.common.errors.GroupIdNotFoundException: Group " + name + " not found.")
			return &codedError{errSilent, exitFailed}
		}
	}
	for _, name := range names {
		d := described[name]
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

// alive says on stderr what is the matter with a group, and reports whether there is
// anything to show.
func (g *groupsToolRun) alive(d kadm.DescribedGroup, rows int) bool {
	switch d.State {
	case "Dead":
		g.failed("Consumer group '" + d.Group + "' does not exist.")
		return false
	case "Empty":
		g.a.warn("\nConsumer group '%s' has no active members.", d.Group)
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

func (g *groupsToolRun) printOffsets(ctx context.Context, d kadm.DescribedGroup) error {
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
func (g *groupsToolRun) offsetRows(ctx context.Context, d kadm.DescribedGroup, committed kadm.OffsetResponses) ([]toolOffset, error) {
	assigned := make(kadm.TopicsSet)
	type holder struct {
		member kadm.DescribedGroupMember
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
	if err != nil {
		return nil, err
	}
	var rows []toolOffset
	for _, h := range holders {
		for _, p := range h.parts {
			rows = append(rows, newToolOffset(p.Topic, p.Partition, committed, ends, h.member.MemberID, h.member.ClientHost, h.member.ClientID))
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
func memberPartitions(m kadm.DescribedGroupMember) []kadm.Partition {
	var out []kadm.Partition
	if c, ok := m.Assigned.AsConsumer(); ok {
		for _, t := range c.Topics {
			for _, p := range t.Partitions {
				out = append(out, kadm.Partition{Topic: t.Topic, Partition: p})
			}
		}
	}
	slices.SortFunc(out, func(x, y kadm.Partition) int {
		if c := strings.Compare(x.Topic, y.Topic); c != 0 {
			return c
		}
		return int(x.Partition) - int(y.Partition)
	})
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

func (g *groupsToolRun) printMembers(d kadm.DescribedGroup) {
	if !g.alive(d, len(d.Members)) && d.State == "Dead" {
		return
	}
	group, consumer, instance, host, client, assignment := 15, 15, 17, 15, 15, 20
	static := false
	for _, m := range d.Members {
		group, consumer, host, client = max(group, len(d.Group)), max(consumer, len(m.MemberID)), max(host, len(m.ClientHost)), max(client, len(m.ClientID))
		assignment = max(assignment, len(assignmentText(m)))
		if m.InstanceID != nil {
			static = true
			instance = max(instance, len(*m.InstanceID))
		}
	}
	verbose := g.o.has("verbose")
	line := func(groupID, member, instanceID, hostName, clientID, count, epoch, current, targetEpoch, target string) {
		fmt.Fprintf(g.a.Stdout, "%-*s %-*s ", group, groupID, consumer, member)
		if static {
			fmt.Fprintf(g.a.Stdout, "%-*s ", instance, instanceID)
		}
		fmt.Fprintf(g.a.Stdout, "%-*s %-*s %-15s ", host, hostName, client, clientID, count)
		if verbose {
			fmt.Fprintf(g.a.Stdout, "%-15s %-*s %-15s %-20s", epoch, assignment, current, targetEpoch, target)
		}
		fmt.Fprintln(g.a.Stdout)
	}
	fmt.Fprintln(g.a.Stdout)
	line("GROUP", "CONSUMER-ID", "GROUP-INSTANCE-ID", "HOST", "CLIENT-ID", "#PARTITIONS", "CURRENT-EPOCH", "CURRENT-ASSIGNMENT", "TARGET-EPOCH", "TARGET-ASSIGNMENT")
	for _, m := range d.Members {
		id := ""
		if m.InstanceID != nil {
			id = *m.InstanceID
		}
		line(d.Group, m.MemberID, id, m.ClientHost, m.ClientID, strconv.Itoa(len(memberPartitions(m))), missing, assignmentText(m), missing, missing)
	}
}

// assignmentText is TOPIC:0,1;OTHER:2.
func assignmentText(m kadm.DescribedGroupMember) string {
	var topics []string
	var last string
	for _, p := range memberPartitions(m) {
		if p.Topic != last || len(topics) == 0 {
			topics = append(topics, fmt.Sprintf("%s:%d", p.Topic, p.Partition))
			last = p.Topic
			continue
		}
		topics[len(topics)-1] += fmt.Sprintf(",%d", p.Partition)
	}
	if len(topics) == 0 {
		return missing
	}
	return strings.Join(topics, ";")
}

func (g *groupsToolRun) printState(d kadm.DescribedGroup) {
	if !g.alive(d, 1) {
		return
	}
	c := d.Coordinator
	coordinator := fmt.Sprintf("%s  (%d)", net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))), c.NodeID)
	group, width := max(15, len(d.Group)), max(25, len(coordinator))
	assignor := d.Protocol
	if assignor == "" {
		assignor = missing
	}
	line := func(groupID, coord, strategy, state, epoch, target, members string) {
		fmt.Fprintf(g.a.Stdout, "\n%-*s %-*s %-20s %-20s ", group, groupID, width, coord, strategy, state)
		if g.o.has("verbose") {
			fmt.Fprintf(g.a.Stdout, "%-15s %-25s ", epoch, target)
		}
		fmt.Fprint(g.a.Stdout, members)
	}
	line("GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE", "GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH", "#MEMBERS")
	line(d.Group, coordinator, assignor, d.State, missing, missing, strconv.Itoa(len(d.Members)))
	fmt.Fprintln(g.a.Stdout)
}
