package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/proto/model"
)

// validateBroker checks the dynamic settings that a broker, or all brokers, would have.
// Names that nobody knows are allowed, as in Kafka: plug-ins have their own.
func (n Node) validateBroker(name string, settings map[string]string) error {
	if name != "" {
		if id, err := strconv.ParseInt(name, 10, 32); err != nil {
			return model.Explain(kerr.InvalidRequest, "Unable to parse broker name as a base 10 number.")
		} else if id < 0 {
			return model.Explain(kerr.InvalidRequest, "Invalid negative broker ID.")
		}
	}
	names := slices.Sorted(maps.Keys(settings))
	for _, c := range []struct {
		bad   func(string) bool
		words string
	}{
		{notDynamic, "Cannot update these configs dynamically"},
		{baseOfSecurity, "These security configs can be dynamically updated only per-listener using the listener prefix"},
		{func(k string) bool { return name == "" && onlyPerBroker(k) }, "Cannot update these configs at default cluster level, broker id must be specified"},
	} {
		if bad := slices.DeleteFunc(slices.Clone(names), func(k string) bool { return !c.bad(k) }); len(bad) > 0 {
			return model.Explain(kerr.InvalidRequest, c.words+": "+strings.Join(bad, ", "))
		}
	}
	for _, k := range names {
		if d, ok := findBroker(k); ok {
			if _, err := d.Parse(settings[k]); err != nil {
				return model.Explain(kerr.InvalidRequest, kafkaWords(err))
			}
		}
	}
	return n.with(name, settings).consistent()
}

// with is the node as it would be with settings altered.
func (n Node) with(name string, settings map[string]string) Node {
	if name == "" {
		n.Default = settings
	} else {
		n.PerBroker = settings
	}
	return n
}

// consistent checks relations between values that can change while the broker runs.
func (n Node) consistent() error {
	v, err := n.Values()
	if err != nil {
		return nil // what is wrong was there before this change
	}
	threads, buf := int64(LogCleanerThreads.Get(v)), LogCleanerDedupeBufferSize.Get(v)
	roll, hasRoll := LogRollMs.Lookup(v)
	jitter, hasJitter := LogRollJitterMs.Lookup(v)
	switch {
	case threads < 1:
		return model.Explain(kerr.InvalidRequest, fmt.Sprintf("Log cleaner threads cannot be less than 1: %d", threads))
	case buf/threads <= 1<<20:
		return model.Explain(kerr.InvalidRequest, "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.")
	case hasRoll && roll < 1:
		return model.Explain(kerr.InvalidRequest, "log.roll.ms must be greater than or equal to 1")
	case hasJitter && jitter < 0:
		return model.Explain(kerr.InvalidRequest, "log.roll.jitter.ms must be greater than or equal to 0")
	case retention(v) == 0:
		return model.Explain(kerr.InvalidRequest, "log.retention.ms must be unlimited (-1) or, greater than or equal to 1")
	case LogCleanerMinCompactionLagMs.Get(v) > LogCleanerMaxCompactionLagMs.Get(v):
		return model.Explain(kerr.InvalidRequest, "log.cleaner.min.compaction.lag.ms must not be more than log.cleaner.max.compaction.lag.ms")
	}
	return nil
}

func notDynamic(key string) bool {
	d, ok := Find(Broker, key)
	return ok && d.Mode == ReadOnly
}

// baseOfSecurity keys are dynamic only behind a listener's prefix.
func baseOfSecurity(key string) bool { return slices.Contains(securityKeys, key) }

var securityKeys = []string{"ssl.keystore.type", "ssl.keystore.location", "ssl.keystore.password", "ssl.key.password",
	"ssl.truststore.type", "ssl.truststore.location", "ssl.truststore.password", "ssl.keystore.certificate.chain",
	"ssl.keystore.key", "ssl.truststore.certificates"}

// onlyPerBroker keys cannot be altered for all brokers at once.
func onlyPerBroker(key string) bool {
	if d, ok := Find(Broker, key); ok {
		return d.Mode == PerBroker
	}
	base := baseOfListenerKey(key)
	return base != "" && !slices.Contains([]string{"max.connections", "max.connection.creation.rate", "num.network.threads"}, base)
}
