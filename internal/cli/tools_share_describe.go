package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (s *shareToolRun) describe(ctx context.Context) error {
	groups, err := s.described(ctx)
	if err != nil {
		return err
	}
	for _, d := range groups {
		switch {
		case s.o.has("members"):
			s.printMembers(d)
		case s.o.has("state"):
			s.printState(d)
		default:
			if err := s.printOffsets(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *shareToolRun) printOffsets(ctx context.Context, d groupView) error {
	committed, err := committedOffsets(ctx, s.adm, d)
	if err != nil {
		return err
	}
	if len(committed) == 0 {
		fmt.Fprintf(s.a.Stdout, "\nShare group '%s' has no offset information.\n", d.Group)
		return nil
	}
	group, topic := max(15, len(d.Group)), 15
	for tp := range committed {
		topic = max(topic, len(tp.topic))
	}
	line := func(groupID, topicName, partition, epoch, start, lag string) {
		fmt.Fprintf(s.a.Stdout, "\n%-*s %-*s %-10s ", group, groupID, topic, topicName, partition)
		if s.o.has("verbose") {
			fmt.Fprintf(s.a.Stdout, "%-13s ", epoch)
		}
		fmt.Fprintf(s.a.Stdout, "%-13s %s", start, lag)
	}
	line("GROUP", "TOPIC", "PARTITION", "LEADER-EPOCH", "START-OFFSET", "LAG")
	for _, tp := range slices.SortedFunc(maps.Keys(committed), topicPartition.compare) {
		o := committed[tp]
		epoch := missing
		if o.Committed != nil {
			epoch = strconv.Itoa(int(o.epoch))
		}
		line(d.Group, tp.topic, strconv.Itoa(int(tp.partition)), epoch, dashed(o.Committed), dashed(o.Lag))
	}
	fmt.Fprintln(s.a.Stdout)
	return nil
}

func (s *shareToolRun) printState(d groupView) {
	s.alive(d, 1)
	coordinator := coordinatorText(d)
	group, width := max(15, len(d.Group)), max(25, len(coordinator))
	line := func(groupID, coord, state, epoch, target, members string) {
		fmt.Fprintf(s.a.Stdout, "\n%-*s %-*s %-15s ", group, groupID, width, coord, state)
		if s.o.has("verbose") {
			fmt.Fprintf(s.a.Stdout, "%-12s %-17s ", epoch, target)
		}
		fmt.Fprint(s.a.Stdout, members)
	}
	line("GROUP", "COORDINATOR (ID)", "STATE", "GROUP-EPOCH", "ASSIGNMENT-EPOCH", "#MEMBERS")
	line(d.Group, coordinator, d.State, dashed(d.Epoch), dashed(d.TargetEpoch), strconv.Itoa(len(d.Members)))
	fmt.Fprintln(s.a.Stdout)
}

func (s *shareToolRun) printMembers(d groupView) {
	if !s.alive(d, len(d.Members)) {
		return
	}
	w := widthsOf(d)
	line := func(groupID, member, host, client, count, epoch, assignment string) {
		fmt.Fprintf(s.a.Stdout, "\n%-*s %-*s %-*s %-*s %-12s ", w.group, groupID, w.consumer, member, w.host, host, w.client, client, count)
		if s.o.has("verbose") {
			fmt.Fprintf(s.a.Stdout, "%-13s ", epoch)
		}
		fmt.Fprint(s.a.Stdout, assignment)
	}
	line("GROUP", "CONSUMER-ID", "HOST", "CLIENT-ID", "#PARTITIONS", "MEMBER-EPOCH", "ASSIGNMENT")
	for _, m := range d.Members {
		assignment := ""
		if len(m.Assigned) > 0 {
			assignment = assignedText(m.Assigned)
		}
		line(d.Group, m.Member, m.Host, m.Client, strconv.Itoa(len(memberPartitions(m))), dashed(m.Epoch), assignment)
	}
	fmt.Fprintln(s.a.Stdout)
}

func (s *shareToolRun) deleteOffsets(ctx context.Context) error {
	group, err := s.o.value("group")
	if err != nil {
		return err
	}
	if err := awaitCoordinator(ctx, s.adm, group); err != nil {
		return err
	}
	topics := uniq(s.o.all("topic"))
	slices.Sort(topics)
	req := kmsg.NewPtrDeleteShareGroupOffsetsRequest()
	req.GroupID = group
	width := 15
	for _, topic := range topics {
		t := kmsg.NewDeleteShareGroupOffsetsRequestTopic()
		t.Topic = topic
		req.Topics = append(req.Topics, t)
		width = max(width, len(topic))
	}
	resp, err := req.RequestWith(ctx, s.cl)
	if err != nil {
		return err
	}
	top := kerr.ErrorForCode(resp.ErrorCode)
	told := make(map[string]string)
	for _, topic := range topics {
		told[topic] = "Successful"
		if top != nil {
			told[topic] = "Error: " + messageOr(top, resp.ErrorMessage)
		}
	}
	failed := top != nil
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			told[t.Topic], failed = "Error: "+messageOr(err, t.ErrorMessage), true
		}
	}
	switch {
	case top == nil, errors.Is(top, kerr.TopicAuthorizationFailed), errors.Is(top, kerr.UnknownTopicOrPartition):
	case errors.Is(top, kerr.InvalidGroupID), errors.Is(top, kerr.GroupIDNotFound), errors.Is(top, kerr.GroupAuthorizationFailed), errors.Is(top, kerr.NonEmptyGroup):
		s.failed(messageOr(top, resp.ErrorMessage))
	default:
		s.failed("Encounter some unknown error: " + javaText(top, value(resp.ErrorMessage)))
	}
	fmt.Fprintf(s.a.Stdout, "\n%-*s %s", width, "TOPIC", "STATUS")
	for _, topic := range topics {
		fmt.Fprintf(s.a.Stdout, "\n%-*s %s", width, topic, told[topic])
	}
	fmt.Fprintln(s.a.Stdout)
	if failed {
		return &codedError{errSilent, exitFailed}
	}
	return nil
}

// messageOr is the broker's own message, or what the error means.
func messageOr(err error, message *string) string {
	if message != nil && *message != "" {
		return *message
	}
	return messageOf(err)
}
