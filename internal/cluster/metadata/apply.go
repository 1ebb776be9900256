package metadata

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/proto/model"
)

// Apply returns the image after recs, which stand together at offset. It refuses
// records that cannot follow this image, such as a partition of a topic that is not
// there: then the log is not the one that made the image.
func (m *Image) Apply(recs []Record, offset int64) (*Image, error) {
	next := *m
	next.Offset = offset
	a := applier{Image: &next, open: map[model.ID]*Topic{}}
	for i, rec := range recs {
		if err := a.apply(rec); err != nil {
			return nil, fmt.Errorf("record %d, %T: %w", i, rec, err)
		}
	}
	return &next, nil
}

// applier changes an image that nobody else has seen yet. A topic that one batch
// changes many times is copied once: open has the copies that this batch owns.
type applier struct {
	*Image
	open map[model.ID]*Topic
}

func (a *applier) apply(rec Record) error {
	switch r := rec.(type) {
	case AddTopic:
		return a.addTopic(r)
	case RemoveTopic:
		return a.removeTopic(r.ID)
	case AddPartition:
		return a.addPartition(r)
	case ChangePartition:
		return a.changePartition(r)
	case SetConfig:
		a.setConfig(r)
	case RegisterBroker:
		b := r.Broker
		a.brokers = a.brokers.put(b.ID, &b)
	case UnregisterBroker:
		return a.unregister(r)
	case ChangeBroker:
		return a.changeBroker(r)
	case ProducerIDs:
		if r.Next < a.NextProducerID {
			return fmt.Errorf("producer ids go back from %d to %d", a.NextProducerID, r.Next)
		}
		a.NextProducerID = r.Next
	case SetFeature:
		a.setFeature(r)
	case SetCluster:
		if a.ClusterID != "" && a.ClusterID != r.ID {
			return fmt.Errorf("the cluster is %s, not %s", a.ClusterID, r.ID)
		}
		a.ClusterID = r.ID
	case RegisterController:
		c := r.Controller
		a.controllers = a.controllers.put(c.ID, &c)
	case UnregisterController:
		if _, ok := a.controllers.get(r.ID); !ok {
			return fmt.Errorf("no controller is registered as %d", r.ID)
		}
		a.controllers = a.controllers.remove(r.ID)
	case SetController:
		a.ControllerID, a.ControllerEpoch = r.Node, r.Epoch
	default:
		panic(fmt.Sprintf("bug: record %T has no effect", rec))
	}
	return nil
}

func (a *applier) addTopic(r AddTopic) error {
	if _, ok := a.topics.get(r.Name); ok {
		return fmt.Errorf("topic %q exists", r.Name)
	}
	if name, ok := a.names.get(r.ID); ok {
		return fmt.Errorf("topic id %s is that of %q", r.ID, name)
	}
	t := &Topic{Name: r.Name, ID: r.ID}
	a.open[t.ID] = t
	a.topics = a.topics.put(t.Name, t)
	a.names = a.names.put(t.ID, t.Name)
	if strings.ContainsAny(t.Name, "._") {
		a.unified = a.unified.put(unify(t.Name), t.Name)
	}
	return nil
}

func (a *applier) removeTopic(id model.ID) error {
	t, ok := a.TopicByID(id)
	if !ok {
		return fmt.Errorf("no topic has the id %s", id)
	}
	a.topics = a.topics.remove(t.Name)
	a.names = a.names.remove(id)
	if strings.ContainsAny(t.Name, "._") {
		a.unified = a.unified.remove(unify(t.Name))
	}
	a.configs = a.configs.remove(Resource{TopicResource, t.Name})
	a.partitions -= len(t.Partitions)
	return nil
}

// own returns a topic that this batch may change.
func (a *applier) own(id model.ID) (*Topic, error) {
	t, ok := a.TopicByID(id)
	if !ok {
		return nil, fmt.Errorf("no topic has the id %s", id)
	}
	if a.open[id] == t {
		return t, nil
	}
	t = &Topic{t.Name, t.ID, slices.Clone(t.Partitions)}
	a.open[id] = t
	a.topics = a.topics.put(t.Name, t)
	return t, nil
}

func (a *applier) addPartition(r AddPartition) error {
	t, err := a.own(r.Topic)
	if err != nil {
		return err
	}
	if int(r.Number) != len(t.Partitions) {
		return fmt.Errorf("%s has %d partitions: %d is not the next", t.Name, len(t.Partitions), r.Number)
	}
	t.Partitions = append(t.Partitions, &r.Partition)
	a.partitions++
	return nil
}

func (a *applier) changePartition(r ChangePartition) error {
	t, err := a.own(r.Topic)
	if err != nil {
		return err
	}
	if r.Number < 0 || int(r.Number) >= len(t.Partitions) {
		return fmt.Errorf("%s has no partition %d", t.Name, r.Number)
	}
	was := t.Partitions[r.Number]
	if r.Partition.LeaderEpoch < was.LeaderEpoch || r.Partition.PartitionEpoch <= was.PartitionEpoch {
		return fmt.Errorf("%s-%d: epochs (%d, %d) do not follow (%d, %d)", t.Name, r.Number,
			r.Partition.LeaderEpoch, r.Partition.PartitionEpoch, was.LeaderEpoch, was.PartitionEpoch)
	}
	t.Partitions[r.Number] = &r.Partition
	return nil
}

// Check tells why no controller may decide so of a partition that was was before, nil if
// there was none: an epoch has one leader, who leads must be in sync, and who is in sync,
// or may be elected, must have a replica.
func (p *Partition) Check(was *Partition) error {
	if was != nil && p.LeaderEpoch == was.LeaderEpoch && p.Leader != was.Leader {
		return fmt.Errorf("%d and %d lead in epoch %d", was.Leader, p.Leader, p.LeaderEpoch)
	}
	if p.Leader != model.NoLeader && !slices.Contains(p.ISR, p.Leader) {
		return fmt.Errorf("the leader %d is not in sync: %v", p.Leader, p.ISR)
	}
	for _, some := range [][]int32{p.ISR, p.ELR} {
		for _, id := range some {
			if !slices.Contains(p.Replicas, id) {
				return fmt.Errorf("%d is in sync and has no replica: %v", id, p.Replicas)
			}
		}
	}
	return nil
}

func (a *applier) setConfig(r SetConfig) {
	was, _ := a.configs.get(r.Resource)
	now := maps.Clone(was)
	if now == nil {
		now = map[string]string{}
	}
	if r.Value == nil {
		delete(now, r.Key)
	} else {
		now[r.Key] = *r.Value
	}
	if len(now) == 0 {
		a.configs = a.configs.remove(r.Resource)
		return
	}
	a.configs = a.configs.put(r.Resource, now)
}

func (a *applier) broker(id int32, epoch int64) (*Broker, error) {
	b, ok := a.brokers.get(id)
	if !ok {
		return nil, fmt.Errorf("no broker is registered as %d", id)
	}
	if b.Epoch != epoch {
		return nil, fmt.Errorf("broker %d has the epoch %d, not %d", id, b.Epoch, epoch)
	}
	return b, nil
}

func (a *applier) unregister(r UnregisterBroker) error {
	if _, err := a.broker(r.ID, r.Epoch); err != nil {
		return err
	}
	a.brokers = a.brokers.remove(r.ID)
	return nil
}

func (a *applier) changeBroker(r ChangeBroker) error {
	was, err := a.broker(r.ID, r.Epoch)
	if err != nil {
		return err
	}
	b := *was
	b.Fenced, b.InControlledShutdown, b.LogDirs = r.Fenced, r.InControlledShutdown, r.LogDirs
	a.brokers = a.brokers.put(b.ID, &b)
	return nil
}

func (a *applier) setFeature(r SetFeature) {
	if r.Level == 0 {
		a.features = a.features.remove(r.Name)
		return
	}
	a.features = a.features.put(r.Name, r.Level)
}
