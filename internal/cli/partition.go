package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/cli/balance"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { nouns = append(nouns, partitionCommand) }

func partitionCommand(a *App) *cobra.Command {
	return noun("partition", "Look at where partitions are, and move them",
		partitionList(a), partitionMove(a), partitionMoving(a), partitionCancel(a), partitionElect(a))
}

// partitionView is a partition as a person wants to see it.
type partitionView struct {
	Topic     string        `json:"topic"`
	Partition int32         `json:"partition"`
	State     string        `json:"state"` // ok, or a word of troubleWords, or moving
	Leader    int32         `json:"leader"`
	Epoch     int32         `json:"leaderEpoch"`
	Replicas  []int32       `json:"replicas"`
	ISR       []int32       `json:"isr"`
	Offline   []int32       `json:"offlineReplicas"`
	Behind    []replicaLag  `json:"behind"` // replicas that lack records, as far as they tell
	Bytes     int64         `json:"bytes"`  // of the leader's replica; -1: not known
	Moving    *reassignment `json:"moving,omitempty"`
}

// replicaLag is a replica and how many records it lacks.
type replicaLag struct {
	Broker  int32 `json:"broker"`
	Records int64 `json:"records"`
}

func partitionList(a *App) *cobra.Command {
	var pick topicPick
	var only []string
	c := &cobra.Command{
		Use:   "list [TOPIC...]",
		Short: "List partitions: who leads, who is in sync, who is behind by how much",
		Long: `List partitions with their leader and replicas, those that are in sync, and by how many
records the others are behind. --only shows those in a state alone: offline, under-min-isr,
under-replicated, not-preferred (another replica leads than the first), moving.`,
		Example: `  odradek partition list
  odradek partition list orders --only under-replicated,offline -o json`,
		ValidArgsFunction: a.completeTopics,
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, args []string) error {
			for _, w := range only {
				if w != "moving" && !slices.Contains(troubleWords, w) {
					return usagef("--only %s: want %s or moving", w, strings.Join(troubleWords, ", "))
				}
			}
			v, err := lookAround(ctx, cl)
			if err != nil {
				return err
			}
			adm := kadm.NewClient(cl)
			l := &listing{kind: "PartitionList", noun: "topic", columns: []string{"partition", "state", "leader", "replicas", "isr", "behind", "size"}}
			found, err := pick.find(ctx, adm, args, l)
			if err != nil {
				return err
			}
			minISR, err := minISRs(ctx, adm, namesOf(found))
			if err != nil {
				return err
			}
			for _, p := range v.partitions(found, minISR) {
				if len(only) > 0 && !slices.Contains(only, p.State) {
					continue
				}
				l.add(p, partitionName(p.Topic, p.Partition), p.State, orNone(p.Leader), ids(p.Replicas), orDash(ids(p.ISR)), lags(p.Behind), knownSize(p.Bytes))
			}
			return a.print(l)
		}),
	}
	pick.flags(c)
	c.Flags().BoolVar(&pick.internal, "internal", false, "list the cluster's own topics too")
	c.Flags().StringSliceVar(&only, "only", nil, "states to show; may be several, with commas")
	return c
}

func (v *view) partitions(topics []kadm.TopicDetail, minISR map[string]int) []partitionView {
	var out []partitionView
	for _, t := range topics {
		for _, p := range t.Partitions.Sorted() {
			out = append(out, v.partition(p, minISR[t.Topic]))
		}
	}
	return out
}

func (v *view) partition(p kadm.PartitionDetail, minISR int) partitionView {
	out := partitionView{
		Topic: p.Topic, Partition: p.Partition, Leader: p.Leader, Epoch: p.LeaderEpoch,
		Replicas: notNil(p.Replicas), ISR: notNil(p.ISR), Offline: notNil(p.OfflineReplicas), Behind: []replicaLag{},
		Bytes: v.sizeOn(p.Leader, p.Topic, p.Partition),
	}
	for _, id := range p.Replicas {
		if d, ok := v.dirs[id].LookupPartition(p.Topic, p.Partition); ok && !d.IsFuture && d.OffsetLag > 0 {
			out.Behind = append(out.Behind, replicaLag{id, d.OffsetLag})
		}
	}
	for _, r := range v.moving {
		if r.Topic == p.Topic && r.Partition == p.Partition {
			out.Moving = &r
		}
	}
	out.State, _ = partitionTrouble(p, minISR)
	switch {
	case out.State == "offline" || out.State == "under-min-isr":
	case out.Moving != nil:
		out.State = "moving"
	case out.State == "" && len(p.Replicas) > 0 && p.Leader != p.Replicas[0]:
		out.State = "not-preferred"
	case out.State == "":
		out.State = "ok"
	}
	return out
}

// lags prints who is behind by how much: 2:100,3:7.
func lags(list []replicaLag) string {
	var out []string
	for _, l := range list {
		out = append(out, fmt.Sprintf("%d:%d", l.Broker, l.Records))
	}
	return orDash(strings.Join(out, ","))
}

func partitionMove(a *App) *cobra.Command {
	var to []int32
	var dry bool
	m := &mover{App: a}
	c := &cobra.Command{
		Use:   "move TOPIC:PARTITION...",
		Short: "Put the replicas of partitions onto certain brokers",
		Long: `Put the replicas of partitions onto the brokers of --to, of which the first should lead,
and show how far it is. It can be interrupted: what moves goes on by itself.`,
		Example: `  odradek partition move orders:0 orders:1 --to 1 --dry-run
  odradek partition move orders:0 --to 2,3,1 --throttle 50M`,
		Args: names(1, "TOPIC:PARTITION"),
		RunE: m.with(func(ctx context.Context, args []string) error {
			v, err := lookAround(ctx, m.cl)
			if err != nil {
				return err
			}
			moves, err := v.movesTo(args, to)
			if err != nil {
				return err
			}
			if err := a.planned(moves); err != nil || dry || len(moves) == 0 {
				return err
			}
			return m.run(ctx, moves)
		}),
	}
	c.Flags().Int32SliceVar(&to, "to", nil, "ids of brokers, the preferred leader first")
	_ = c.MarkFlagRequired("to")
	m.flags(c)
	dryRunFlag(c, &dry)
	return c
}

// movesTo are the moves of the named partitions that are elsewhere.
func (v *view) movesTo(args []string, to []int32) ([]balance.Move, error) {
	wanted, topics, err := parseTargets(args)
	if err != nil {
		return nil, err
	}
	sorted := slices.Sorted(slices.Values(to))
	if len(slices.Compact(sorted)) != len(to) || len(to) == 0 {
		return nil, usagef("--to %s: want different brokers", ids(to))
	}
	_, parts := v.balanceInput(topics)
	var moves []balance.Move
	for _, w := range wanted {
		if len(w.partitions) == 0 {
			return nil, usagef("%s: want TOPIC:PARTITION: not all partitions of a topic belong onto the same brokers", w.topic)
		}
		for p := range w.partitions {
			i := slices.IndexFunc(parts, func(o balance.Partition) bool { return o.Topic == w.topic && o.Partition == p })
			if i < 0 {
				return nil, fmt.Errorf("partition %s: %w", partitionName(w.topic, p), kerr.UnknownTopicOrPartition)
			}
			if !slices.Equal(parts[i].Replicas, to) {
				moves = append(moves, balance.Move{Partition: parts[i], To: to})
			}
		}
	}
	slices.SortFunc(moves, func(x, y balance.Move) int {
		return comparePartitions(x.Topic, x.Partition.Partition, y.Topic, y.Partition.Partition)
	})
	return moves, nil
}

func partitionMoving(a *App) *cobra.Command {
	return &cobra.Command{
		Use: "moving", Short: "List the partitions that move, and how far each is",
		Example: `  odradek partition moving
  odradek partition moving -o json`,
		Args: exactly(),
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, _ []string) error {
			v, err := lookAround(ctx, cl)
			if err != nil {
				return err
			}
			return a.print(movingTable(v.status(nil, v.progress()).Moving))
		}),
	}
}

func partitionCancel(a *App) *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:   "cancel [TOPIC:PARTITION...]",
		Short: "Stop moves: the partitions stay where they were",
		Example: `  odradek partition cancel
  odradek partition cancel orders:0 --dry-run`,
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, args []string) error {
			moving, err := listReassignments(ctx, cl)
			if err != nil {
				return err
			}
			return a.cancelMoves(ctx, kadm.NewClient(cl), moving, args, dry)
		}),
	}
	dryRunFlag(c, &dry)
	return c
}

func (a *App) cancelMoves(ctx context.Context, adm *kadm.Client, moving []reassignment, args []string, dry bool) error {
	wanted, _, err := parseTargets(args)
	if err != nil {
		return err
	}
	l := &listing{kind: "PartitionChange", noun: "partition", columns: []string{"partition", "status"}}
	var req kadm.AlterPartitionAssignmentsReq
	for _, r := range moving {
		if len(args) == 0 || slices.ContainsFunc(wanted, func(w partitionsOf) bool { return w.topic == r.Topic && w.has(r.Partition) }) {
			req.CancelAssign(r.Topic, r.Partition)
			if dry {
				l.add(change{partitionName(r.Topic, r.Partition), "would-cancel"}, partitionName(r.Topic, r.Partition), "would-cancel")
			}
		}
	}
	if dry || len(req) == 0 {
		return a.print(l)
	}
	answers, err := adm.AlterPartitionAssignments(ctx, req)
	if err != nil {
		return err
	}
	for _, r := range answers.Sorted() {
		name := partitionName(r.Topic, r.Partition)
		if r.Err != nil {
			l.fail(name, said(r.Err, r.ErrMessage))
			continue
		}
		l.add(change{name, "cancelled"}, name, "cancelled")
	}
	return a.print(l)
}

func partitionElect(a *App) *cobra.Command {
	var unclean bool
	c := &cobra.Command{
		Use:   "elect [TOPIC[:PARTITION]...]",
		Short: "Let the preferred replicas lead",
		Long: `Let the first replica of each partition lead, where it is in sync. With --unclean, let any
replica lead a partition that has no leader: records that only others had are lost.`,
		Example: `  odradek partition elect
  odradek partition elect orders:0`,
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			if unclean && len(args) == 0 {
				return usagef("--unclean loses records: name the partitions that it is for")
			}
			return a.electLeaders(ctx, adm, args, unclean)
		}),
	}
	c.Flags().BoolVar(&unclean, "unclean", false, "let a replica lead that is not in sync; records are lost")
	return c
}

func (a *App) electLeaders(ctx context.Context, adm *kadm.Client, args []string, unclean bool) error {
	wanted, topics, err := parseTargets(args)
	if err != nil {
		return err
	}
	details, err := adm.ListTopicsWithInternal(ctx, topics...)
	if err != nil {
		return err
	}
	l := &listing{kind: "PartitionChange", noun: "partition", columns: []string{"partition", "status"}}
	set := make(kadm.TopicsSet)
	if len(args) == 0 {
		set = details.TopicsSet()
	}
	for _, w := range wanted {
		if !details.Has(w.topic) {
			l.fail(w.topic, kerr.UnknownTopicOrPartition)
			continue
		}
		for _, p := range pickPartitions(w, details[w.topic], l) {
			set.Add(w.topic, p)
		}
	}
	if unclean {
		preview := &listing{columns: []string{"partition"}}
		for _, t := range set.Sorted() {
			for _, p := range t.Partitions {
				preview.add(nil, partitionName(t.Topic, p))
			}
		}
		if err := a.confirm(preview, "Let replicas lead that are not in sync, and lose the records that only others have?"); err != nil {
			return err
		}
	}
	how := kadm.ElectPreferredReplica
	if unclean {
		how = kadm.ElectLiveReplica
	}
	if len(set) == 0 {
		return a.print(l)
	}
	answers, err := adm.ElectLeaders(ctx, how, set)
	if err != nil {
		return err
	}
	for _, t := range set.Sorted() {
		for _, p := range t.Partitions {
			addElected(l, partitionName(t.Topic, p), answers[t.Topic][p])
		}
	}
	return a.print(l)
}

func addElected(l *listing, name string, r kadm.ElectLeadersResult) {
	switch {
	case r.Err == nil:
		l.add(change{name, "elected"}, name, "elected")
	case kafkaCode(r.Err) == kerr.ElectionNotNeeded.Code:
		l.add(change{name, "unchanged"}, name, "unchanged")
	default:
		l.fail(name, said(r.Err, r.ErrMessage))
	}
}
