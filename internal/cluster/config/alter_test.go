package config

import (
	"maps"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
)

func set(name, value string) Change      { return Change{name, OpSet, &value} }
func appendTo(name, value string) Change { return Change{name, OpAppend, &value} }
func subtract(name, value string) Change { return Change{name, OpSubtract, &value} }
func remove(name string) Change          { return Change{Name: name, Op: OpDelete} }
func changes(c ...Change) []Change       { return c }
func words(err error) string {
	if err == nil {
		return ""
	}
	return model.ClientMessage(err)
}

func TestApply(t *testing.T) {
	n := Node{Static: kv{"log.cleanup.policy": "compact"}}
	for _, c := range []struct {
		name    string
		old     kv
		changes []Change
		want    kv
		code    int16
	}{
		{"set", kv{"a": "1"}, changes(set("retention.ms", "5")), kv{"a": "1", "retention.ms": "5"}, 0},
		{"delete", kv{"a": "1"}, changes(remove("a"), remove("b")), kv{}, 0},
		{"append to what the broker says", nil, changes(appendTo("cleanup.policy", "delete")), kv{"cleanup.policy": "compact,delete"}, 0},
		{"append what is there", kv{"cleanup.policy": "delete"}, changes(appendTo("cleanup.policy", "delete")), kv{"cleanup.policy": "delete"}, 0},
		{"subtract", kv{"cleanup.policy": "delete,compact"}, changes(subtract("cleanup.policy", "compact,x")), kv{"cleanup.policy": "delete"}, 0},
		{"subtract all", kv{"cleanup.policy": "delete"}, changes(subtract("cleanup.policy", "delete")), kv{"cleanup.policy": ""}, 0},
		{"append to a number", nil, changes(appendTo("retention.ms", "5")), nil, 40},
		{"append to an unknown key", nil, changes(appendTo("retention", "5")), nil, 40},
		{"a key twice", nil, changes(set("retention.ms", "5"), remove("retention.ms")), nil, 42},
		{"null", nil, []Change{{Name: "retention.ms", Op: OpSet}}, nil, 42},
		{"no such operation", nil, []Change{{Name: "retention.ms", Op: 9}}, nil, 42},
	} {
		before := maps.Clone(c.old)
		got, err := n.Apply(TopicResource, c.old, c.changes)
		if model.ErrorCode(err) != c.code || !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v, code %d", c.name, got, err, c.want, c.code)
		}
		if !maps.Equal(before, c.old) {
			t.Errorf("%s: the old settings were changed", c.name)
		}
	}
}

func TestValidate(t *testing.T) {
	n := Node{Static: kv{"log.retention.hours": "1"}}
	for _, c := range []struct {
		kind     ResourceType
		name     string
		settings kv
		code     int16
		words    string
	}{
		{TopicResource, "t", kv{"retention.ms": "-1", "odradek.durability": "os"}, 0, ""},
		{TopicResource, "", kv{}, 42, "Default topic"},
		{TopicResource, "t", kv{"retention.mss": "1"}, 40, "Unknown topic config name: retention.mss"},
		{TopicResource, "t", kv{"retention.ms": "-2"}, 40, "Invalid value -2 for configuration retention.ms: it is out of range (at least -1)"},
		{TopicResource, "t", kv{"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"}, 40, "min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"},
		{TopicResource, "t", kv{"remote.storage.enable": "true"}, 40, "Tiered Storage functionality is disabled"},
		{TopicResource, "t", kv{"leader.replication.throttled.replicas": "0:1,1:x"}, 40, "PARTITION:BROKER"},
		{TopicResource, "t", kv{"leader.replication.throttled.replicas": "*"}, 0, ""},
		{TopicResource, "t", kv{"cleanup.policy": ""}, 0, ""},
		{TopicResource, "t", kv{"follower.replication.throttled.replicas": strings.Repeat("1:1,", 9000)}, 40, "32767"},
		{BrokerResource, "1", kv{"log.retention.ms": "5", "anything.else": "x"}, 0, ""},
		{BrokerResource, "", kv{"log.retention.ms": "5"}, 0, ""},
		{BrokerResource, "one", kv{}, 42, "base 10"},
		{BrokerResource, "-1", kv{}, 42, "negative"},
		{BrokerResource, "1", kv{"log.retention.hours": "5", "node.id": "2"}, 42, "Cannot update these configs dynamically: log.retention.hours, node.id"},
		{BrokerResource, "1", kv{"log.retention.ms": "soon"}, 42, "Invalid value soon for configuration log.retention.ms"},
		{BrokerResource, "1", kv{"log.retention.ms": "0"}, 42, "log.retention.ms must be unlimited"},
		{BrokerResource, "1", kv{"log.cleaner.threads": "0"}, 42, "cleaner threads"},
		{BrokerResource, "1", kv{"log.cleaner.threads": "99"}, 42, "1MB per cleaner thread"},
		{BrokerResource, "1", kv{"ssl.keystore.location": "/k"}, 42, "only per-listener"},
		{BrokerResource, "1", kv{"listener.name.ext.ssl.keystore.location": "/k"}, 0, ""},
		{BrokerResource, "", kv{"listener.name.ext.ssl.keystore.location": "/k"}, 42, "broker id must be specified"},
		{BrokerResource, "", kv{"listener.name.ext.max.connections": "5"}, 0, ""},
		{BrokerResource, "1", kv{"listener.name.ext.max.connections": "-5"}, 42, "max.connections"},
		{BrokerResource, "", kv{"listeners": "PLAINTEXT://:1"}, 42, "default cluster level"},
		{BrokerResource, "1", kv{"leader.replication.throttled.rate": "5"}, 0, ""},
		{GroupResource, "g", kv{"consumer.session.timeout.ms": "50000"}, 0, ""},
		{GroupResource, "", kv{}, 42, "Default group"},
		{GroupResource, "g", kv{"consumer.session.timeout.ms": "44999"}, 40, "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms"},
		{GroupResource, "g", kv{"share.record.lock.duration.ms": "60001"}, 40, "group.share.max.record.lock.duration.ms"},
		{GroupResource, "g", kv{"streams.num.standby.replicas": "3"}, 40, "group.streams.max.standby.replicas"},
		{GroupResource, "g", kv{"session.timeout.ms": "1"}, 40, "Unknown group config name"},
		{GroupResource, "g", kv{"share.auto.offset.reset": "by_duration:PT1H"}, 0, ""},
		{GroupResource, "g", kv{"share.auto.offset.reset": "by_duration:1h"}, 40, "ISO 8601"},
		{GroupResource, "g", kv{"share.auto.offset.reset": "by_duration:PT"}, 40, "ISO 8601"},
		{ClientMetricsResource, "m", kv{"interval.ms": "1000", "match": "client_id=a.*,client_source_port=9.*", "metrics": "*"}, 0, ""},
		{ClientMetricsResource, "", kv{}, 42, "Subscription name"},
		{ClientMetricsResource, "m", kv{"interval.ms": "99"}, 42, "between 100 and 3600000"},
		{ClientMetricsResource, "m", kv{"interval.ms": "soon"}, 40, "not an int"},
		{ClientMetricsResource, "m", kv{"match": "color=red"}, 40, "KEY=PATTERN"},
		{ClientMetricsResource, "m", kv{"match": "client_id=("}, 40, "KEY=PATTERN"},
		{ClientMetricsResource, "m", kv{"colour": "red"}, 42, "Unknown client metrics configuration: colour"},
		{LoggerResource, "1", kv{}, 42, "Unknown resource type 8"},
	} {
		err := n.Validate(c.kind, c.name, c.settings)
		if model.ErrorCode(err) != c.code || !strings.Contains(words(err), c.words) {
			t.Errorf("%d %q %v: code %d, %q; want code %d, %q", c.kind, c.name, c.settings, model.ErrorCode(err), words(err), c.code, c.words)
		}
	}
}

func TestList(t *testing.T) {
	n := Node{Static: kv{"log.cleanup.policy": "compact"}}
	if v, ok := n.List(TopicResource, "cleanup.policy"); !ok || v != "compact" {
		t.Errorf("cleanup.policy: %q %v", v, ok)
	}
	if v, ok := n.List(BrokerResource, "log.cleanup.policy"); !ok || v != "delete" {
		t.Errorf("log.cleanup.policy: %q %v", v, ok)
	}
	for _, k := range []string{"retention.ms", "nothing"} {
		if _, ok := n.List(TopicResource, k); ok {
			t.Errorf("%s is a list", k)
		}
	}
}
