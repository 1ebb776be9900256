package group

import (
	"context"
	"maps"
	"slices"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// expire drops the offsets that nobody has needed for the retention time, and then the
// groups that are empty and hold nothing.
func (st *state) expire(t *runtime.Turn) {
	for _, id := range slices.Sorted(maps.Keys(st.groups)) {
		g := st.groups[id]
		none := st.expireOffsets(t, id, g.subscribed, func(o *offset) bool { return st.expired(t, g, o) })
		if none && g.phase == empty && len(g.pending) == 0 {
			t.Write(groupTombstone(id))
		}
	}
	for _, id := range st.holders() {
		if h := st.holder(id); h.groupType() == consumerType {
			st.expireHolder(t, id, h)
		}
	}
}

// expireHolder is expire for a consumer group, whose offsets count from their commit.
func (st *state) expireHolder(t *runtime.Turn, id string, h holder) {
	none := st.expireOffsets(t, id, h.subscribed, func(o *offset) bool { return st.old(t, o, o.commitMillis) })
	if !none || !h.empty() {
		return
	}
	p := newPlan(t)
	h.remove(p)
	if err := p.carryOut(); err != nil {
		st.log.Error("group cannot be removed", "group", id, "error", err)
	}
}

// expireOffsets drops the offsets that are expired, of topics that are not subscribed to. It
// reports whether the group has none any more, and none to come.
func (st *state) expireOffsets(t *runtime.Turn, id string, subscribed func(topic string) bool, expired func(*offset) bool) bool {
	none := len(st.offsets.open[id]) == 0
	committed := st.offsets.committed[id]
	for _, tp := range sortedPartitions(committed) {
		o := committed[tp]
		if subscribed(tp.Topic) || len(st.offsets.open[id][tp]) > 0 || !expired(&o) {
			none = false
			continue
		}
		t.Write(offsetTombstone(id, tp.Topic, tp.Partition))
	}
	return none
}

// expired reports whether an offset of a topic that the group does not subscribe to is
// past its time (KIP-211). It counts from when the group became empty, or from the
// commit if the group has no members by its nature or is settled without the topic.
func (st *state) expired(t *runtime.Turn, g *group, o *offset) bool {
	from := o.commitMillis
	switch {
	case g.protocolType == "":
	case g.phase == empty:
		if at := g.stateMillis(); at >= 0 {
			from = at
		}
	case g.protocolType != consumerProtocol || !g.known || g.phase != stable:
		return false
	}
	return st.old(t, o, from)
}

// old reports whether an offset is past its own time, or else the retention time, which
// counts from a time in milliseconds.
func (st *state) old(t *runtime.Turn, o *offset, from int64) bool {
	if o.expireMillis >= 0 {
		return t.Millis() >= o.expireMillis
	}
	return t.Millis()-from >= st.settings().OffsetsRetention.Milliseconds()
}

// OffsetDelete drops offsets of topics that the group does not subscribe to (KIP-496).
func (s *Service) OffsetDelete(ctx context.Context, _ Caller, req *kmsg.OffsetDeleteRequest) *kmsg.OffsetDeleteResponse {
	resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	if req.Group == "" {
		resp.ErrorCode = kerr.InvalidGroupID.Code
		return resp
	}
	topics, err := do(ctx, s, req.Group, runtime.Alone, func(st *state, t *runtime.Turn) ([]kmsg.OffsetDeleteResponseTopic, error) {
		return st.deleteOffsets(t, req)
	})
	resp.ErrorCode, resp.Topics = code(err), topics
	return resp
}

func (st *state) deleteOffsets(t *runtime.Turn, req *kmsg.OffsetDeleteRequest) ([]kmsg.OffsetDeleteResponseTopic, error) {
	subscribes, err := st.subscriptionOf(req.Group)
	if err != nil {
		return nil, err
	}
	var topics []kmsg.OffsetDeleteResponseTopic
	for _, rt := range req.Topics {
		topic := kmsg.OffsetDeleteResponseTopic{Topic: rt.Topic}
		subscribed := subscribes(rt.Topic)
		for _, p := range rt.Partitions {
			one := kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition}
			if subscribed {
				one.ErrorCode = kerr.GroupSubscribedToTopic.Code
			} else if tp := (model.TopicPartition{Topic: rt.Topic, Partition: p.Partition}); st.offsets.has(req.Group, tp) {
				t.Write(offsetTombstone(req.Group, tp.Topic, tp.Partition))
			}
			topic.Partitions = append(topic.Partitions, one)
		}
		topics = append(topics, topic)
	}
	return topics, nil
}

// subscriptionOf tells to which topics a group subscribes whose offsets may be deleted.
func (st *state) subscriptionOf(id string) (subscribed func(topic string) bool, err error) {
	if h := st.holder(id); h != nil && h.groupType() == consumerType {
		return h.subscribed, nil
	}
	g := st.groups[id]
	switch {
	case g == nil:
		return nil, kerr.GroupIDNotFound
	case g.phase != empty && g.protocolType != consumerProtocol:
		return nil, kerr.NonEmptyGroup // what it subscribes to cannot be known
	}
	return g.subscribed, nil
}

// has reports whether a partition has an offset, committed or in a transaction.
func (os *offsets) has(group string, tp model.TopicPartition) bool {
	_, ok := os.committed[group][tp]
	return ok || len(os.open[group][tp]) > 0
}

// groups are the names of the groups that have offsets, committed or in a transaction.
func (os *offsets) groups() []string {
	names := slices.Collect(maps.Keys(os.committed))
	for id := range os.open {
		names = append(names, id)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// all are the partitions of a group that have an offset, committed or in a transaction.
func (os *offsets) all(group string) []model.TopicPartition {
	all := make(map[model.TopicPartition]bool, len(os.committed[group]))
	for tp := range os.committed[group] {
		all[tp] = true
	}
	for tp := range os.open[group] {
		all[tp] = true
	}
	return sortedPartitions(all)
}

// TopicDeleted drops the offsets of topics that are gone, of all groups that are led
// here. It does not wait: partitions that are being loaded, or whose log takes nothing for
// now, do it when they can.
func (s *Service) TopicDeleted(names []string) {
	gone := make(map[string]bool, len(names))
	for _, name := range names {
		gone[name] = true
	}
	s.runtime.Tell(func(st *state, t *runtime.Turn) { st.topicsDeleted(t, gone) })
}

func (st *state) topicsDeleted(t *runtime.Turn, gone map[string]bool) {
	for _, id := range st.offsets.groups() {
		for _, tp := range st.offsets.all(id) {
			if gone[tp.Topic] {
				t.Write(offsetTombstone(id, tp.Topic, tp.Partition))
			}
		}
	}
	st.look()
	for _, id := range slices.Sorted(maps.Keys(st.shares)) {
		st.dropShareStates(t, st.shares[id])
	}
}
