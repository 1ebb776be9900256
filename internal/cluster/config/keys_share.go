package config

// Keys of share groups.
var (
	GroupShareAssignors = Broker.list("group.share.assignors", "simple",
		"",
		notEmpty)
	GroupShareDeliveryCountLimit = Broker.int("group.share.delivery.count.limit", "5",
		"",
		between(2, 10))
	GroupShareEnable = Broker.boolean("group.share.enable", "false",
		"",
		internal)
	GroupShareHeartbeatIntervalMs = Broker.int("group.share.heartbeat.interval.ms", "5000",
		"",
		atLeast(1))
	GroupShareInitializeRetryIntervalMs = Broker.int("group.share.initialize.retry.interval.ms", "30000",
		"",
		low, internal, atLeast(1))
	GroupShareMaxHeartbeatIntervalMs = Broker.int("group.share.max.heartbeat.interval.ms", "15000",
		"",
		atLeast(1))
	GroupShareMaxRecordLockDurationMs = Broker.int("group.share.max.record.lock.duration.ms", "60000",
		"",
		between(30000, 3600000))
	GroupShareMaxSessionTimeoutMs = Broker.int("group.share.max.session.timeout.ms", "60000",
		"",
		atLeast(1))
	GroupShareMaxShareSessions = Broker.int("group.share.max.share.sessions", "2000",
		"",
		atLeast(1))
	GroupShareMaxSize = Broker.int("group.share.max.size", "200",
		"",
		between(1, 1000))
	GroupShareMinHeartbeatIntervalMs = Broker.int("group.share.min.heartbeat.interval.ms", "5000",
		"",
		atLeast(1))
	GroupShareMinRecordLockDurationMs = Broker.int("group.share.min.record.lock.duration.ms", "15000",
		"",
		between(1000, 30000))
	GroupShareMinSessionTimeoutMs = Broker.int("group.share.min.session.timeout.ms", "45000",
		"",
		atLeast(1))
	GroupSharePartitionMaxRecordLocks = Broker.int("group.share.partition.max.record.locks", "2000",
		"",
		between(100, 10000))
	GroupSharePersisterClassName = Broker.string("group.share.persister.class.name", "org.apache.kafka.server.share.persister.DefaultStatePersister",
		"",
		internal)
	GroupShareRecordLockDurationMs = Broker.int("group.share.record.lock.duration.ms", "30000",
		"",
		between(1000, 3600000))
	GroupShareSessionTimeoutMs = Broker.int("group.share.session.timeout.ms", "45000",
		"",
		atLeast(1))
	ShareCoordinatorAppendLingerMs = Broker.int("share.coordinator.append.linger.ms", "-1",
		"",
		atLeast(-1))
	ShareCoordinatorColdPartitionSnapshotIntervalMs = Broker.int("share.coordinator.cold.partition.snapshot.interval.ms", "300000",
		"",
		low, internal, atLeast(1))
	ShareCoordinatorLoadBufferSize = Broker.int("share.coordinator.load.buffer.size", "5242880",
		"",
		high, atLeast(1))
	ShareCoordinatorSnapshotUpdateRecordsPerSnapshot = Broker.int("share.coordinator.snapshot.update.records.per.snapshot", "500",
		"",
		atLeast(0))
	ShareCoordinatorStateTopicCompressionCodec = Broker.int("share.coordinator.state.topic.compression.codec", "0",
		"",
		high)
	ShareCoordinatorStateTopicMinISR = Broker.short("share.coordinator.state.topic.min.isr", "2",
		"",
		high, atLeast(1))
	ShareCoordinatorStateTopicNumPartitions = Broker.int("share.coordinator.state.topic.num.partitions", "50",
		"",
		high, atLeast(1))
	ShareCoordinatorStateTopicPruneIntervalMs = Broker.int("share.coordinator.state.topic.prune.interval.ms", "300000",
		"",
		low, internal, atLeast(1))
	ShareCoordinatorStateTopicReplicationFactor = Broker.short("share.coordinator.state.topic.replication.factor", "3",
		"",
		high, atLeast(1))
	ShareCoordinatorStateTopicSegmentBytes = Broker.int("share.coordinator.state.topic.segment.bytes", "104857600",
		"",
		high, atLeast(1))
	ShareCoordinatorThreads = Broker.int("share.coordinator.threads", "1",
		"",
		atLeast(1))
	ShareCoordinatorWriteTimeoutMs = Broker.int("share.coordinator.write.timeout.ms", "5000",
		"",
		high, atLeast(1))
	ShareFetchPurgatoryPurgeIntervalRequests = Broker.int("share.fetch.purgatory.purge.interval.requests", "1000",
		"")
)
