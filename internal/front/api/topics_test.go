package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func creates(topics ...kmsg.CreateTopicsRequestTopic) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics, req.TimeoutMillis = topics, 5000
	return req
}

func named(name string, partitions int32, replicas int16) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, replicas
	return t
}

// Behaviours 78 and 79 as a client sees them, in every version.
func TestCreateTopics(t *testing.T) {
	for version := int16(2); version <= 7; version++ {
		d := newDesk(t)
		resp := ask[*kmsg.CreateTopicsResponse](d, version, creates(
			named("a", 2, 1), named("b", 1, 1), named("twice", 1, 1), named("b@d", 1, 1),
			named("twice", 2, 1), named(model.ClusterMetadataTopic, 1, 1), named("many", 1, 3)))
		want := []struct {
			name string
			code int16
			says string
		}{
			{"a", 0, ""}, {"b", 0, ""},
			{"b@d", kerr.InvalidTopicException.Code, ""},
			{"many", kerr.InvalidReplicationFactor.Code, ""},
			{"twice", kerr.InvalidRequest.Code, "Duplicate topic name."},
			{model.ClusterMetadataTopic, kerr.InvalidRequest.Code, "Creation of internal topic __cluster_metadata is prohibited."},
		}
		if len(resp.Topics) != len(want) {
			t.Fatalf("v%d: %d results", version, len(resp.Topics))
		}
		for i, w := range want {
			got := resp.Topics[i]
			if got.Topic != w.name || got.ErrorCode != w.code {
				t.Errorf("v%d: %s has error %d, want %s %d", version, got.Topic, got.ErrorCode, w.name, w.code)
			}
			if w.says != "" && (got.ErrorMessage == nil || *got.ErrorMessage != w.says) {
				t.Errorf("v%d: %s says %v", version, w.name, got.ErrorMessage)
			}
		}
		made, ok := d.feed.Image().Topic("a")
		if !ok || len(made.Partitions) != 2 {
			t.Fatalf("v%d: topic a is %+v", version, made)
		}
		a := resp.Topics[0]
		if version >= 5 && (a.NumPartitions != 2 || a.ReplicationFactor != 1 || len(a.Configs) < 30) {
			t.Errorf("v%d: made %d × %d with %d configs", version, a.NumPartitions, a.ReplicationFactor, len(a.Configs))
		}
		if version >= 7 && model.ID(a.TopicID) != made.ID {
			t.Errorf("v%d: id %v, want %v", version, a.TopicID, made.ID)
		}
		if b := resp.Topics[2]; version >= 5 && (b.NumPartitions != -1 || b.ReplicationFactor != -1) {
			t.Errorf("v%d: failed topic has %d × %d", version, b.NumPartitions, b.ReplicationFactor)
		}
	}
}

func TestValidateOnlyMakesNothing(t *testing.T) {
	d := newDesk(t)
	req := creates(named("a", -1, -1))
	req.ValidateOnly = true
	resp := ask[*kmsg.CreateTopicsResponse](d, 7, req)
	if resp.Topics[0].ErrorCode != 0 || resp.Topics[0].NumPartitions != 1 {
		t.Errorf("%+v", resp.Topics[0])
	}
	if n := d.feed.Image().TopicCount(); n != 0 {
		t.Errorf("%d topics", n)
	}
}

// Behaviours 73 and 74: a topic that is named is made, and not there yet.
func TestCreateOnDemand(t *testing.T) {
	d := newDesk(t)
	req := asks("new", "b@d")
	req.AllowAutoTopicCreation = true
	resp := ask[*kmsg.MetadataResponse](d, 9, req)
	if c := resp.Topics[0].ErrorCode; c != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("first answer %d, want UNKNOWN_TOPIC_OR_PARTITION", c)
	}
	if c := resp.Topics[1].ErrorCode; c != kerr.InvalidTopicException.Code {
		t.Errorf("bad name %d, want INVALID_TOPIC_EXCEPTION", c)
	}
	if n := d.feed.Image().TopicCount(); n != 1 {
		t.Fatalf("%d topics, want only the one", n)
	}
	if resp = ask[*kmsg.MetadataResponse](d, 9, req); resp.Topics[0].ErrorCode != 0 || len(resp.Topics[0].Partitions) != 1 {
		t.Errorf("second answer %+v", resp.Topics[0])
	}
}

func TestNoCreationOnDemand(t *testing.T) {
	for what, c := range map[string]struct {
		allowed bool
		enabled string
	}{
		"the client forbids it": {false, "true"},
		"the broker forbids it": {true, "false"},
	} {
		d := newDesk(t)
		d.settings["auto.create.topics.enable"] = c.enabled
		req := asks("new")
		req.AllowAutoTopicCreation = c.allowed
		ask[*kmsg.MetadataResponse](d, 9, req)
		if n := d.feed.Image().TopicCount(); n != 0 {
			t.Errorf("%s: %d topics", what, n)
		}
	}
}

func TestDeleteTopics(t *testing.T) {
	for version := int16(1); version <= 6; version++ {
		d := newDesk(t)
		d.topic("a", 1, []int32{1})
		d.topic("b", 2, []int32{1})
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.TimeoutMillis = 5000
		for _, n := range []string{"a", "b", "gone", "b"} {
			req.TopicNames = append(req.TopicNames, n)
			req.Topics = append(req.Topics, kmsg.DeleteTopicsRequestTopic{Topic: &n})
		}
		if version >= 6 {
			req.TopicNames = nil
		} else {
			req.Topics = nil
		}
		codes := map[string]int16{}
		for _, r := range ask[*kmsg.DeleteTopicsResponse](d, version, req).Topics {
			codes[*r.Topic] = r.ErrorCode
		}
		if codes["a"] != 0 || codes["b"] != kerr.InvalidRequest.Code || codes["gone"] != kerr.UnknownTopicOrPartition.Code || len(codes) != 3 {
			t.Errorf("v%d: %v", version, codes)
		}
		if _, ok := d.feed.Image().Topic("a"); ok {
			t.Errorf("v%d: a is still there", version)
		}
		if _, ok := d.feed.Image().Topic("b"); !ok {
			t.Errorf("v%d: b, which was named twice, is gone", version)
		}
	}
}

func TestDeleteTopicsByID(t *testing.T) {
	d := newDesk(t)
	for i, n := range []string{"a", "b", "c"} {
		d.topic(n, byte(i+1), []int32{1})
	}
	name := func(s string) *string { return &s }
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Topics = []kmsg.DeleteTopicsRequestTopic{
		{TopicID: model.ID{1}},                     // good
		{TopicID: model.ID{2}, Topic: name("b")},   // both
		{},                                         // neither
		{TopicID: model.ID{9}},                     // unknown
		{TopicID: model.ID{3}}, {Topic: name("c")}, // the same topic by two names
	}
	got := map[model.ID][]string{}
	for _, r := range ask[*kmsg.DeleteTopicsResponse](d, 6, req).Topics {
		n := "-"
		if r.Topic != nil {
			n = *r.Topic
		}
		got[r.TopicID] = append(got[r.TopicID], fmt.Sprint(n, " ", r.ErrorCode))
	}
	want := map[model.ID][]string{
		{1}: {"a 0"}, {2}: {"b 42"}, {}: {" 42"}, {9}: {"- 100"}, {3}: {"c 42"},
	}
	for id, w := range want {
		slices.Sort(got[id])
		if !slices.Equal(got[id], w) {
			t.Errorf("id %d: %q, want %q", id[0], got[id], w)
		}
	}
	if _, ok := d.feed.Image().Topic("c"); !ok || d.feed.Image().TopicCount() != 2 {
		t.Error("a topic was deleted that was refused")
	}
}

func TestDeletionDisabled(t *testing.T) {
	d := newDesk(t)
	d.topic("a", 1, []int32{1})
	d.settings["delete.topic.enable"] = "false"
	for version, want := range map[int16]int16{2: kerr.InvalidRequest.Code, 3: kerr.TopicDeletionDisabled.Code} {
		resp := ask[*kmsg.DeleteTopicsResponse](d, version, &kmsg.DeleteTopicsRequest{TopicNames: []string{"a"}})
		if len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != want {
			t.Errorf("v%d: %+v, want %d", version, resp.Topics, want)
		}
	}
}

// Behaviour 80: as many partitions as there are, or fewer, are refused.
func TestCreatePartitions(t *testing.T) {
	for version := int16(0); version <= 3; version++ {
		d := newDesk(t)
		d.topic("a", 1, []int32{1})
		d.topic("same", 2, []int32{1})
		d.topic("twice", 3, []int32{1})
		req := kmsg.NewPtrCreatePartitionsRequest()
		for _, c := range []struct {
			name  string
			count int32
		}{{"a", 3}, {"same", 1}, {"twice", 2}, {"gone", 2}, {"twice", 3}} {
			req.Topics = append(req.Topics, kmsg.CreatePartitionsRequestTopic{Topic: c.name, Count: c.count})
		}
		codes := map[string]int16{}
		for _, r := range ask[*kmsg.CreatePartitionsResponse](d, version, req).Topics {
			codes[r.Topic] = r.ErrorCode
		}
		if codes["a"] != 0 || codes["same"] != kerr.InvalidPartitions.Code ||
			codes["twice"] != kerr.InvalidRequest.Code || codes["gone"] != kerr.UnknownTopicOrPartition.Code {
			t.Errorf("v%d: %v", version, codes)
		}
		if a, _ := d.feed.Image().Topic("a"); len(a.Partitions) != 3 {
			t.Errorf("v%d: %d partitions", version, len(a.Partitions))
		}
	}
}

// Behaviour 84: the first question about a group makes the topic of the coordinators.
func TestFindCoordinator(t *testing.T) {
	for version := int16(0); version <= 6; version++ {
		d := newDesk(t)
		d.settings["offsets.topic.num.partitions"] = "4"
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKey, req.CoordinatorKeys = "g", []string{"g", "h"}
		find := func() (code int16, id, port int32) {
			resp := ask[*kmsg.FindCoordinatorResponse](d, version, req)
			if version < 4 {
				return resp.ErrorCode, resp.NodeID, resp.Port
			}
			if len(resp.Coordinators) != 2 || resp.Coordinators[1].Key != "h" {
				t.Fatalf("v%d: %+v", version, resp.Coordinators)
			}
			return resp.Coordinators[0].ErrorCode, resp.Coordinators[0].NodeID, resp.Coordinators[0].Port
		}
		if code, id, port := find(); code != kerr.CoordinatorNotAvailable.Code || id != -1 || port != -1 {
			t.Errorf("v%d first: %d %d %d", version, code, id, port)
		}
		topic, ok := d.feed.Image().Topic(model.ConsumerOffsetsTopic)
		if !ok || len(topic.Partitions) != 4 || len(topic.Partitions[0].Replicas) != 1 {
			t.Fatalf("v%d: offsets topic %+v", version, topic)
		}
		configs := d.feed.Image().Configs(metadata.Resource{Type: metadata.TopicResource, Name: model.ConsumerOffsetsTopic})
		if configs["cleanup.policy"] != "compact" || configs["segment.bytes"] != "104857600" {
			t.Errorf("v%d: configs %v", version, configs)
		}
		if code, id, port := find(); code != 0 || id != 1 || port != 9092 {
			t.Errorf("v%d second: %d %d %d", version, code, id, port)
		}
	}
}

func TestFindOtherCoordinators(t *testing.T) {
	d := newDesk(t)
	for kind, want := range map[int8]int16{
		shareCoordinator: kerr.InvalidRequest.Code,
		9:                kerr.InvalidRequest.Code,
	} {
		resp := ask[*kmsg.FindCoordinatorResponse](d, 6, &kmsg.FindCoordinatorRequest{CoordinatorType: kind, CoordinatorKeys: []string{"k"}})
		if c := resp.Coordinators[0]; c.ErrorCode != want || c.ErrorMessage == nil || *c.ErrorMessage == "" {
			t.Errorf("kind %d: %+v", kind, c)
		}
	}
}

// Behaviour 102, as far as there are no transactions.
func TestInitProducerID(t *testing.T) {
	for version := int16(0); version <= 5; version++ {
		d := newDesk(t)
		seen := map[int64]bool{}
		for range 2500 { // more than two blocks
			req := kmsg.NewPtrInitProducerIDRequest()
			resp := ask[*kmsg.InitProducerIDResponse](d, version, req)
			if resp.ErrorCode != 0 || resp.ProducerEpoch != 0 || resp.ProducerID < 0 || seen[resp.ProducerID] {
				t.Fatalf("v%d: %+v after %d ids", version, resp, len(seen))
			}
			seen[resp.ProducerID] = true
		}
		if next := d.feed.Image().NextProducerID; next != 3000 {
			t.Errorf("v%d: the cluster has given out %d ids, want 3 blocks", version, next)
		}
	}
}

func TestInitProducerIDRefusals(t *testing.T) {
	for what, c := range map[string]struct {
		id    int64
		epoch int16
		code  int16
	}{
		"an id without its epoch": {5, -1, kerr.InvalidRequest.Code},
		"an epoch without its id": {-1, 5, kerr.InvalidRequest.Code},
		"what an old one had":     {5, 5, 0},
	} {
		d := newDesk(t)
		req := kmsg.NewPtrInitProducerIDRequest()
		req.ProducerID, req.ProducerEpoch = c.id, c.epoch
		resp := ask[*kmsg.InitProducerIDResponse](d, 5, req)
		if resp.ErrorCode != c.code || c.code != 0 && (resp.ProducerID != -1 || resp.ProducerEpoch != -1) {
			t.Errorf("%s: %+v, want %d", what, resp, c.code)
		}
	}
}

// A controller that cannot decide is worded for each item of a request.
func TestControllerAway(t *testing.T) {
	d := newDesk(t)
	d.topic("a", 1, []int32{1})
	d.ctl.Resign()
	want := kerr.NotController.Code
	check := func(what string, codes ...int16) {
		t.Helper()
		if slices.ContainsFunc(codes, func(c int16) bool { return c != want }) || len(codes) == 0 {
			t.Errorf("%s: %v", what, codes)
		}
	}
	c := ask[*kmsg.CreateTopicsResponse](d, 7, creates(named("x", 1, 1), named("y", 1, 1)))
	check("CreateTopics", c.Topics[0].ErrorCode, c.Topics[1].ErrorCode)
	check("DeleteTopics", ask[*kmsg.DeleteTopicsResponse](d, 5, &kmsg.DeleteTopicsRequest{TopicNames: []string{"a"}}).Topics[0].ErrorCode)
	check("CreatePartitions", ask[*kmsg.CreatePartitionsResponse](d, 3, &kmsg.CreatePartitionsRequest{
		Topics: []kmsg.CreatePartitionsRequestTopic{{Topic: "a", Count: 2}}}).Topics[0].ErrorCode)
	e := ask[*kmsg.ElectLeadersResponse](d, 2, &kmsg.ElectLeadersRequest{
		Topics: []kmsg.ElectLeadersRequestTopic{{Topic: "a", Partitions: []int32{0}}}})
	check("ElectLeaders", e.ErrorCode, e.Topics[0].Partitions[0].ErrorCode)
	check("AlterPartitionReassignments", ask[*kmsg.AlterPartitionAssignmentsResponse](d, 1, kmsg.NewPtrAlterPartitionAssignmentsRequest()).ErrorCode)
	check("ListPartitionReassignments", ask[*kmsg.ListPartitionReassignmentsResponse](d, 0, kmsg.NewPtrListPartitionReassignmentsRequest()).ErrorCode)
	check("UpdateFeatures", ask[*kmsg.UpdateFeaturesResponse](d, 2, kmsg.NewPtrUpdateFeaturesRequest()).ErrorCode)
	check("UnregisterBroker", ask[*kmsg.UnregisterBrokerResponse](d, 0, &kmsg.UnregisterBrokerRequest{BrokerID: 1}).ErrorCode)
}

// stuckController never decides.
type stuckController struct{ Controller }

func (stuckController) CreateTopics(ctx context.Context, _ []controller.NewTopic, _ bool) ([]controller.CreatedTopic, error) {
	<-ctx.Done()
	return nil, kerr.RequestTimedOut
}

func TestClientsTimeoutBoundsTheController(t *testing.T) {
	d := newDesk(t, func(_ *desk, c *Config) { c.Controller = stuckController{} })
	req := creates(named("a", 1, 1))
	req.TimeoutMillis = 1
	if resp := ask[*kmsg.CreateTopicsResponse](d, 7, req); resp.Topics[0].ErrorCode != kerr.RequestTimedOut.Code {
		t.Errorf("%+v", resp.Topics[0])
	}
}

// Behaviour 81.
func TestElectLeaders(t *testing.T) {
	d := newDesk(t)
	d.topic("a", 1, []int32{1}, []int32{1})
	req := &kmsg.ElectLeadersRequest{Topics: []kmsg.ElectLeadersRequestTopic{{Topic: "a", Partitions: []int32{0, 7}}}}
	for version := int16(0); version <= 2; version++ {
		p := ask[*kmsg.ElectLeadersResponse](d, version, req).Topics[0].Partitions
		if p[0].ErrorCode != kerr.ElectionNotNeeded.Code || p[1].ErrorCode != kerr.UnknownTopicOrPartition.Code {
			t.Errorf("v%d: %+v", version, p)
		}
	}
	req.Topics = nil
	if resp := ask[*kmsg.ElectLeadersResponse](d, 2, req); resp.ErrorCode != 0 || len(resp.Topics) != 0 {
		t.Errorf("all: %+v", resp)
	}
	req.ElectionType = 5
	if resp := ask[*kmsg.ElectLeadersResponse](d, 2, req); resp.ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("type 5: %+v", resp)
	}
}

func TestReassignments(t *testing.T) {
	d := newDesk(t)
	d.apply(broker(2, "PLAINTEXT"))
	d.topic("a", 1, []int32{1}, []int32{1})
	alter := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	alter.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: "a", Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{
		{Partition: 0, Replicas: []int32{2}}, {Partition: 1, Replicas: nil}, {Partition: 9, Replicas: []int32{2}}}}}
	got := ask[*kmsg.AlterPartitionAssignmentsResponse](d, 1, alter)
	if got.ErrorCode != 0 || len(got.Topics) != 1 || len(got.Topics[0].Partitions) != 3 {
		t.Fatalf("%+v", got)
	}
	p := got.Topics[0].Partitions
	if p[0].ErrorCode != 0 || p[1].ErrorCode != kerr.NoReassignmentInProgress.Code || p[2].ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("%+v", p)
	}
	alter.AllowReplicationFactorChange = false
	alter.Topics[0].Partitions = []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Partition: 1, Replicas: []int32{1, 2}}}
	for _, c := range []struct{ version, code int16 }{{1, kerr.InvalidReplicationFactor.Code}, {0, 0}} {
		if p := ask[*kmsg.AlterPartitionAssignmentsResponse](d, c.version, alter).Topics[0].Partitions[0]; p.ErrorCode != c.code {
			t.Errorf("v%d, more replicas: %+v, want %d", c.version, p, c.code)
		}
	}
	list := ask[*kmsg.ListPartitionReassignmentsResponse](d, 0, kmsg.NewPtrListPartitionReassignmentsRequest())
	if len(list.Topics) != 1 || !slices.Equal(list.Topics[0].Partitions[0].AddingReplicas, []int32{2}) {
		t.Errorf("list %+v", list.Topics)
	}
}

func TestUpdateFeatures(t *testing.T) {
	d := newDesk(t)
	req := kmsg.NewPtrUpdateFeaturesRequest()
	u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
	u.Feature, u.MaxVersionLevel, u.UpgradeType = "no.such.feature", 1, 1
	req.FeatureUpdates = append(req.FeatureUpdates, u)
	one := ask[*kmsg.UpdateFeaturesResponse](d, 1, req)
	if one.ErrorCode != 0 || len(one.Results) != 1 || one.Results[0].ErrorCode == 0 {
		t.Errorf("v1: %+v", one)
	}
	two := ask[*kmsg.UpdateFeaturesResponse](d, 2, req)
	if two.ErrorCode != one.Results[0].ErrorCode || two.ErrorMessage == nil || !strings.Contains(*two.ErrorMessage, "no.such.feature") {
		t.Errorf("v2: %+v", two)
	}
}

// slowController takes a second for a block of ids.
type slowController struct {
	Controller
	blocks atomic.Int64
}

func (c *slowController) AllocateProducerIDs(context.Context, int32, int64) (controller.ProducerIDBlock, error) {
	time.Sleep(time.Second)
	return controller.ProducerIDBlock{Start: 1000 * (c.blocks.Add(1) - 1), Len: 1000}, nil
}

// Producers that start together share the blocks: none is asked for in vain.
func TestProducersStartTogether(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		slow := &slowController{}
		d := newDesk(t, func(_ *desk, c *Config) { c.Controller = slow })
		ids := make(chan int64)
		for range 20 {
			go func() {
				for range 100 {
					id, err := d.server.producerID(t.Context(), d.feed.Image())
					if err != nil {
						t.Error(err)
					}
					ids <- id
				}
			}()
		}
		seen := map[int64]bool{}
		for range 2000 {
			id := <-ids
			if seen[id] {
				t.Fatalf("id %d twice", id)
			}
			seen[id] = true
		}
		if n := slow.blocks.Load(); n != 2 {
			t.Errorf("%d blocks for 2000 producers", n)
		}
	})
}

// A broker that the cluster does not know yet has no ids: the client asks again.
func TestNoProducerIDBeforeRegistration(t *testing.T) {
	d := newDesk(t, func(_ *desk, c *Config) { c.NodeID = 8 })
	if resp := ask[*kmsg.InitProducerIDResponse](d, 4, kmsg.NewPtrInitProducerIDRequest()); resp.ErrorCode != kerr.CoordinatorLoadInProgress.Code {
		t.Errorf("%+v", resp)
	}
}
