package controller

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// world is an image under test: do applies what a decision returns.
type world struct {
	t     *testing.T
	image *metadata.Image
	rules Rules
	rng   *rand.Rand
}

func newWorld(t *testing.T, racks ...string) *world {
	w := &world{t: t, image: metadata.Empty(), rng: rand.New(rand.NewPCG(1, 1))}
	recs, err := w.state().Bootstrap(1, 2, clusterID)
	if err != nil {
		t.Fatal(err)
	}
	w.apply(recs)
	for i, rack := range racks {
		r := registration(int32(i+1), 1)
		if rack != "" {
			r.Rack = &rack
		}
		w.join(r)
	}
	return w
}

func (w *world) state() State { return NewState(w.image, w.rules, w.rng, time.Time{}) }

func (w *world) apply(recs []metadata.Record) {
	w.t.Helper()
	next, err := w.image.Apply(recs, w.image.Offset+1)
	if err != nil {
		w.t.Fatal(err)
	}
	w.image = next
	w.check()
}

func (w *world) join(r Registration) {
	w.t.Helper()
	epoch, recs, err := w.state().RegisterBroker(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply(recs)
	w.heartbeat(Heartbeat{ID: r.ID, Epoch: epoch, MetadataOffset: w.image.Offset})
}

func (w *world) heartbeat(h Heartbeat) HeartbeatResult {
	w.t.Helper()
	r, recs, err := w.state().Heartbeat(h)
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply(recs)
	return r
}

func (w *world) fence(id int32) {
	w.t.Helper()
	recs, err := w.state().FenceBroker(id)
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply(recs)
}

func (w *world) unfence(id int32) {
	w.t.Helper()
	b, _ := w.image.Broker(id)
	w.heartbeat(Heartbeat{ID: id, Epoch: b.Epoch, MetadataOffset: w.image.Offset})
}

func (w *world) create(t NewTopic) CreatedTopic {
	w.t.Helper()
	r, recs := w.state().CreateTopics([]NewTopic{t}, false)
	w.apply(recs)
	return r[0]
}

// topic creates a topic with one partition on these brokers.
func (w *world) topic(name string, brokers ...int32) {
	w.t.Helper()
	if r := w.create(NewTopic{Name: name, Partitions: -1, ReplicationFactor: -1, Assignments: []Assignment{{0, brokers}}}); r.Err != nil {
		w.t.Fatal(r.Err)
	}
}

func (w *world) partition(name string) *metadata.Partition {
	_, p, ok := w.image.Partition(name, 0)
	if !ok {
		w.t.Fatalf("no partition %s-0", name)
	}
	return p
}

// check holds the invariants of every partition.
func (w *world) check() {
	w.t.Helper()
	elr := w.image.Feature(FeatureELR) > 0
	for t := range w.image.Topics() {
		for i, p := range t.Partitions {
			problem := ""
			switch {
			case p.Leader != model.NoLeader && !slices.Contains(p.ISR, p.Leader):
				problem = "the leader is not in the ISR"
			case !containsAll(p.Replicas, p.ISR) || !containsAll(p.Replicas, p.ELR):
				problem = "the ISR or ELR is not among the replicas"
			case len(within(p.ELR, p.ISR)) > 0:
				problem = "the ISR and the ELR meet"
			case hasTwice(p.Replicas) || hasTwice(p.ISR) || hasTwice(p.ELR):
				problem = "a broker stands twice"
			case len(p.Dirs) != len(p.Replicas):
				problem = "the folders do not fit the replicas"
			case !elr && len(p.ISR) == 0:
				problem = "the ISR is empty"
			case p.Leader != model.NoLeader && !w.state().active(p.Leader):
				problem = "the leader is not alive"
			}
			if problem != "" {
				w.t.Fatalf("%s-%d: %s: %+v", t.Name, i, problem, *p)
			}
		}
	}
}

func ptr(s string) *string { return &s }

func wantErr(t *testing.T, got error, want *kerr.Error, words string) {
	t.Helper()
	if want == nil {
		if got != nil {
			t.Errorf("error %v", got)
		}
		return
	}
	if !errors.Is(got, want) || !strings.Contains(got.Error(), words) {
		t.Errorf("error %v, want %s with %q", got, want.Message, words)
	}
}

func TestCreateTopics(t *testing.T) {
	byHand := func(a ...Assignment) NewTopic {
		return NewTopic{Name: "x", Partitions: -1, ReplicationFactor: -1, Assignments: a}
	}
	plain := func(name string, partitions int32, replicas int16) NewTopic {
		return NewTopic{Name: name, Partitions: partitions, ReplicationFactor: replicas}
	}
	cases := []struct {
		name  string
		topic NewTopic
		err   *kerr.Error
		words string
	}{
		{"plain", plain("x", 3, 2), nil, ""},
		{"defaults", plain("x", -1, -1), nil, ""},
		{"empty name", plain("", 1, 1), kerr.InvalidTopicException, "empty string"},
		{"bad name", plain("a b", 1, 1), kerr.InvalidTopicException, "other than ASCII alphanumerics"},
		{"long name", plain(strings.Repeat("x", 250), 1, 1), kerr.InvalidTopicException, "longer than the max"},
		{"exists", plain("there.is", 1, 1), kerr.TopicAlreadyExists, "Topic 'there.is' already exists."},
		{"collides", plain("there_is", 1, 1), kerr.InvalidTopicException, "collides with existing topic: there.is"},
		{"no partitions", plain("x", 0, 1), kerr.InvalidPartitions, "non-positive"},
		{"no replicas", plain("x", 1, 0), kerr.InvalidReplicationFactor, "larger than 0"},
		{"too many replicas", plain("x", 1, 4), kerr.InvalidReplicationFactor,
			"Unable to replicate the partition 4 time(s): The target replication factor of 4 cannot be reached because only 3 broker(s) are registered."},
		{"too many partitions", plain("x", 10_001, 1), kerr.PolicyViolation, "Excessively large"},
		{"null config", NewTopic{Name: "x", Partitions: 1, ReplicationFactor: 1, Configs: []Config{{"a", nil}}},
			kerr.InvalidConfig, "Null value not supported for topic configs: a"},
		{"bad config", NewTopic{Name: "x", Partitions: 1, ReplicationFactor: 1, Configs: []Config{{"bad", ptr("1")}}},
			kerr.InvalidConfig, "bad is bad"},
		{"by hand", byHand(Assignment{1, []int32{2, 3}}, Assignment{0, []int32{3, 1}}), nil, ""},
		{"by hand with a count", NewTopic{Name: "x", Partitions: 1, ReplicationFactor: -1, Assignments: []Assignment{{0, []int32{1}}}},
			kerr.InvalidRequest, "numPartitions was not set to -1"},
		{"by hand with a factor", NewTopic{Name: "x", Partitions: -1, ReplicationFactor: 1, Assignments: []Assignment{{0, []int32{1}}}},
			kerr.InvalidRequest, "replication factor was not set to -1"},
		{"by hand, unknown broker", byHand(Assignment{0, []int32{9}}), kerr.InvalidReplicaAssignment, "broker 9, but no such broker"},
		{"by hand, one broker twice", byHand(Assignment{0, []int32{1, 1}}), kerr.InvalidReplicaAssignment, "more than once"},
		{"by hand, nobody", byHand(Assignment{0, nil}), kerr.InvalidReplicaAssignment, "empty replica list"},
		{"by hand, uneven", byHand(Assignment{0, []int32{1}}, Assignment{1, []int32{1, 2}}), kerr.InvalidReplicaAssignment, "not consistent"},
		{"by hand, a gap", byHand(Assignment{0, []int32{1}}, Assignment{2, []int32{1}}), kerr.InvalidReplicaAssignment, "consecutive 0-based"},
		{"by hand, negative", byHand(Assignment{-1, []int32{1}}), kerr.InvalidReplicaAssignment, "consecutive 0-based"},
		{"by hand, twice", byHand(Assignment{0, []int32{1}}, Assignment{0, []int32{1}}), kerr.InvalidReplicaAssignment, "multiple manual"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "", "", "")
			w.rules.Partitions = 2
			w.rules.ValidateConfigs = func(_ metadata.Resource, configs map[string]string) error {
				if _, ok := configs["bad"]; ok {
					return errors.New("bad is bad")
				}
				return nil
			}
			w.topic("there.is", 1)
			before := w.image
			try, recs := w.state().CreateTopics([]NewTopic{c.topic}, true)
			wantErr(t, try[0].Err, c.err, c.words)
			if len(recs) > 0 || !try[0].ID.IsZero() {
				t.Error("validateOnly made something")
			}
			r := w.create(c.topic)
			wantErr(t, r.Err, c.err, c.words)
			topic, ok := w.image.Topic(c.topic.Name)
			if c.err != nil {
				if w.image.TopicCount() != before.TopicCount() {
					t.Error("a refused topic was made")
				}
				return
			}
			if !ok || len(topic.Partitions) != int(r.Partitions) || r.Partitions != try[0].Partitions || topic.ID != r.ID {
				t.Errorf("made %+v, answered %+v", topic, r)
			}
		})
	}
}

// A refused topic does not keep others from being made; one named twice is refused.
func TestCreateTopicsTogether(t *testing.T) {
	w := newWorld(t, "")
	topic := func(name string) NewTopic { return NewTopic{Name: name, Partitions: 1, ReplicationFactor: 1} }
	r, recs := w.state().CreateTopics([]NewTopic{topic("a"), topic("twice"), topic("twice"), topic("")}, false)
	w.apply(recs)
	wantErr(t, r[0].Err, nil, "")
	wantErr(t, r[1].Err, kerr.InvalidRequest, "Duplicate topic name.")
	wantErr(t, r[2].Err, kerr.InvalidRequest, "Duplicate topic name.")
	wantErr(t, r[3].Err, kerr.InvalidTopicException, "")
	if w.image.TopicCount() != 1 {
		t.Errorf("%d topics", w.image.TopicCount())
	}
}

// A configuration stands with the topic that has it, and goes with it.
func TestDeleteTopics(t *testing.T) {
	w := newWorld(t, "")
	a := w.create(NewTopic{Name: "a", Partitions: 1, ReplicationFactor: 1, Configs: []Config{{"k", ptr("v")}}})
	w.topic("b", 1)
	if w.image.Configs(topicResource("a"))["k"] != "v" {
		t.Error("the config was not set")
	}
	unknown := model.ID{7}
	r, recs := w.state().DeleteTopics([]TopicRef{
		{Name: "a"}, {ID: a.ID}, {Name: "c"}, {ID: unknown}, {}, {Name: "b", ID: unknown}, {Name: "d"}, {Name: "d"},
	})
	w.apply(recs)
	for i, want := range []struct {
		err   *kerr.Error
		words string
	}{
		{nil, ""}, {nil, ""}, {kerr.UnknownTopicOrPartition, ""}, {kerr.UnknownTopicID, ""},
		{kerr.InvalidRequest, "Neither topic name nor id"}, {kerr.InvalidRequest, "both topic name and topic id"},
		{kerr.InvalidRequest, "Duplicate topic name."}, {kerr.InvalidRequest, "Duplicate topic name."},
	} {
		wantErr(t, r[i].Err, want.err, want.words)
	}
	if r[1].Name != "a" || r[0].ID != a.ID {
		t.Errorf("name and id are not told: %+v", r[:2])
	}
	if _, ok := w.image.Topic("a"); ok || w.image.Configs(topicResource("a")) != nil || w.image.TopicCount() != 1 {
		t.Error("something is left of it")
	}
}

func TestCreatePartitions(t *testing.T) {
	cases := []struct {
		name  string
		ask   MorePartitions
		err   *kerr.Error
		words string
	}{
		{"more", MorePartitions{"a", 5, nil}, nil, ""},
		{"by hand", MorePartitions{"a", 3, [][]int32{{2}, {1}}}, nil, ""},
		{"unknown", MorePartitions{"b", 5, nil}, kerr.UnknownTopicOrPartition, ""},
		{"the same", MorePartitions{"a", 1, nil}, kerr.InvalidPartitions, "already has 1 partition(s)"},
		{"fewer", MorePartitions{"a", 0, nil}, kerr.InvalidPartitions, "would not be an increase"},
		{"huge", MorePartitions{"a", 2_000_000_000, nil}, kerr.PolicyViolation, "Excessively"},
		{"too few by hand", MorePartitions{"a", 3, [][]int32{{2}}}, kerr.InvalidReplicaAssignment, "only 1 assignment(s)"},
		{"another factor", MorePartitions{"a", 2, [][]int32{{2, 1}}}, kerr.InvalidReplicaAssignment, "not consistent"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "", "")
			w.topic("a", 1)
			r, recs := w.state().CreatePartitions([]MorePartitions{c.ask}, false)
			w.apply(recs)
			wantErr(t, r[0].Err, c.err, c.words)
			if topic, _ := w.image.Topic("a"); c.err == nil && len(topic.Partitions) != int(c.ask.Count) {
				t.Errorf("%d partitions", len(topic.Partitions))
			}
		})
	}
}

// Replicas of a partition stand on different brokers and in as many racks as there
// are; leaders are spread evenly; a fenced broker does not lead.
func TestPlacement(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		racks := make([]string, 1+rng.IntN(9))
		for i := range racks {
			racks[i] = string(rune('a' + rng.IntN(4)))
		}
		w := newWorld(t, racks...)
		w.rng = rng
		fenced := int32(0)
		if len(racks) > 1 && rng.IntN(2) == 0 {
			fenced = 1
			w.fence(1)
		}
		factor := 1 + rng.IntN(len(racks))
		r := w.create(NewTopic{Name: "a", Partitions: 60, ReplicationFactor: int16(factor)})
		if r.Err != nil {
			t.Fatalf("seed %d: %v", seed, r.Err)
		}
		checkSpread(t, w, racks, factor, fenced)
		if t.Failed() {
			t.Fatalf("seed %d: racks %v, factor %d", seed, racks, factor)
		}
	}
}

func checkSpread(t *testing.T, w *world, racks []string, factor int, fenced int32) {
	t.Helper()
	live := map[string]bool{}
	for i, rack := range racks {
		if int32(i+1) != fenced {
			live[rack] = true
		}
	}
	topic, _ := w.image.Topic("a")
	leads := map[int32]int{}
	for _, p := range topic.Partitions {
		leads[p.Leader]++
		seen := map[string]bool{}
		for _, id := range p.Replicas {
			seen[racks[id-1]] = true
		}
		if len(seen) < min(factor, len(live)) {
			t.Errorf("replicas %v stand in %d racks", p.Replicas, len(seen))
		}
		if fenced != 0 && p.Replicas[0] == fenced {
			t.Errorf("a fenced broker is preferred in %v", p.Replicas)
		}
	}
	even := 60 / (len(racks) - int(fenced)) // fenced is 1 or 0, and so is the number of fenced
	for id := range int32(len(racks)) {
		if n := leads[id+1]; id+1 != fenced && (n < even || n > even+1) {
			t.Errorf("broker %d leads %d partitions, not %d: %v", id+1, n, even, leads)
		}
	}
}

func TestIncrementalConfigs(t *testing.T) {
	a := topicResource("a")
	change := func(r metadata.Resource, changes ...ConfigChange) IncrementalAlter {
		return IncrementalAlter{r, changes}
	}
	cases := []struct {
		name  string
		alter IncrementalAlter
		want  string // the configs of a afterwards
		err   *kerr.Error
		words string
	}{
		{"set", change(a, ConfigChange{"k", OpSet, ptr("w")}), "k=w list=x,y", nil, ""},
		{"delete", change(a, ConfigChange{"k", OpDelete, nil}), "list=x,y", nil, ""},
		{"append", change(a, ConfigChange{"list", OpAppend, ptr("y,z")}), "k=v list=x,y,z", nil, ""},
		{"append to the default", change(a, ConfigChange{"list2", OpAppend, ptr("z")}), "k=v list2=d,z list=x,y", nil, ""},
		{"subtract", change(a, ConfigChange{"list", OpSubtract, ptr("x,q")}), "k=v list=y", nil, ""},
		{"append to no list", change(a, ConfigChange{"k", OpAppend, ptr("z")}), "", kerr.InvalidConfig, "Can't APPEND to key k because its type is not LIST."},
		{"null", change(a, ConfigChange{"k", OpSet, nil}), "", kerr.InvalidRequest, "Null value not supported"},
		{"twice", change(a, ConfigChange{"k", OpSet, ptr("1")}, ConfigChange{"k", OpDelete, nil}), "", kerr.InvalidRequest, "duplicate config keys"},
		{"bad, all or none", change(a, ConfigChange{"k", OpSet, ptr("w")}, ConfigChange{"bad", OpSet, ptr("1")}), "", kerr.InvalidConfig, "bad is bad"},
		{"long", change(a, ConfigChange{"k", OpSet, ptr(strings.Repeat("x", 1<<15))}), "", kerr.InvalidConfig, "maximum value size of 32767 bytes"},
		{"operation", change(a, ConfigChange{"k", 7, ptr("w")}), "", kerr.InvalidRequest, "Unknown operation"},
		{"no such topic", change(topicResource("b"), ConfigChange{"k", OpSet, ptr("w")}), "", kerr.UnknownTopicOrPartition, "does not exist"},
		{"no such broker", change(metadata.Resource{Type: metadata.BrokerResource, Name: "9"}), "", kerr.BrokerIDNotRegistered, "No broker with id 9 found."},
		{"broker by word", change(metadata.Resource{Type: metadata.BrokerResource, Name: "x"}), "", kerr.InvalidRequest, "base 10 number"},
		{"min ISR of one broker", change(metadata.Resource{Type: metadata.BrokerResource, Name: "1"}, ConfigChange{minISRKey, OpSet, ptr("1")}), "",
			kerr.InvalidConfig, "while ELR is enabled"},
		{"a strange resource", change(metadata.Resource{Type: 99, Name: "x"}), "", kerr.InvalidRequest, "Unexpected resource type 99"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "")
			w.create(NewTopic{Name: "a", Partitions: 1, ReplicationFactor: 1, Configs: []Config{{"k", ptr("v")}, {"list", ptr("x,y")}}})
			w.rules.ListConfig = func(_ metadata.ResourceType, key string) (string, bool) { return "d", strings.HasPrefix(key, "list") }
			w.rules.ValidateConfigs = func(_ metadata.Resource, configs map[string]string) error {
				if configs["bad"] != "" {
					return errors.New("bad is bad")
				}
				return nil
			}
			r, recs := w.state().IncrementalAlterConfigs([]IncrementalAlter{c.alter}, false)
			w.apply(recs)
			wantErr(t, r[0].Err, c.err, c.words)
			want := c.want
			if c.err != nil {
				want = "k=v list=x,y"
			}
			if got := showConfigs(w.image.Configs(a)); got != want {
				t.Errorf("configs %q, want %q", got, want)
			}
		})
	}
}

func showConfigs(c map[string]string) string {
	var parts []string
	for k, v := range c {
		parts = append(parts, k+"="+v)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// The legacy request replaces everything.
func TestLegacyConfigs(t *testing.T) {
	w := newWorld(t, "")
	w.create(NewTopic{Name: "a", Partitions: 1, ReplicationFactor: 1, Configs: []Config{{"k", ptr("v")}, {"l", ptr("w")}}})
	r, recs := w.state().AlterConfigs([]LegacyAlter{{topicResource("a"), []Config{{"l", ptr("x")}, {"m", nil}}}}, true)
	if len(recs) > 0 || r[0].Err != nil {
		t.Errorf("validateOnly: %v, %v", r, recs)
	}
	_, recs = w.state().AlterConfigs([]LegacyAlter{{topicResource("a"), []Config{{"l", ptr("x")}, {"m", nil}}}}, false)
	w.apply(recs)
	if got := showConfigs(w.image.Configs(topicResource("a"))); got != "l=x" {
		t.Errorf("configs %q", got)
	}
}

// Leaders move when a broker is fenced, and not back by themselves.
func TestFenceAndElect(t *testing.T) {
	w := newWorld(t, "", "", "")
	w.topic("a", 1, 2, 3)
	w.fence(1)
	if p := w.partition("a"); p.Leader != 2 || p.LeaderEpoch != 1 || !slices.Equal(p.ISR, []int32{2, 3}) {
		t.Fatalf("after the fence: %+v", *p)
	}
	r, _ := w.state().ElectLeaders(PreferredElection, []TopicPartitions{{"a", []int32{0, 1}}, {"b", []int32{0}}})
	wantErr(t, r[0].Err, kerr.PreferredLeaderNotAvailable, "")
	wantErr(t, r[1].Err, kerr.UnknownTopicOrPartition, "No such partition as a-1")
	wantErr(t, r[2].Err, kerr.UnknownTopicOrPartition, "No such topic as b")
	w.unfence(1)
	p := w.partition("a")
	results, recs, err := w.state().AlterPartition(AlterPartition{2, epochOf(w, 2), []ISRChange{{
		topicID(w, "a"), 0, p.LeaderEpoch, p.PartitionEpoch, []BrokerEpoch{{2, -1}, {3, -1}, {1, epochOf(w, 1)}}, 0,
	}}})
	if err != nil || results[0].Err != nil {
		t.Fatal(err, results[0].Err)
	}
	w.apply(recs)
	if results[0].State.PartitionEpoch != w.partition("a").PartitionEpoch {
		t.Error("the leader was told another epoch than was agreed")
	}
	r, recs = w.state().ElectLeaders(PreferredElection, nil)
	w.apply(recs)
	if p := w.partition("a"); len(r) != 1 || r[0].Err != nil || p.Leader != 1 || p.LeaderEpoch != 2 {
		t.Errorf("preferred election: %+v, %+v", r, *p)
	}
	r, _ = w.state().ElectLeaders(PreferredElection, []TopicPartitions{{"a", []int32{0}}})
	wantErr(t, r[0].Err, kerr.ElectionNotNeeded, "")
	if r, _ := w.state().ElectLeaders(UncleanElection, nil); len(r) != 0 {
		t.Errorf("of all, those that need none are told: %+v", r)
	}
}

func epochOf(w *world, id int32) int64 { b, _ := w.image.Broker(id); return b.Epoch }

func topicID(w *world, name string) model.ID { t, _ := w.image.Topic(name); return t.ID }

func TestAlterPartitionRefusals(t *testing.T) {
	cases := []struct {
		name   string
		change func(c *ISRChange)
		err    *kerr.Error
	}{
		{"newer leader epoch", func(c *ISRChange) { c.LeaderEpoch++ }, kerr.NotController},
		{"newer partition epoch", func(c *ISRChange) { c.PartitionEpoch++ }, kerr.NotController},
		{"older leader epoch", func(c *ISRChange) { c.LeaderEpoch-- }, kerr.FencedLeaderEpoch},
		{"older partition epoch", func(c *ISRChange) { c.PartitionEpoch-- }, kerr.InvalidUpdateVersion},
		{"no replica", func(c *ISRChange) { c.ISR = []BrokerEpoch{{1, -1}, {4, -1}} }, kerr.InvalidRequest},
		{"without the leader", func(c *ISRChange) { c.ISR = []BrokerEpoch{{2, -1}} }, kerr.InvalidRequest},
		{"twice", func(c *ISRChange) { c.ISR = []BrokerEpoch{{1, -1}, {1, -1}} }, kerr.InvalidRequest},
		{"recovering", func(c *ISRChange) { c.ISR, c.Recovery = c.ISR[:1], metadata.Recovering }, kerr.InvalidRequest},
		{"fenced", func(c *ISRChange) { c.ISR = []BrokerEpoch{{1, -1}, {3, -1}} }, kerr.IneligibleReplica},
		{"another registration", func(c *ISRChange) { c.ISR = []BrokerEpoch{{1, -1}, {2, 99}} }, kerr.IneligibleReplica},
		{"unknown topic", func(c *ISRChange) { c.Topic = model.ID{9} }, kerr.UnknownTopicID},
		{"unknown partition", func(c *ISRChange) { c.Partition = 7 }, kerr.UnknownTopicOrPartition},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "", "", "", "")
			w.topic("a", 1, 2, 3)
			w.fence(3)
			p := w.partition("a")
			change := ISRChange{topicID(w, "a"), 0, p.LeaderEpoch, p.PartitionEpoch, []BrokerEpoch{{1, -1}, {2, -1}}, 0}
			c.change(&change)
			r, recs, err := w.state().AlterPartition(AlterPartition{1, epochOf(w, 1), []ISRChange{change}})
			if err != nil || len(recs) > 0 {
				t.Fatal(err, recs)
			}
			wantErr(t, r[0].Err, c.err, "")
		})
	}
	w := newWorld(t, "")
	_, _, err := w.state().AlterPartition(AlterPartition{1, 99, nil})
	wantErr(t, err, kerr.StaleBrokerEpoch, "Expected broker epoch")
}

// With the last in sync gone, eligible replicas take over without loss; when nobody
// eligible is left, the last leader is waited for.
func TestEligibleLeaderReplicas(t *testing.T) {
	w := newWorld(t, "", "", "")
	w.rules.MinISR = func(*metadata.Image, string) int { return 2 }
	w.topic("a", 1, 2, 3)
	w.fence(3)
	w.fence(2)
	if p := w.partition("a"); !slices.Equal(p.ISR, []int32{1}) || !slices.Equal(p.ELR, []int32{2}) {
		t.Fatalf("below min ISR: %+v", *p)
	}
	w.fence(1)
	if p := w.partition("a"); p.Leader != model.NoLeader || len(p.ISR) != 0 || !slices.Equal(sorted(slices.Clone(p.ELR)), []int32{1, 2}) ||
		!slices.Equal(p.LastKnownELR, []int32{1}) {
		t.Fatalf("all gone: %+v", *p)
	}
	w.unfence(3)
	if p := w.partition("a"); p.Leader != model.NoLeader {
		t.Fatalf("one who lacks records leads: %+v", *p)
	}
	w.unfence(2)
	if p := w.partition("a"); p.Leader != 2 || !slices.Equal(p.ISR, []int32{2}) || p.Recovery != metadata.Recovered || len(p.LastKnownELR) != 0 {
		t.Fatalf("an eligible one came back: %+v", *p)
	}
}

// A broker that stopped clean keeps the partitions that nobody else has; one that did
// not has to be elected again, so that clients see a new epoch.
func TestNewIncarnation(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprint("clean ", clean), func(t *testing.T) {
			w := newWorld(t, "", "")
			w.topic("sole", 1)
			w.topic("shared", 1, 2)
			r := registration(1, 2)
			if clean {
				r.PreviousEpoch = epochOf(w, 1)
			}
			epoch, recs, err := w.state().RegisterBroker(r)
			if err != nil {
				t.Fatal(err)
			}
			next, err := w.image.Apply(recs, w.image.Offset+1)
			if err != nil {
				t.Fatal(err)
			}
			w.image = next // a sole replica's leader is fenced for a moment: check would object
			w.heartbeat(Heartbeat{ID: 1, Epoch: epoch, MetadataOffset: w.image.Offset})
			sole, shared := w.partition("sole"), w.partition("shared")
			if sole.Leader != 1 || (sole.LeaderEpoch == 0) != clean || (sole.Recovery == metadata.Recovered) != clean {
				t.Errorf("sole: %+v", *sole)
			}
			if shared.Leader != 2 || shared.LeaderEpoch != 1 {
				t.Errorf("shared: %+v", *shared)
			}
		})
	}
}

// A broker that wants to stop is told to when it leads nothing any more.
func TestControlledShutdown(t *testing.T) {
	w := newWorld(t, "", "")
	w.topic("a", 1, 2)
	h := Heartbeat{ID: 1, Epoch: epochOf(w, 1), MetadataOffset: w.image.Offset, WantShutDown: true}
	if r := w.heartbeat(h); r.ShouldShutDown {
		t.Error("it leads and was told to stop")
	}
	if p := w.partition("a"); p.Leader != 2 {
		t.Errorf("its leader did not move: %+v", *p)
	}
	if r := w.heartbeat(h); !r.ShouldShutDown {
		t.Error("it leads nothing and was not told to stop")
	}
	if b, _ := w.image.Broker(1); !b.Fenced {
		t.Error("it is not fenced")
	}
	recs, err := w.state().UnregisterBroker(1)
	if err != nil {
		t.Fatal(err)
	}
	w.apply(recs)
	_, err = w.state().UnregisterBroker(1)
	wantErr(t, err, kerr.BrokerIDNotRegistered, "Broker ID 1 is not currently registered")
}

func TestRegistrationRefusals(t *testing.T) {
	cases := []struct {
		name   string
		change func(r *Registration)
		err    *kerr.Error
		words  string
	}{
		{"negative id", func(r *Registration) { r.ID = -1 }, kerr.InvalidRegistration, "negative"},
		{"no listener", func(r *Registration) { r.Endpoints = nil }, kerr.InvalidRegistration, "No listeners"},
		{"no folder", func(r *Registration) { r.LogDirs = nil }, kerr.InvalidRegistration, "No directories"},
		{"a folder twice", func(r *Registration) { r.LogDirs = []model.ID{{9}, {9}} }, kerr.InvalidRegistration, "Duplicate directory"},
		{"a reserved folder", func(r *Registration) { r.LogDirs = []model.ID{{15: 1}} }, kerr.InvalidRegistration, "Reserved directory"},
		{"another's folder", func(r *Registration) { r.LogDirs = []model.ID{{2, 1}} }, kerr.InvalidRegistration, "Broker 1 is already registered"},
		{"no features", func(r *Registration) { r.Features = nil }, kerr.InvalidRegistration, FeatureMetadata},
		{"old features", func(r *Registration) {
			r.Features = []metadata.FeatureRange{{Name: FeatureMetadata, Min: 7, Max: 20}, Features[0], Features[1]}
		},
			kerr.UnsupportedVersion, "does not support finalized version 29"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "")
			r := registration(2, 1)
			c.change(&r)
			_, recs, err := w.state().RegisterBroker(r)
			wantErr(t, err, c.err, c.words)
			if len(recs) > 0 {
				t.Error("it was registered")
			}
		})
	}
}

func TestReassign(t *testing.T) {
	w := newWorld(t, "", "", "")
	w.topic("a", 1, 2)
	move := func(replicas ...int32) Reassign {
		return Reassign{Partitions: []Reassignment{{model.TopicPartition{Topic: "a"}, replicas}}, AllowReplicationChange: true}
	}
	do := func(r Reassign) error {
		t.Helper()
		results, recs := w.state().AlterPartitionReassignments(r)
		w.apply(recs)
		return results[0].Err
	}
	before := w.partition("a")
	wantErr(t, do(move(1, 2)), nil, "")
	if w.partition("a") != before {
		t.Error("the same replicas changed something")
	}
	wantErr(t, do(move(1, 9)), kerr.InvalidReplicaAssignment, "no such broker")
	wantErr(t, do(move()), kerr.NoReassignmentInProgress, "") // nil cancels
	narrow := move(1)
	narrow.AllowReplicationChange = false
	wantErr(t, do(narrow), kerr.InvalidReplicationFactor, "changed from 2 to 1")

	wantErr(t, do(move(3, 2)), nil, "")
	p := w.partition("a")
	if !slices.Equal(p.Replicas, []int32{3, 2, 1}) || !slices.Equal(p.Adding, []int32{3}) || !slices.Equal(p.Removing, []int32{1}) || p.Leader != 1 {
		t.Fatalf("on the move: %+v", *p)
	}
	if list := w.state().ListPartitionReassignments(nil); len(list) != 1 || list[0].Topic != "a" {
		t.Errorf("listed %+v", list)
	}
	wantErr(t, do(move()), nil, "")
	if p := w.partition("a"); p.Reassigning() || !slices.Equal(sorted(slices.Clone(p.Replicas)), []int32{1, 2}) {
		t.Fatalf("cancelled: %+v", *p)
	}
	wantErr(t, do(move(3, 2)), nil, "")
	p = w.partition("a")
	r, recs, err := w.state().AlterPartition(AlterPartition{1, epochOf(w, 1), []ISRChange{{
		topicID(w, "a"), 0, p.LeaderEpoch, p.PartitionEpoch, []BrokerEpoch{{1, -1}, {2, -1}, {3, -1}}, 0,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, r[0].Err, kerr.NewLeaderElected, "")
	w.apply(recs)
	if p := w.partition("a"); !slices.Equal(p.Replicas, []int32{3, 2}) || p.Reassigning() || p.Leader != 3 {
		t.Errorf("moved: %+v", *p)
	}
}

func TestUpdateFeatures(t *testing.T) {
	cases := []struct {
		name   string
		update FeatureUpdate
		err    *kerr.Error
		words  string
	}{
		{"down", FeatureUpdate{FeatureELR, 0, SafeDowngrade}, nil, ""},
		{"the same", FeatureUpdate{FeatureMetadata, 29, Upgrade}, nil, ""},
		{"down as up", FeatureUpdate{FeatureMetadata, 20, Upgrade}, kerr.InvalidUpdateVersion, "Can't downgrade the version"},
		{"too new", FeatureUpdate{FeatureMetadata, 99, Upgrade}, kerr.InvalidUpdateVersion, "Local controller only supports versions 7-29"},
		{"unknown", FeatureUpdate{"x", 1, Upgrade}, kerr.InvalidUpdateVersion, "does not support this feature"},
		{"no type", FeatureUpdate{FeatureELR, 1, 0}, kerr.InvalidUpdateVersion, "upgrade type"},
		{"negative", FeatureUpdate{FeatureELR, -1, Upgrade}, kerr.InvalidUpdateVersion, "less than 0"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "")
			r, recs := w.state().UpdateFeatures([]FeatureUpdate{c.update}, false)
			w.apply(recs)
			wantErr(t, r[0].Err, c.err, c.words)
			if c.err == nil && w.image.Feature(c.update.Name) != c.update.Level {
				t.Errorf("level %d", w.image.Feature(c.update.Name))
			}
		})
	}
}

// Whatever is asked in whatever order, decisions apply and the invariants hold.
func TestRandomHistories(t *testing.T) {
	histories := 150
	if testing.Short() {
		histories = 20
	}
	for seed := range uint64(histories) {
		rng := rand.New(rand.NewPCG(seed, 9))
		w := newWorld(t, "a", "a", "b", "b", "c")
		w.rng = rng
		w.rules.MinISR = func(*metadata.Image, string) int { return 2 }
		w.rules.Unclean = func(_ *metadata.Image, topic string) bool { return strings.HasSuffix(topic, "1") }
		for range 120 {
			randomStep(w, rng)
		}
		if t.Failed() {
			t.Fatalf("repeat with seed %d", seed)
		}
	}
}

func randomStep(w *world, rng *rand.Rand) {
	s := w.state()
	id, name := int32(1+rng.IntN(5)), fmt.Sprint("t", rng.IntN(4))
	some := func() []int32 {
		ids := rng.Perm(5)[:1+rng.IntN(4)]
		list := make([]int32, len(ids))
		for i, v := range ids {
			list[i] = int32(v + 1)
		}
		return list
	}
	switch rng.IntN(10) {
	case 0, 1:
		w.create(NewTopic{Name: name, Partitions: int32(1 + rng.IntN(3)), ReplicationFactor: int16(1 + rng.IntN(3))})
	case 2:
		_, recs := s.DeleteTopics([]TopicRef{{Name: name}})
		if rng.IntN(4) == 0 {
			w.apply(recs)
		}
	case 3:
		w.fence(id)
	case 4, 5:
		w.unfence(id)
	case 6:
		_, recs := s.AlterPartitionReassignments(Reassign{AllowReplicationChange: true, Partitions: []Reassignment{
			{model.TopicPartition{Topic: name}, some()}, {model.TopicPartition{Topic: "t0", Partition: 1}, nil},
		}})
		w.apply(recs)
	case 7:
		_, recs := s.ElectLeaders(ElectionType(rng.IntN(2)), nil)
		w.apply(recs)
	default:
		randomISR(w, name, some())
	}
}

func randomISR(w *world, name string, ids []int32) {
	t, ok := w.image.Topic(name)
	if !ok {
		return
	}
	p := t.Partitions[0]
	var isr []BrokerEpoch
	if p.Leader != model.NoLeader && !slices.Contains(ids, p.Leader) {
		ids = append(ids, p.Leader)
	}
	for _, id := range within(ids, p.Replicas) {
		isr = append(isr, BrokerEpoch{id, -1})
	}
	if _, ok := w.image.Broker(p.Leader); !ok {
		return
	}
	_, recs, err := w.state().AlterPartition(AlterPartition{p.Leader, epochOf(w, p.Leader), []ISRChange{
		{t.ID, 0, p.LeaderEpoch, p.PartitionEpoch, isr, metadata.Recovered},
	}})
	if err != nil {
		w.t.Error(err)
	}
	w.apply(recs)
}
