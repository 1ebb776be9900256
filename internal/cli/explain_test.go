package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// noon is when the facts of these tests were asked for.
var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// factsOf makes facts of a group whose topic has a leader for each partition in which the
// group is: OWNER START COMMITTED END STABLE a partition of topic orders; - for none.
func factsOf(kind, state string, members []groupMember, rows ...[5]any) *groupFacts {
	f := &groupFacts{now: noon, name: "billing", home: topicPartition{offsetsTopic, 7}, homeAt: &partitionFacts{leader: 3, replicas: []int32{3}, isr: []int32{3}},
		parts: make(map[topicPartition]*partitionFacts), bare: make(map[topicPartition]bool), open: make(map[topicPartition][]openTxn)}
	f.view = groupView{Group: "billing", Type: kind, State: state, Members: members}
	number := func(v any) *int64 {
		if n, ok := v.(int); ok {
			at := int64(n)
			return &at
		}
		return nil
	}
	for i, r := range rows {
		o := groupOffset{Topic: "orders", Partition: int32(i), Start: number(r[1]), Committed: number(r[2]), End: number(r[3])}
		if o.Member = r[0].(string); o.Member == "-" {
			o.Member = ""
		} else {
			m := &f.view.Members[slices.IndexFunc(f.view.Members, func(m groupMember) bool { return m.Member == o.Member })]
			m.Assigned = append(m.Assigned, assignedTopics{"orders", []int32{int32(i)}})
		}
		if o.Committed != nil && o.End != nil {
			lag := max(0, *o.End-*o.Committed)
			o.Lag = &lag
		}
		f.offsets = append(f.offsets, o)
		f.parts[o.key()] = &partitionFacts{leader: 1, replicas: []int32{1, 2}, isr: []int32{1, 2}, stable: number(r[4]), end: o.End}
	}
	return f
}

func members(names ...string) []groupMember {
	var out []groupMember
	for _, n := range names {
		out = append(out, groupMember{Member: n, Client: "app", Host: "/10.0.0.7", Topics: []string{"orders"}})
	}
	return out
}

// wantReasons compares the kinds of reasons, in order, and looks for words in all that is
// said.
func wantReasons(t *testing.T, e explanation, kinds string, words ...string) {
	t.Helper()
	var got []string
	said := e.Verdict
	for _, r := range e.Reasons {
		got = append(got, r.Kind)
		said += "\n" + r.What + "\n" + r.Why + "\n" + r.Free
	}
	if strings.Join(got, " ") != kinds {
		t.Errorf("reasons %q, want %q\n%s", strings.Join(got, " "), kinds, said)
	}
	for _, w := range words {
		if !strings.Contains(said, w) {
			t.Errorf("no word of %q in:\n%s", w, said)
		}
	}
}

func TestExplainGroup(t *testing.T) {
	for _, c := range []struct {
		name  string
		facts func() *groupFacts
		kinds string
		words []string
	}{
		{"at the end", func() *groupFacts {
			return factsOf(classicGroup, "Stable", members("a"), [5]any{"a", 0, 10, 10, 10})
		}, "", []string{"is at the end of all that it reads"}},
		{"only ends of transactions are left", func() *groupFacts {
			f := factsOf(classicGroup, "Stable", members("a"), [5]any{"a", 0, 9, 10, 10})
			f.bare[topicPartition{"orders", 0}] = true
			return f
		}, "", []string{"is at the end"}},
		{"nobody reads", func() *groupFacts {
			return factsOf(classicGroup, "Empty", nil, [5]any{"-", 0, 4, 10, 10})
		}, "no-members", []string{"What waits: 6 records", "start consumers"}},
		{"the coordinator loads", func() *groupFacts {
			f := factsOf(classicGroup, "", nil)
			f.err = kerr.CoordinatorLoadInProgress
			return f
		}, "coordinator-loading", []string{"broker 3, still reads __consumer_offsets:7"}},
		{"the coordinator's partition has no leader", func() *groupFacts {
			f := factsOf(classicGroup, "", nil)
			f.err, f.homeAt = kerr.CoordinatorNotAvailable, &partitionFacts{leader: -1, replicas: []int32{1, 2}, isr: []int32{2}, offline: []int32{1, 2}}
			return f
		}, "coordinator-offline", []string{"those on brokers 1 and 2 are away", "start broker 2;"}},
		{"there is no coordinator yet", func() *groupFacts {
			f := factsOf(classicGroup, "", nil)
			f.err, f.homeAt = kerr.CoordinatorNotAvailable, nil
			return f
		}, "coordinator-unavailable", []string{"__consumer_offsets is not there", "offsets.topic.replication.factor"}},
		{"the coordinator is new", func() *groupFacts {
			f := factsOf(classicGroup, "", nil)
			f.err = kerr.NotCoordinator
			return f
		}, "coordinator-unavailable", []string{"broker 3, which leads __consumer_offsets:7, does not serve it yet"}},
		{"a partition has no leader", func() *groupFacts {
			f := factsOf(classicGroup, "Stable", members("a"), [5]any{"a", "-", 4, "-", "-"})
			f.parts[topicPartition{"orders", 0}] = &partitionFacts{leader: -1, replicas: []int32{1, 2}, isr: []int32{2}, offline: []int32{2}}
			return f
		}, "partition-offline", []string{"orders:0 has no leader", "odradek partition elect orders:0 --unclean"}},
		{"a partition has no owner", func() *groupFacts {
			return factsOf(classicGroup, "Stable", members("a"), [5]any{"a", 0, 4, 4, 4}, [5]any{"-", 0, "-", 9, 9})
		}, "no-owner", []string{"no member has orders:1"}},
		{"the topic is not there", func() *groupFacts {
			f := factsOf(consumerGroup, "Stable", members("a"))
			f.gone = []string{"orders"}
			return f
		}, "topic-missing", []string{"odradek topic create orders"}},
		{"what it has yet to read was deleted", func() *groupFacts {
			return factsOf(classicGroup, "Stable", members("a"), [5]any{"a", 50, 4, 60, 60})
		}, "offset-gone", []string{"before the start", "group seek billing --to start"}},
		{"the log is shorter than what it read", func() *groupFacts {
			return factsOf(classicGroup, "Stable", members("a"), [5]any{"a", 0, 70, 60, 60})
		}, "offset-beyond", []string{"after the end"}},
		{"it never committed", func() *groupFacts {
			return factsOf(classicGroup, "Stable", members("a"), [5]any{"a", 0, "-", 60, 60})
		}, "never-committed", []string{"auto.offset.reset"}},
		{"a transaction holds back records", func() *groupFacts {
			f := factsOf(classicGroup, "Stable", members("a"), [5]any{"a", 0, 40, 60, 40})
			started := noon.Add(-2 * time.Minute).UnixMilli()
			f.open[topicPartition{"orders", 0}] = []openTxn{{Start: 50, Producer: 6}, {Start: 40, Producer: 5, ID: "pay-1"}}
			f.txns = map[string]txnDescription{"pay-1": {txnItem: txnItem{ID: "pay-1", State: txnOngoing}, TimeoutMillis: 180_000, StartedMillis: &started}}
			return f
		}, "records-held", []string{"20 offsets wait in orders:0", `"pay-1", of producer 5, Ongoing, open since 2m0s`, "aborts it in 1m0s", "odradek txn abort pay-1"}},
		{"a transaction that nobody ends holds back records", func() *groupFacts {
			f := factsOf(classicGroup, "Stable", members("a"), [5]any{"a", 0, 40, 60, 40})
			f.open[topicPartition{"orders", 0}] = []openTxn{{Start: 40, Producer: 5, Epoch: 3}}
			return f
		}, "records-held", []string{"producer 5, epoch 3, which no transactional id has", "odradek txn abort orders:0 --start-offset 40"}},
		{"offsets are pending", func() *groupFacts {
			f := factsOf(classicGroup, "Empty", nil, [5]any{"-", 0, 40, 40, 40})
			f.pending = []topicPartition{{"orders", 0}}
			f.open[f.home] = []openTxn{{Start: 900, Producer: 5, ID: "pay-1"}}
			return f
		}, "no-members offsets-pending", []string{"UNSTABLE_OFFSET_COMMIT", `"pay-1"`}},
		{"members have to join again", func() *groupFacts {
			return factsOf(classicGroup, "PreparingRebalance", members("a", "b"), [5]any{"a", 0, 40, 40, 40})
		}, "rebalancing", []string{"all its 2 members", "a (client app at 10.0.0.7) and b (client app at 10.0.0.7)", "max.poll.interval.ms"}},
	} {
		t.Run(c.name, func(t *testing.T) { wantReasons(t, c.facts().explain(), c.kinds, c.words...) })
	}
}

// A member that has not answered is known by its epoch, and what it keeps by what others
// lack.
func TestExplainReconciling(t *testing.T) {
	epochs := func(f *groupFacts, group int32, members ...int32) *groupFacts {
		f.view.Epoch, f.view.TargetEpoch = &group, &group
		for i := range f.view.Members {
			f.view.Members[i].Epoch = &members[i]
		}
		return f
	}
	f := factsOf(consumerGroup, "Reconciling", members("a", "b"), [5]any{"a", 0, 4, 4, 4}, [5]any{"-", 0, 4, 4, 4})
	f.view.Members[0].Target = []assignedTopics{{"orders", []int32{0}}}
	f.view.Members[1].Target = []assignedTopics{{"orders", []int32{1}}}
	wantReasons(t, epochs(f, 5, 4, 5).explain(), "not-revoked", "a (client app at 10.0.0.7) has not given back orders:1", "It goes to b (", "at epoch 4, the group at 5")
	wantReasons(t, epochs(f, 5, 5, 5).explain(), "not-taken", "b (client app at 10.0.0.7) has not taken over orders:1")
	f.view.Members[0].Assigned = []assignedTopics{{"orders", []int32{0, 1}}}
	wantReasons(t, epochs(f, 5, 5, 5).explain(), "not-revoked", "has not given back orders:1")
}

// Only time shows who does not commit, and who is too slow.
func TestExplainPace(t *testing.T) {
	watch := func(committed, end int) *groupFacts {
		f := factsOf(classicGroup, "Stable", members("a"), [5]any{"a", 0, 40, 60, 60})
		f.later = factsOf(classicGroup, "Stable", members("a"), [5]any{"a", 0, committed, end, end}).offsets
		f.watched = 10 * time.Second
		return f
	}
	wantReasons(t, watch(40, 60).explain(), "no-commits", "a (client app at 10.0.0.7) committed nothing of orders:0 for 10s", "does not progress")
	wantReasons(t, watch(45, 160).explain(), "too-slow", "In 10s 100 records came and it was done with 5", "not everywhere as it could")
	wantReasons(t, watch(50, 65).explain(), "", "progresses: 1 records/s are done, 0/s come, 15 wait, so it is at the end in 30s")
	wantReasons(t, watch(60, 60).explain(), "", "progresses")
}

func TestExplainShare(t *testing.T) {
	f := factsOf(shareGroup, "Stable", members("a"), [5]any{"a", 0, 20, 40, 40}, [5]any{"a", 0, "-", 9, 9})
	f.offsets[0].Lag = new(int64)
	wantReasons(t, f.explain(), "share-not-begun", "is at the end of what it has begun to read")
	lag := int64(14)
	f.offsets[0].Lag = &lag
	f.share = map[topicPartition]shareFacts{{"orders", 0}: {start: 20, batches: []shareBatch{{20, 21, shareAvailable, 2}, {22, 24, shareArchived, 5}, {25, 25, shareAcknowledged, 1}}}}
	wantReasons(t, f.explain(), "share-unfinished share-not-begun", "the record at offset 20 is not done with", "2 came back (released, or the lock ended), up to 2 times; 1 are done with, 3 archived", "no record of orders:1 was acknowledged yet")
}

func TestExplainTxn(t *testing.T) {
	at := func(n int64) *int64 { return &n }
	txn := func(state string, open time.Duration, parts ...txnPartition) *txnFacts {
		f := &txnFacts{now: noon, parts: make(map[topicPartition]*partitionFacts), txnDescription: txnDescription{
			txnItem: txnItem{ID: "pay-1", State: state, Producer: 5, Coordinator: 2}, TimeoutMillis: 60_000,
			StartedMillis: at(noon.Add(-open).UnixMilli()), Partitions: parts}}
		for _, p := range parts {
			f.parts[p.key()] = &partitionFacts{leader: p.Leader, replicas: []int32{1, 3}, isr: []int32{3}, offline: []int32{1}}
		}
		return f
	}
	held := txnPartition{Topic: "orders", Leader: 1, First: at(40), Stable: at(40), End: at(60)}
	wantReasons(t, txn("CompleteCommit", 0).explain(), "", "none is open")
	f := txn(txnOngoing, 20*time.Second, held, txnPartition{Topic: offsetsTopic, Partition: 7, Leader: 1})
	f.readers = []string{"billing", "reports"}
	wantReasons(t, f.explain(), "ongoing holds-records holds-offsets", "open since 20s", "aborts it in 40s", "20 offsets of orders:0", "2 groups came to there: billing and reports")
	wantReasons(t, txn(txnOngoing, 10*time.Minute).explain(), "ongoing", "is over since 9m0s and its coordinator, broker 2, has not aborted it")
	lost := held
	lost.Partition, lost.Leader, lost.First, lost.Stable = 1, -1, nil, nil
	wantReasons(t, txn(txnOngoing, time.Second, lost).explain(), "ongoing partition-offline", "orders:1 has no leader: the transaction's end will wait for it")
	e := txn(txnPrepareCommit, time.Minute, held, lost).explain()
	wantReasons(t, e, "marker-no-leader marker-outstanding holds-records", "decided (commit)", "the marker for orders:1 cannot be written: it has no leader",
		"start broker 3", "broker 1 leads orders:0 and has not confirmed", "out of sync")
	f = txn(txnPrepareAbort, time.Minute, held)
	clear(f.parts)
	wantReasons(t, f.explain(), "marker-topic-gone holds-records", "decided (abort)")
}

func TestPartsText(t *testing.T) {
	parts := []topicPartition{{"pay", 2}, {"orders", 4}, {"orders", 0}}
	if got := partsText(parts); got != "orders:0,4 and pay:2" {
		t.Errorf("%s", got)
	}
	parts = nil
	for p := range int32(30) {
		parts = append(parts, topicPartition{"orders", p})
	}
	if got := partsText(parts); !strings.HasSuffix(got, ",19 and 10 more") {
		t.Errorf("%s", got)
	}
}

// Times are told by the two units that matter.
func TestRough(t *testing.T) {
	for d, want := range map[time.Duration]string{250 * time.Millisecond: "250ms", 42 * time.Second: "42s", 200 * time.Second: "3m20s",
		7*time.Hour + 5*time.Minute: "7h5m", 12 * 24 * time.Hour: "12d", -time.Minute: "-1m0s"} {
		if got := rough(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
