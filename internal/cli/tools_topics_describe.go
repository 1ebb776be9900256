package cli

//lint:file-ignore ST1005 these are the words of Kafka's own tools

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// toolTopic is a topic as kafka-topics.sh describes it.
type toolTopic struct {
	name       string
	id         model.ID
	partitions []toolPartition
	configs    []kadm.Config
	elr        bool // whether the broker told the eligible leader replicas
}

type toolPartition struct {
	id, leader           int32
	replicas, isr        []int32
	elr, lastELR         []int32
	adding, removing     []int32
	reassigned, liveLead bool
}

func (t *topicsToolRun) describe(ctx context.Context) error {
	topics, err := t.described(ctx)
	if err != nil || len(topics) == 0 {
		return err
	}
	configs, err := t.adm.DescribeTopicConfigs(ctx, toolNames(topics)...)
	if err != nil {
		return err
	}
	if err := t.addReassignments(ctx, topics); err != nil {
		return err
	}
	brokers, err := t.adm.ListBrokers(ctx)
	if err != nil {
		return err
	}
	for i := range topics {
		rc, err := configs.On(topics[i].name, nil)
		if err != nil {
			return err
		}
		if rc.Err != nil {
			return rc.Err
		}
		topics[i].configs = rc.Configs
		for j := range topics[i].partitions {
			p := &topics[i].partitions[j]
			p.liveLead = slices.ContainsFunc(brokers, func(b kadm.BrokerDetail) bool { return b.NodeID == p.leader })
		}
		t.printTopic(&topics[i])
	}
	return nil
}

func toolNames(topics []toolTopic) []string {
	var out []string
	for _, t := range topics {
		out = append(out, t.name)
	}
	return out
}

// described are the topics that were asked for, by name or by id.
func (t *topicsToolRun) described(ctx context.Context) ([]toolTopic, error) {
	text, err := t.o.value("topic-id")
	if err != nil {
		return nil, err
	}
	if text == "" {
		found, err := t.existing(ctx)
		if err != nil || len(found) == 0 {
			return nil, err
		}
		return t.describeByName(ctx, namesOf(found))
	}
	if t.o.has("topic") && t.o.has("if-exists") {
		fmt.Fprintln(t.a.Stdout, "Only topic id will be used when both --topic and --topic-id are specified and topicId is not Uuid.ZERO_UUID")
	}
	id, err := model.ParseID(text)
	if err != nil {
		return nil, fmt.Errorf("Input string `%s` decoded as an invalid topic id", text)
	}
	details, err := t.adm.ListTopicsWithInternal(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range details {
		if model.ID(d.ID) == id && (!t.o.has("exclude-internal") || !d.IsInternal) {
			return []toolTopic{newToolTopic(d)}, nil
		}
	}
	if t.o.has("if-exists") {
		return nil, nil
	}
	return nil, fmt.Errorf("TopicId '%s' does not exist as expected", id)
}

func newToolTopic(d kadm.TopicDetail) toolTopic {
	t := toolTopic{name: d.Topic, id: model.ID(d.ID)}
	for _, p := range d.Partitions.Sorted() {
		t.partitions = append(t.partitions, toolPartition{id: p.Partition, leader: p.Leader, replicas: p.Replicas, isr: p.ISR})
	}
	return t
}

// describeByName pages through DescribeTopicPartitions.
func (t *topicsToolRun) describeByName(ctx context.Context, names []string) ([]toolTopic, error) {
	limit, err := t.o.number("partition-size-limit-per-response", 32, 2000)
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = int32(limit)
	for _, name := range names {
		rt := kmsg.NewDescribeTopicPartitionsRequestTopic()
		rt.Topic = name
		req.Topics = append(req.Topics, rt)
	}
	var out []toolTopic
	for {
		resp, err := req.RequestWith(ctx, t.cl)
		if err != nil {
			return nil, err
		}
		for _, rt := range resp.Topics {
			if err := kerr.ErrorForCode(rt.ErrorCode); err != nil {
				return nil, err
			}
			if rt.Topic == nil {
				return nil, fmt.Errorf("the broker described a topic without a name")
			}
			if len(out) == 0 || out[len(out)-1].name != *rt.Topic {
				out = append(out, toolTopic{name: *rt.Topic, id: model.ID(rt.TopicID), elr: true})
			}
			last := &out[len(out)-1]
			for _, p := range rt.Partitions {
				last.partitions = append(last.partitions, toolPartition{id: p.Partition, leader: p.LeaderID, replicas: p.Replicas,
					isr: p.ISR, elr: p.EligibleLeaderReplicas, lastELR: p.LastKnownELR})
			}
		}
		if resp.NextCursor == nil {
			return out, nil
		}
		next := kmsg.NewDescribeTopicPartitionsRequestCursor()
		next.Topic, next.Partition = resp.NextCursor.Topic, resp.NextCursor.Partition
		req.Cursor = &next
		req.Topics = slices.DeleteFunc(req.Topics, func(rt kmsg.DescribeTopicPartitionsRequestTopic) bool { return rt.Topic < next.Topic })
	}
}

func (t *topicsToolRun) addReassignments(ctx context.Context, topics []toolTopic) error {
	set := make(kadm.TopicsSet)
	for _, topic := range topics {
		for _, p := range topic.partitions {
			set.Add(topic.name, p.id)
		}
	}
	moving, err := t.adm.ListPartitionReassignments(ctx, set)
	if err != nil {
		return err
	}
	for i := range topics {
		for j := range topics[i].partitions {
			p := &topics[i].partitions[j]
			if r, ok := moving[topics[i].name][p.id]; ok {
				p.reassigned, p.adding, p.removing = true, r.AddingReplicas, r.RemovingReplicas
			}
		}
	}
	return nil
}

// factor is the replication factor of a partition: while it moves, that before the move.
func (p *toolPartition) factor() int {
	for _, id := range p.replicas {
		if slices.Contains(p.adding, id) || slices.Contains(p.removing, id) {
			return len(p.replicas) - len(p.adding)
		}
	}
	return len(p.replicas)
}

func (t *topicsToolRun) printTopic(topic *toolTopic) {
	some := t.o.has("unavailable-partitions") || t.o.has("under-replicated-partitions") ||
		t.o.has("under-min-isr-partitions") || t.o.has("at-min-isr-partitions")
	var changed []string
	minISR := 1
	for _, c := range topic.configs {
		value := "null"
		if c.Value != nil {
			value = *c.Value
		}
		if c.Source != kmsg.ConfigSourceDefaultConfig {
			changed = append(changed, c.Key+"="+value)
		}
		if c.Key == "min.insync.replicas" {
			if n, err := strconv.Atoi(value); err == nil {
				minISR = n
			}
		}
	}
	overrides := t.o.has("topics-with-overrides")
	if !some && (!overrides || len(changed) > 0) {
		t.printHeader(topic, changed)
	}
	if overrides {
		return
	}
	for i := range topic.partitions {
		if p := &topic.partitions[i]; !some || t.wanted(p, minISR) {
			t.printPartition(topic, p)
		}
	}
}

func (t *topicsToolRun) printHeader(topic *toolTopic, changed []string) {
	var b strings.Builder
	fmt.Fprintf(&b, "Topic: %s", topic.name)
	if topic.id != (model.ID{}) {
		fmt.Fprintf(&b, "\tTopicId: %s", topic.id)
	}
	factor := 0
	if len(topic.partitions) > 0 {
		factor = topic.partitions[0].factor()
	}
	fmt.Fprintf(&b, "\tPartitionCount: %d\tReplicationFactor: %d\tConfigs: %s\n", len(topic.partitions), factor, strings.Join(changed, ","))
	fmt.Fprint(t.a.Stdout, b.String())
}

func (t *topicsToolRun) wanted(p *toolPartition, minISR int) bool {
	return t.o.has("under-replicated-partitions") && p.factor() > len(p.isr) ||
		t.o.has("unavailable-partitions") && !p.liveLead ||
		t.o.has("under-min-isr-partitions") && (p.leader < 0 || len(p.isr) < minISR) ||
		t.o.has("at-min-isr-partitions") && len(p.isr) == minISR
}

func (t *topicsToolRun) printPartition(topic *toolTopic, p *toolPartition) {
	var b strings.Builder
	fmt.Fprintf(&b, "\tTopic: %s\tPartition: %d\tLeader: %s\tReplicas: %s\tIsr: %s", topic.name, p.id, orNone(p.leader), ids(p.replicas), ids(p.isr))
	if p.reassigned {
		fmt.Fprintf(&b, "\tAdding Replicas: %s\tRemoving Replicas: %s", ids(p.adding), ids(p.removing))
	}
	if topic.elr {
		fmt.Fprintf(&b, "\tElr: %s\tLastKnownElr: %s\n", ids(p.elr), ids(p.lastELR))
	} else {
		b.WriteString("\tElr: N/A\tLastKnownElr: N/A\n")
	}
	fmt.Fprint(t.a.Stdout, b.String())
}
