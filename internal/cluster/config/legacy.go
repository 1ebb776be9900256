package config

import "strings"

// Names that old or foreign files and images carry and that are no keys of Kafka 4.2.
// They are worth one line, not a warning each.

const (
	removed      = "Kafka removed it"
	listenersNow = "listeners and advertised.listeners took its place"
	zookeeper    = "there is no ZooKeeper"
	vendor       = "it belongs to another product"
	logging      = "logging is set by odradek.log.level"
	plugin       = "it is read by a plug-in that is not there"
	authz        = "this version does not have " + acls
)

var legacyNames = map[string]string{
	"advertised.host.name":                    listenersNow,
	"advertised.port":                         listenersNow,
	"auto.include.jmx.reporter":               removed,
	"broker.id.generation.enable":             zookeeper,
	"control.plane.listener.name":             removed,
	"controlled.shutdown.max.retries":         removed,
	"controlled.shutdown.retry.backoff.ms":    removed,
	"controller.quorum.fetch.max.bytes":       removed,
	"delegation.token.master.key":             removed,
	"group.coordinator.new.enable":            removed,
	"host.name":                               listenersNow,
	"inter.broker.protocol.version":           removed,
	"leader.imbalance.per.broker.percentage":  removed,
	"log.message.downconversion.enable":       removed,
	"log.message.format.version":              removed,
	"log.message.timestamp.difference.max.ms": removed,
	"max.connections.per.ip.override":         removed,
	"offsets.commit.required.acks":            removed,
	"password.encoder.cipher.algorithm":       removed,
	"password.encoder.iterations":             removed,
	"password.encoder.key.length":             removed,
	"password.encoder.keyfactory.algorithm":   removed,
	"password.encoder.old.secret":             removed,
	"password.encoder.secret":                 removed,
	"port":                                    listenersNow,
	"quota.consumer.default":                  removed,
	"quota.producer.default":                  removed,
	"replica.lag.max.messages":                removed,
	"reserved.broker.max.id":                  zookeeper,
	"super.users":                             authz,
	"allow.everyone.if.no.acl.found":          authz,
}

var legacyPrefixes = []struct{ prefix, why string }{
	{"zookeeper.", zookeeper},
	{"log4j", logging},
	{"confluent.", vendor},
	{"config.providers.", "env, file and dir are built in"},
	{"rsm.config.", plugin},
	{"rlmm.config.", plugin},
	{"client.quota.callback.", plugin},
	{"cruise.control.", vendor},
	{"strimzi.", vendor},
	{"metrics.jmx.", noJVM},
}

// legacy says why a name that is no key is no mistake either, or nothing.
func legacy(name string) string {
	if why := legacyNames[name]; why != "" {
		return why
	}
	for _, p := range legacyPrefixes {
		if strings.HasPrefix(name, p.prefix) {
			return p.why
		}
	}
	return ""
}
