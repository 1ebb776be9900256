package config

// Keys of logs: segments, retention, compaction, and how topics begin.
var (
	AlterConfigPolicyClassName = Broker.class("alter.config.policy.class.name", null,
		"A Java class that judges every change of configuration.",
		low, inert(noPlugins))
	AutoCreateTopicsEnable = Broker.boolean("auto.create.topics.enable", "true",
		"Create a topic when a client asks for one that does not exist.",
		high)
	CompressionGzipLevel = Broker.int("compression.gzip.level", "-1",
		"Level at which the broker compresses when it uses gzip; -1 is the codec's own default.",
		clusterWide, gzipLevel)
	CompressionLZ4Level = Broker.int("compression.lz4.level", "9",
		"Level at which the broker compresses when it uses lz4.",
		clusterWide, between(1, 17))
	CompressionType = Broker.string("compression.type", "producer",
		"How the broker stores batches: producer leaves them as they came, anything else makes the broker compress them so.",
		high, clusterWide, oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"))
	CompressionZstdLevel = Broker.int("compression.zstd.level", "3",
		"Level at which the broker compresses when it uses zstd.",
		clusterWide, between(-131072, 22))
	CreateTopicPolicyClassName = Broker.class("create.topic.policy.class.name", null,
		"A Java class that judges every topic creation.",
		low, inert(noPlugins))
	DeleteTopicEnable = Broker.boolean("delete.topic.enable", "true",
		"Allow topics to be deleted.",
		high)
	LogCleanerBackoffMs = Broker.long("log.cleaner.backoff.ms", "15000",
		"How long compaction rests when nothing needs it.",
		clusterWide, atLeast(0))
	LogCleanerDedupeBufferSize = Broker.long("log.cleaner.dedupe.buffer.size", "16777216",
		"Memory for the key maps of all compactions together.",
		clusterWide, differs("134217728", "a node should need tens of megabytes, not hundreds"))
	LogCleanerDeleteRetentionMs = Broker.long("log.cleaner.delete.retention.ms", "86400000",
		"How long a tombstone, and a transaction marker, stays readable after compaction reached it.",
		clusterWide, atLeast(0))
	LogCleanerEnable = Broker.boolean("log.cleaner.enable", "true",
		"Run compaction.",
		inert("compaction runs for every topic that asks for it"))
	LogCleanerIOBufferLoadFactor = Broker.double("log.cleaner.io.buffer.load.factor", "0.9",
		"How full a key map may get.",
		clusterWide, inert("the key map needs no load factor"))
	LogCleanerIOBufferSize = Broker.int("log.cleaner.io.buffer.size", "524288",
		"Memory for the read and write buffers of all compactions together.",
		clusterWide, atLeast(0), inert("compaction reads and writes in pieces of its own choice"))
	LogCleanerIOMaxBytesPerSecond = Broker.double("log.cleaner.io.max.bytes.per.second", "1.7976931348623157E308",
		"Bytes a second that compaction may read and write.",
		clusterWide, pending(throttle))
	LogCleanerMaxCompactionLagMs = Broker.long("log.cleaner.max.compaction.lag.ms", "9223372036854775807",
		"A record older than this is compacted soon, however small the uncompacted part is.",
		clusterWide, atLeast(1))
	LogCleanerMinCleanableRatio = Broker.double("log.cleaner.min.cleanable.ratio", "0.5",
		"Compact a log when this part of it has not been compacted yet.",
		clusterWide, between(0, 1))
	LogCleanerMinCompactionLagMs = Broker.long("log.cleaner.min.compaction.lag.ms", "0",
		"A record younger than this is not compacted away.",
		clusterWide, atLeast(0))
	LogCleanerThreads = Broker.int("log.cleaner.threads", "1",
		"How many partitions may be compacted at a time.",
		clusterWide, atLeast(0), mapped("partitions are compacted one at a time; the threads only divide log.cleaner.dedupe.buffer.size"))
	LogCleanupPolicy = Broker.list("log.cleanup.policy", "delete",
		"What becomes of old records: delete removes old segments, compact keeps the newest record of each key; both together, or neither, are allowed.",
		clusterWide, oneOf("compact", "delete"))
	LogDir = Broker.list("log.dir", null,
		"One data folder, used when log.dirs is unset.",
		high, notEmpty, differs("/tmp/kafka-logs", "data survives a restart: see log.dirs"))
	LogDirFailureTimeoutMs = Broker.long("log.dir.failure.timeout.ms", "30000",
		"A broker that cannot tell the controller about a failed folder for this long stops.",
		low, atLeast(1), inert("a failed folder is told with the next heartbeat, and without those a broker has no lease"))
	LogDirs = Broker.list("log.dirs", null,
		"Folders that hold the partitions, separated by commas. Unset, log.dir; if that is unset too, odradek.data.dir.",
		high, notEmpty)
	LogFlushIntervalMessages = Broker.long("log.flush.interval.messages", "9223372036854775807",
		"Sync a partition to disk after this many records. Acknowledged records are on disk anyway unless odradek.durability says otherwise.",
		high, clusterWide, atLeast(1))
	LogFlushIntervalMs = Broker.long("log.flush.interval.ms", null,
		"Sync a partition to disk when its oldest unsynced record is this old. Unset, log.flush.scheduler.interval.ms.",
		high, clusterWide)
	LogFlushOffsetCheckpointIntervalMs = Broker.int("log.flush.offset.checkpoint.interval.ms", "60000",
		"How often the recovery points are written down.",
		high, atLeast(0), mapped(checkpoints))
	LogFlushSchedulerIntervalMs = Broker.long("log.flush.scheduler.interval.ms", "9223372036854775807",
		"How often Kafka looks for partitions to sync.",
		high, mapped("only the default of log.flush.interval.ms; there is no scheduler"))
	LogFlushStartOffsetCheckpointIntervalMs = Broker.int("log.flush.start.offset.checkpoint.interval.ms", "60000",
		"How often the log start offsets are written down.",
		high, atLeast(0), mapped(checkpoints))
	LogIndexIntervalBytes = Broker.int("log.index.interval.bytes", "4096",
		"An index entry is added after about this many bytes of records.",
		clusterWide, atLeast(0))
	LogIndexSizeMaxBytes = Broker.int("log.index.size.max.bytes", "10485760",
		"Largest size of a segment's offset index.",
		clusterWide, atLeast(4))
	LogInitialTaskDelayMs = Broker.long("log.initial.task.delay.ms", "30000",
		"Delay before the first house-keeping.",
		low, internal, atLeast(0), inert("house-keeping starts when there is something to do"))
	LogMessageTimestampAfterMaxMs = Broker.long("log.message.timestamp.after.max.ms", "3600000",
		"A record whose time is further than this ahead of the broker's clock is refused, under CreateTime.",
		clusterWide, atLeast(0))
	LogMessageTimestampBeforeMaxMs = Broker.long("log.message.timestamp.before.max.ms", "9223372036854775807",
		"A record whose time is further than this behind the broker's clock is refused, under CreateTime.",
		clusterWide, atLeast(0))
	LogMessageTimestampType = Broker.string("log.message.timestamp.type", "CreateTime",
		"Whether a record carries the time at which it was made (CreateTime) or at which the broker stored it (LogAppendTime).",
		clusterWide, oneOf("CreateTime", "LogAppendTime"))
	LogPreallocate = Broker.boolean("log.preallocate", "false",
		"Reserve the whole size of a segment file when it is made.",
		clusterWide, mapped("segments are not preallocated: measured, it gains nothing"))
	LogRetentionBytes = Broker.long("log.retention.bytes", "-1",
		"Size above which a partition's oldest segments are deleted; -1 means no limit.",
		high, clusterWide)
	LogRetentionCheckIntervalMs = Broker.long("log.retention.check.interval.ms", "300000",
		"How often a broker looks for segments to delete.",
		atLeast(1))
	LogRetentionHours = Broker.int("log.retention.hours", "168",
		"Retention in hours, when neither milliseconds nor minutes are set.",
		high)
	LogRetentionMinutes = Broker.int("log.retention.minutes", null,
		"Retention in minutes, when log.retention.ms is unset. Unset too, log.retention.hours.",
		high)
	LogRetentionMs = Broker.long("log.retention.ms", null,
		"Segments whose newest record is older are deleted; -1 keeps them for ever. Unset, log.retention.minutes.",
		high, clusterWide)
	LogRollHours = Broker.int("log.roll.hours", "168",
		"Age in hours at which a segment is closed, when log.roll.ms is unset.",
		high, atLeast(1))
	LogRollJitterHours = Broker.int("log.roll.jitter.hours", "0",
		"The roll jitter in hours, when log.roll.jitter.ms is unset.",
		high, atLeast(0))
	LogRollJitterMs = Broker.long("log.roll.jitter.ms", null,
		"A random time up to this is taken off the roll age, so that segments do not all roll at once. Unset, log.roll.jitter.hours.",
		high, clusterWide)
	LogRollMs = Broker.long("log.roll.ms", null,
		"Age, by record time, at which a segment is closed. Unset, log.roll.hours.",
		high, clusterWide)
	LogSegmentBytes = Broker.int("log.segment.bytes", "1073741824",
		"Size at which a partition's segment file is closed and the next one begins.",
		high, clusterWide, atLeast(1<<20))
	LogSegmentDeleteDelayMs = Broker.long("log.segment.delete.delay.ms", "60000",
		"How long a deleted segment stays on disk before its file goes.",
		high, clusterWide, atLeast(0))
	MessageMaxBytes = Broker.int("message.max.bytes", "1048588",
		"Largest record batch that is accepted, after compression.",
		high, clusterWide, atLeast(0))
	NumPartitions = Broker.int("num.partitions", "1",
		"Partitions of a topic whose creator does not say how many.",
		atLeast(1))
	NumRecoveryThreadsPerDataDir = Broker.int("num.recovery.threads.per.data.dir", "2",
		"Threads per data folder that recover logs at the start.",
		high, clusterWide, atLeast(1), inert("logs are opened when they are first used, and recovery reads only what was not synced"))
)
