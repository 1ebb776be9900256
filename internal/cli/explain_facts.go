package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Topics in which coordinators keep what they know.
const (
	offsetsTopic = "__consumer_offsets"
	txnTopic     = "__transaction_state"
)

// partitionFacts is how a partition stands.
type partitionFacts struct {
	leader        int32 // -1: none
	replicas, isr []int32
	offline       []int32 // replicas whose brokers are away
	stable, end   *int64
}

// groupFacts is what can be asked about a group, at one time. Reasons are found in it
// without asking more.
type groupFacts struct {
	now     time.Time
	name    string
	home    topicPartition // where the coordinator keeps the group
	homeAt  *partitionFacts
	err     error // why the coordinator does not describe it
	view    groupView
	offsets []groupOffset
	parts   map[topicPartition]*partitionFacts // of its topics
	gone    []string                           // topics that members want and that are not there
	bare    map[topicPartition]bool            // partitions that have no record to read, only ends of transactions and what they aborted
	pending []topicPartition                   // offsets that wait for a transaction's end
	open    map[topicPartition][]openTxn       // where records or offsets are held back
	txns    map[string]txnDescription          // those of open that have an id
	watched time.Duration                      // between offsets and later; 0: not watched
	later   []groupOffset
	share   map[topicPartition]shareFacts
}

// gatherGroup asks for all that may matter to a group's progress. Only what tells that
// there is no cluster is an error.
func (a *App) gatherGroup(ctx context.Context, cl *kgo.Client, name string, watch time.Duration) (*groupFacts, error) {
	adm := kadm.NewClient(cl)
	f := &groupFacts{now: time.Now(), name: name, open: make(map[topicPartition][]openTxn), parts: make(map[topicPartition]*partitionFacts), bare: make(map[topicPartition]bool)}
	if err := f.findHome(ctx, adm); err != nil {
		return nil, err
	}
	if f.homeAt != nil && f.homeAt.leader < 0 {
		f.err = kerr.CoordinatorNotAvailable
		return f, nil
	}
	found, err := lookAtGroups(ctx, cl, []string{name})
	if err == nil {
		f.view, err = found.get(name)
	}
	if f.err = err; err != nil {
		return f, nil
	}
	if f.offsets, err = a.groupOffsets(ctx, cl, f.view, true); err != nil {
		f.err = err
		return f, nil
	}
	if err := f.findParts(ctx, adm); err != nil {
		return nil, err
	}
	if f.view.Type == shareGroup {
		f.share = readShareState(ctx, cl, name, f.offsets, f.parts)
	} else {
		f.findPending(ctx, adm)
	}
	f.findBare(ctx, cl)
	a.findHolders(ctx, cl, f)
	if watch > 0 && f.worthWatching() {
		a.watchGroup(ctx, cl, f, watch)
	}
	return f, nil
}

// findHome finds where the coordinator keeps the group: a cluster that never had a group
// has no such place.
func (f *groupFacts) findHome(ctx context.Context, adm *kadm.Client) error {
	md, err := adm.Metadata(ctx, offsetsTopic)
	if err != nil {
		return err
	}
	topic, ok := md.Topics[offsetsTopic]
	if !ok || topic.Err != nil || len(topic.Partitions) == 0 {
		return nil
	}
	f.home = topicPartition{offsetsTopic, model.CoordinatorPartition(f.name, int32(len(topic.Partitions)))}
	if p, ok := topic.Partitions[f.home.partition]; ok {
		f.homeAt = newPartitionFacts(p)
	}
	return nil
}

func newPartitionFacts(p kadm.PartitionDetail) *partitionFacts {
	return &partitionFacts{leader: p.Leader, replicas: p.Replicas, isr: p.ISR, offline: p.OfflineReplicas}
}

// findParts looks at all partitions of the topics that the group reads, or committed for.
func (f *groupFacts) findParts(ctx context.Context, adm *kadm.Client) error {
	wanted := f.view.subscribed()
	topics := slices.Clone(wanted)
	for _, o := range f.offsets {
		topics = append(topics, o.Topic)
	}
	if topics = uniq(topics); len(topics) == 0 {
		return nil
	}
	md, err := adm.Metadata(ctx, topics...)
	if err != nil {
		return err
	}
	for _, name := range topics {
		t, ok := md.Topics[name]
		if !ok || errors.Is(t.Err, kerr.UnknownTopicOrPartition) {
			if slices.Contains(wanted, name) {
				f.gone = append(f.gone, name)
			}
			continue
		}
		for _, p := range t.Partitions {
			f.parts[topicPartition{name, p.Partition}] = newPartitionFacts(p)
		}
	}
	stable, _ := adm.ListCommittedOffsets(ctx, topics...) // beside an error, what was answered
	for i := range f.offsets {
		o := &f.offsets[i]
		if p := f.parts[o.key()]; p != nil {
			p.end, p.stable = o.End, offsetIn(stable, o.key())
		}
	}
	return nil
}

// findPending asks for offsets that are settled, and notes which are not.
func (f *groupFacts) findPending(ctx context.Context, adm *kadm.Client) {
	answers, _ := adm.FetchOffsets(kadm.RequireStable(ctx), f.name) // beside an error, what was answered
	for _, o := range answers.Sorted() {
		if errors.Is(o.Err, kerr.UnstableOffsetCommit) {
			f.pending = append(f.pending, topicPartition{o.Topic, o.Partition})
		}
	}
}

// findBare looks whether there is a record at all in what members have not committed: the
// end of a transaction has an offset, too, and some clients do not commit past it.
func (f *groupFacts) findBare(ctx context.Context, cl *kgo.Client) {
	var ask []*groupOffset
	var topics []string
	for i := range f.offsets {
		if o := &f.offsets[i]; o.Member != "" && o.Committed != nil && o.End != nil && *o.Committed >= *o.Start && *o.Committed < *o.End {
			ask = append(ask, o)
			topics = append(topics, o.Topic)
		}
	}
	if len(ask) == 0 {
		return
	}
	details, err := kadm.NewClient(cl).ListTopicsWithInternal(ctx, uniq(topics)...)
	if err != nil {
		return
	}
	var lock sync.Mutex // guards bare
	inParallel(ask, func(o *groupOffset) {
		rec, next, err := reader{topic: details[o.Topic], partition: o.Partition, data: true}.first(ctx, cl, *o.Committed)
		if err == nil && rec == nil && next >= *o.End {
			lock.Lock()
			defer lock.Unlock()
			f.bare[o.key()] = true
		}
	})
}

// heldBack reports whether who reads what is committed would see no more of a partition,
// though there is more.
func (f *groupFacts) heldBack(o *groupOffset) bool {
	p := f.parts[o.key()]
	return p != nil && p.stable != nil && o.Committed != nil && o.End != nil && *o.Committed >= *p.stable && *o.Committed < *o.End
}

// findHolders asks which transactions hold back records or offsets.
func (a *App) findHolders(ctx context.Context, cl *kgo.Client, f *groupFacts) {
	var ask []topicPartition
	for i := range f.offsets {
		if f.heldBack(&f.offsets[i]) {
			ask = append(ask, f.offsets[i].key())
		}
	}
	if len(f.pending) > 0 && f.homeAt != nil {
		ask = append(ask, f.home)
	}
	if len(ask) == 0 {
		return
	}
	open, err := openTxns(ctx, cl, ask, nil, &listing{})
	if err != nil || len(open) == 0 {
		return
	}
	if _, err := nameTxns(ctx, cl, open, &listing{}); err != nil {
		return
	}
	ids := make(map[string]bool)
	for _, t := range open {
		f.open[t.key()] = append(f.open[t.key()], t)
		if t.ID != "" {
			ids[t.ID] = true
		}
	}
	f.txns = make(map[string]txnDescription)
	txns, err := a.lookAtTxns(ctx, cl, slices.Sorted(maps.Keys(ids)), &listing{})
	if err != nil {
		return
	}
	for _, d := range txns {
		f.txns[d.ID] = d
	}
}

// waits reports whether there are records that the group has not done with.
func (f *groupFacts) waits(o *groupOffset) bool {
	if o.Committed == nil {
		return o.Start != nil && o.End != nil && *o.End > *o.Start && f.view.Type != shareGroup
	}
	return o.Lag != nil && *o.Lag > 0 && !f.bare[o.key()]
}

// worthWatching reports whether records wait for a member that could read them: only time
// shows then whether it does.
func (f *groupFacts) worthWatching() bool {
	return slices.ContainsFunc(f.offsets, func(o groupOffset) bool {
		p := f.parts[o.key()]
		return o.Member != "" && f.waits(&o) && p != nil && p.leader >= 0
	})
}

func (a *App) watchGroup(ctx context.Context, cl *kgo.Client, f *groupFacts, watch time.Duration) {
	fmt.Fprintf(a.Stderr, "watching %s for %s …\n", f.name, rough(watch))
	begun := time.Now()
	select {
	case <-ctx.Done():
		return
	case <-time.After(watch):
	}
	later, err := a.groupOffsets(ctx, cl, f.view, false)
	if err != nil {
		return
	}
	f.watched, f.later = time.Since(begun), later
}
