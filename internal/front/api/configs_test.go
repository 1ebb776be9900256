package api

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// withRules gives the controller the registry's rules for configs, as the broker does.
func withRules(d *desk, c *Config) {
	node := func() config.Node {
		m := d.feed.Image()
		return config.Node{Static: d.settings, Default: m.Configs(metadata.Resource{Type: metadata.BrokerResource})}
	}
	d.ctl = controller.New(controller.Options{Node: 1, Feed: d.feed, Begin: d.agree, Rand: rand.New(rand.NewPCG(1, 2)),
		Rules: controller.Rules{
			ValidateConfigs: func(r metadata.Resource, configs map[string]string) error {
				return node().Validate(config.ResourceType(r.Type), r.Name, configs)
			},
			ListConfig: func(t metadata.ResourceType, key string) (string, bool) {
				return node().List(config.ResourceType(t), key)
			},
		}})
	c.Controller, c.Static = d.ctl, d.settings
}

type op struct {
	key   string
	op    kmsg.IncrementalAlterConfigOp
	value string // "-" is null
}

func incremental(kind kmsg.ConfigResourceType, name string, ops ...op) kmsg.IncrementalAlterConfigsRequestResource {
	r := kmsg.IncrementalAlterConfigsRequestResource{ResourceType: kind, ResourceName: name}
	for _, o := range ops {
		c := kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: o.key, Op: o.op}
		if o.value != "-" {
			c.Value = &o.value
		}
		r.Configs = append(r.Configs, c)
	}
	return r
}

const (
	set      = kmsg.IncrementalAlterConfigOpSet
	remove   = kmsg.IncrementalAlterConfigOpDelete
	appendOp = kmsg.IncrementalAlterConfigOpAppend
	subtract = kmsg.IncrementalAlterConfigOpSubtract
)

// Behaviour 83, and what the broker refuses before the controller is asked. The
// answers stand in the order of the request.
func TestIncrementalAlterConfigs(t *testing.T) {
	for version := int16(0); version <= 1; version++ {
		d := newDesk(t, withRules)
		d.topic("a", 1, []int32{1})
		d.topic("b", 2, []int32{1})
		d.topic("c", 3, []int32{1})
		cases := []struct {
			ask  kmsg.IncrementalAlterConfigsRequestResource
			code int16
			says string
		}{
			{incremental(2, "a", op{"retention.ms", set, "1000"}, op{"cleanup.policy", appendOp, "compact"}), 0, ""},
			{incremental(2, "b", op{"retention.ms", set, "soon"}), kerr.InvalidConfig.Code, "retention.ms"},
			{incremental(2, "c", op{"retention.ms", appendOp, "1"}), kerr.InvalidConfig.Code, ""},
			{incremental(2, "gone", op{"retention.ms", set, "1"}), kerr.UnknownTopicOrPartition.Code, ""},
			{incremental(2, "twice"), kerr.InvalidRequest.Code, "Each resource must appear at most once."},
			{incremental(2, "twice"), kerr.InvalidRequest.Code, "Each resource must appear at most once."},
			{incremental(32, "g1", op{"x", set, "1"}, op{"x", set, "2"}), kerr.InvalidRequest.Code, "Error due to duplicate config keys"},
			{incremental(32, "g2", op{"x", set, "-"}, op{"y", appendOp, "-"}), kerr.InvalidRequest.Code, "Null value not supported for : x, y"},
			{incremental(32, "g3", op{"x", 7, "1"}), kerr.InvalidRequest.Code, "Unknown operations type 7"},
			{incremental(4, "2", op{"x", set, "1"}), kerr.InvalidRequest.Code, "Unexpected broker id, expected 1, but received 2"},
			{incremental(4, "one", op{"x", set, "1"}), kerr.InvalidRequest.Code, "Node id must be an integer, but it is: one"},
			{incremental(77, "x"), kerr.InvalidRequest.Code, "Unknown resource type 77"},
			{incremental(4, "", op{"log.retention.ms", set, "5000"}), 0, ""},
			{incremental(4, "1", op{"log.retention.ms", set, "6000"}), 0, ""},
		}
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		for _, c := range cases {
			req.Resources = append(req.Resources, c.ask)
		}
		resp := ask[*kmsg.IncrementalAlterConfigsResponse](d, version, req)
		for i, c := range cases {
			got := resp.Resources[i]
			says := ""
			if got.ErrorMessage != nil {
				says = *got.ErrorMessage
			}
			if got.ResourceName != c.ask.ResourceName || got.ErrorCode != c.code || !strings.Contains(says, c.says) {
				t.Errorf("v%d: %s %q: error %d %q, want %d %q", version, got.ResourceType, got.ResourceName, got.ErrorCode, says, c.code, c.says)
			}
		}
		a := d.feed.Image().Configs(metadata.Resource{Type: metadata.TopicResource, Name: "a"})
		if a["retention.ms"] != "1000" || a["cleanup.policy"] != "delete,compact" {
			t.Errorf("v%d: a has %v", version, a)
		}
	}
}

func TestValidateOnlyAltersNothing(t *testing.T) {
	d := newDesk(t, withRules)
	d.topic("a", 1, []int32{1})
	req := &kmsg.IncrementalAlterConfigsRequest{ValidateOnly: true, Resources: []kmsg.IncrementalAlterConfigsRequestResource{
		incremental(2, "a", op{"retention.ms", set, "1000"}), incremental(8, "1", op{"root", set, "DEBUG"})}}
	for _, r := range ask[*kmsg.IncrementalAlterConfigsResponse](d, 1, req).Resources {
		if r.ErrorCode != 0 {
			t.Errorf("%+v", r)
		}
	}
	if c := d.feed.Image().Configs(metadata.Resource{Type: metadata.TopicResource, Name: "a"}); len(c) > 0 {
		t.Errorf("a has %v", c)
	}
	if d.level.Level() != slog.LevelInfo {
		t.Errorf("log level is %v", d.level.Level())
	}
}

func TestAlterConfigsReplacesAll(t *testing.T) {
	for version := int16(0); version <= 2; version++ {
		d := newDesk(t, withRules)
		d.topic("a", 1, []int32{1})
		value := func(s string) *string { return &s }
		one := func(kind kmsg.ConfigResourceType, name, key string, v *string) kmsg.AlterConfigsRequestResource {
			return kmsg.AlterConfigsRequestResource{ResourceType: kind, ResourceName: name,
				Configs: []kmsg.AlterConfigsRequestResourceConfig{{Name: key, Value: v}}}
		}
		for _, key := range []string{"retention.ms", "flush.ms"} {
			req := &kmsg.AlterConfigsRequest{Resources: []kmsg.AlterConfigsRequestResource{
				one(2, "a", key, value("1000")), one(8, "1", "root", value("DEBUG")), one(2, "b", key, nil)}}
			resp := ask[*kmsg.AlterConfigsResponse](d, version, req)
			if r := resp.Resources; r[0].ErrorCode != 0 || r[1].ErrorCode != kerr.InvalidRequest.Code || r[2].ErrorCode != kerr.InvalidRequest.Code {
				t.Errorf("v%d: %+v", version, r)
			}
		}
		c := d.feed.Image().Configs(metadata.Resource{Type: metadata.TopicResource, Name: "a"})
		if len(c) != 1 || c["flush.ms"] != "1000" {
			t.Errorf("v%d: a has %v, want flush.ms alone", version, c)
		}
	}
}

func TestLogLevel(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct {
		op   op
		code int16
		want slog.Level
	}{
		{op{"root", set, "DEBUG"}, 0, slog.LevelDebug},
		{op{"root", set, "TRACE"}, 0, slog.LevelDebug - 4},
		{op{"root", set, "LOUD"}, kerr.InvalidConfig.Code, slog.LevelDebug - 4},
		{op{"kafka.server", set, "INFO"}, kerr.InvalidConfig.Code, slog.LevelDebug - 4},
		{op{"root", remove, "-"}, kerr.InvalidRequest.Code, slog.LevelDebug - 4},
		{op{"root", appendOp, "INFO"}, kerr.InvalidRequest.Code, slog.LevelDebug - 4},
		{op{"root", subtract, "INFO"}, kerr.InvalidRequest.Code, slog.LevelDebug - 4},
		{op{"root", set, "ERROR"}, 0, slog.LevelError},
	} {
		req := &kmsg.IncrementalAlterConfigsRequest{Resources: []kmsg.IncrementalAlterConfigsRequestResource{incremental(8, "1", c.op)}}
		r := ask[*kmsg.IncrementalAlterConfigsResponse](d, 1, req).Resources[0]
		if r.ErrorCode != c.code || d.level.Level() != c.want {
			t.Errorf("%v: error %d, level %v", c.op, r.ErrorCode, d.level.Level())
		}
	}
	got := describe(d, 4, 8, "1")
	if len(got.Configs) != 1 || got.Configs[0].Name != "root" || *got.Configs[0].Value != "ERROR" {
		t.Errorf("described as %+v", got.Configs)
	}
}

func describe(d *desk, version int16, kind kmsg.ConfigResourceType, name string, keys ...string) kmsg.DescribeConfigsResponseResource {
	d.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.IncludeSynonyms, req.IncludeDocumentation = true, true
	q := kmsg.NewDescribeConfigsRequestResource()
	q.ResourceType, q.ResourceName, q.ConfigNames = kind, name, keys
	req.Resources = append(req.Resources, q)
	return ask[*kmsg.DescribeConfigsResponse](d, version, req).Resources[0]
}

var emptyList = []string{}

func TestDescribeConfigs(t *testing.T) {
	d := newDesk(t, withRules)
	d.settings["log.segment.bytes"] = "2000000"
	d.topic("a", 1, []int32{1})
	r := metadata.Resource{Type: metadata.TopicResource, Name: "a"}
	long := "5000"
	d.apply(metadata.SetConfig{Resource: r, Key: "retention.ms", Value: &long})
	for version := int16(1); version <= 4; version++ {
		all := describe(d, version, 2, "a")
		if all.ErrorCode != 0 || len(all.Configs) < 30 {
			t.Fatalf("v%d: error %d, %d configs", version, all.ErrorCode, len(all.Configs))
		}
		if none := describe(d, version, 2, "a", emptyList...); len(none.Configs) != len(all.Configs) {
			t.Errorf("v%d: an empty list of keys describes %d configs", version, len(none.Configs))
		}
		some := describe(d, version, 2, "a", "retention.ms", "segment.bytes", "no.such.key")
		if len(some.Configs) != 2 {
			t.Fatalf("v%d: %+v", version, some.Configs)
		}
		own, inherited := some.Configs[0], some.Configs[1]
		if *own.Value != "5000" || own.Source != kmsg.ConfigSourceDynamicTopicConfig || own.ReadOnly {
			t.Errorf("v%d: own %+v", version, own)
		}
		if *inherited.Value != "2000000" || inherited.Source != kmsg.ConfigSourceStaticBrokerConfig {
			t.Errorf("v%d: inherited %+v", version, inherited)
		}
		if s := inherited.ConfigSynonyms; len(s) != 2 || s[0].Name != "log.segment.bytes" || s[1].Source != kmsg.ConfigSourceDefaultConfig {
			t.Errorf("v%d: synonyms %+v", version, s)
		}
		if version >= 3 && (own.ConfigType != kmsg.ConfigTypeLong || own.Documentation == nil || *own.Documentation == "") {
			t.Errorf("v%d: type %v, doc %v", version, own.ConfigType, own.Documentation)
		}
	}
}

func TestDescribeConfigsResources(t *testing.T) {
	d := newDesk(t, withRules)
	for _, c := range []struct {
		kind kmsg.ConfigResourceType
		name string
		code int16
		says string
	}{
		{2, "gone", kerr.UnknownTopicOrPartition.Code, ""},
		{2, "b@d", kerr.InvalidTopicException.Code, "Topic name is invalid"},
		{4, "1", 0, ""},
		{4, "", 0, ""},
		{4, "2", kerr.InvalidRequest.Code, "Unexpected broker id, expected 1 or empty string, but received 2"},
		{4, "x", kerr.InvalidRequest.Code, "Broker id must be an integer, but it is: x"},
		{8, "", kerr.InvalidRequest.Code, "Broker id must not be empty"},
		{8, "2", kerr.InvalidRequest.Code, "Unexpected broker id, expected 1 but received 2"},
		{16, "", kerr.InvalidRequest.Code, "must not be empty"},
		{16, "m", 0, ""},
		{32, "", kerr.InvalidRequest.Code, "Group name must not be empty"},
		{32, "g", 0, ""},
		{99, "x", kerr.InvalidRequest.Code, "Unexpected resource type 99"},
	} {
		got := describe(d, 4, c.kind, c.name)
		says := ""
		if got.ErrorMessage != nil {
			says = *got.ErrorMessage
		}
		if got.ErrorCode != c.code || !strings.Contains(says, c.says) {
			t.Errorf("%d %q: error %d %q, want %d %q", c.kind, c.name, got.ErrorCode, says, c.code, c.says)
		}
		if c.code != 0 && len(got.Configs) > 0 {
			t.Errorf("%d %q: configs beside an error", c.kind, c.name)
		}
	}
}

// An answer is bounded by what there is, whatever a request names.
func TestDescribeConfigsIsBounded(t *testing.T) {
	d := newDesk(t)
	req := kmsg.NewPtrDescribeConfigsRequest()
	one := func(name string) kmsg.DescribeConfigsRequestResource {
		return kmsg.DescribeConfigsRequestResource{ResourceType: 32, ResourceName: name, ConfigNames: []string{"none"}}
	}
	req.Resources = append(req.Resources, one("g0"))
	for i := range maxUnset + 2 {
		req.Resources = append(req.Resources, one(fmt.Sprint("g", i)))
	}
	var refused []string
	for _, r := range ask[*kmsg.DescribeConfigsResponse](d, 4, req).Resources {
		if r.ErrorCode != 0 {
			refused = append(refused, r.ResourceName)
		}
	}
	if !slices.Equal(refused, []string{"g0", "g1000", "g1001"}) {
		t.Errorf("refused %q", refused)
	}
}

func TestListConfigResources(t *testing.T) {
	d := newDesk(t)
	d.topic("a", 1, []int32{1})
	v := "1000"
	d.apply(
		metadata.SetConfig{Resource: metadata.Resource{Type: metadata.GroupResource, Name: "g"}, Key: "consumer.session.timeout.ms", Value: &v},
		metadata.SetConfig{Resource: metadata.Resource{Type: metadata.ClientMetricsResource, Name: "m"}, Key: "interval.ms", Value: &v})
	list := func(version int16, types ...int8) []string {
		resp := ask[*kmsg.ListConfigResourcesResponse](d, version, &kmsg.ListConfigResourcesRequest{ResourceTypes: types})
		if resp.ErrorCode != 0 {
			return []string{kerr.ErrorForCode(resp.ErrorCode).Error()}
		}
		var names []string
		for _, r := range resp.ConfigResources {
			names = append(names, r.Name)
		}
		return names
	}
	for _, c := range []struct {
		version int16
		types   []int8
		want    []string
	}{
		{0, nil, []string{"m"}},
		{1, nil, []string{"g", "m", "1", "1", "a"}},
		{1, []int8{2}, []string{"a"}},
		{1, []int8{2, 32}, []string{"g", "a"}},
		{1, []int8{5}, []string{kerr.UnsupportedVersion.Error()}},
	} {
		if got := list(c.version, c.types...); !slices.Equal(got, c.want) {
			t.Errorf("v%d %v: %q, want %q", c.version, c.types, got, c.want)
		}
	}
}

func TestDescribeLogDirs(t *testing.T) {
	d := newDesk(t)
	tp := func(topic string, n int32) model.TopicPartition {
		return model.TopicPartition{Topic: topic, Partition: n}
	}
	d.dirs = []LogDir{
		{Path: "/d1", Total: 100, Usable: 40, Partitions: []LogDirPartition{
			{TopicPartition: tp("b", 0), Size: 7}, {TopicPartition: tp("a", 1), Size: 5, Lag: 2}, {TopicPartition: tp("a", 0), Size: 3}}},
		{Path: "/d2", Err: kerr.KafkaStorageError},
	}
	for version := int16(1); version <= 4; version++ {
		resp := ask[*kmsg.DescribeLogDirsResponse](d, version, kmsg.NewPtrDescribeLogDirsRequest())
		if len(resp.Dirs) != 2 || resp.Dirs[1].ErrorCode != kerr.KafkaStorageError.Code || len(resp.Dirs[1].Topics) != 0 {
			t.Fatalf("v%d: %+v", version, resp.Dirs)
		}
		topics := resp.Dirs[0].Topics
		if len(topics) != 2 || topics[0].Topic != "a" || len(topics[0].Partitions) != 2 || topics[0].Partitions[1].OffsetLag != 2 || topics[1].Partitions[0].Size != 7 {
			t.Errorf("v%d: %+v", version, topics)
		}
		if version >= 4 && (resp.Dirs[0].TotalBytes != 100 || resp.Dirs[0].UsableBytes != 40 || resp.Dirs[1].TotalBytes != -1) {
			t.Errorf("v%d: bytes %+v", version, resp.Dirs)
		}
		some := &kmsg.DescribeLogDirsRequest{Topics: []kmsg.DescribeLogDirsRequestTopic{{Topic: "a", Partitions: []int32{1, 9}}}}
		topics = ask[*kmsg.DescribeLogDirsResponse](d, version, some).Dirs[0].Topics
		if len(topics) != 1 || len(topics[0].Partitions) != 1 || topics[0].Partitions[0].Partition != 1 {
			t.Errorf("v%d some: %+v", version, topics)
		}
	}
}

func TestDescribeProducers(t *testing.T) {
	d := newDesk(t)
	d.topic("a", 1, []int32{1}, []int32{1})
	d.made[model.TopicPartition{Topic: "a"}] = []Producer{{ID: 5, Epoch: 2, LastSequence: 9, LastTimestamp: 77, CoordinatorEpoch: -1, TxnStart: -1}}
	resp := ask[*kmsg.DescribeProducersResponse](d, 0, &kmsg.DescribeProducersRequest{Topics: []kmsg.DescribeProducersRequestTopic{
		{Topic: "a", Partitions: []int32{0, 1, 0, 2, 2}}, {Topic: "b@d", Partitions: []int32{0}}}})
	var codes []int16
	for _, rt := range resp.Topics {
		for _, p := range rt.Partitions {
			codes = append(codes, p.ErrorCode)
		}
	}
	want := []int16{0, kerr.NotLeaderForPartition.Code, kerr.UnknownTopicOrPartition.Code, kerr.InvalidTopicException.Code}
	if !slices.Equal(codes, want) {
		t.Errorf("codes %v, want %v", codes, want)
	}
	if p := resp.Topics[0].Partitions[0].ActiveProducers; len(p) != 1 || p[0].ProducerID != 5 || p[0].ProducerEpoch != 2 || p[0].CurrentTxnStartOffset != -1 {
		t.Errorf("producers %+v", p)
	}
}

func TestDescribeQuorum(t *testing.T) {
	d := newDesk(t)
	q := func(topic string, partition int32) *kmsg.DescribeQuorumRequest {
		return &kmsg.DescribeQuorumRequest{Topics: []kmsg.DescribeQuorumRequestTopic{{Topic: topic,
			Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{Partition: partition}}}}}
	}
	for version := int16(0); version <= 2; version++ {
		resp := ask[*kmsg.DescribeQuorumResponse](d, version, q(model.ClusterMetadataTopic, 0))
		p := resp.Topics[0].Partitions[0]
		if resp.ErrorCode != 0 || p.ErrorCode != 0 || p.LeaderID != 1 || p.LeaderEpoch != 3 || p.HighWatermark != 42 {
			t.Errorf("v%d: %+v", version, p)
		}
		if len(p.CurrentVoters) != 1 || p.CurrentVoters[0].ReplicaID != 1 || p.CurrentVoters[0].LogEndOffset != 42 {
			t.Errorf("v%d: voters %+v", version, p.CurrentVoters)
		}
		if version >= 2 && (len(resp.Nodes) != 1 || resp.Nodes[0].Listeners[0].Port != 9092) {
			t.Errorf("v%d: nodes %+v", version, resp.Nodes)
		}
		if p := ask[*kmsg.DescribeQuorumResponse](d, version, q("a", 0)).Topics[0].Partitions[0]; p.ErrorCode != kerr.UnknownTopicOrPartition.Code {
			t.Errorf("v%d other topic: %+v", version, p)
		}
	}
	d.status.Leader = 2
	if p := ask[*kmsg.DescribeQuorumResponse](d, 2, q(model.ClusterMetadataTopic, 0)).Topics[0].Partitions[0]; p.ErrorCode != kerr.NotLeaderForPartition.Code {
		t.Errorf("not the leader: %+v", p)
	}
}
