package api

import (
	"slices"
	"testing"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// asks builds a Metadata request; no names means every topic.
func asks(names ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	for _, n := range names {
		req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: &n})
	}
	return req
}

func topicNames(resp *kmsg.MetadataResponse) []string {
	var names []string
	for _, t := range resp.Topics {
		if t.Topic != nil {
			names = append(names, *t.Topic)
		}
	}
	return names
}

// Behaviour 73: which lists mean all topics, and which none.
func TestMetadataLists(t *testing.T) {
	d := newDesk(t)
	d.topic("a", 1, []int32{1})
	d.topic("b", 2, []int32{1}, []int32{1})
	d.settings["auto.create.topics.enable"] = "false" // old versions would make "gone"
	for version := int16(0); version <= 13; version++ {
		if version >= 1 {
			if got := topicNames(ask[*kmsg.MetadataResponse](d, version, asks())); !slices.Equal(got, []string{"a", "b"}) {
				t.Errorf("v%d null: %v", version, got)
			}
		}
		empty := asks()
		empty.Topics = []kmsg.MetadataRequestTopic{}
		want := []string{"a", "b"}
		if version >= 1 {
			want = nil
		}
		if got := topicNames(ask[*kmsg.MetadataResponse](d, version, empty)); !slices.Equal(got, want) {
			t.Errorf("v%d empty: %v, want %v", version, got, want)
		}
		got := ask[*kmsg.MetadataResponse](d, version, asks("b", "b", "gone", "b@d"))
		if names := topicNames(got); !slices.Equal(names, []string{"b", "gone", "b@d"}) {
			t.Errorf("v%d named: %v", version, names)
			continue
		}
		codes := []int16{got.Topics[0].ErrorCode, got.Topics[1].ErrorCode, got.Topics[2].ErrorCode}
		if !slices.Equal(codes, []int16{0, kerr.UnknownTopicOrPartition.Code, kerr.InvalidTopicException.Code}) {
			t.Errorf("v%d codes: %v", version, codes)
		}
		if len(got.Topics[0].Partitions) != 2 || got.Topics[0].Partitions[1].Leader != 1 {
			t.Errorf("v%d partitions: %+v", version, got.Topics[0].Partitions)
		}
		if len(got.Brokers) != 1 || got.Brokers[0].Host != "host1" || got.Brokers[0].Port != 9092 {
			t.Errorf("v%d brokers: %+v", version, got.Brokers)
		}
		if version >= 2 && (got.ClusterID == nil || *got.ClusterID != "the-cluster") {
			t.Errorf("v%d cluster %v", version, got.ClusterID)
		}
		if version >= 1 && got.ControllerID != 1 {
			t.Errorf("v%d controller %d", version, got.ControllerID)
		}
	}
}

func TestMetadataByID(t *testing.T) {
	d := newDesk(t)
	d.topic("a", 1, []int32{1})
	req := asks()
	for _, id := range []byte{1, 7, 1} {
		req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{TopicID: model.ID{id}})
	}
	resp := ask[*kmsg.MetadataResponse](d, 12, req)
	if len(resp.Topics) != 2 {
		t.Fatalf("topics %+v", resp.Topics)
	}
	if u := resp.Topics[0]; u.ErrorCode != kerr.UnknownTopicID.Code || u.Topic != nil || u.TopicID != (model.ID{7}) {
		t.Errorf("unknown id: %+v", u)
	}
	if k := resp.Topics[1]; k.ErrorCode != 0 || *k.Topic != "a" || k.TopicID != (model.ID{1}) {
		t.Errorf("known id: %+v", k)
	}
	// Below version 12 ids are not for questions.
	if old := ask[*kmsg.MetadataResponse](d, 11, req); old.Topics[0].ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("v11: %+v", old.Topics[0])
	}
}

// Behaviour 76: endpoints are those of the request's listener, and a leader without
// it is worded by version.
func TestMetadataListeners(t *testing.T) {
	d := newDesk(t)
	d.apply(broker(2, "INTERNAL"), broker(3, "PLAINTEXT"))
	d.topic("a", 1, []int32{2, 1}, []int32{3, 1}, []int32{9, 1})
	d.apply(metadata.ChangeBroker{ID: 3, Epoch: 30, Fenced: true})
	for _, c := range []struct {
		version int16
		codes   []int16
	}{
		{0, []int16{kerr.LeaderNotAvailable.Code, kerr.ReplicaNotAvailable.Code, kerr.LeaderNotAvailable.Code}},
		{5, []int16{kerr.LeaderNotAvailable.Code, 0, kerr.LeaderNotAvailable.Code}},
		{6, []int16{kerr.ListenerNotFound.Code, 0, kerr.LeaderNotAvailable.Code}},
		{13, []int16{kerr.ListenerNotFound.Code, 0, kerr.LeaderNotAvailable.Code}},
	} {
		resp := ask[*kmsg.MetadataResponse](d, c.version, asks("a"))
		var codes []int16
		for _, p := range resp.Topics[0].Partitions {
			codes = append(codes, p.ErrorCode)
		}
		if !slices.Equal(codes, c.codes) {
			t.Errorf("v%d: codes %v, want %v", c.version, codes, c.codes)
		}
		if len(resp.Brokers) != 1 {
			t.Errorf("v%d: brokers %+v", c.version, resp.Brokers)
		}
		p := resp.Topics[0].Partitions
		if c.version >= 5 && (!slices.Equal(p[0].OfflineReplicas, []int32{2}) || !slices.Equal(p[1].OfflineReplicas, []int32{3})) {
			t.Errorf("v%d: offline %v %v", c.version, p[0].OfflineReplicas, p[1].OfflineReplicas)
		}
		if c.version == 0 && !slices.Equal(p[0].Replicas, []int32{1}) {
			t.Errorf("v0: replicas %v, want those that are there", p[0].Replicas)
		}
	}
}

func TestAuthorizedOperations(t *testing.T) {
	d := newDesk(t)
	d.topic("a", 1, []int32{1})
	req := asks("a")
	req.IncludeClusterAuthorizedOperations, req.IncludeTopicAuthorizedOperations = true, true
	resp := ask[*kmsg.MetadataResponse](d, 10, req)
	// The figures are those of a Kafka broker without authorizer.
	if resp.AuthorizedOperations != 8096 || resp.Topics[0].AuthorizedOperations != 3576 {
		t.Errorf("cluster %d, topic %d", resp.AuthorizedOperations, resp.Topics[0].AuthorizedOperations)
	}
	resp = ask[*kmsg.MetadataResponse](d, 10, asks("a"))
	if resp.AuthorizedOperations != -1<<31 || resp.Topics[0].AuthorizedOperations != -1<<31 {
		t.Errorf("unasked: cluster %d, topic %d", resp.AuthorizedOperations, resp.Topics[0].AuthorizedOperations)
	}
}

func TestReplicaOfLostFolderIsOffline(t *testing.T) {
	d := newDesk(t)
	p := metadata.Partition{Leader: 1, Replicas: []int32{1}, ISR: []int32{1}, Dirs: []model.ID{{5}}}
	d.apply(metadata.AddTopic{Name: "a", ID: model.ID{1}}, metadata.AddPartition{Topic: model.ID{1}, Partition: p})
	resp := ask[*kmsg.MetadataResponse](d, 9, asks("a"))
	if got := resp.Topics[0].Partitions[0].OfflineReplicas; !slices.Equal(got, []int32{1}) {
		t.Errorf("offline %v", got)
	}
}

func TestDescribeCluster(t *testing.T) {
	d := newDesk(t)
	d.apply(broker(2, "PLAINTEXT"), broker(3, "INTERNAL"), metadata.ChangeBroker{ID: 2, Epoch: 20, Fenced: true})
	req := kmsg.NewPtrDescribeClusterRequest()
	req.IncludeClusterAuthorizedOperations = true
	resp := ask[*kmsg.DescribeClusterResponse](d, 2, req)
	if resp.ErrorCode != 0 || len(resp.Brokers) != 1 || resp.ClusterID != "the-cluster" || resp.ControllerID != 1 || resp.ClusterAuthorizedOperations != 8096 {
		t.Errorf("%+v", resp)
	}
	req.IncludeFencedBrokers = true
	if resp = ask[*kmsg.DescribeClusterResponse](d, 2, req); len(resp.Brokers) != 2 || !resp.Brokers[1].IsFenced {
		t.Errorf("with fenced: %+v", resp.Brokers)
	}
	req.EndpointType = endpointControllers
	if resp = ask[*kmsg.DescribeClusterResponse](d, 1, req); resp.ErrorCode != kerr.MismatchedEndpointType.Code {
		t.Errorf("controllers: %+v", resp)
	}
	req.EndpointType = 9
	if resp = ask[*kmsg.DescribeClusterResponse](d, 1, req); resp.ErrorCode != kerr.UnsupportedEndpointType.Code {
		t.Errorf("type 9: %+v", resp)
	}
	if resp = ask[*kmsg.DescribeClusterResponse](d, 0, req); resp.ErrorCode != 0 {
		t.Errorf("v0 has no type: %+v", resp)
	}
}

// pages asks until there is no cursor and returns topic-partition pairs in order.
func pages(d *desk, limit int32, names ...string) (got []string, answers int) {
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = limit
	for _, n := range names {
		req.Topics = append(req.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: n})
	}
	for answers = 1; answers < 100; answers++ {
		resp := ask[*kmsg.DescribeTopicPartitionsResponse](d, 0, req)
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				got = append(got, model.TopicPartition{Topic: *t.Topic, Partition: p.Partition}.String())
			}
		}
		if resp.NextCursor == nil {
			return got, answers
		}
		req.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: resp.NextCursor.Topic, Partition: resp.NextCursor.Partition}
	}
	return got, answers
}

func TestDescribeTopicPartitionsPages(t *testing.T) {
	d := newDesk(t)
	d.topic("b", 2, []int32{1}, []int32{1}, []int32{1})
	d.topic("a", 1, []int32{1}, []int32{1})
	d.topic("c", 3, []int32{1})
	all := []string{"a-0", "a-1", "b-0", "b-1", "b-2", "c-0"}
	for limit, answers := range map[int32]int{0: 6, 1: 6, 2: 3, 4: 2, 6: 1, 9999: 1} {
		if got, n := pages(d, limit); !slices.Equal(got, all) || n != answers {
			t.Errorf("limit %d: %v in %d answers, want %d", limit, got, n, answers)
		}
	}
	if got, _ := pages(d, 2, "c", "a", "c"); !slices.Equal(got, []string{"a-0", "a-1", "c-0"}) {
		t.Errorf("named: %v", got)
	}
	d.settings["max.request.partition.size.limit"] = "2"
	if got, n := pages(d, 9999); !slices.Equal(got, all) || n != 3 {
		t.Errorf("limit of the broker: %v in %d answers", got, n)
	}
}

func TestDescribeTopicPartitionsErrors(t *testing.T) {
	d := newDesk(t)
	d.topic("b", 2, []int32{1})
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = 10
	req.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: "x"}, {Topic: "b"}}
	resp := ask[*kmsg.DescribeTopicPartitionsResponse](d, 0, req)
	if len(resp.Topics) != 2 || resp.Topics[0].ErrorCode != 0 || resp.Topics[1].ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("unknown: %+v", resp.Topics)
	}
	for what, c := range map[string]kmsg.DescribeTopicPartitionsRequestCursor{
		"cursor outside the list":  {Topic: "c"},
		"cursor before its topics": {Topic: "b", Partition: -1},
	} {
		req.Cursor = &c
		resp := ask[*kmsg.DescribeTopicPartitionsResponse](d, 0, req)
		for _, topic := range resp.Topics {
			if topic.ErrorCode != kerr.InvalidRequest.Code {
				t.Errorf("%s: %+v", what, topic)
			}
		}
	}
	// A cursor past the end finds nothing and ends.
	req.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: "b", Partition: 1<<31 - 1}
	if resp := ask[*kmsg.DescribeTopicPartitionsResponse](d, 0, req); resp.NextCursor != nil || len(resp.Topics[0].Partitions) != 0 {
		t.Errorf("past the end: %+v", resp)
	}
}
