package controller

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

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

// A number of replicas that nobody asked for is no reason to refuse a topic where there
// are fewer brokers; one that was set is.
func TestCreateTopicsByDefault(t *testing.T) {
	for brokers, want := range map[int]int{1: 1, 2: 2, 3: 3, 4: 3} {
		w := newWorld(t, make([]string, brokers)...)
		w.rules.ReplicationFactor, w.rules.FewerReplicas = 3, true
		r := w.create(NewTopic{Name: "a", Partitions: 1, ReplicationFactor: -1})
		wantErr(t, r.Err, nil, "")
		if int(r.ReplicationFactor) != want {
			t.Errorf("%d brokers: %d replicas, want %d", brokers, r.ReplicationFactor, want)
		}
	}
	w := newWorld(t, "")
	w.rules.ReplicationFactor = 3
	wantErr(t, w.create(NewTopic{Name: "a", Partitions: 1, ReplicationFactor: -1}).Err, kerr.InvalidReplicationFactor, "only 1 broker(s)")
}
