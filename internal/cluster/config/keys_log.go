package config

// Keys of logs: segments, retention, compaction, and how topics begin.
var (
	AlterConfigPolicyClassName = Broker.class("alter.config.policy.class.name", null,
		"",
		low)
	AutoCreateTopicsEnable = Broker.boolean("auto.create.topics.enable", "true",
		"",
		high)
	CompressionGzipLevel = Broker.int("compression.gzip.level", "-1",
		"",
		clusterWide, gzipLevel)
	CompressionLZ4Level = Broker.int("compression.lz4.level", "9",
		"",
		clusterWide, between(1, 17))
	CompressionType = Broker.string("compression.type", "producer",
		"",
		high, clusterWide, oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"))
	CompressionZstdLevel = Broker.int("compression.zstd.level", "3",
		"",
		clusterWide, between(-131072, 22))
	CreateTopicPolicyClassName = Broker.class("create.topic.policy.class.name", null,
		"",
		low)
	DeleteTopicEnable = Broker.boolean("delete.topic.enable", "true",
		"",
		high)
	LogCleanerBackoffMs = Broker.long("log.cleaner.backoff.ms", "15000",
		"",
		clusterWide, atLeast(0))
	LogCleanerDedupeBufferSize = Broker.long("log.cleaner.dedupe.buffer.size", "134217728",
		"",
		clusterWide)
	LogCleanerDeleteRetentionMs = Broker.long("log.cleaner.delete.retention.ms", "86400000",
		"",
		clusterWide, atLeast(0))
	LogCleanerEnable = Broker.boolean("log.cleaner.enable", "true",
		"")
	LogCleanerIOBufferLoadFactor = Broker.double("log.cleaner.io.buffer.load.factor", "0.9",
		"",
		clusterWide)
	LogCleanerIOBufferSize = Broker.int("log.cleaner.io.buffer.size", "524288",
		"",
		clusterWide, atLeast(0))
	LogCleanerIOMaxBytesPerSecond = Broker.double("log.cleaner.io.max.bytes.per.second", "1.7976931348623157E308",
		"",
		clusterWide)
	LogCleanerMaxCompactionLagMs = Broker.long("log.cleaner.max.compaction.lag.ms", "9223372036854775807",
		"",
		clusterWide, atLeast(1))
	LogCleanerMinCleanableRatio = Broker.double("log.cleaner.min.cleanable.ratio", "0.5",
		"",
		clusterWide, between(0, 1))
	LogCleanerMinCompactionLagMs = Broker.long("log.cleaner.min.compaction.lag.ms", "0",
		"",
		clusterWide, atLeast(0))
	LogCleanerThreads = Broker.int("log.cleaner.threads", "1",
		"",
		clusterWide, atLeast(0))
	LogCleanupPolicy = Broker.list("log.cleanup.policy", "delete",
		"",
		clusterWide, oneOf("compact", "delete"))
	LogDir = Broker.list("log.dir", "/tmp/kafka-logs",
		"",
		high, notEmpty)
	LogDirFailureTimeoutMs = Broker.long("log.dir.failure.timeout.ms", "30000",
		"",
		low, atLeast(1))
	LogDirs = Broker.list("log.dirs", null,
		"",
		high, notEmpty)
	LogFlushIntervalMessages = Broker.long("log.flush.interval.messages", "9223372036854775807",
		"",
		high, clusterWide, atLeast(1))
	LogFlushIntervalMs = Broker.long("log.flush.interval.ms", null,
		"",
		high, clusterWide)
	LogFlushOffsetCheckpointIntervalMs = Broker.int("log.flush.offset.checkpoint.interval.ms", "60000",
		"",
		high, atLeast(0))
	LogFlushSchedulerIntervalMs = Broker.long("log.flush.scheduler.interval.ms", "9223372036854775807",
		"",
		high)
	LogFlushStartOffsetCheckpointIntervalMs = Broker.int("log.flush.start.offset.checkpoint.interval.ms", "60000",
		"",
		high, atLeast(0))
	LogIndexIntervalBytes = Broker.int("log.index.interval.bytes", "4096",
		"",
		clusterWide, atLeast(0))
	LogIndexSizeMaxBytes = Broker.int("log.index.size.max.bytes", "10485760",
		"",
		clusterWide, atLeast(4))
	LogInitialTaskDelayMs = Broker.long("log.initial.task.delay.ms", "30000",
		"",
		low, internal, atLeast(0))
	LogMessageTimestampAfterMaxMs = Broker.long("log.message.timestamp.after.max.ms", "3600000",
		"",
		clusterWide, atLeast(0))
	LogMessageTimestampBeforeMaxMs = Broker.long("log.message.timestamp.before.max.ms", "9223372036854775807",
		"",
		clusterWide, atLeast(0))
	LogMessageTimestampType = Broker.string("log.message.timestamp.type", "CreateTime",
		"",
		clusterWide, oneOf("CreateTime", "LogAppendTime"))
	LogPreallocate = Broker.boolean("log.preallocate", "false",
		"",
		clusterWide)
	LogRetentionBytes = Broker.long("log.retention.bytes", "-1",
		"",
		high, clusterWide)
	LogRetentionCheckIntervalMs = Broker.long("log.retention.check.interval.ms", "300000",
		"",
		atLeast(1))
	LogRetentionHours = Broker.int("log.retention.hours", "168",
		"",
		high)
	LogRetentionMinutes = Broker.int("log.retention.minutes", null,
		"",
		high)
	LogRetentionMs = Broker.long("log.retention.ms", null,
		"",
		high, clusterWide)
	LogRollHours = Broker.int("log.roll.hours", "168",
		"",
		high, atLeast(1))
	LogRollJitterHours = Broker.int("log.roll.jitter.hours", "0",
		"",
		high, atLeast(0))
	LogRollJitterMs = Broker.long("log.roll.jitter.ms", null,
		"",
		high, clusterWide)
	LogRollMs = Broker.long("log.roll.ms", null,
		"",
		high, clusterWide)
	LogSegmentBytes = Broker.int("log.segment.bytes", "1073741824",
		"",
		high, clusterWide, atLeast(1<<20))
	LogSegmentDeleteDelayMs = Broker.long("log.segment.delete.delay.ms", "60000",
		"",
		high, clusterWide, atLeast(0))
	MessageMaxBytes = Broker.int("message.max.bytes", "1048588",
		"",
		high, clusterWide, atLeast(0))
	NumPartitions = Broker.int("num.partitions", "1",
		"",
		atLeast(1))
	NumRecoveryThreadsPerDataDir = Broker.int("num.recovery.threads.per.data.dir", "2",
		"",
		high, clusterWide, atLeast(1))
)
