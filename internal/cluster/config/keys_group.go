package config

// Kafka's classes of the assignors that are served.
const (
	UniformAssignorClass = "org.apache.kafka.coordinator.group.assignor.UniformAssignor"
	RangeAssignorClass   = "org.apache.kafka.coordinator.group.assignor.RangeAssignor"
)

// Keys of offsets, classic, consumer and streams groups.
var (
	GroupConsumerAssignors = Broker.list("group.consumer.assignors", "uniform,range",
		"Assignors that the server offers to consumer groups; the first is the default. Those of other classes are passed over.",
		notEmpty)
	GroupConsumerHeartbeatIntervalMs = Broker.int("group.consumer.heartbeat.interval.ms", "5000",
		"How often a member of a consumer group sends a heartbeat.",
		atLeast(1))
	GroupConsumerMaxHeartbeatIntervalMs = Broker.int("group.consumer.max.heartbeat.interval.ms", "15000",
		"Longest heartbeat interval that may be set for one consumer group.",
		atLeast(1))
	GroupConsumerMaxSessionTimeoutMs = Broker.int("group.consumer.max.session.timeout.ms", "60000",
		"Longest session timeout that may be set for one consumer group.",
		atLeast(1))
	GroupConsumerMaxSize = Broker.int("group.consumer.max.size", "2147483647",
		"Most members of a consumer group.",
		atLeast(1))
	GroupConsumerMigrationPolicy = Broker.string("group.consumer.migration.policy", "bidirectional",
		"Whether a group may change between the classic and the consumer protocol while it runs, and in which direction.",
		oneOfAnyCase("DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"))
	GroupConsumerMinHeartbeatIntervalMs = Broker.int("group.consumer.min.heartbeat.interval.ms", "5000",
		"Shortest heartbeat interval that may be set for one consumer group.",
		atLeast(1))
	GroupConsumerMinSessionTimeoutMs = Broker.int("group.consumer.min.session.timeout.ms", "45000",
		"Shortest session timeout that may be set for one consumer group.",
		atLeast(1))
	GroupConsumerRegexRefreshIntervalMs = Broker.int("group.consumer.regex.refresh.interval.ms", "600000",
		"How often a subscription by pattern is matched anew although no topic changed.",
		internal, atLeast(10000))
	GroupConsumerSessionTimeoutMs = Broker.int("group.consumer.session.timeout.ms", "45000",
		"A member of a consumer group that was silent for this long is removed.",
		atLeast(1))
	GroupCoordinatorAppendLingerMs = Broker.int("group.coordinator.append.linger.ms", "-1",
		"How long the coordinator gathers writes. -1 lets it decide.",
		atLeast(-1), mapped("writes of a group are gathered while the last one is being made durable; nothing waits on a clock"))
	GroupCoordinatorRebalanceProtocols = Broker.list("group.coordinator.rebalance.protocols", "classic,consumer",
		"The kinds of groups that are served. Classic ones always are.",
		oneOf("consumer", "classic", "share", "streams"), notEmpty, differs("classic,consumer,streams", "only what this version serves is offered"))
	GroupCoordinatorThreads = Broker.int("group.coordinator.threads", "4",
		"Threads that run the group coordinator.",
		high, atLeast(1), inert(noThreads))
	GroupInitialRebalanceDelayMs = Broker.int("group.initial.rebalance.delay.ms", "3000",
		"How long a new classic group waits for more members before it first assigns partitions.")
	GroupMaxSessionTimeoutMs = Broker.int("group.max.session.timeout.ms", "1800000",
		"Longest session timeout that a member of a classic group may ask for.")
	GroupMaxSize = Broker.int("group.max.size", "2147483647",
		"Most members of a classic group.",
		atLeast(1))
	GroupMinSessionTimeoutMs = Broker.int("group.min.session.timeout.ms", "6000",
		"Shortest session timeout that a member of a classic group may ask for.")
	GroupStreamsHeartbeatIntervalMs = Broker.int("group.streams.heartbeat.interval.ms", "5000",
		"How often a member of a streams group sends a heartbeat.",
		atLeast(1), pending(streamsGroups))
	GroupStreamsInitialRebalanceDelayMs = Broker.int("group.streams.initial.rebalance.delay.ms", "3000",
		"How long a new streams group waits for more members before it first assigns tasks.",
		atLeast(0), pending(streamsGroups))
	GroupStreamsMaxHeartbeatIntervalMs = Broker.int("group.streams.max.heartbeat.interval.ms", "15000",
		"Longest heartbeat interval that may be set for one streams group.",
		atLeast(1), pending(streamsGroups))
	GroupStreamsMaxSessionTimeoutMs = Broker.int("group.streams.max.session.timeout.ms", "60000",
		"Longest session timeout that may be set for one streams group.",
		atLeast(1), pending(streamsGroups))
	GroupStreamsMaxSize = Broker.int("group.streams.max.size", "2147483647",
		"Most members of a streams group.",
		atLeast(1), pending(streamsGroups))
	GroupStreamsMaxStandbyReplicas = Broker.int("group.streams.max.standby.replicas", "2",
		"Most standby copies that may be set for one streams group.",
		atLeast(0), pending(streamsGroups))
	GroupStreamsMinHeartbeatIntervalMs = Broker.int("group.streams.min.heartbeat.interval.ms", "5000",
		"Shortest heartbeat interval that may be set for one streams group.",
		atLeast(1), pending(streamsGroups))
	GroupStreamsMinSessionTimeoutMs = Broker.int("group.streams.min.session.timeout.ms", "45000",
		"Shortest session timeout that may be set for one streams group.",
		atLeast(1), pending(streamsGroups))
	GroupStreamsNumStandbyReplicas = Broker.int("group.streams.num.standby.replicas", "0",
		"Standby copies of each stateful task.",
		atLeast(0), pending(streamsGroups))
	GroupStreamsSessionTimeoutMs = Broker.int("group.streams.session.timeout.ms", "45000",
		"A member of a streams group that was silent for this long is removed.",
		atLeast(1), pending(streamsGroups))
	OffsetMetadataMaxBytes = Broker.int("offset.metadata.max.bytes", "4096",
		"Longest note that a client may store beside a committed offset.",
		high)
	OffsetsCommitTimeoutMs = Broker.int("offsets.commit.timeout.ms", "5000",
		"How long a commit of offsets waits for replication.",
		high, atLeast(1))
	OffsetsLoadBufferSize = Broker.int("offsets.load.buffer.size", "5242880",
		"Bytes that are read at a time when a group coordinator loads its state.",
		high, atLeast(1), inert("a load reads pieces of 1 MiB"))
	OffsetsRetentionCheckIntervalMs = Broker.long("offsets.retention.check.interval.ms", "600000",
		"How often offsets that are too old are looked for.",
		high, atLeast(1))
	OffsetsRetentionMinutes = Broker.int("offsets.retention.minutes", "10080",
		"Offsets of an empty group, or of a topic that a live group no longer reads, are dropped after this.",
		high, atLeast(1))
	OffsetsTopicCompressionCodec = Broker.int("offsets.topic.compression.codec", "0",
		"Codec of the records in the offsets topic: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.",
		high, inert("records of the offsets topic are small and stored as they are"))
	OffsetsTopicNumPartitions = Broker.int("offsets.topic.num.partitions", "50",
		"Partitions of the topic that keeps committed offsets. It must not change after the first use.",
		high, atLeast(1))
	OffsetsTopicReplicationFactor = Broker.short("offsets.topic.replication.factor", "3",
		"Replicas of the topic that keeps committed offsets.",
		high, atLeast(1), differs("3", followsBrokers))
	OffsetsTopicSegmentBytes = Broker.int("offsets.topic.segment.bytes", "104857600",
		"Segment size of the topic that keeps committed offsets, small so that compaction and loading stay quick.",
		high, atLeast(1))
)
