package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func explainGroup(a *App) *cobra.Command {
	var watch time.Duration
	c := &cobra.Command{
		Use:   "group GROUP...",
		Short: "Say why a group does not progress",
		Long: `Say why a group, of any type, does not progress: its coordinator, members that are missing
or have not given back or taken over partitions, partitions without leader or owner, offsets
outside the log, open transactions that hold back records or offsets, records of a share
group that are not done with. If records wait and nothing of that is so, it watches the
group for some time, longer than the five seconds after which most consumers commit.`,
		Example: `  odradek explain group billing
  odradek explain group billing --watch 0s -o json`,
		Args:              names(1, "GROUP"),
		ValidArgsFunction: a.completeGroups,
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, args []string) error {
			l := &listing{kind: "GroupExplanation", noun: "group"}
			var all []explanation
			for _, name := range uniq(args) {
				f, err := a.gatherGroup(ctx, cl, name, watch)
				if err != nil {
					return err
				}
				if f.err != nil && !isCoordinatorTrouble(f.err) {
					l.fail(name, f.err)
					continue
				}
				all = append(all, f.explain())
			}
			return a.printExplanations(l, all)
		}),
	}
	c.Flags().DurationVar(&watch, "watch", 6*time.Second, "how long to watch a group that could progress; 0s: do not")
	return c
}

// isCoordinatorTrouble reports whether a group cannot be described because of where it is
// kept.
func isCoordinatorTrouble(err error) bool {
	return errors.Is(err, kerr.CoordinatorNotAvailable) || errors.Is(err, kerr.CoordinatorLoadInProgress) || errors.Is(err, kerr.NotCoordinator)
}

// explain finds all that the group waits for. Who comes first hinders more.
func (f *groupFacts) explain() explanation {
	e := explanation{Name: f.name, Reasons: []reason{}}
	add := func(list ...reason) { e.Reasons = append(e.Reasons, list...) }
	if f.err != nil {
		add(f.coordinatorReason())
		e.Verdict = fmt.Sprintf("Group %q does not progress: nobody can tell its members what to do", f.name)
		return e
	}
	add(f.memberReasons()...)
	add(f.rebalanceReasons()...)
	add(f.partitionReasons()...)
	add(f.offsetReasons()...)
	add(f.holderReasons()...)
	add(f.shareReasons()...)
	add(f.pace()...)
	_, behind := sumLag(f.offsets)
	var lag int64
	for i := range f.offsets {
		if o := &f.offsets[i]; f.waits(o) && o.Lag != nil {
			lag += *o.Lag
		}
	}
	switch {
	case len(e.Reasons) > 0 && f.moves():
		e.Verdict = fmt.Sprintf("Group %q (%s, %s) progresses, and not everywhere as it could", f.name, f.view.Type, f.view.State)
	case len(e.Reasons) > 0 && lag == 0 && !slices.ContainsFunc(e.Reasons, func(r reason) bool { return r.Kind != "share-not-begun" }):
		e.Verdict = fmt.Sprintf("Group %q (%s, %s) is at the end of what it has begun to read", f.name, f.view.Type, f.view.State)
	case len(e.Reasons) > 0:
		e.Verdict = fmt.Sprintf("Group %q (%s, %s) does not progress", f.name, f.view.Type, f.view.State)
	case f.moves():
		e.Verdict = fmt.Sprintf("Group %q (%s, %s) progresses: %s", f.name, f.view.Type, f.view.State, f.speed())
	case lag == 0:
		e.Verdict = fmt.Sprintf("Group %q (%s, %s) is at the end of all that it reads: nothing waits for it", f.name, f.view.Type, f.view.State)
	default:
		e.Verdict = fmt.Sprintf("Group %q (%s, %s) has %s to read, %s of the topic's time, and nothing is seen that hinders it",
			f.name, f.view.Type, f.view.State, plural(int(lag), "record"), lagTime(behind))
	}
	return e
}

func (f *groupFacts) coordinatorReason() reason {
	switch {
	case f.homeAt != nil && f.homeAt.leader < 0:
		return reason{"coordinator-offline", fmt.Sprintf("it has no coordinator: %s, where it is kept, has no leader", f.home), f.homeAt.away(), f.homeAt.revive(f.home)}
	case errors.Is(f.err, kerr.CoordinatorLoadInProgress) && f.homeAt != nil:
		return reason{"coordinator-loading", fmt.Sprintf("its coordinator, broker %d, still reads %s", f.homeAt.leader, f.home),
			"It does so after it began to lead; the more was written there since the last compaction, the longer it takes.", "wait."}
	}
	if f.homeAt == nil {
		return reason{"coordinator-unavailable", "it has no coordinator: " + offsetsTopic + " is not there",
			"It is made when a group is first asked for, which needs as many brokers as offsets.topic.replication.factor says.", "wait; or start more brokers."}
	}
	return reason{"coordinator-unavailable", fmt.Sprintf("broker %d, which leads %s, does not serve it yet", f.homeAt.leader, f.home), "", "wait: it has to hear that it leads, and to read what is there."}
}

// away says which replicas of a partition are away.
func (p *partitionFacts) away() string {
	if len(p.offline) == 0 {
		return fmt.Sprintf("Its replicas are on %s.", brokersText(p.replicas, "and"))
	}
	text := fmt.Sprintf("Of its replicas, on %s, those on %s are away", brokersText(p.replicas, "and"), brokersText(p.offline, "and"))
	if len(p.isr) > 0 {
		text += fmt.Sprintf("; all that was acknowledged is on %s", brokersText(p.isr, "and"))
	}
	return text + "."
}

// revive says how a partition gets a leader.
func (p *partitionFacts) revive(tp topicPartition) string {
	if len(p.isr) == 0 {
		return fmt.Sprintf("start %s.", brokersText(p.replicas, "or"))
	}
	return fmt.Sprintf("start %s; or, to lose what only it has: odradek partition elect %s --unclean.", brokersText(p.isr, "or"), tp)
}
