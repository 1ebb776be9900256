package config

// Keys of what can be set on a topic.
var (
	TopicCleanupPolicy = Topic.list("cleanup.policy", "delete",
		"",
		oneOf("compact", "delete"), from("log.cleanup.policy"))
	TopicCompressionGzipLevel = Topic.int("compression.gzip.level", "-1",
		"",
		gzipLevel, from("compression.gzip.level"))
	TopicCompressionLZ4Level = Topic.int("compression.lz4.level", "9",
		"",
		between(1, 17), from("compression.lz4.level"))
	TopicCompressionType = Topic.string("compression.type", "producer",
		"",
		oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"), from("compression.type"))
	TopicCompressionZstdLevel = Topic.int("compression.zstd.level", "3",
		"",
		between(-131072, 22), from("compression.zstd.level"))
	TopicDeleteRetentionMs = Topic.long("delete.retention.ms", "86400000",
		"",
		atLeast(0), from("log.cleaner.delete.retention.ms"))
	TopicFileDeleteDelayMs = Topic.long("file.delete.delay.ms", "60000",
		"",
		atLeast(0), from("log.segment.delete.delay.ms"))
	TopicFlushMessages = Topic.long("flush.messages", "9223372036854775807",
		"",
		atLeast(1), from("log.flush.interval.messages"))
	TopicFlushMs = Topic.long("flush.ms", "9223372036854775807",
		"",
		atLeast(0), from("log.flush.interval.ms", "log.flush.scheduler.interval.ms"))
	TopicFollowerReplicationThrottledReplicas = Topic.list("follower.replication.throttled.replicas", "",
		"",
		throttledReplicas)
	TopicIndexIntervalBytes = Topic.int("index.interval.bytes", "4096",
		"",
		atLeast(0), from("log.index.interval.bytes"))
	TopicInternalSegmentBytes = Topic.int("internal.segment.bytes", null,
		"",
		internal)
	TopicLeaderReplicationThrottledReplicas = Topic.list("leader.replication.throttled.replicas", "",
		"",
		throttledReplicas)
	TopicLocalRetentionBytes = Topic.long("local.retention.bytes", "-2",
		"",
		atLeast(-2), from("log.local.retention.bytes"))
	TopicLocalRetentionMs = Topic.long("local.retention.ms", "-2",
		"",
		atLeast(-2), from("log.local.retention.ms"))
	TopicMaxCompactionLagMs = Topic.long("max.compaction.lag.ms", "9223372036854775807",
		"",
		atLeast(1), from("log.cleaner.max.compaction.lag.ms"))
	TopicMaxMessageBytes = Topic.int("max.message.bytes", "1048588",
		"",
		atLeast(0), from("message.max.bytes"))
	TopicMessageTimestampAfterMaxMs = Topic.long("message.timestamp.after.max.ms", "3600000",
		"",
		atLeast(0), from("log.message.timestamp.after.max.ms"))
	TopicMessageTimestampBeforeMaxMs = Topic.long("message.timestamp.before.max.ms", "9223372036854775807",
		"",
		atLeast(0), from("log.message.timestamp.before.max.ms"))
	TopicMessageTimestampType = Topic.string("message.timestamp.type", "CreateTime",
		"",
		oneOf("CreateTime", "LogAppendTime"), from("log.message.timestamp.type"))
	TopicMinCleanableDirtyRatio = Topic.double("min.cleanable.dirty.ratio", "0.5",
		"",
		between(0, 1), from("log.cleaner.min.cleanable.ratio"))
	TopicMinCompactionLagMs = Topic.long("min.compaction.lag.ms", "0",
		"",
		atLeast(0), from("log.cleaner.min.compaction.lag.ms"))
	TopicMinInSyncReplicas = Topic.int("min.insync.replicas", "1",
		"",
		atLeast(1), from("min.insync.replicas"))
	TopicPreallocate = Topic.boolean("preallocate", "false",
		"",
		from("log.preallocate"))
	TopicRemoteLogCopyDisable = Topic.boolean("remote.log.copy.disable", "false",
		"")
	TopicRemoteLogDeleteOnDisable = Topic.boolean("remote.log.delete.on.disable", "false",
		"")
	TopicRemoteStorageEnable = Topic.boolean("remote.storage.enable", "false",
		"")
	TopicRetentionBytes = Topic.long("retention.bytes", "-1",
		"",
		from("log.retention.bytes"))
	TopicRetentionMs = Topic.long("retention.ms", "604800000",
		"",
		atLeast(-1), from("log.retention.ms", "log.retention.minutes", "log.retention.hours"))
	TopicSegmentBytes = Topic.int("segment.bytes", "1073741824",
		"",
		atLeast(1<<20), from("log.segment.bytes"))
	TopicSegmentIndexBytes = Topic.int("segment.index.bytes", "10485760",
		"",
		atLeast(4), from("log.index.size.max.bytes"))
	TopicSegmentJitterMs = Topic.long("segment.jitter.ms", "0",
		"",
		atLeast(0), from("log.roll.jitter.ms", "log.roll.jitter.hours"))
	TopicSegmentMs = Topic.long("segment.ms", "604800000",
		"",
		atLeast(1), from("log.roll.ms", "log.roll.hours"))
	TopicUncleanLeaderElectionEnable = Topic.boolean("unclean.leader.election.enable", "false",
		"",
		from("unclean.leader.election.enable"))
)
