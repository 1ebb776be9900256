package broker

import (
	"context"

	"github.com/odradek/odradek/internal/coord/group"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// lag is how far a group's commits are behind the committed records of a topic.
type lag struct {
	group, topic string
	records      int64
}

// lags asks the groups that are coordinated here.
func (b *Broker) lags(ctx context.Context) []lag {
	var all []lag
	list := kmsg.NewPtrListGroupsRequest()
	list.Version = 5
	for _, g := range b.groups.ListGroups(ctx, group.Caller{}, list).Groups {
		all = append(all, b.groupLags(ctx, g.Group)...)
	}
	return all
}

func (b *Broker) groupLags(ctx context.Context, id string) (lags []lag) {
	fetch := kmsg.NewPtrOffsetFetchRequest()
	fetch.Version = 8
	one := kmsg.NewOffsetFetchRequestGroup()
	one.Group = id
	fetch.Groups = append(fetch.Groups, one)
	for _, g := range b.groups.OffsetFetch(ctx, group.Caller{}, fetch).Groups {
		for _, t := range g.Topics {
			l := lag{group: id, topic: t.Topic}
			for _, p := range t.Partitions {
				l.records += b.behind(model.TopicPartition{Topic: t.Topic, Partition: p.Partition}, p.Offset)
			}
			lags = append(lags, l)
		}
	}
	return lags
}

// behind is the records between a committed offset and the high watermark.
func (b *Broker) behind(tp model.TopicPartition, committed int64) int64 {
	p, err := b.host.Partition(tp)
	if err != nil || committed < 0 {
		return 0
	}
	o, err := p.Offsets()
	if err != nil {
		return 0
	}
	return max(0, o.HW-max(committed, o.Start))
}
