package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Types of groups, as the protocol names them.
const (
	classicGroup  = "classic"
	consumerGroup = "consumer"
	shareGroup    = "share"
	streamsGroup  = "streams"
)

// groupView is a group of any type, as its coordinator tells it. What a type does not
// have is null.
type groupView struct {
	Group       string        `json:"group"`
	Type        string        `json:"type"`
	State       string        `json:"state"`
	Protocol    string        `json:"protocolType"`
	Assignor    string        `json:"assignor"`
	Coordinator int32         `json:"coordinator"`
	Epoch       *int32        `json:"epoch"`       // null: a classic group
	TargetEpoch *int32        `json:"targetEpoch"` // of the assignment that the members shall have
	Members     []groupMember `json:"members"`

	at kadm.BrokerDetail // the coordinator
}

type groupMember struct {
	Member   string           `json:"member"`
	Type     string           `json:"type"` // classic, consumer, share or streams
	Instance *string          `json:"instance"`
	Rack     *string          `json:"rack"`
	Client   string           `json:"client"`
	Host     string           `json:"host"`
	Epoch    *int32           `json:"epoch"`      // null: a classic group
	Topics   []string         `json:"subscribed"` // what it wants to read
	Regex    *string          `json:"subscribedRegex"`
	Assigned []assignedTopics `json:"assigned"` // what it has
	Target   []assignedTopics `json:"target"`   // what it shall have; null: the same
}

type assignedTopics struct {
	Topic      string  `json:"topic"`
	Partitions []int32 `json:"partitions"`
}

// groupsFound are groups by name, and why others could not be had.
type groupsFound struct {
	views map[string]groupView
	errs  map[string]error
}

// get returns a group or why there is none.
func (f groupsFound) get(name string) (groupView, error) {
	if g, ok := f.views[name]; ok {
		return g, nil
	}
	return groupView{}, cmp.Or(f.errs[name], error(kerr.GroupIDNotFound))
}

// lookAtGroups asks for the groups as each of the four types, since only the coordinator
// knows of which type one is; the coordinators are asked all at once. A broker that does
// not know a type has no group of it.
func lookAtGroups(ctx context.Context, cl *kgo.Client, names []string) (groupsFound, error) {
	found := groupsFound{views: make(map[string]groupView), errs: make(map[string]error)}
	if len(names) == 0 {
		return found, nil
	}
	adm := kadm.NewClient(cl)
	var all sync.WaitGroup
	var classic, consumer, share, streams []described
	var err error
	all.Go(func() { classic, err = describeClassic(ctx, adm, names) })
	all.Go(func() { consumer = describeModern(ctx, adm, names) })
	all.Go(func() { share = describeShare(ctx, adm, names) })
	all.Go(func() { streams = describeStreams(ctx, cl, names) })
	all.Wait()
	if err != nil {
		return found, err
	}
	for _, d := range slices.Concat(consumer, share, streams, classic) {
		_, have := found.views[d.view.Group]
		switch {
		case have:
		case d.err == nil:
			found.views[d.view.Group] = d.view
		case !errors.Is(d.err, kerr.GroupIDNotFound) && !errors.Is(d.err, kerr.UnsupportedVersion):
			found.errs[d.view.Group] = d.err
		}
	}
	return found, nil
}

// described is what became of the question for a group as one type.
type described struct {
	view groupView
	err  error
}

func describeClassic(ctx context.Context, adm *kadm.Client, names []string) ([]described, error) {
	groups, err := adm.DescribeGroups(ctx, names...)
	if err != nil {
		return nil, err
	}
	var out []described
	for _, g := range groups {
		d := described{groupView{Group: g.Group, Type: classicGroup, State: g.State, Protocol: g.ProtocolType, Assignor: g.Protocol,
			Coordinator: g.Coordinator.NodeID, Members: []groupMember{}, at: g.Coordinator}, groupError(g)}
		for _, m := range g.Members {
			d.view.Members = append(d.view.Members, classicMember(m))
		}
		out = append(out, d)
	}
	return out, nil
}

func classicMember(m kadm.DescribedGroupMember) groupMember {
	item := groupMember{Member: m.MemberID, Type: classicGroup, Instance: m.InstanceID, Client: m.ClientID, Host: m.ClientHost, Assigned: []assignedTopics{}}
	if c, ok := m.Join.AsConsumer(); ok {
		item.Topics = slices.Sorted(slices.Values(c.Topics))
	}
	if c, ok := m.Assigned.AsConsumer(); ok {
		set := make(kadm.TopicsSet)
		for _, t := range c.Topics {
			set.Add(t.Topic, t.Partitions...)
		}
		item.Assigned = assignedOf(set)
	}
	return item
}

// describeModern asks for groups of the consumer protocol (KIP-848). A failure of the
// request itself is told by the classic one, which goes to the same coordinators.
func describeModern(ctx context.Context, adm *kadm.Client, names []string) (out []described) {
	groups, _ := adm.DescribeConsumerGroups(ctx, names...)
	for _, g := range groups {
		d := described{groupView{Group: g.Group, Type: consumerGroup, State: g.State, Protocol: consumerGroup, Assignor: g.AssignorName,
			Coordinator: g.Coordinator.NodeID, Epoch: &g.Epoch, TargetEpoch: &g.AssignmentEpoch, Members: []groupMember{}, at: g.Coordinator}, g.Err}
		for _, m := range g.Members {
			item := groupMember{Member: m.MemberID, Type: consumerGroup, Instance: m.InstanceID, Rack: m.RackID, Client: m.ClientID, Host: m.ClientHost,
				Epoch: &m.MemberEpoch, Topics: m.SubscribedTopics, Regex: m.SubscribedTopicRegex,
				Assigned: assignedOf(m.Assignment), Target: assignedOf(m.TargetAssignment)}
			if m.MemberType == 0 {
				item.Type = classicGroup
			}
			d.view.Members = append(d.view.Members, item)
		}
		out = append(out, d)
	}
	return out
}

func describeShare(ctx context.Context, adm *kadm.Client, names []string) (out []described) {
	groups, _ := adm.DescribeShareGroups(ctx, names...)
	for _, g := range groups {
		d := described{groupView{Group: g.GroupID, Type: shareGroup, State: g.GroupState, Protocol: shareGroup, Assignor: g.Assignor,
			Coordinator: g.Coordinator.NodeID, Epoch: &g.GroupEpoch, TargetEpoch: &g.AssignmentEpoch, Members: []groupMember{}, at: g.Coordinator}, g.Err}
		for _, m := range g.Members {
			d.view.Members = append(d.view.Members, groupMember{Member: m.MemberID, Type: shareGroup, Rack: m.RackID, Client: m.ClientID, Host: m.ClientHost,
				Epoch: &m.MemberEpoch, Topics: m.SubscribedTopicNames, Assigned: assignedOf(m.Assignment)})
		}
		out = append(out, d)
	}
	return out
}

// describeStreams asks for groups of Kafka Streams (KIP-1071). Their members have tasks,
// not partitions.
func describeStreams(ctx context.Context, cl *kgo.Client, names []string) (out []described) {
	req := kmsg.NewPtrStreamsGroupDescribeRequest()
	req.Groups = names
	for _, shard := range cl.RequestSharded(ctx, req) {
		resp, ok := shard.Resp.(*kmsg.StreamsGroupDescribeResponse)
		if shard.Err != nil || !ok {
			continue
		}
		for _, g := range resp.Groups {
			at := kadm.BrokerDetail(shard.Meta)
			d := described{groupView{Group: g.Group, Type: streamsGroup, State: g.State, Protocol: streamsGroup, Coordinator: at.NodeID,
				Epoch: &g.Epoch, TargetEpoch: &g.AssignmentEpoch, Members: []groupMember{}, at: at}, kerr.ErrorForCode(g.ErrorCode)}
			for _, m := range g.Members {
				d.view.Members = append(d.view.Members, groupMember{Member: m.MemberID, Type: streamsGroup, Instance: m.InstanceID, Rack: m.RackID,
					Client: m.ClientID, Host: m.ClientHost, Epoch: &m.MemberEpoch, Assigned: []assignedTopics{}})
			}
			out = append(out, d)
		}
	}
	return out
}

func assignedOf(set kadm.TopicsSet) []assignedTopics {
	out := []assignedTopics{}
	for _, t := range set.Sorted() {
		out = append(out, assignedTopics{t.Topic, notNil(t.Partitions)})
	}
	return out
}

// assignedText is TOPIC:0,1;OTHER:2, or - for nothing.
func assignedText(list []assignedTopics) string {
	var parts []string
	for _, at := range list {
		parts = append(parts, at.Topic+":"+ids(at.Partitions))
	}
	return orDash(strings.Join(parts, ";"))
}

// topicPartition is the key of maps by partition.
type topicPartition struct {
	topic     string
	partition int32
}

func (p topicPartition) String() string { return partitionName(p.topic, p.partition) }

func (p topicPartition) compare(q topicPartition) int {
	return comparePartitions(p.topic, p.partition, q.topic, q.partition)
}

// each calls f for each partition of a list.
func eachAssigned(list []assignedTopics, f func(topicPartition)) {
	for _, at := range list {
		for _, p := range at.Partitions {
			f(topicPartition{at.Topic, p})
		}
	}
}

// owners are the members of the group by partition; those of a share group have it
// together.
func (g *groupView) owners() map[topicPartition][]*groupMember {
	out := make(map[topicPartition][]*groupMember)
	for i := range g.Members {
		eachAssigned(g.Members[i].Assigned, func(p topicPartition) { out[p] = append(out[p], &g.Members[i]) })
	}
	return out
}

// subscribed are the topics that members name, in order.
func (g *groupView) subscribed() []string {
	var all []string
	for _, m := range g.Members {
		all = append(all, m.Topics...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
