package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func explainTxn(a *App) *cobra.Command {
	return &cobra.Command{
		Use:   "txn ID...",
		Short: "Say why a transaction waits, and who waits for it",
		Long: `Say why a transaction waits: how long it is open and until when it may be, in which
partitions, what they hold back from who reads what is committed and which groups are there,
and of a transaction that is being ended, which markers are outstanding and whose leader is
away.`,
		Example: `  odradek explain txn pay-1
  odradek explain txn pay-1 -o json`,
		Args:              names(1, "ID"),
		ValidArgsFunction: a.completeTxns,
		RunE: a.txnWork(func(ctx context.Context, cl *kgo.Client, args []string) error {
			l := &listing{kind: "TransactionExplanation", noun: "transaction"}
			txns, err := a.lookAtTxns(ctx, cl, uniq(args), l)
			if err != nil {
				return err
			}
			var all []explanation
			for _, d := range txns {
				f, err := a.gatherTxn(ctx, cl, d)
				if err != nil {
					return err
				}
				all = append(all, f.explain())
			}
			return a.printExplanations(l, all)
		}),
	}
}

// txnFacts is what can be asked about a transaction, at one time.
type txnFacts struct {
	txnDescription
	now     time.Time
	parts   map[topicPartition]*partitionFacts
	readers []string // groups that committed an offset from which on the transaction holds back records
}

func (a *App) gatherTxn(ctx context.Context, cl *kgo.Client, d txnDescription) (*txnFacts, error) {
	f := &txnFacts{txnDescription: d, now: time.Now(), parts: make(map[topicPartition]*partitionFacts)}
	if !d.open() || len(d.Partitions) == 0 {
		return f, nil
	}
	var topics []string
	for _, p := range d.Partitions {
		topics = append(topics, p.Topic)
	}
	md, err := kadm.NewClient(cl).Metadata(ctx, uniq(topics)...)
	if err != nil {
		return nil, err
	}
	for _, p := range d.Partitions {
		if pd, ok := md.Topics[p.Topic].Partitions[p.Partition]; ok {
			f.parts[p.key()] = newPartitionFacts(pd)
		}
	}
	f.readers = f.heldGroups(ctx, cl)
	return f, nil
}

// groupsAsked bounds what it costs to find out who waits for a transaction.
const groupsAsked = 1000

// heldGroups are groups that have come to where the transaction holds back records. That
// they read what is committed only, nobody but they know.
func (f *txnFacts) heldGroups(ctx context.Context, cl *kgo.Client) []string {
	listed, err := listGroups(ctx, cl, []string{classicGroup, consumerGroup}, nil, &listing{})
	if err != nil || len(listed) > groupsAsked {
		return nil
	}
	var names []string
	for _, g := range listed {
		names = append(names, g.Group)
	}
	var out []string
	for group, answer := range kadm.NewClient(cl).FetchManyOffsets(ctx, names...) {
		for i := range f.Partitions {
			p := &f.Partitions[i]
			o, ok := answer.Fetched.Lookup(p.Topic, p.Partition)
			if ok && o.Err == nil && f.holds(p) && o.At >= *p.Stable && o.At < *p.End {
				out = append(out, group)
				break
			}
		}
	}
	slices.Sort(out)
	return out
}

// holds reports whether the transaction is the one that keeps the last stable offset of a
// partition where it is.
func (f *txnFacts) holds(p *txnPartition) bool {
	return p.First != nil && p.Stable != nil && p.End != nil && *p.First == *p.Stable && *p.Stable < *p.End
}

func (f *txnFacts) explain() explanation {
	e := explanation{Name: f.ID, Reasons: []reason{}}
	if !f.open() {
		e.Verdict = fmt.Sprintf("Transaction %q is %s: none is open, and nobody waits for it", f.ID, f.State)
		return e
	}
	since := rough(f.now.Sub(f.started()))
	if f.State == txnOngoing {
		e.Verdict = fmt.Sprintf("Transaction %q is open since %s: its producer has neither committed nor aborted it", f.ID, since)
		e.Reasons = append(append(e.Reasons, f.ongoing()), f.leaderless()...)
	} else {
		verb := strings.ToLower(strings.TrimPrefix(f.State, "Prepare"))
		e.Verdict = fmt.Sprintf("Transaction %q, begun %s ago, is decided (%s) and waits for markers in %s", f.ID, since, verb, count(len(f.Partitions), "partition"))
		e.Reasons = append(e.Reasons, f.markers()...)
	}
	e.Reasons = append(e.Reasons, f.held()...)
	return e
}

func (f *txnFacts) ongoing() reason {
	r := reason{Kind: "ongoing", What: "it has no partitions yet"}
	if len(f.Partitions) > 0 {
		var all []topicPartition
		for i := range f.Partitions {
			all = append(all, f.Partitions[i].key())
		}
		r.What = "it has " + partsText(all)
	}
	left := f.deadline().Sub(f.now)
	r.Why = fmt.Sprintf("Its producer is %d, epoch %d; its coordinator is broker %d.", f.Producer, f.Epoch, f.Coordinator)
	r.Free = fmt.Sprintf("its producer ends it; else the coordinator aborts it in %s, when its time-out of %s is over; or at once: odradek txn abort %s.",
		rough(max(0, left)), rough(millisDuration(int64(f.TimeoutMillis))), f.ID)
	if left < -time.Minute {
		r.Free = fmt.Sprintf("its time-out of %s is over since %s and its coordinator, broker %d, has not aborted it: look at that broker's log; then odradek txn abort %s.",
			rough(millisDuration(int64(f.TimeoutMillis))), rough(-left), f.Coordinator, f.ID)
	}
	return r
}

// leaderless are partitions that will keep the end of an open transaction waiting.
func (f *txnFacts) leaderless() []reason {
	var out []reason
	for i := range f.Partitions {
		tp := f.Partitions[i].key()
		if at, ok := f.parts[tp]; ok && at.leader < 0 {
			out = append(out, reason{"partition-offline", fmt.Sprintf("%s has no leader: the transaction's end will wait for it", tp), at.away(), at.revive(tp)})
		}
	}
	return out
}

// markers are those that are outstanding, by what hinders them.
func (f *txnFacts) markers() []reason {
	var out []reason
	byLeader := make(map[int32][]topicPartition)
	var gone []topicPartition
	for i := range f.Partitions {
		p := &f.Partitions[i]
		at, ok := f.parts[p.key()]
		switch {
		case !ok:
			gone = append(gone, p.key())
		case at.leader < 0:
			out = append(out, reason{"marker-no-leader", fmt.Sprintf("the marker for %s cannot be written: it has no leader", p.key()), at.away(), at.revive(p.key())})
		default:
			byLeader[at.leader] = append(byLeader[at.leader], p.key())
		}
	}
	for _, leader := range slices.Sorted(maps.Keys(byLeader)) {
		parts := byLeader[leader]
		var thin []topicPartition // too few replicas in sync can keep a marker from being committed
		for _, p := range parts {
			if at := f.parts[p]; len(at.isr) < len(at.replicas) {
				thin = append(thin, p)
			}
		}
		r := reason{"marker-outstanding", fmt.Sprintf("broker %d leads %s and has not confirmed the marker", leader, partsText(parts)),
			"The coordinator sends it again until it is confirmed.", fmt.Sprintf("wait; if it lasts, see that broker %d can be reached by broker %d, and their logs.", leader, f.Coordinator)}
		if len(thin) > 0 {
			r.Why += fmt.Sprintf(" Replicas of %s are out of sync: a marker is confirmed when all in sync have it, and there must be min.insync.replicas of them.", partsText(thin))
		}
		out = append(out, r)
	}
	if len(gone) > 0 {
		out = append(out, reason{"marker-topic-gone", fmt.Sprintf("%s is not there any more", partsText(gone)), "Topics that are deleted need no marker.", "wait: the coordinator drops it when it hears that the topic is gone."})
	}
	return out
}

// held says what the transaction holds back, and from whom.
func (f *txnFacts) held() []reason {
	var parts []topicPartition
	var offsets int64
	home := false
	for i := range f.Partitions {
		p := &f.Partitions[i]
		switch {
		case p.Topic == offsetsTopic:
			home = true
		case f.holds(p):
			parts = append(parts, p.key())
			offsets += *p.held()
		}
	}
	var out []reason
	if len(parts) > 0 {
		r := reason{"holds-records", fmt.Sprintf("it holds back %s of %s from who reads what is committed", plural(int(offsets), "offset"), partsText(parts)), "", "its end."}
		if len(f.readers) > 0 {
			r.Why = fmt.Sprintf("%s came to there: %s. Those that set isolation.level=read_committed wait.", count(len(f.readers), "group"), andText(firstFew(f.readers)))
		}
		out = append(out, r)
	}
	if home {
		out = append(out, reason{"holds-offsets", "it has offsets of a group: members that begin with them are told to wait", "", "its end. odradek explain group GROUP names the partitions."})
	}
	return out
}

func firstFew(words []string) []string {
	const most = 10
	if more := len(words) - most; more > 1 {
		return append(slices.Clone(words[:most]), fmt.Sprintf("%d more", more))
	}
	return words
}
