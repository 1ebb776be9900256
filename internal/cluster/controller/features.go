package controller

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// Names of Kafka's features, with which a cluster says what all of its nodes can do.
const (
	FeatureMetadata    = "metadata.version"
	FeatureKRaft       = "kraft.version"
	FeatureELR         = "eligible.leader.replicas.version"
	FeatureTransaction = "transaction.version"
	FeatureGroup       = "group.version"
	FeatureShare       = "share.version"
)

// Features are the levels that this release supports, sorted by name. Level 29 of
// metadata.version is that of Kafka 4.2, 7 the oldest that Kafka 4 knows. A feature
// comes in here with the code that makes it true.
var Features = []metadata.FeatureRange{
	{Name: FeatureELR, Min: 0, Max: 1},
	{Name: FeatureGroup, Min: 0, Max: 1},
	{Name: FeatureKRaft, Min: 0, Max: 1},
	{Name: FeatureMetadata, Min: 7, Max: 29},
	{Name: FeatureShare, Min: 0, Max: 1},
	{Name: FeatureTransaction, Min: 0, Max: 2},
}

// Bootstrap decides what a node that begins to lead must write first: who leads, and
// in a cluster without a name, its name and the newest features.
func (s State) Bootstrap(node int32, term int64, clusterID string) ([]metadata.Record, error) {
	var recs []metadata.Record
	switch s.Image.ClusterID {
	case clusterID:
	case "":
		recs = append(recs, metadata.SetCluster{ID: clusterID})
		for _, f := range s.Rules.Features {
			recs = append(recs, metadata.SetFeature{Name: f.Name, Level: f.Max})
		}
	default:
		return nil, explainf(kerr.InconsistentClusterID, "Expected cluster ID %s, but got cluster ID %s", s.Image.ClusterID, clusterID)
	}
	if s.Image.ControllerID != node || s.Image.ControllerEpoch != int32(term) {
		recs = append(recs, metadata.SetController{Node: node, Epoch: int32(term)})
	}
	return recs, nil
}

// UpdateFeatures decides on finalized levels: all updates or none. In the second case
// the update that cannot be has its reason, the others what Kafka says of them.
func (s State) UpdateFeatures(updates []FeatureUpdate, validateOnly bool) ([]FeatureResult, []metadata.Record) {
	results := make([]FeatureResult, len(updates))
	names := countNames(updates, func(u FeatureUpdate) string { return u.Name })
	var recs []metadata.Record
	failed := false
	for i, u := range updates {
		results[i].Name = u.Name
		if names[u.Name] > 1 {
			results[i].Err = explainf(kerr.InvalidRequest, "Duplicate feature %s.", u.Name)
		} else {
			results[i].Err = s.checkFeature(u)
		}
		failed = failed || results[i].Err != nil
		if s.Image.Feature(u.Name) != u.Level {
			recs = append(recs, metadata.SetFeature{Name: u.Name, Level: u.Level})
		}
		if u.Name == FeatureELR && u.Level == 0 {
			recs = append(recs, s.forgetEligible("")...)
		}
	}
	if failed || validateOnly {
		return results, nil
	}
	return results, recs
}

func (s State) checkFeature(u FeatureUpdate) error {
	invalid := func(format string, args ...any) error {
		return explainf(kerr.InvalidUpdateVersion, "Invalid update version %d for feature %s. %s",
			u.Level, u.Name, fmt.Sprintf(format, args...))
	}
	if u.Type < Upgrade || u.Type > UnsafeDowngrade {
		return invalid("The controller does not support the given upgrade type.")
	}
	if u.Level < 0 {
		return invalid("A feature version cannot be less than 0.")
	}
	if reason := s.unsupported(u); reason != "" {
		return invalid("%s", reason)
	}
	now := s.Image.Feature(u.Name)
	switch {
	case u.Level < now && u.Type == Upgrade:
		return invalid("Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.")
	case u.Level < now && u.Name == FeatureKRaft:
		return invalid("Can't downgrade the version of this feature.")
	case u.Level > now && u.Type != Upgrade:
		return invalid("Can't downgrade to a newer version.")
	}
	return nil
}

// unsupported says which node does not support a level, if any does not.
func (s State) unsupported(u FeatureUpdate) string {
	if reason := outside(u, "Local controller", s.Rules.Features); reason != "" {
		return reason
	}
	if u.Name == FeatureKRaft {
		return "" // a matter of the voters alone
	}
	for b := range s.Image.Brokers() {
		if reason := outside(u, fmt.Sprintf("Broker %d", b.ID), b.Features); reason != "" {
			return reason
		}
	}
	for c := range s.Image.Controllers() {
		if reason := outside(u, fmt.Sprintf("Controller %d", c.ID), c.Features); reason != "" {
			return reason
		}
	}
	return ""
}

func outside(u FeatureUpdate, who string, ranges []metadata.FeatureRange) string {
	i := slices.IndexFunc(ranges, func(f metadata.FeatureRange) bool { return f.Name == u.Name })
	switch {
	case u.Level == 0 && (i < 0 || ranges[i].Min == 0):
		return ""
	case i < 0 || ranges[i].Max == 0:
		return who + " does not support this feature."
	case u.Level < ranges[i].Min || u.Level > ranges[i].Max:
		return fmt.Sprintf("%s only supports versions %d-%d", who, ranges[i].Min, ranges[i].Max)
	}
	return ""
}

// forgetEligible clears the eligible leader replicas of one topic, or of all (""). Where
// nobody is in sync they become the ISR: they have what it had.
func (s State) forgetEligible(topic string) []metadata.Record {
	if topic != "" {
		t, ok := s.Image.Topic(topic)
		if !ok {
			return nil
		}
		return forgetEligibleOf(t)
	}
	var recs []metadata.Record
	for t := range s.Image.Topics() {
		recs = append(recs, forgetEligibleOf(t)...)
	}
	return recs
}

func forgetEligibleOf(t *metadata.Topic) (recs []metadata.Record) {
	for i, p := range t.Partitions {
		if len(p.ELR)+len(p.LastKnownELR) == 0 {
			continue
		}
		q := *p
		if len(q.ISR) == 0 {
			q.ISR = q.ELR
		}
		q.ELR, q.LastKnownELR = nil, nil
		q.PartitionEpoch++
		recs = append(recs, metadata.ChangePartition{Topic: t.ID, Number: int32(i), Partition: q})
	}
	return recs
}
