package config

// Why a key has no effect here. Constants, so that a reason is worded once.
const (
	noJVM              = "there is no JVM"
	noPlugins          = "Java classes cannot be loaded"
	noThreads          = "there are no thread pools to size"
	noPurgatory        = "there is no purgatory: a request waits on its own"
	noKerberos         = "Kerberos is not offered"
	noControllerProbe  = "the controller's timings are metrics"
	noMetadataSegments = "the metadata log keeps what follows its newest snapshot"
	quorumClock        = "the quorum has a clock of its own: a leader is missed after 0.7 to 1.4 s, and at once when its process has ended"
	ownLines           = "nodes of the quorum speak over lines that notice silence themselves"
	metricsAreNative   = "metrics are counters and histograms for Prometheus"

	checkpoints = "all checkpoints are written every five seconds, if they changed, and when the node stops"

	followsBrokers = "unless it was set, it is the number of brokers if that is less"
)

// The parts of Kafka that pending keys belong to.
const (
	tls           = "TLS"
	sasl          = "SASL"
	oauth         = "OAuth"
	acls          = "access control"
	tokens        = "delegation tokens"
	quotas        = "quotas"
	telemetry     = "client metrics"
	tiered        = "tiered storage"
	transactions  = "transactions"
	shareGroups   = "share groups"
	streamsGroups = "streams groups"
	throttle      = "a throttle for compaction"
)

// guarding parts protect something. Who sets their keys relies on them, and must be told;
// the keys of the other parts stand in every stock file.
var guarding = []string{tls, sasl, oauth, acls, tokens, quotas, tiered}
