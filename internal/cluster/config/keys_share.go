package config

// Keys of share groups.
var (
	DeadLetterAutoCreateTopicsEnable = Broker.boolean("errors.deadletterqueue.auto.create.topics.enable", "false",
		"Make the dead letter queue that a share group names if there is no such topic.",
		clusterWide, since("4.4"))
	DeadLetterTopicNamePrefix = Broker.string("errors.deadletterqueue.topic.name.prefix", "dlq.",
		"How the name of a topic has to begin that is the dead letter queue of a share group; empty allows any.",
		clusterWide, since("4.4"))
	GroupShareAssignors = Broker.list("group.share.assignors", "simple",
		"Assignors that the server offers to share groups.",
		notEmpty, mapped("simple is the assignor, whatever else is named"))
	GroupShareDeliveryCountLimit = Broker.int("group.share.delivery.count.limit", "5",
		"How often a record is delivered before it is given up.",
		between(2, 10))
	GroupShareEnable = Broker.boolean("group.share.enable", "false",
		"Serve share groups. Kafka has replaced it by group.coordinator.rebalance.protocols.",
		internal)
	GroupShareHeartbeatIntervalMs = Broker.int("group.share.heartbeat.interval.ms", "5000",
		"How often a member of a share group sends a heartbeat.",
		atLeast(1))
	GroupShareInitializeRetryIntervalMs = Broker.int("group.share.initialize.retry.interval.ms", "30000",
		"Pause before the start of a share partition is tried again.",
		low, internal, atLeast(1))
	GroupShareMaxHeartbeatIntervalMs = Broker.int("group.share.max.heartbeat.interval.ms", "15000",
		"Longest heartbeat interval that may be set for one share group.",
		atLeast(1))
	GroupShareMaxRecordLockDurationMs = Broker.int("group.share.max.record.lock.duration.ms", "60000",
		"Longest lock duration that may be set for one share group.",
		between(30000, 3600000))
	GroupShareMaxSessionTimeoutMs = Broker.int("group.share.max.session.timeout.ms", "60000",
		"Longest session timeout that may be set for one share group.",
		atLeast(1))
	GroupShareMaxShareSessions = Broker.int("group.share.max.share.sessions", "2000",
		"How many share sessions a broker remembers.",
		atLeast(1))
	GroupShareMaxSize = Broker.int("group.share.max.size", "200",
		"Most members of a share group.",
		between(1, 1000))
	GroupShareMinHeartbeatIntervalMs = Broker.int("group.share.min.heartbeat.interval.ms", "5000",
		"Shortest heartbeat interval that may be set for one share group.",
		atLeast(1))
	GroupShareMinRecordLockDurationMs = Broker.int("group.share.min.record.lock.duration.ms", "15000",
		"Shortest lock duration that may be set for one share group.",
		between(1000, 30000))
	GroupShareMinSessionTimeoutMs = Broker.int("group.share.min.session.timeout.ms", "45000",
		"Shortest session timeout that may be set for one share group.",
		atLeast(1))
	GroupSharePartitionMaxRecordLocks = Broker.int("group.share.partition.max.record.locks", "2000",
		"Most records of one partition that a share group may hold at a time.",
		between(100, 10000))
	GroupSharePersisterClassName = Broker.string("group.share.persister.class.name", "org.apache.kafka.server.share.persister.DefaultStatePersister",
		"The Java class that stores the state of share groups.",
		internal, inert(noPlugins))
	GroupShareRecordLockDurationMs = Broker.int("group.share.record.lock.duration.ms", "30000",
		"How long a consumer may hold a record before it is delivered again.",
		between(1000, 3600000))
	GroupShareSessionTimeoutMs = Broker.int("group.share.session.timeout.ms", "45000",
		"A member of a share group that was silent for this long is removed.",
		atLeast(1))
	ShareCoordinatorAppendLingerMs = Broker.int("share.coordinator.append.linger.ms", "-1",
		"How long the share coordinator gathers writes. -1 lets it decide.",
		atLeast(-1), mapped("writes of states are gathered while the last one is being made durable; nothing waits on a clock"))
	ShareCoordinatorColdPartitionSnapshotIntervalMs = Broker.int("share.coordinator.cold.partition.snapshot.interval.ms", "300000",
		"How often the state of an idle share partition is written anew.",
		low, internal, atLeast(1))
	ShareCoordinatorLoadBufferSize = Broker.int("share.coordinator.load.buffer.size", "5242880",
		"Bytes that are read at a time when a share coordinator loads its state.",
		high, atLeast(1), inert("a load reads pieces of 1 MiB"))
	ShareCoordinatorSnapshotUpdateRecordsPerSnapshot = Broker.int("share.coordinator.snapshot.update.records.per.snapshot", "500",
		"Updates of a share partition's state between two full snapshots.",
		atLeast(0))
	ShareCoordinatorStateTopicCompressionCodec = Broker.int("share.coordinator.state.topic.compression.codec", "0",
		"Codec of the records in the share state topic, as for offsets.topic.compression.codec.",
		high, inert("records of the share state topic are small and stored as they are"))
	ShareCoordinatorStateTopicMinISR = Broker.short("share.coordinator.state.topic.min.isr", "2",
		"min.insync.replicas of the share state topic; never more than its replicas.",
		high, atLeast(1))
	ShareCoordinatorStateTopicNumPartitions = Broker.int("share.coordinator.state.topic.num.partitions", "50",
		"Partitions of the share state topic. It must not change after the first use.",
		high, atLeast(1))
	ShareCoordinatorStateTopicPruneIntervalMs = Broker.int("share.coordinator.state.topic.prune.interval.ms", "300000",
		"How often records that are no longer needed are cut from the share state topic.",
		low, internal, atLeast(1))
	ShareCoordinatorStateTopicReplicationFactor = Broker.short("share.coordinator.state.topic.replication.factor", "3",
		"Replicas of the share state topic.",
		high, atLeast(1), differs("3", followsBrokers))
	ShareCoordinatorStateTopicSegmentBytes = Broker.int("share.coordinator.state.topic.segment.bytes", "104857600",
		"Segment size of the share state topic.",
		high, atLeast(1))
	ShareCoordinatorThreads = Broker.int("share.coordinator.threads", "1",
		"Threads that run the share coordinator.",
		atLeast(1), inert(noThreads))
	ShareCoordinatorWriteTimeoutMs = Broker.int("share.coordinator.write.timeout.ms", "5000",
		"How long a write of share state waits for replication.",
		high, atLeast(1))
	ShareFetchPurgatoryPurgeIntervalRequests = Broker.int("share.fetch.purgatory.purge.interval.requests", "1000",
		"How often finished share fetches leave the purgatory.",
		inert(noPurgatory))
)
