package config

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/proto/model"
)

// FuzzAlter alters any setting of any kind of resource to any value: it is refused in words
// for a client, or what was set can be read, and is the same when it is set again.
func FuzzAlter(f *testing.F) {
	for _, s := range []string{"retention.ms", "cleanup.policy", "compression.type", "min.insync.replicas", "leader.replication.throttled.replicas"} {
		f.Add(int8(TopicResource), "t", s, "compact,delete", int8(OpAppend))
		f.Add(int8(TopicResource), "t", s, "-1", int8(OpSet))
	}
	f.Add(int8(BrokerResource), "1", "advertised.listeners", "PLAINTEXT://[::1]:9092,X://h:70000", int8(OpSet))
	f.Add(int8(BrokerResource), "", "max.connections.per.ip.overrides", "a:1,::1:2", int8(OpSet))
	f.Add(int8(BrokerResource), "x", "log.cleaner.threads", "9", int8(OpSet))
	f.Add(int8(GroupResource), "g", "consumer.session.timeout.ms", "45000", int8(OpSet))
	f.Add(int8(ClientMetricsResource), "m", "match", "client_id=a.*,b=(", int8(OpSet))
	f.Add(int8(LoggerResource), "1", "root", "INFO", int8(OpSet))
	f.Fuzz(func(t *testing.T, typ int8, name, key, value string, op int8) {
		n, resource := Node{}, ResourceType(typ)
		set, err := n.Apply(resource, nil, []Change{{Name: key, Op: Op(op), Value: &value}})
		if err == nil {
			err = n.Validate(resource, name, set)
		}
		if err != nil {
			if code := model.ErrorCode(err); code == 0 || code == kerr.UnknownServerError.Code && !errors.Is(err, kerr.UnknownServerError) {
				t.Errorf("%s of %d to %q: a client is told %d for %v", key, typ, value, code, err)
			}
			return
		}
		if again := n.Validate(resource, name, set); again != nil {
			t.Errorf("%v is good and then not: %v", set, again)
		}
	})
}
