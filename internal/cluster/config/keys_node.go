package config

// Keys of the node, its roles and the metadata quorum.
var (
	BrokerHeartbeatIntervalMs = Broker.int("broker.heartbeat.interval.ms", "250",
		"How often a broker tells the controller that it lives.",
		differs("2000", "a heartbeat costs next to nothing, and one that does not come has the controller look whether the process is dead"))
	BrokerID = Broker.int("broker.id", "1",
		"Older name of node.id. -1 means unset.",
		high, mapped("an older name of node.id"), differs("-1", "it is node.id"))
	BrokerRack = Broker.string("broker.rack", null,
		"The rack or zone of this broker. Replicas are spread over racks and consumers can read from their own.")
	BrokerSessionTimeoutMs = Broker.int("broker.session.timeout.ms", "3000",
		"A broker that was not heard for this long is fenced and its leaderships move. One whose process has died is fenced at once.",
		differs("9000", "a dozen heartbeats fit in, and a controller that was busy itself waits longer by as much"))
	ControllerListenerNames = Broker.list("controller.listener.names", "CONTROLLER",
		"Names of the listeners on which controllers talk. They must not be advertised to clients.",
		high, notEmpty, differs("(required)", "a single node needs no set-up"))
	ControllerPerformanceAlwaysLogThresholdMs = Broker.long("controller.performance.always.log.threshold.ms", "2000",
		"Log every controller event that takes longer than this.",
		internal, atLeast(0), inert(noControllerProbe))
	ControllerPerformanceSamplePeriodMs = Broker.long("controller.performance.sample.period.ms", "60000",
		"How often the controller sums up its own speed.",
		internal, atLeast(100), inert(noControllerProbe))
	ControllerQuorumAppendLingerMs = Broker.int("controller.quorum.append.linger.ms", "25",
		"How long the quorum leader gathers entries before it writes them.",
		atLeast(0), inert("metadata entries are committed as soon as they arrive, many at once under load"))
	ControllerQuorumAutoJoinEnable = Broker.boolean("controller.quorum.auto.join.enable", "false",
		"Let a controller that is not a voter ask to become one.",
		low, inert("a node is added to the quorum by odradek cluster voters add, or kafka-metadata-quorum.sh"))
	ControllerQuorumBootstrapServers = Broker.list("controller.quorum.bootstrap.servers", "",
		"Addresses at which a node finds the metadata quorum, when the voters are not listed.",
		high, hostPorts)
	ControllerQuorumElectionBackoffMaxMs = Broker.int("controller.quorum.election.backoff.max.ms", "1000",
		"The longest random delay before another election is tried.",
		high, atLeast(0), inert(quorumClock))
	ControllerQuorumElectionTimeoutMs = Broker.int("controller.quorum.election.timeout.ms", "1000",
		"How long a voter waits for a leader before it stands for election.",
		high, atLeast(0), inert(quorumClock))
	ControllerQuorumFetchTimeoutMs = Broker.int("controller.quorum.fetch.timeout.ms", "2000",
		"How long a voter may go without reaching the leader, and a leader without reaching a majority.",
		high, atLeast(0), inert(quorumClock))
	ControllerQuorumRequestTimeoutMs = Broker.int("controller.quorum.request.timeout.ms", "2000",
		"How long a request between quorum members may take.",
		atLeast(0), inert(ownLines))
	ControllerQuorumRetryBackoffMs = Broker.int("controller.quorum.retry.backoff.ms", "20",
		"Pause before a failed request between quorum members is sent again.",
		low, atLeast(0), inert(ownLines))
	ControllerQuorumVoters = Broker.list("controller.quorum.voters", "",
		"The voters of the metadata quorum, each as ID@HOST:PORT, the same on every node. Empty on a single node.",
		high, quorumVoters)
	ControllerQuotaWindowNum = Broker.int("controller.quota.window.num", "11",
		"Samples that the quota for topic changes remembers.",
		low, atLeast(1), pending(quotas))
	ControllerQuotaWindowSizeSeconds = Broker.int("controller.quota.window.size.seconds", "1",
		"Length of one such sample.",
		low, atLeast(1), pending(quotas))
	ControllerSocketTimeoutMs = Broker.int("controller.socket.timeout.ms", "30000",
		"How long a broker waits for an answer of the controller.",
		inert(ownLines))
	InitialBrokerRegistrationTimeoutMs = Broker.int("initial.broker.registration.timeout.ms", "60000",
		"How long a starting broker waits for the controller to accept its registration before it gives up.")
	InternalMetadataDeleteDelayMillis = Broker.long("internal.metadata.delete.delay.millis", "60000",
		"Delay before old metadata files are removed.",
		low, internal, inert(noMetadataSegments))
	InternalMetadataLogSegmentBytes = Broker.int("internal.metadata.log.segment.bytes", null,
		"Segment size of the metadata log in Kafka's own tests.",
		low, internal, inert(noMetadataSegments))
	InternalMetadataMaxBatchSizeInBytes = Broker.int("internal.metadata.max.batch.size.in.bytes", "8388608",
		"Largest batch of metadata records.",
		low, internal, inert(noMetadataSegments))
	InternalMetadataMaxFetchSizeInBytes = Broker.int("internal.metadata.max.fetch.size.in.bytes", "8388608",
		"Largest answer to a fetch of metadata records.",
		low, internal, inert(noMetadataSegments))
	MetadataLogDir = Broker.string("metadata.log.dir", null,
		"Folder of the metadata log. Unset, it is the first of log.dirs.",
		high)
	MetadataLogMaxRecordBytesBetweenSnapshots = Broker.long("metadata.log.max.record.bytes.between.snapshots", "20971520",
		"Take a metadata snapshot after this many bytes of new records.",
		high, atLeast(1), mapped("the quorum takes a snapshot when its log has grown enough"))
	MetadataLogMaxSnapshotIntervalMs = Broker.long("metadata.log.max.snapshot.interval.ms", "3600000",
		"Take a metadata snapshot at least this often while records arrive; 0 leaves only the byte limit.",
		high, atLeast(0), mapped("the quorum takes a snapshot when its log has grown enough"))
	MetadataLogSegmentBytes = Broker.int("metadata.log.segment.bytes", "1073741824",
		"Size at which a segment of the metadata log ends.",
		high, atLeast(8388608), mapped("the metadata log is cut at snapshots"))
	MetadataLogSegmentMs = Broker.long("metadata.log.segment.ms", "604800000",
		"Age at which a segment of the metadata log ends.",
		high, inert(noMetadataSegments))
	MetadataMaxIdleIntervalMs = Broker.int("metadata.max.idle.interval.ms", "500",
		"How often an idle quorum leader writes an empty record.",
		low, atLeast(0), inert("an idle quorum writes nothing: Raft heartbeats show that the leader lives"))
	MetadataMaxRetentionBytes = Broker.long("metadata.max.retention.bytes", "104857600",
		"Bytes of metadata log and snapshots to keep.",
		high, inert(noMetadataSegments))
	MetadataMaxRetentionMs = Broker.long("metadata.max.retention.ms", "604800000",
		"Age up to which metadata log and snapshots are kept.",
		high, inert(noMetadataSegments))
	NodeID = Broker.int("node.id", "1",
		"The number that names this node in the cluster. It must never change once the node holds data.",
		high, atLeast(0), differs("(required)", "a single node needs no set-up"), alias("broker.id"))
	ProcessRoles = Broker.list("process.roles", "broker,controller",
		"What this node does: broker keeps partitions and serves clients, controller votes in the metadata quorum. Beyond Kafka, observer alone follows the metadata and is no part of the cluster, for odradek.zookeeper.listener.",
		high, oneOf("broker", "controller", "observer"), notEmpty, differs("(required)", "a single node needs no set-up"))
	ServerMaxStartupTimeMs = Broker.long("server.max.startup.time.ms", "9223372036854775807",
		"Longest time that a start may take.",
		internal, atLeast(0), inert("a start has no time limit of its own"))
	UnstableApiVersionsEnable = Broker.boolean("unstable.api.versions.enable", "false",
		"Offer API versions that Kafka still develops.",
		high, internal, inert("unfinished API versions are never offered"))
	UnstableFeatureVersionsEnable = Broker.boolean("unstable.feature.versions.enable", "false",
		"Offer feature levels that Kafka still develops.",
		high, internal, inert("unfinished feature levels are never offered"))
)
