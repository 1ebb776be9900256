package controller

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

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

// The last leader is waited for, and not believed when it comes back with another disk: it
// has nothing of what it led.
func TestLastLeaderWithAnotherDisk(t *testing.T) {
	w := newWorld(t, "", "")
	w.rules.MinISR = func(*metadata.Image, string) int { return 2 }
	w.topic("a", 1, 2)
	begin := func(id int32, incarnation byte, dir model.ID) {
		t.Helper()
		r := registration(id, incarnation)
		r.LogDirs = []model.ID{dir}
		w.fence(id)
		w.join(r)
		b, _ := w.image.Broker(id)
		topic, _ := w.image.Topic("a")
		_, recs, err := w.state().AssignReplicasToDirs(AssignDirs{id, b.Epoch, []DirReplica{{dir, topic.ID, 0}}})
		if err != nil {
			t.Fatal(err)
		}
		w.apply(recs)
	}
	w.fence(2)
	begin(2, 2, model.ID{2, 2}) // its power had failed: it may have lost something
	w.fence(2)
	begin(1, 2, model.ID{2, 9})
	if p := w.partition("a"); p.Leader != model.NoLeader || len(p.ISR)+len(p.LastKnownELR) != 0 || p.Dirs[0] != (model.ID{2, 9}) {
		t.Fatalf("with an empty disk: %+v", *p)
	}
	w.unfence(2)
	if p := w.partition("a"); p.Leader != model.NoLeader {
		t.Fatalf("nobody is known to have all: %+v", *p)
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

// Who is an eligible leader depends on min.insync.replicas: when it changes, nobody is any
// more, unless there is nobody else.
func TestMinISRForgetsEligible(t *testing.T) {
	for _, c := range []struct {
		fence []int32
		isr   []int32
	}{{[]int32{2, 3}, []int32{1}}, {[]int32{2, 3, 1}, []int32{1, 3}}} {
		for _, resource := range []metadata.Resource{topicResource("a"), {Type: metadata.BrokerResource}, topicResource("b")} {
			w := newWorld(t, "", "", "")
			w.rules.MinISR = func(*metadata.Image, string) int { return 2 }
			w.topic("a", 1, 2, 3)
			w.topic("b", 1, 2, 3)
			for _, id := range c.fence {
				w.fence(id)
			}
			if len(w.partition("a").ELR) == 0 {
				t.Fatal("no ELR to begin with")
			}
			results, recs := w.state().IncrementalAlterConfigs([]IncrementalAlter{{resource, []ConfigChange{{minISRKey, OpSet, ptr("1")}}}}, false)
			if results[0].Err != nil {
				t.Fatal(results[0].Err)
			}
			w.apply(recs)
			a := w.partition("a")
			if resource.Name == "b" {
				if len(a.ELR) == 0 {
					t.Error("another topic's setting cleared the ELR")
				}
				continue
			}
			if len(a.ELR)+len(a.LastKnownELR) > 0 || !slices.Equal(sorted(slices.Clone(a.ISR)), c.isr) {
				t.Errorf("fenced %v: %+v", c.fence, *a)
			}
		}
	}
}
