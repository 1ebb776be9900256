package cli

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// view is a cluster at one moment, as far as it tells. What a broker that does not answer
// would have said is missing, and its numbers are -1.
type view struct {
	md       kadm.Metadata
	quorum   *quorumItem // nil: not known
	fenced   map[int32]bool
	dirs     kadm.DescribedAllLogDirs // of the brokers that answered
	moving   []reassignment
	cordoned map[int32]bool // brokers that get no new replicas
}

// brokerView is a broker as a person wants to see it.
type brokerView struct {
	brokerItem
	State     string `json:"state"`         // up, cordoned, fenced, or gone: it has replicas and is not there
	Preferred int    `json:"preferred"`     // partitions that it should lead
	OutOfSync int    `json:"outOfSync"`     // of its replicas
	Behind    int64  `json:"behindRecords"` // records that its followers do not have yet; -1: not known
	Bytes     int64  `json:"bytes"`         // of its replicas; -1: not known
}

// lookAround asks the cluster for everything. Only metadata must be had; brokers that do
// not answer in time are left out.
func lookAround(ctx context.Context, cl *kgo.Client) (*view, error) {
	adm := kadm.NewClient(cl)
	v := &view{fenced: map[int32]bool{}, cordoned: map[int32]bool{}}
	var err error
	if v.md, err = adm.Metadata(ctx); err != nil {
		return nil, err
	}
	var all sync.WaitGroup // these do not wait for each other: one broker may be silent
	all.Go(func() { v.askQuorum(ctx, cl) })
	all.Go(func() { v.askFenced(ctx, cl) })
	all.Go(func() { v.dirs, _ = adm.DescribeAllLogDirs(ctx, nil) }) // beside an error, what was answered
	all.Go(func() { v.moving, _ = listReassignments(ctx, cl) })
	all.Go(func() { v.askCordoned(ctx, adm) })
	all.Wait()
	return v, nil
}

func (v *view) askQuorum(ctx context.Context, cl *kgo.Client) {
	if p, err := describeQuorum(ctx, cl); err == nil {
		q := newQuorumItem(p)
		v.quorum = &q
	}
}

func (v *view) askFenced(ctx context.Context, cl *kgo.Client) {
	req := kmsg.NewPtrDescribeClusterRequest()
	req.EndpointType, req.IncludeFencedBrokers = 1, true
	resp, err := req.RequestWith(ctx, cl)
	if err != nil || resp.ErrorCode != 0 {
		return
	}
	for _, b := range resp.Brokers {
		v.fenced[b.NodeID] = b.IsFenced
	}
}

// cordonKey is the setting that keeps new replicas away from a broker's folders.
const cordonKey = "cordoned.log.dirs"

func (v *view) askCordoned(ctx context.Context, adm *kadm.Client) {
	if len(v.md.Brokers) == 0 {
		return
	}
	configs, _ := adm.DescribeBrokerConfigs(ctx, v.md.Brokers.NodeIDs()...) // beside an error, what was answered
	for _, rc := range configs {
		for _, c := range rc.Configs {
			// A broker that does not know the key tells that it is set, but not to what.
			if id, err := brokerID(rc.Name); err == nil && c.Key == cordonKey && (c.Value == nil || *c.Value == "*") {
				v.cordoned[id] = true
			}
		}
	}
}

// role is a node's part in the quorum.
func (v *view) role(node int32) string {
	if v.quorum == nil {
		return "-"
	}
	for _, r := range v.quorum.Replicas {
		if r.Node == node {
			return r.Role
		}
	}
	return "-"
}

func (v *view) broker(id int32) (brokerView, bool) {
	all := v.brokers()
	i := slices.IndexFunc(all, func(b brokerView) bool { return b.ID == id })
	if i < 0 {
		return brokerView{}, false
	}
	return all[i], true
}

// brokers are those that the cluster knows of, and those that only replicas name, by id.
func (v *view) brokers() []brokerView {
	by := make(map[int32]*brokerView)
	at := func(id int32) *brokerView {
		if by[id] == nil {
			by[id] = &brokerView{brokerItem: brokerItem{ID: id}, State: "gone", Behind: -1, Bytes: -1}
		}
		return by[id]
	}
	for _, item := range brokerItems(v.md) {
		b := at(item.ID)
		b.brokerItem, b.State = item, "up"
		b.Leads, b.Replicas = 0, 0 // counted below
	}
	for id, fenced := range v.fenced {
		if b := at(id); fenced {
			b.State = "fenced"
		}
	}
	for id := range v.cordoned {
		if b := at(id); b.State == "up" {
			b.State = "cordoned"
		}
	}
	v.md.Topics.EachPartition(func(p kadm.PartitionDetail) {
		if p.Leader >= 0 {
			at(p.Leader).Leads++
		}
		for i, id := range p.Replicas {
			b := at(id)
			b.Replicas++
			if i == 0 {
				b.Preferred++
			}
			if !slices.Contains(p.ISR, id) {
				b.OutOfSync++
			}
		}
	})
	for id, dirs := range v.dirs {
		b := at(id)
		b.Behind, b.Bytes = 0, 0
		dirs.EachPartition(func(p kadm.DescribedLogDirPartition) {
			if !p.IsFuture {
				b.Behind += max(0, p.OffsetLag)
			}
			b.Bytes += max(0, p.Size)
		})
	}
	var out []brokerView
	for _, id := range slices.Sorted(maps.Keys(by)) {
		out = append(out, *by[id])
	}
	return out
}

// sizeOn is how many bytes a broker's replica of a partition has, -1 if it has none or
// that is not known.
func (v *view) sizeOn(broker int32, topic string, partition int32) int64 {
	if p, ok := v.dirs[broker].LookupPartition(topic, partition); ok {
		return p.Size
	}
	return -1
}

// reassignment is a partition that moves.
type reassignment struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Replicas  []int32 `json:"replicas"` // the old and the new ones
	Adding    []int32 `json:"adding"`
	Removing  []int32 `json:"removing"`
}

// listReassignments are the partitions that move, in order.
func listReassignments(ctx context.Context, cl *kgo.Client) ([]reassignment, error) {
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	req.TimeoutMillis = 10_000
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	var out []reassignment
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			out = append(out, reassignment{t.Topic, p.Partition, notNil(p.Replicas), notNil(p.AddingReplicas), notNil(p.RemovingReplicas)})
		}
	}
	slices.SortFunc(out, func(x, y reassignment) int { return comparePartitions(x.Topic, x.Partition, y.Topic, y.Partition) })
	return out, nil
}
