package raw

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

func configCases() []one {
	describe := func(name string, kind kmsg.ConfigResourceType, resource string, keys []string, all bool) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrDescribeConfigsRequest()
			d := kmsg.NewDescribeConfigsRequestResource()
			d.ResourceType, d.ResourceName, d.ConfigNames = kind, resource, keys
			r.Resources = append(r.Resources, d)
			r.IncludeSynonyms, r.IncludeDocumentation = all, false
			return r
		})
	}
	alter := func(name string, kind kmsg.ConfigResourceType, resource, key string, value *string, op kmsg.IncrementalAlterConfigOp) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrIncrementalAlterConfigsRequest()
			a := kmsg.NewIncrementalAlterConfigsRequestResource()
			a.ResourceType, a.ResourceName = kind, resource
			c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			c.Name, c.Value, c.Op = key, value, op
			a.Configs = append(a.Configs, c)
			r.Resources = append(r.Resources, a)
			return r
		})
	}
	legacy := func(name, resource, key string, value *string) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrAlterConfigsRequest()
			a := kmsg.NewAlterConfigsRequestResource()
			a.ResourceType, a.ResourceName = kmsg.ConfigResourceTypeTopic, resource
			c := kmsg.NewAlterConfigsRequestResourceConfig()
			c.Name, c.Value = key, value
			a.Configs = append(a.Configs, c)
			r.Resources = append(r.Resources, a)
			return r
		})
	}
	const ofTopic, ofBroker = kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker
	return []one{
		describe("topic", ofTopic, topic, nil, true),
		describe("two keys of a topic", ofTopic, topic, []string{"retention.ms", "cleanup.policy"}, false),
		describe("unknown key of a topic", ofTopic, topic, []string{"no.such.key"}, false),
		describe("no keys", ofTopic, topic, []string{}, false),
		describe("unknown topic", ofTopic, "raw.unknown", nil, false),
		describe("bad topic name", ofTopic, "not a name!", nil, false),
		describe("keys of a broker", ofBroker, "1", []string{"num.partitions", "log.retention.ms", "log.retention.hours", "compression.type"}, true),
		describe("unknown broker", ofBroker, "7", nil, false),
		describe("broker with a bad name", ofBroker, "one", nil, false),
		describe("all brokers", ofBroker, "", []string{"num.partitions"}, false),
		describe("unknown kind", 99, "x", nil, false),
		alter("set", ofTopic, scratch, "retention.ms", ptr("777000"), kmsg.IncrementalAlterConfigOpSet),
		alter("set to null", ofTopic, scratch, "retention.ms", nil, kmsg.IncrementalAlterConfigOpSet),
		alter("wrong value", ofTopic, scratch, "retention.ms", ptr("soon"), kmsg.IncrementalAlterConfigOpSet),
		alter("out of range", ofTopic, scratch, "segment.bytes", ptr("1"), kmsg.IncrementalAlterConfigOpSet),
		alter("wrong word", ofTopic, scratch, "cleanup.policy", ptr("burn"), kmsg.IncrementalAlterConfigOpSet),
		alter("unknown key", ofTopic, scratch, "no.such.key", ptr("1"), kmsg.IncrementalAlterConfigOpSet),
		alter("append", ofTopic, scratch, "cleanup.policy", ptr("compact"), kmsg.IncrementalAlterConfigOpAppend),
		alter("append to no list", ofTopic, scratch, "retention.ms", ptr("1"), kmsg.IncrementalAlterConfigOpAppend),
		alter("subtract", ofTopic, scratch, "cleanup.policy", ptr("compact"), kmsg.IncrementalAlterConfigOpSubtract),
		alter("delete", ofTopic, scratch, "retention.ms", nil, kmsg.IncrementalAlterConfigOpDelete),
		alter("unknown operation", ofTopic, scratch, "retention.ms", ptr("1"), 9),
		alter("unknown topic", ofTopic, "raw.unknown", "retention.ms", ptr("1"), kmsg.IncrementalAlterConfigOpSet),
		alter("of a broker", ofBroker, "1", "log.cleaner.threads", ptr("2"), kmsg.IncrementalAlterConfigOpSet),
		alter("fixed key of a broker", ofBroker, "1", "num.partitions", ptr("2"), kmsg.IncrementalAlterConfigOpSet),
		alter("of an unknown broker", ofBroker, "7", "log.cleaner.threads", ptr("2"), kmsg.IncrementalAlterConfigOpSet),
		alter("delete of a broker", ofBroker, "1", "log.cleaner.threads", nil, kmsg.IncrementalAlterConfigOpDelete),
		legacy("good", scratch, "retention.ms", ptr("888000")),
		legacy("wrong value", scratch, "retention.ms", ptr("soon")),
		legacy("null value", scratch, "retention.ms", nil),
		legacy("unknown topic", "raw.unknown", "retention.ms", ptr("1")),
		legacy("back", scratch, "retention.ms", ptr("-1")),
		at("all", func(*session) kmsg.Request { return kmsg.NewPtrListConfigResourcesRequest() }),
		from(1, at("topics", func(*session) kmsg.Request {
			r := kmsg.NewPtrListConfigResourcesRequest()
			r.ResourceTypes = []int8{64} // unknown
			return r
		})),
	}
}
