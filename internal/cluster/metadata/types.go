package metadata

import (
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/proto/model"
)

// Topic is a topic and its partitions, which are indexed by number. Immutable.
type Topic struct {
	Name       string
	ID         model.ID
	Partitions []*Partition
}

// Partition is the cluster's word on one partition. Immutable.
//
// Dirs has, beside each of Replicas, the id of the log folder that holds the replica;
// the zero id where it is not assigned.
type Partition struct {
	Leader         int32 // model.NoLeader when it has none
	LeaderEpoch    int32 // grows when the leader changes or is fenced
	PartitionEpoch int32 // grows with every change
	Recovery       Recovery
	Replicas       []int32
	ISR            []int32
	ELR            []int32 // eligible leader replicas (KIP-966)
	LastKnownELR   []int32
	Adding         []int32 // replicas that a reassignment brings
	Removing       []int32 // replicas that a reassignment takes away
	Dirs           []model.ID
}

// Recovery says whether the leader was elected clean.
type Recovery int8

const (
	Recovered  Recovery = 0
	Recovering Recovery = 1 // elected unclean; the leader has not yet confirmed
)

// Reassigning reports whether a reassignment is under way.
func (p *Partition) Reassigning() bool { return len(p.Adding)+len(p.Removing) > 0 }

// Preferred is the replica that leads when all is well.
func (p *Partition) Preferred() int32 {
	if len(p.Replicas) == 0 {
		return model.NoLeader
	}
	return p.Replicas[0]
}

// Equal reports whether two partitions are the same in every field.
func (p *Partition) Equal(q *Partition) bool {
	return p.Leader == q.Leader && p.LeaderEpoch == q.LeaderEpoch &&
		p.PartitionEpoch == q.PartitionEpoch && p.Recovery == q.Recovery &&
		slices.Equal(p.Replicas, q.Replicas) && slices.Equal(p.ISR, q.ISR) &&
		slices.Equal(p.ELR, q.ELR) && slices.Equal(p.LastKnownELR, q.LastKnownELR) &&
		slices.Equal(p.Adding, q.Adding) && slices.Equal(p.Removing, q.Removing) &&
		slices.Equal(p.Dirs, q.Dirs)
}

// Broker is a registered broker. Immutable.
type Broker struct {
	ID                   int32
	Epoch                int64 // the offset of its registration
	Incarnation          model.ID
	Rack                 *string
	Endpoints            []Endpoint
	Features             []FeatureRange // sorted by name
	LogDirs              []model.ID
	Fenced               bool
	InControlledShutdown bool
}

// Endpoint returns the endpoint of a listener.
func (b *Broker) Endpoint(listener string) (Endpoint, bool) {
	for _, e := range b.Endpoints {
		if e.Listener == listener {
			return e, true
		}
	}
	return Endpoint{}, false
}

// Controller is a node that has a part in the quorum, or waits for one. Immutable.
type Controller struct {
	ID          int32
	Incarnation model.ID // of its process
	Directory   model.ID // of its metadata folder: another one is another voter
	Endpoints   []Endpoint
	Features    []FeatureRange // sorted by name
}

// Active reports whether the broker may lead and follow.
func (b *Broker) Active() bool { return !b.Fenced && !b.InControlledShutdown }

// Endpoint is where a listener of a broker is reached. Protocol is Kafka's number:
// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
type Endpoint struct {
	Listener string
	Host     string
	Port     int32
	Protocol int16
}

// FeatureRange is a feature and the levels that a broker supports.
type FeatureRange struct {
	Name     string
	Min, Max int16
}

// ResourceType is Kafka's number of a kind of config resource.
type ResourceType int8

const (
	TopicResource         ResourceType = 2
	BrokerResource        ResourceType = 4
	BrokerLoggerResource  ResourceType = 8
	ClientMetricsResource ResourceType = 16
	GroupResource         ResourceType = 32
)

// Resource names something that has configs. A BrokerResource without a name is the
// default of all brokers.
type Resource struct {
	Type ResourceType
	Name string
}

func (r Resource) compare(o Resource) int {
	if r.Type != o.Type {
		return int(r.Type) - int(o.Type)
	}
	return strings.Compare(r.Name, o.Name)
}
