package config

// Keys of tiered storage.
var (
	LogLocalRetentionBytes = Broker.long("log.local.retention.bytes", "-2",
		"",
		clusterWide, atLeast(-2))
	LogLocalRetentionMs = Broker.long("log.local.retention.ms", "-2",
		"",
		clusterWide, atLeast(-2))
	RemoteFetchMaxWaitMs = Broker.int("remote.fetch.max.wait.ms", "500",
		"",
		clusterWide, atLeast(1))
	RemoteListOffsetsRequestTimeoutMs = Broker.long("remote.list.offsets.request.timeout.ms", "30000",
		"",
		clusterWide, atLeast(1))
	RemoteLogIndexFileCacheTotalSizeBytes = Broker.long("remote.log.index.file.cache.total.size.bytes", "1073741824",
		"",
		low, clusterWide, atLeast(1))
	RemoteLogManagerCopierThreadPoolSize = Broker.int("remote.log.manager.copier.thread.pool.size", "10",
		"",
		clusterWide, atLeast(1))
	RemoteLogManagerCopyMaxBytesPerSecond = Broker.long("remote.log.manager.copy.max.bytes.per.second", "9223372036854775807",
		"",
		clusterWide, atLeast(1))
	RemoteLogManagerCopyQuotaWindowNum = Broker.int("remote.log.manager.copy.quota.window.num", "11",
		"",
		atLeast(1))
	RemoteLogManagerCopyQuotaWindowSizeSeconds = Broker.int("remote.log.manager.copy.quota.window.size.seconds", "1",
		"",
		atLeast(1))
	RemoteLogManagerExpirationThreadPoolSize = Broker.int("remote.log.manager.expiration.thread.pool.size", "10",
		"",
		clusterWide, atLeast(1))
	RemoteLogManagerFetchMaxBytesPerSecond = Broker.long("remote.log.manager.fetch.max.bytes.per.second", "9223372036854775807",
		"",
		clusterWide, atLeast(1))
	RemoteLogManagerFetchQuotaWindowNum = Broker.int("remote.log.manager.fetch.quota.window.num", "11",
		"",
		atLeast(1))
	RemoteLogManagerFetchQuotaWindowSizeSeconds = Broker.int("remote.log.manager.fetch.quota.window.size.seconds", "1",
		"",
		atLeast(1))
	RemoteLogManagerFollowerThreadPoolSize = Broker.int("remote.log.manager.follower.thread.pool.size", "2",
		"",
		clusterWide, atLeast(1))
	RemoteLogManagerTaskIntervalMs = Broker.long("remote.log.manager.task.interval.ms", "30000",
		"",
		low, atLeast(1))
	RemoteLogManagerTaskRetryBackoffMaxMs = Broker.long("remote.log.manager.task.retry.backoff.max.ms", "30000",
		"",
		low, internal, atLeast(1))
	RemoteLogManagerTaskRetryBackoffMs = Broker.long("remote.log.manager.task.retry.backoff.ms", "500",
		"",
		low, internal, atLeast(1))
	RemoteLogManagerTaskRetryJitter = Broker.double("remote.log.manager.task.retry.jitter", "0.2",
		"",
		low, internal, between(0, 0.5))
	RemoteLogManagerThreadPoolSize = Broker.int("remote.log.manager.thread.pool.size", "2",
		"",
		atLeast(1))
	RemoteLogMetadataCustomMetadataMaxBytes = Broker.int("remote.log.metadata.custom.metadata.max.bytes", "128",
		"",
		low, atLeast(0))
	RemoteLogMetadataManagerClassName = Broker.string("remote.log.metadata.manager.class.name", "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
		"",
		notEmpty)
	RemoteLogMetadataManagerClassPath = Broker.string("remote.log.metadata.manager.class.path", null,
		"")
	RemoteLogMetadataManagerImplPrefix = Broker.string("remote.log.metadata.manager.impl.prefix", "rlmm.config.",
		"",
		notEmpty)
	RemoteLogMetadataManagerListenerName = Broker.string("remote.log.metadata.manager.listener.name", null,
		"",
		notEmpty)
	RemoteLogReaderMaxPendingTasks = Broker.int("remote.log.reader.max.pending.tasks", "100",
		"",
		atLeast(1))
	RemoteLogReaderThreads = Broker.int("remote.log.reader.threads", "10",
		"",
		clusterWide, atLeast(1))
	RemoteLogStorageManagerClassName = Broker.string("remote.log.storage.manager.class.name", null,
		"",
		notEmpty)
	RemoteLogStorageManagerClassPath = Broker.string("remote.log.storage.manager.class.path", null,
		"")
	RemoteLogStorageManagerImplPrefix = Broker.string("remote.log.storage.manager.impl.prefix", "rsm.config.",
		"",
		notEmpty)
	RemoteLogStorageSystemEnable = Broker.boolean("remote.log.storage.system.enable", "false",
		"")
)
