package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// saga is a cluster whose brokers come and go, die and lose folders, and whose leaders
// ask for ISRs. It knows the truth that the controller cannot know: which replicas have
// every committed record.
type saga struct {
	*world
	rng     *rand.Rand
	procs   map[int32]*proc
	has     map[model.IDPartition]map[int32]bool // who has every committed record
	forced  bool                                 // the step asks for an unclean election
	asked   []int32                              // the ISR that the step asks for
	elected int                                  // clean elections, to see that there are some
	dirty   int
}

// proc is a broker's process.
type proc struct {
	runs        bool
	incarnation byte
	epoch       int64
	lost        []model.ID // folders that have failed
}

const sagaBrokers = 6

func sagaMinISR(m *metadata.Image, topic string) int {
	if v, ok := m.Configs(topicResource(topic))[minISRKey]; ok {
		return int(v[0] - '0')
	}
	return 2
}

func newSaga(t *testing.T, seed uint64) *saga {
	s := &saga{
		world: newWorld(t), rng: rand.New(rand.NewPCG(seed, 11)),
		procs: map[int32]*proc{}, has: map[model.IDPartition]map[int32]bool{},
	}
	s.world.rng = s.rng
	s.rules.MinISR = sagaMinISR
	s.rules.Unclean = func(_ *metadata.Image, topic string) bool { return strings.HasPrefix(topic, "lossy") }
	for id := int32(1); id <= sagaBrokers; id++ {
		s.procs[id] = &proc{}
		s.boot(id, true)
	}
	for i := range 4 {
		s.make(fmt.Sprint("safe", i))
		s.make(fmt.Sprint("lossy", i))
	}
	return s
}

func sagaDirs(id int32) []model.ID { return []model.ID{{2, byte(id)}, {3, byte(id)}} }

// become applies a decision and holds every partition's step against the truth.
func (s *saga) become(what string, recs []metadata.Record) {
	s.t.Helper()
	if len(recs) == 0 {
		return
	}
	was := s.image
	for _, entry := range entries(recs) {
		next, err := s.image.Apply(entry, s.image.Offset+1)
		if err != nil {
			s.t.Fatalf("%s: %v", what, err)
		}
		s.image = next
	}
	s.check()
	for t := range s.image.Topics() {
		before, _ := was.TopicByID(t.ID)
		for i, p := range t.Partitions {
			key := model.IDPartition{Topic: t.ID, Partition: int32(i)}
			if before == nil || i >= len(before.Partitions) {
				s.has[key] = map[int32]bool{} // nothing is committed: everybody has it
				for id := range int32(sagaBrokers) {
					s.has[key][id+1] = true
				}
				continue
			}
			if problem := s.step(t, key, before.Partitions[i], p); problem != "" {
				s.t.Fatalf("%s: %s-%d: %s:\n%+v\n%+v\nhas %v", what, t.Name, i, problem, *before.Partitions[i], *p, s.has[key])
			}
		}
	}
}

// step says what is wrong with one partition's change.
func (s *saga) step(t *metadata.Topic, key model.IDPartition, was, is *metadata.Partition) string {
	if was == is {
		return ""
	}
	elr := s.image.Feature(FeatureELR) > 0
	switch {
	case is.PartitionEpoch != was.PartitionEpoch+1:
		return "the partition epoch does not grow by one"
	case is.LeaderEpoch < was.LeaderEpoch || is.LeaderEpoch > was.LeaderEpoch+1:
		return "the leader epoch jumps"
	case is.Leader != was.Leader && is.LeaderEpoch == was.LeaderEpoch:
		return "another leader in the same epoch"
	case len(is.ISR) == 0 && len(was.ISR) > 0 && !elr:
		return "nobody is in sync"
	case len(is.ELR) > 0 && !elr:
		return "an ELR without the feature"
	case len(is.ELR) > 0 && len(is.ISR) >= min(sagaMinISR(s.image, t.Name), len(t.Partitions[0].Replicas)):
		return "an ELR although enough are in sync"
	case !containsAll(append(slices.Clone(was.ISR), was.ELR...), is.ELR):
		return "somebody entered the ELR who was in neither set"
	}
	if is.Leader != was.Leader {
		s.elected++
	}
	eligible := slices.Concat(was.ISR, was.ELR, s.asked)
	if !containsAll(eligible, is.ISR) || is.Recovery == metadata.Recovering && was.Recovery != metadata.Recovering {
		return s.unclean(t, key, was, is)
	}
	if is.Leader != model.NoLeader && !s.has[key][is.Leader] {
		return "the leader lacks committed records"
	}
	return ""
}

func (s *saga) unclean(t *metadata.Topic, key model.IDPartition, was, is *metadata.Partition) string {
	s.dirty++
	lastKnown := len(was.ISR)+len(was.ELR) <= 1 && slices.Equal(was.LastKnownELR, []int32{is.Leader})
	switch {
	case !s.forced && !s.rules.Unclean(s.image, t.Name) && !lastKnown:
		return "an unclean election that nobody allowed"
	case is.Recovery != metadata.Recovering || len(is.ISR) != 1 || len(is.ELR) > 0:
		return "an unclean election that does not show"
	}
	s.has[key] = map[int32]bool{is.ISR[0]: true} // what the others had more is lost, by consent
	return ""
}

// commit lets every partition that can commit a record do so: only those in sync get it.
func (s *saga) commit() {
	for t := range s.image.Topics() {
		for i, p := range t.Partitions {
			if p.Leader == model.NoLeader || !s.procs[p.Leader].runs || len(p.ISR) < min(sagaMinISR(s.image, t.Name), len(p.Replicas)) {
				continue
			}
			has := map[int32]bool{}
			for _, id := range p.ISR {
				has[id] = true
			}
			s.has[model.IDPartition{Topic: t.ID, Partition: int32(i)}] = has
		}
	}
}

func (s *saga) make(name string) {
	if _, ok := s.image.Topic(name); ok {
		return
	}
	_, recs := s.state().CreateTopics([]NewTopic{{Name: name, Partitions: int32(1 + s.rng.IntN(2)), ReplicationFactor: int16(1 + s.rng.IntN(4))}}, false)
	s.become("create", recs)
}

// boot starts a broker's process. Unless it stopped clean it has lost what it had not
// made durable, if this cluster counts on clean stops (KIP-966).
func (s *saga) boot(id int32, clean bool) {
	p := s.procs[id]
	p.incarnation++
	p.lost = nil
	r := registration(id, p.incarnation)
	r.LogDirs = sagaDirs(id)
	b, known := s.image.Broker(id)
	if clean && known {
		r.PreviousEpoch = b.Epoch
	}
	if (!clean || !known) && s.image.Feature(FeatureELR) > 0 {
		for _, has := range s.has {
			delete(has, id)
		}
	}
	epoch, recs, err := s.state().RegisterBroker(r)
	if err != nil {
		s.t.Fatal(err)
	}
	p.runs, p.epoch = true, epoch
	s.become(fmt.Sprintf("register %d, clean %v", id, clean), recs)
	if s.rng.IntN(4) > 0 {
		s.beat(id)
	}
}

func (s *saga) beat(id int32) HeartbeatResult { return s.say(id, false, false) }

func (s *saga) say(id int32, fence, leave bool) HeartbeatResult {
	p := s.procs[id]
	r, recs, err := s.state().Heartbeat(Heartbeat{
		ID: id, Epoch: p.epoch, MetadataOffset: s.image.Offset, WantFence: fence, WantShutDown: leave, OfflineDirs: p.lost,
	})
	if err != nil {
		p.runs = false // it was unregistered, and ends
		return r
	}
	s.become(fmt.Sprintf("heartbeat of %d, fence %v, leave %v, lost %v", id, fence, leave, p.lost), recs)
	return r
}

func (s *saga) act() {
	id := int32(1 + s.rng.IntN(sagaBrokers))
	p := s.procs[id]
	s.forced, s.asked = false, nil
	switch n := s.rng.IntN(20); {
	case !p.runs && n < 12:
		s.boot(id, false)
	case !p.runs:
		if _, ok := s.image.Broker(id); ok && n < 18 {
			recs, _ := s.state().FenceBroker(id)
			s.become(fmt.Sprintf("fence %d", id), recs)
		} else if ok && n == 18 {
			recs, _ := s.state().UnregisterBroker(id)
			s.become(fmt.Sprintf("unregister %d", id), recs)
		}
	case n < 2: // killed, and fenced or not
		p.runs = false
		if n == 0 {
			recs, _ := s.state().FenceBroker(id)
			s.become(fmt.Sprintf("fence %d", id), recs)
		}
	case n == 2: // stopped clean, and back
		for !s.say(id, false, true).ShouldShutDown && p.runs {
			continue
		}
		if p.runs {
			p.runs = false
			s.boot(id, true)
		}
	case n == 3:
		recs, _ := s.state().FenceBroker(id)
		s.become(fmt.Sprintf("falsely fence %d", id), recs)
	case n == 4 && len(p.lost) == 0:
		p.lost = sagaDirs(id)[s.rng.IntN(2):][:1]
		s.beat(id)
	case n == 5:
		s.say(id, s.rng.IntN(2) == 0, false)
	case n == 6:
		s.assign(id)
	case n < 9:
		s.beat(id)
	case n < 13:
		s.commit()
	default:
		s.ask(n)
	}
}

// assign has a broker say where its replicas are.
func (s *saga) assign(id int32) {
	a := AssignDirs{Broker: id, BrokerEpoch: s.procs[id].epoch}
	for t := range s.image.Topics() {
		for i, p := range t.Partitions {
			if slices.Contains(p.Replicas, id) && s.rng.IntN(2) == 0 {
				a.Replicas = append(a.Replicas, DirReplica{sagaDirs(id)[s.rng.IntN(2)], t.ID, int32(i)})
			}
		}
	}
	_, recs, err := s.state().AssignReplicasToDirs(a)
	if err == nil {
		s.become(fmt.Sprintf("folders of %d", id), recs)
	}
}

// ask is what people and leaders ask for.
func (s *saga) ask(n int) {
	name := fmt.Sprint([]string{"safe", "lossy"}[s.rng.IntN(2)], s.rng.IntN(4))
	some := func() []int32 {
		var list []int32
		for _, v := range s.rng.Perm(sagaBrokers)[:1+s.rng.IntN(4)] {
			list = append(list, int32(v+1))
		}
		return list
	}
	switch {
	case n < 16:
		s.askISR(name, some())
	case n == 16:
		replicas := some()
		if s.rng.IntN(3) == 0 {
			replicas = nil
		}
		results, recs := s.state().AlterPartitionReassignments(Reassign{AllowReplicationChange: true,
			Partitions: []Reassignment{{model.TopicPartition{Topic: name}, replicas}}})
		s.become(fmt.Sprintf("reassign %s to %v: %v", name, replicas, results[0].Err), recs)
	case n == 17:
		kind := ElectionType(s.rng.IntN(2))
		s.forced = kind == UncleanElection
		_, recs := s.state().ElectLeaders(kind, nil)
		s.become(fmt.Sprintf("elect %d", kind), recs)
	case n == 18:
		recs, _ := s.state().BalanceLeaders()
		s.become("balance", recs)
	case s.rng.IntN(4) == 0:
		_, recs := s.state().IncrementalAlterConfigs([]IncrementalAlter{{topicResource(name),
			[]ConfigChange{{minISRKey, OpSet, ptr(fmt.Sprint(1 + s.rng.IntN(3)))}}}}, false)
		s.become("min.insync.replicas of "+name, recs)
	case s.rng.IntN(20) == 0:
		s.downgraded = true
		level := 1 - s.image.Feature(FeatureELR)
		_, recs := s.state().UpdateFeatures([]FeatureUpdate{{FeatureELR, level, FeatureUpgrade(2 - level)}}, false)
		s.become(fmt.Sprintf("ELR %d", level), recs)
	default:
		recs, _ := s.state().ElectUnclean()
		s.become("elect where nobody is in sync", recs)
	}
}

// askISR is a leader's request: it takes in whom it has brought up to date.
func (s *saga) askISR(name string, ids []int32) {
	t, ok := s.image.Topic(name)
	if !ok {
		return
	}
	number := int32(s.rng.IntN(len(t.Partitions)))
	p := t.Partitions[number]
	if p.Leader == model.NoLeader || !s.procs[p.Leader].runs {
		return
	}
	key := model.IDPartition{Topic: t.ID, Partition: number}
	isr := []BrokerEpoch{{p.Leader, s.procs[p.Leader].epoch}}
	for _, id := range within(ids, p.Replicas) {
		if id == p.Leader || !s.procs[id].runs || len(s.procs[id].lost) > 0 {
			continue
		}
		isr = append(isr, BrokerEpoch{id, s.procs[id].epoch})
		s.has[key][id] = s.has[key][id] || s.has[key][p.Leader] // it has fetched up to the leader's end
	}
	change := ISRChange{t.ID, number, p.LeaderEpoch, p.PartitionEpoch, isr, metadata.Recovered}
	if s.rng.IntN(10) == 0 {
		change.PartitionEpoch--
	}
	s.asked = idsOf(isr)
	results, recs, err := s.state().AlterPartition(AlterPartition{p.Leader, s.procs[p.Leader].epoch, []ISRChange{change}})
	if err == nil {
		s.become(fmt.Sprintf("ISR of %s-%d to %v: %v", name, number, idsOf(isr), results[0].Err), recs)
	}
}

// Whatever happens to brokers, a leader has every committed record unless somebody allowed
// that records are lost, and epochs, ISRs and ELRs keep their rules.
func TestSagas(t *testing.T) {
	sagas := 200
	if testing.Short() {
		sagas = 30
	}
	elected, dirty := 0, 0
	for seed := range uint64(sagas) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := newSaga(t, seed)
			for range 250 {
				s.act()
			}
			elected += s.elected
			dirty += s.dirty
		})
	}
	if elected < 10*sagas || dirty < sagas/10 {
		t.Errorf("%d elections, %d unclean: too few to show anything", elected, dirty)
	}
	t.Logf("%d elections, %d of them unclean", elected, dirty)
}
