package config

// Keys of tiered storage.
var (
	LogLocalRetentionBytes = Broker.long("log.local.retention.bytes", "-2",
		"How much of a partition that is in the store also stays on disk; -2 means log.retention.bytes.",
		clusterWide, atLeast(-2), pending(tiered))
	LogLocalRetentionMs = Broker.long("log.local.retention.ms", "-2",
		"How long a segment that is in the store also stays on disk; -2 means log.retention.ms.",
		clusterWide, atLeast(-2), pending(tiered))
	RemoteFetchMaxWaitMs = Broker.int("remote.fetch.max.wait.ms", "500",
		"How long a fetch waits for the store before it answers what it has.",
		clusterWide, atLeast(1), pending(tiered))
	RemoteListOffsetsRequestTimeoutMs = Broker.long("remote.list.offsets.request.timeout.ms", "30000",
		"How long a search by time waits for the store.",
		clusterWide, atLeast(1), pending(tiered))
	RemoteLogIndexFileCacheTotalSizeBytes = Broker.long("remote.log.index.file.cache.total.size.bytes", "1073741824",
		"Disk space for indexes that were fetched from the store.",
		low, clusterWide, atLeast(1), pending(tiered))
	RemoteLogManagerCopierThreadPoolSize = Broker.int("remote.log.manager.copier.thread.pool.size", "10",
		"Segments that may be copied at a time.",
		clusterWide, atLeast(1), pending(tiered))
	RemoteLogManagerCopyMaxBytesPerSecond = Broker.long("remote.log.manager.copy.max.bytes.per.second", "9223372036854775807",
		"Bytes a second that are copied to the store.",
		clusterWide, atLeast(1), pending(tiered))
	RemoteLogManagerCopyQuotaWindowNum = Broker.int("remote.log.manager.copy.quota.window.num", "11",
		"Samples that the copy quota remembers.",
		atLeast(1), pending(tiered))
	RemoteLogManagerCopyQuotaWindowSizeSeconds = Broker.int("remote.log.manager.copy.quota.window.size.seconds", "1",
		"Length of one such sample.",
		atLeast(1), pending(tiered))
	RemoteLogManagerExpirationThreadPoolSize = Broker.int("remote.log.manager.expiration.thread.pool.size", "10",
		"Partitions whose old segments may be deleted at a time.",
		clusterWide, atLeast(1), pending(tiered))
	RemoteLogManagerFetchMaxBytesPerSecond = Broker.long("remote.log.manager.fetch.max.bytes.per.second", "9223372036854775807",
		"Bytes a second that are read from the store.",
		clusterWide, atLeast(1), pending(tiered))
	RemoteLogManagerFetchQuotaWindowNum = Broker.int("remote.log.manager.fetch.quota.window.num", "11",
		"Samples that the read quota remembers.",
		atLeast(1), pending(tiered))
	RemoteLogManagerFetchQuotaWindowSizeSeconds = Broker.int("remote.log.manager.fetch.quota.window.size.seconds", "1",
		"Length of one such sample.",
		atLeast(1), pending(tiered))
	RemoteLogManagerFollowerThreadPoolSize = Broker.int("remote.log.manager.follower.thread.pool.size", "2",
		"Follower tasks of tiered storage that may run at a time.",
		clusterWide, atLeast(1), pending(tiered))
	RemoteLogManagerTaskIntervalMs = Broker.long("remote.log.manager.task.interval.ms", "30000",
		"How often segments are looked for that should be copied or deleted.",
		low, atLeast(1), pending(tiered))
	RemoteLogManagerTaskRetryBackoffMaxMs = Broker.long("remote.log.manager.task.retry.backoff.max.ms", "30000",
		"Longest pause after failed copies.",
		low, internal, atLeast(1), pending(tiered))
	RemoteLogManagerTaskRetryBackoffMs = Broker.long("remote.log.manager.task.retry.backoff.ms", "500",
		"First pause after a failed copy.",
		low, internal, atLeast(1), pending(tiered))
	RemoteLogManagerTaskRetryJitter = Broker.double("remote.log.manager.task.retry.jitter", "0.2",
		"Random part of that pause.",
		low, internal, between(0, 0.5), pending(tiered))
	RemoteLogManagerThreadPoolSize = Broker.int("remote.log.manager.thread.pool.size", "2",
		"Threads for all tiered storage tasks.",
		atLeast(1), inert(noThreads))
	RemoteLogMetadataCustomMetadataMaxBytes = Broker.int("remote.log.metadata.custom.metadata.max.bytes", "128",
		"Most bytes that a store may add to a segment's entry.",
		low, atLeast(0), pending(tiered))
	RemoteLogMetadataManagerClassName = Broker.string("remote.log.metadata.manager.class.name", "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
		"Keeps the list of segments in the store.",
		notEmpty, pending(tiered))
	RemoteLogMetadataManagerClassPath = Broker.string("remote.log.metadata.manager.class.path", null,
		"Where Java finds that class.",
		inert(noPlugins))
	RemoteLogMetadataManagerImplPrefix = Broker.string("remote.log.metadata.manager.impl.prefix", "rlmm.config.",
		"Prefix of the keys that are passed to the keeper of that list.",
		notEmpty, pending(tiered))
	RemoteLogMetadataManagerListenerName = Broker.string("remote.log.metadata.manager.listener.name", null,
		"The listener that the keeper of that list uses.",
		notEmpty, pending(tiered))
	RemoteLogReaderMaxPendingTasks = Broker.int("remote.log.reader.max.pending.tasks", "100",
		"Reads from the store that may wait; more are refused for a moment.",
		atLeast(1), pending(tiered))
	RemoteLogReaderThreads = Broker.int("remote.log.reader.threads", "10",
		"Reads from the store that may run at a time.",
		clusterWide, atLeast(1), pending(tiered))
	RemoteLogStorageManagerClassName = Broker.string("remote.log.storage.manager.class.name", null,
		"The store for old segments.",
		notEmpty, pending(tiered))
	RemoteLogStorageManagerClassPath = Broker.string("remote.log.storage.manager.class.path", null,
		"Where Java finds that class.",
		inert(noPlugins))
	RemoteLogStorageManagerImplPrefix = Broker.string("remote.log.storage.manager.impl.prefix", "rsm.config.",
		"Prefix of the keys that are passed to the store.",
		notEmpty, pending(tiered))
	RemoteLogStorageSystemEnable = Broker.boolean("remote.log.storage.system.enable", "false",
		"Keep old segments in an object store as well.",
		pending(tiered))
)
