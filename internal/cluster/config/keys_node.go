package config

// Keys of the node, its roles and the metadata quorum.
var (
	BrokerHeartbeatIntervalMs = Broker.int("broker.heartbeat.interval.ms", "2000",
		"")
	BrokerID = Broker.int("broker.id", "-1",
		"",
		high)
	BrokerRack = Broker.string("broker.rack", null,
		"")
	BrokerSessionTimeoutMs = Broker.int("broker.session.timeout.ms", "9000",
		"")
	ControllerListenerNames = Broker.list("controller.listener.names", null,
		"",
		high, notEmpty)
	ControllerPerformanceAlwaysLogThresholdMs = Broker.long("controller.performance.always.log.threshold.ms", "2000",
		"",
		internal, atLeast(0))
	ControllerPerformanceSamplePeriodMs = Broker.long("controller.performance.sample.period.ms", "60000",
		"",
		internal, atLeast(100))
	ControllerQuorumAppendLingerMs = Broker.int("controller.quorum.append.linger.ms", "25",
		"",
		atLeast(0))
	ControllerQuorumAutoJoinEnable = Broker.boolean("controller.quorum.auto.join.enable", "false",
		"",
		low)
	ControllerQuorumBootstrapServers = Broker.list("controller.quorum.bootstrap.servers", "",
		"",
		high, hostPorts)
	ControllerQuorumElectionBackoffMaxMs = Broker.int("controller.quorum.election.backoff.max.ms", "1000",
		"",
		high, atLeast(0))
	ControllerQuorumElectionTimeoutMs = Broker.int("controller.quorum.election.timeout.ms", "1000",
		"",
		high, atLeast(0))
	ControllerQuorumFetchTimeoutMs = Broker.int("controller.quorum.fetch.timeout.ms", "2000",
		"",
		high, atLeast(0))
	ControllerQuorumRequestTimeoutMs = Broker.int("controller.quorum.request.timeout.ms", "2000",
		"",
		atLeast(0))
	ControllerQuorumRetryBackoffMs = Broker.int("controller.quorum.retry.backoff.ms", "20",
		"",
		low, atLeast(0))
	ControllerQuorumVoters = Broker.list("controller.quorum.voters", "",
		"",
		high, quorumVoters)
	ControllerQuotaWindowNum = Broker.int("controller.quota.window.num", "11",
		"",
		low, atLeast(1))
	ControllerQuotaWindowSizeSeconds = Broker.int("controller.quota.window.size.seconds", "1",
		"",
		low, atLeast(1))
	ControllerSocketTimeoutMs = Broker.int("controller.socket.timeout.ms", "30000",
		"")
	InitialBrokerRegistrationTimeoutMs = Broker.int("initial.broker.registration.timeout.ms", "60000",
		"")
	InternalMetadataDeleteDelayMillis = Broker.long("internal.metadata.delete.delay.millis", "60000",
		"",
		low, internal)
	InternalMetadataLogSegmentBytes = Broker.int("internal.metadata.log.segment.bytes", null,
		"",
		low, internal)
	InternalMetadataMaxBatchSizeInBytes = Broker.int("internal.metadata.max.batch.size.in.bytes", "8388608",
		"",
		low, internal)
	InternalMetadataMaxFetchSizeInBytes = Broker.int("internal.metadata.max.fetch.size.in.bytes", "8388608",
		"",
		low, internal)
	MetadataLogDir = Broker.string("metadata.log.dir", null,
		"",
		high)
	MetadataLogMaxRecordBytesBetweenSnapshots = Broker.long("metadata.log.max.record.bytes.between.snapshots", "20971520",
		"",
		high, atLeast(1))
	MetadataLogMaxSnapshotIntervalMs = Broker.long("metadata.log.max.snapshot.interval.ms", "3600000",
		"",
		high, atLeast(0))
	MetadataLogSegmentBytes = Broker.int("metadata.log.segment.bytes", "1073741824",
		"",
		high, atLeast(8388608))
	MetadataLogSegmentMs = Broker.long("metadata.log.segment.ms", "604800000",
		"",
		high)
	MetadataMaxIdleIntervalMs = Broker.int("metadata.max.idle.interval.ms", "500",
		"",
		low, atLeast(0))
	MetadataMaxRetentionBytes = Broker.long("metadata.max.retention.bytes", "104857600",
		"",
		high)
	MetadataMaxRetentionMs = Broker.long("metadata.max.retention.ms", "604800000",
		"",
		high)
	NodeID = Broker.int("node.id", null,
		"",
		high, atLeast(0))
	ProcessRoles = Broker.list("process.roles", null,
		"",
		high, oneOf("broker", "controller"), notEmpty)
	ServerMaxStartupTimeMs = Broker.long("server.max.startup.time.ms", "9223372036854775807",
		"",
		internal, atLeast(0))
	UnstableApiVersionsEnable = Broker.boolean("unstable.api.versions.enable", "false",
		"",
		high, internal)
	UnstableFeatureVersionsEnable = Broker.boolean("unstable.feature.versions.enable", "false",
		"",
		high, internal)
)
