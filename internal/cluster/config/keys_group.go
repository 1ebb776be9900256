package config

// Keys of offsets, classic, consumer and streams groups.
var (
	GroupConsumerAssignors = Broker.list("group.consumer.assignors", "uniform,range",
		"",
		notEmpty)
	GroupConsumerHeartbeatIntervalMs = Broker.int("group.consumer.heartbeat.interval.ms", "5000",
		"",
		atLeast(1))
	GroupConsumerMaxHeartbeatIntervalMs = Broker.int("group.consumer.max.heartbeat.interval.ms", "15000",
		"",
		atLeast(1))
	GroupConsumerMaxSessionTimeoutMs = Broker.int("group.consumer.max.session.timeout.ms", "60000",
		"",
		atLeast(1))
	GroupConsumerMaxSize = Broker.int("group.consumer.max.size", "2147483647",
		"",
		atLeast(1))
	GroupConsumerMigrationPolicy = Broker.string("group.consumer.migration.policy", "bidirectional",
		"",
		oneOfAnyCase("DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"))
	GroupConsumerMinHeartbeatIntervalMs = Broker.int("group.consumer.min.heartbeat.interval.ms", "5000",
		"",
		atLeast(1))
	GroupConsumerMinSessionTimeoutMs = Broker.int("group.consumer.min.session.timeout.ms", "45000",
		"",
		atLeast(1))
	GroupConsumerRegexRefreshIntervalMs = Broker.int("group.consumer.regex.refresh.interval.ms", "600000",
		"",
		internal, atLeast(10000))
	GroupConsumerSessionTimeoutMs = Broker.int("group.consumer.session.timeout.ms", "45000",
		"",
		atLeast(1))
	GroupCoordinatorAppendLingerMs = Broker.int("group.coordinator.append.linger.ms", "-1",
		"",
		atLeast(-1))
	GroupCoordinatorRebalanceProtocols = Broker.list("group.coordinator.rebalance.protocols", "classic,consumer,streams",
		"",
		oneOf("consumer", "classic", "share", "streams"), notEmpty)
	GroupCoordinatorThreads = Broker.int("group.coordinator.threads", "4",
		"",
		high, atLeast(1))
	GroupInitialRebalanceDelayMs = Broker.int("group.initial.rebalance.delay.ms", "3000",
		"")
	GroupMaxSessionTimeoutMs = Broker.int("group.max.session.timeout.ms", "1800000",
		"")
	GroupMaxSize = Broker.int("group.max.size", "2147483647",
		"",
		atLeast(1))
	GroupMinSessionTimeoutMs = Broker.int("group.min.session.timeout.ms", "6000",
		"")
	GroupStreamsHeartbeatIntervalMs = Broker.int("group.streams.heartbeat.interval.ms", "5000",
		"",
		atLeast(1))
	GroupStreamsInitialRebalanceDelayMs = Broker.int("group.streams.initial.rebalance.delay.ms", "3000",
		"",
		atLeast(0))
	GroupStreamsMaxHeartbeatIntervalMs = Broker.int("group.streams.max.heartbeat.interval.ms", "15000",
		"",
		atLeast(1))
	GroupStreamsMaxSessionTimeoutMs = Broker.int("group.streams.max.session.timeout.ms", "60000",
		"",
		atLeast(1))
	GroupStreamsMaxSize = Broker.int("group.streams.max.size", "2147483647",
		"",
		atLeast(1))
	GroupStreamsMaxStandbyReplicas = Broker.int("group.streams.max.standby.replicas", "2",
		"",
		atLeast(0))
	GroupStreamsMinHeartbeatIntervalMs = Broker.int("group.streams.min.heartbeat.interval.ms", "5000",
		"",
		atLeast(1))
	GroupStreamsMinSessionTimeoutMs = Broker.int("group.streams.min.session.timeout.ms", "45000",
		"",
		atLeast(1))
	GroupStreamsNumStandbyReplicas = Broker.int("group.streams.num.standby.replicas", "0",
		"",
		atLeast(0))
	GroupStreamsSessionTimeoutMs = Broker.int("group.streams.session.timeout.ms", "45000",
		"",
		atLeast(1))
	OffsetMetadataMaxBytes = Broker.int("offset.metadata.max.bytes", "4096",
		"",
		high)
	OffsetsCommitTimeoutMs = Broker.int("offsets.commit.timeout.ms", "5000",
		"",
		high, atLeast(1))
	OffsetsLoadBufferSize = Broker.int("offsets.load.buffer.size", "5242880",
		"",
		high, atLeast(1))
	OffsetsRetentionCheckIntervalMs = Broker.long("offsets.retention.check.interval.ms", "600000",
		"",
		high, atLeast(1))
	OffsetsRetentionMinutes = Broker.int("offsets.retention.minutes", "10080",
		"",
		high, atLeast(1))
	OffsetsTopicCompressionCodec = Broker.int("offsets.topic.compression.codec", "0",
		"",
		high)
	OffsetsTopicNumPartitions = Broker.int("offsets.topic.num.partitions", "50",
		"",
		high, atLeast(1))
	OffsetsTopicReplicationFactor = Broker.short("offsets.topic.replication.factor", "3",
		"",
		high, atLeast(1))
	OffsetsTopicSegmentBytes = Broker.int("offsets.topic.segment.bytes", "104857600",
		"",
		high, atLeast(1))
)
