package controller

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// RegisterBroker decides a registration. A new incarnation gets a new epoch and begins
// fenced; the same one may amend what it said and keeps its epoch.
//
// The epoch is the offset of the registration at the earliest: it grows with every
// registration, and a broker whose image has reached it may already be up to date.
func (s State) RegisterBroker(r Registration) (int64, []metadata.Record, error) {
	was, known := s.Image.Broker(r.ID)
	if err := s.checkRegistration(r, was); err != nil {
		return 0, nil, err
	}
	b := metadata.Broker{
		ID: r.ID, Epoch: s.Image.Offset + 1, Incarnation: r.Incarnation, Rack: r.Rack,
		Endpoints: r.Endpoints, Features: sortedFeatures(r.Features), LogDirs: r.LogDirs, Fenced: true,
	}
	if known && was.Incarnation == r.Incarnation {
		b.Epoch, b.Fenced, b.InControlledShutdown = was.Epoch, was.Fenced, was.InControlledShutdown
		return b.Epoch, []metadata.Record{metadata.RegisterBroker{Broker: b}}, nil
	}
	return b.Epoch, append(s.newIncarnation(r, was), metadata.RegisterBroker{Broker: b}), nil
}

func (s State) checkRegistration(r Registration, was *metadata.Broker) error {
	switch {
	case r.ID < 0:
		return explainf(kerr.InvalidRegistration, "Broker id %d is negative", r.ID)
	case r.ClusterID != s.Image.ClusterID:
		return explainf(kerr.InconsistentClusterID, "Expected cluster ID %s, but got cluster ID %s", s.Image.ClusterID, r.ClusterID)
	case was != nil && was.Incarnation != r.Incarnation && s.Heard(r.ID, was.Epoch) && !s.tookOver(r, was):
		return explainf(kerr.DuplicateBrokerRegistration, "Another broker is registered with that broker id. If the "+
			"broker was recently restarted this should self-resolve once the heartbeat manager expires the broker's session.")
	case len(r.Endpoints) == 0:
		return explainf(kerr.InvalidRegistration, "No listeners specified in request")
	}
	if err := s.checkDirs(r); err != nil {
		return err
	}
	return s.checkFeatures(r.Features)
}

// tookOver reports whether the process of before is gone although its session lasts: its
// connection has ended, and the new one holds the lock on a folder that it had held.
func (s State) tookOver(r Registration, was *metadata.Broker) bool {
	return s.LineLost(was.ID) && slices.ContainsFunc(r.LogDirs, func(id model.ID) bool {
		return slices.Contains(was.LogDirs, id)
	})
}

func (s State) checkDirs(r Registration) error {
	if len(r.LogDirs) == 0 {
		return explainf(kerr.InvalidRegistration, "No directories specified in request")
	}
	for i, dir := range r.LogDirs {
		if reserved(dir) {
			return explainf(kerr.InvalidRegistration, "Reserved directory ID in request")
		}
		if slices.Contains(r.LogDirs[:i], dir) {
			return explainf(kerr.InvalidRegistration, "Duplicate directory ID in request")
		}
		for b := range s.Image.Brokers() {
			if b.ID != r.ID && slices.Contains(b.LogDirs, dir) {
				return explainf(kerr.InvalidRegistration, "Broker %d is already registered with directory %s", b.ID, dir)
			}
		}
	}
	return nil
}

// reserved reports whether Kafka keeps the id for itself: the first hundred.
func reserved(dir model.ID) bool {
	return [15]byte(dir[:15]) == [15]byte{} && dir[15] < 100
}

// checkFeatures refuses a broker that does not support what the cluster has finalized.
func (s State) checkFeatures(features []metadata.FeatureRange) error {
	has := map[string]bool{}
	for _, f := range features {
		has[f.Name] = true
		if err := finalized(f, s.Image.Feature(f.Name)); err != nil {
			return err
		}
	}
	if !has[FeatureMetadata] {
		return explainf(kerr.InvalidRegistration, "Request features do not contain '%s'", FeatureMetadata)
	}
	for name, level := range s.Image.Features() {
		if has[name] {
			continue
		}
		if err := finalized(metadata.FeatureRange{Name: name}, level); err != nil {
			return err
		}
	}
	return nil
}

func finalized(f metadata.FeatureRange, level int16) error {
	if f.Min <= level && level <= f.Max {
		return nil
	}
	return explainf(kerr.UnsupportedVersion, "Unable to register because the broker does not support finalized "+
		"version %d of %s. The broker wants a version between %d and %d, inclusive.", level, f.Name, f.Min, f.Max)
}

func sortedFeatures(features []metadata.FeatureRange) []metadata.FeatureRange {
	sorted := slices.Clone(features)
	slices.SortFunc(sorted, func(a, b metadata.FeatureRange) int { return strings.Compare(a.Name, b.Name) })
	return sorted
}

// newIncarnation takes the incarnation of before out of service, which may have been
// forgotten in the meantime. After a clean stop the partitions of which the broker has the
// only replica stay as they are: nobody else can lead them, and it has lost nothing.
func (s State) newIncarnation(r Registration, was *metadata.Broker) []metadata.Record {
	clean := was != nil && r.PreviousEpoch == was.Epoch
	return s.updateLeaders(leaderUpdate{remove: r.ID, unclean: !clean && s.elr(), keepSole: clean})
}

// leaderUpdate is what a broker's change of state does to partitions.
type leaderUpdate struct {
	remove   int32 // broker that leaves ISR and leadership, or model.NoLeader
	add      int32 // broker that may lead from now on, if adding
	adding   bool
	unclean  bool       // remove may have lost acknowledged records
	keepSole bool       // leave partitions alone that have no other replica
	dirs     []model.ID // only replicas of remove in these folders; nil: all
}

func (s State) updateLeaders(u leaderUpdate) []metadata.Record {
	var recs []metadata.Record
	for t := range s.Image.Topics() {
		for i, p := range t.Partitions {
			if !u.concerns(p) {
				continue
			}
			if rec, ok := u.apply(s.change(t, int32(i))).done(); ok {
				recs = append(recs, rec)
			}
		}
	}
	return recs
}

func (u leaderUpdate) apply(c *change) *change {
	if c.s.uncleanAllowed(c.topic) {
		c.election = uncleanly
	}
	c.mayLead = func(id int32) bool {
		return (u.adding && id == u.add || c.s.active(id) && (u.adding || id != u.remove)) && c.s.online(c.was, id)
	}
	if u.adding {
		return c
	}
	c.now.ISR = without(c.was.ISR, []int32{u.remove})
	if u.unclean {
		c.unclean = []int32{u.remove}
		c.now.ELR = nonEmpty(without(c.was.ELR, c.unclean))
	}
	return c
}

func (u leaderUpdate) concerns(p *metadata.Partition) bool {
	switch {
	case u.adding:
		return p.Leader == model.NoLeader
	case u.keepSole && len(p.Replicas) == 1 && p.Leader == u.remove:
		return false
	case u.dirs != nil && !u.inDirs(p):
		return false
	case u.unclean && slices.Contains(p.ELR, u.remove):
		return true
	default:
		return slices.Contains(p.ISR, u.remove)
	}
}

func (u leaderUpdate) inDirs(p *metadata.Partition) bool {
	at := slices.Index(p.Replicas, u.remove)
	return at >= 0 && at < len(p.Dirs) && slices.Contains(u.dirs, p.Dirs[at])
}

// Heartbeat decides what becomes of a broker that speaks.
func (s State) Heartbeat(h Heartbeat) (HeartbeatResult, []metadata.Record, error) {
	b, err := s.broker(h.ID, h.Epoch)
	if err != nil {
		return HeartbeatResult{}, nil, err
	}
	r := HeartbeatResult{CaughtUp: h.MetadataOffset >= b.Epoch, Fenced: b.Fenced}
	switch {
	case h.WantShutDown && (b.Fenced || h.WantFence || !s.leads(b.ID) && s.othersKnow(b)):
		r.Fenced, r.ShouldShutDown = true, true
		return r, s.fence(b), nil
	case h.WantShutDown && b.InControlledShutdown && !s.leads(b.ID):
		return r, nil, nil
	case h.WantShutDown:
		return r, s.beginShutdown(b), nil
	case h.WantFence && !b.Fenced:
		r.Fenced = true
		return r, s.fence(b), nil
	}
	// Folders first: what is elected when the broker is unfenced must not be in them.
	if recs := s.dirsOffline(b, h.OfflineDirs); len(recs) > 0 {
		return r, recs, nil
	}
	if !h.WantFence && b.Fenced && r.CaughtUp {
		r.Fenced = false
		return r, s.unfence(b), nil
	}
	return r, nil, nil
}

// othersKnow reports whether every broker in service has learned who leads instead of a
// broker that shuts down: until then it can still tell clients where to go.
func (s State) othersKnow(b *metadata.Broker) bool {
	from := s.Leaving(b.ID)
	for o := range s.Image.Brokers() {
		if o.ID != b.ID && o.Active() && s.Reached(o.ID) < from {
			return false
		}
	}
	return true
}

func (s State) leads(id int32) bool {
	for t := range s.Image.Topics() {
		for _, p := range t.Partitions {
			if p.Leader == id {
				return true
			}
		}
	}
	return false
}

func (s State) fence(b *metadata.Broker) []metadata.Record {
	if b.Fenced {
		return nil
	}
	return append(s.updateLeaders(leaderUpdate{remove: b.ID}),
		metadata.ChangeBroker{ID: b.ID, Epoch: b.Epoch, Fenced: true, InControlledShutdown: b.InControlledShutdown, LogDirs: b.LogDirs})
}

func (s State) unfence(b *metadata.Broker) []metadata.Record {
	recs := []metadata.Record{metadata.ChangeBroker{ID: b.ID, Epoch: b.Epoch, LogDirs: b.LogDirs}}
	return append(recs, s.updateLeaders(leaderUpdate{add: b.ID, adding: true})...)
}

// beginShutdown moves the broker's leaders to others. What has no other replica in
// sync loses its leader.
func (s State) beginShutdown(b *metadata.Broker) []metadata.Record {
	var recs []metadata.Record
	if !b.InControlledShutdown {
		recs = append(recs, metadata.ChangeBroker{ID: b.ID, Epoch: b.Epoch, InControlledShutdown: true, LogDirs: b.LogDirs})
	}
	return append(recs, s.updateLeaders(leaderUpdate{remove: b.ID})...)
}

// FenceBroker decides to take a broker out of service that has fallen silent.
func (s State) FenceBroker(id int32) ([]metadata.Record, error) {
	b, ok := s.Image.Broker(id)
	if !ok {
		return nil, explainf(kerr.BrokerIDNotRegistered, "Broker ID %d is not currently registered", id)
	}
	return s.fence(b), nil
}

// UnregisterBroker decides to forget a broker.
func (s State) UnregisterBroker(id int32) ([]metadata.Record, error) {
	b, ok := s.Image.Broker(id)
	if !ok {
		return nil, explainf(kerr.BrokerIDNotRegistered, "Broker ID %d is not currently registered", id)
	}
	return append(s.updateLeaders(leaderUpdate{remove: id}), metadata.UnregisterBroker{ID: id, Epoch: b.Epoch}), nil
}
