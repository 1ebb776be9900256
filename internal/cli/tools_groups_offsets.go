package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// forgotten is what became of the offset of a partition; -1 stands for all of a topic
// that is not there.
type forgotten struct {
	topic     string
	partition int32
	err       error
}

func (g *groupsToolRun) deleteOffsets(ctx context.Context) error {
	group, err := g.o.value("group")
	if err != nil {
		return err
	}
	if err := awaitCoordinator(ctx, g.adm, group); err != nil {
		return err
	}
	set, results, err := g.offsetsToDelete(ctx)
	if err != nil {
		return err
	}
	answers, top := g.adm.DeleteOffsets(ctx, group, set)
	if _, known := errors.AsType[*kerr.Error](top); top != nil && !known {
		return top
	}
	for _, p := range set.Sorted() {
		for _, n := range p.Partitions {
			failed := top
			if top == nil {
				failed, _ = answers.Lookup(p.Topic, n)
			}
			results = append(results, forgotten{p.Topic, n, failed})
		}
	}
	for _, r := range results {
		if top == nil && r.err != nil && r.partition >= 0 {
			top = r.err
		}
	}
	g.printForgotten(group, top, results)
	if top != nil || slices.ContainsFunc(results, func(r forgotten) bool { return r.err != nil }) {
		return &codedError{errSilent, exitFailed}
	}
	return nil
}

// offsetsToDelete are the partitions that --topic names, and topics that are not there.
func (g *groupsToolRun) offsetsToDelete(ctx context.Context) (kadm.TopicsSet, []forgotten, error) {
	set := make(kadm.TopicsSet)
	var whole []string
	for _, arg := range g.o.all("topic") {
		topic, list, some := strings.Cut(arg, ":")
		if !some {
			whole = append(whole, topic)
			continue
		}
		for _, text := range strings.Split(list, ",") {
			p, err := strconv.ParseInt(text, 10, 32)
			if err != nil {
				return nil, nil, g.o.usage("Invalid partition '%s' specified in topic arg '%s''", text, arg)
			}
			set.Add(topic, int32(p))
		}
	}
	if len(whole) == 0 {
		return set, nil, nil
	}
	details, err := g.adm.ListTopicsWithInternal(ctx, whole...)
	if err != nil {
		return nil, nil, err
	}
	var gone []forgotten
	for _, topic := range uniq(whole) {
		if !details.Has(topic) {
			gone = append(gone, forgotten{topic, -1, kerr.UnknownTopicOrPartition})
			continue
		}
		for p := range details[topic].Partitions {
			set.Add(topic, p)
		}
	}
	return set, gone, nil
}

func (g *groupsToolRun) printForgotten(group string, top error, results []forgotten) {
	switch {
	case top == nil:
		fmt.Fprintf(g.a.Stdout, "Request succeeded for deleting offsets from group %s.\n", group)
	case errors.Is(top, kerr.InvalidGroupID), errors.Is(top, kerr.GroupIDNotFound), errors.Is(top, kerr.GroupAuthorizationFailed), errors.Is(top, kerr.NonEmptyGroup):
		g.failed(messageOf(top))
	case errors.Is(top, kerr.GroupSubscribedToTopic), errors.Is(top, kerr.TopicAuthorizationFailed), errors.Is(top, kerr.UnknownTopicOrPartition):
		g.failed("Encountered some partition-level error, see the follow-up details.")
	default:
		g.failed("Encountered some unknown error: " + messageOf(top))
	}
	width := 15
	for _, r := range results {
		width = max(width, len(r.topic))
	}
	slices.SortFunc(results, func(x, y forgotten) int {
		return strings.Compare(fmt.Sprint(x.topic, x.partition), fmt.Sprint(y.topic, y.partition))
	})
	fmt.Fprintf(g.a.Stdout, "\n%-*s %-10s %-15s", width, "TOPIC", "PARTITION", "STATUS")
	for _, r := range results {
		partition, done := missing, "Successful"
		if r.partition >= 0 {
			partition = strconv.Itoa(int(r.partition))
		}
		if r.err != nil {
			done = "Error: " + javaText(r.err, "")
		}
		fmt.Fprintf(g.a.Stdout, "\n%-*s %-10s %-15s", width, r.topic, partition, done)
	}
	fmt.Fprintln(g.a.Stdout)
}
