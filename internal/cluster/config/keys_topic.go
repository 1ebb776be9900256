package config

// Keys of what can be set on a topic.
var (
	TopicCleanupPolicy = Topic.list("cleanup.policy", "delete",
		"What becomes of old records: delete removes old segments, compact keeps the newest record of each key; both together, or neither, are allowed.",
		oneOf("compact", "delete"), from("log.cleanup.policy"))
	TopicCompressionGzipLevel = Topic.int("compression.gzip.level", "-1",
		"Level at which the broker compresses when it uses gzip; -1 is the codec's own default.",
		gzipLevel, from("compression.gzip.level"))
	TopicCompressionLZ4Level = Topic.int("compression.lz4.level", "9",
		"Level at which the broker compresses when it uses lz4.",
		between(1, 17), from("compression.lz4.level"))
	TopicCompressionType = Topic.string("compression.type", "producer",
		"How the broker stores batches: producer leaves them as they came, anything else makes the broker compress them so.",
		oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"), from("compression.type"))
	TopicCompressionZstdLevel = Topic.int("compression.zstd.level", "3",
		"Level at which the broker compresses when it uses zstd.",
		between(-131072, 22), from("compression.zstd.level"))
	TopicDeleteRetentionMs = Topic.long("delete.retention.ms", "86400000",
		"How long a tombstone, and a transaction marker, stays readable after compaction reached it.",
		atLeast(0), from("log.cleaner.delete.retention.ms"))
	TopicDeadLetterGroupEnable = Topic.boolean("errors.deadletterqueue.group.enable", "false",
		"Whether share groups may use this topic as their dead letter queue.",
		since("4.4"))
	TopicFileDeleteDelayMs = Topic.long("file.delete.delay.ms", "60000",
		"How long a deleted segment stays on disk before its file goes.",
		atLeast(0), from("log.segment.delete.delay.ms"))
	TopicFlushMessages = Topic.long("flush.messages", "9223372036854775807",
		"Sync a partition to disk after this many records. Acknowledged records are on disk anyway unless odradek.durability says otherwise.",
		atLeast(1), from("log.flush.interval.messages"))
	TopicFlushMs = Topic.long("flush.ms", "9223372036854775807",
		"Sync a partition to disk when its oldest unsynced record is this old.",
		atLeast(0), from("log.flush.interval.ms", "log.flush.scheduler.interval.ms"))
	TopicFollowerReplicationThrottledReplicas = Topic.list("follower.replication.throttled.replicas", "",
		"Replicas whose following is throttled, as PARTITION:BROKER, or * for all.",
		throttledReplicas, pending(quotas))
	TopicIndexIntervalBytes = Topic.int("index.interval.bytes", "4096",
		"An index entry is added after about this many bytes of records.",
		atLeast(0), from("log.index.interval.bytes"))
	TopicInternalSegmentBytes = Topic.int("internal.segment.bytes", null,
		"Segment size of tests, in place of segment.bytes and without its lower bound (KIP-1030).",
		internal)
	TopicLeaderReplicationThrottledReplicas = Topic.list("leader.replication.throttled.replicas", "",
		"Replicas whose leading is throttled, as PARTITION:BROKER, or * for all.",
		throttledReplicas, pending(quotas))
	TopicLocalRetentionBytes = Topic.long("local.retention.bytes", "-2",
		"How much of a partition that is in the object store also stays on disk; -2 means retention.bytes.",
		atLeast(-2), from("log.local.retention.bytes"), pending(tiered))
	TopicLocalRetentionMs = Topic.long("local.retention.ms", "-2",
		"How long a segment that is in the object store also stays on disk; -2 means retention.ms.",
		atLeast(-2), from("log.local.retention.ms"), pending(tiered))
	TopicMaxCompactionLagMs = Topic.long("max.compaction.lag.ms", "9223372036854775807",
		"A record older than this is compacted soon, however small the uncompacted part is.",
		atLeast(1), from("log.cleaner.max.compaction.lag.ms"))
	TopicMaxMessageBytes = Topic.int("max.message.bytes", "1048588",
		"Largest record batch that is accepted, after compression.",
		atLeast(0), from("message.max.bytes"))
	TopicMessageTimestampAfterMaxMs = Topic.long("message.timestamp.after.max.ms", "3600000",
		"A record whose time is further than this ahead of the broker's clock is refused, under CreateTime.",
		atLeast(0), from("log.message.timestamp.after.max.ms"))
	TopicMessageTimestampBeforeMaxMs = Topic.long("message.timestamp.before.max.ms", "9223372036854775807",
		"A record whose time is further than this behind the broker's clock is refused, under CreateTime.",
		atLeast(0), from("log.message.timestamp.before.max.ms"))
	TopicMessageTimestampType = Topic.string("message.timestamp.type", "CreateTime",
		"Whether a record carries the time at which it was made (CreateTime) or at which the broker stored it (LogAppendTime).",
		oneOf("CreateTime", "LogAppendTime"), from("log.message.timestamp.type"))
	TopicMinCleanableDirtyRatio = Topic.double("min.cleanable.dirty.ratio", "0.5",
		"Compact a partition when this part of it has not been compacted yet.",
		between(0, 1), from("log.cleaner.min.cleanable.ratio"))
	TopicMinCompactionLagMs = Topic.long("min.compaction.lag.ms", "0",
		"A record younger than this is not compacted away.",
		atLeast(0), from("log.cleaner.min.compaction.lag.ms"))
	TopicMinInSyncReplicas = Topic.int("min.insync.replicas", "1",
		"How many replicas must have a record before acks=all is answered.",
		atLeast(1), from("min.insync.replicas"))
	TopicPreallocate = Topic.boolean("preallocate", "false",
		"Reserve the whole size of a segment file when it is made.",
		from("log.preallocate"), mapped("segments are not preallocated: measured, it gains nothing"))
	TopicRemoteLogCopyDisable = Topic.boolean("remote.log.copy.disable", "false",
		"Stop copying segments to the object store, and keep reading what is there.",
		pending(tiered))
	TopicRemoteLogDeleteOnDisable = Topic.boolean("remote.log.delete.on.disable", "false",
		"Delete what is in the object store when tiering is switched off.",
		pending(tiered))
	TopicRemoteStorageEnable = Topic.boolean("remote.storage.enable", "false",
		"Keep old segments of this topic in the object store.",
		pending(tiered))
	TopicRetentionBytes = Topic.long("retention.bytes", "-1",
		"Size above which a partition's oldest segments are deleted; -1 means no limit.",
		from("log.retention.bytes"))
	TopicRetentionMs = Topic.long("retention.ms", "604800000",
		"Segments whose newest record is older are deleted; -1 keeps them for ever.",
		atLeast(-1), from("log.retention.ms", "log.retention.minutes", "log.retention.hours"))
	TopicSegmentBytes = Topic.int("segment.bytes", "1073741824",
		"Size at which a partition's segment file is closed and the next one begins.",
		atLeast(1<<20), from("log.segment.bytes"))
	TopicSegmentIndexBytes = Topic.int("segment.index.bytes", "10485760",
		"Largest size of a segment's offset index.",
		atLeast(4), from("log.index.size.max.bytes"))
	TopicSegmentJitterMs = Topic.long("segment.jitter.ms", "0",
		"A random time up to this is taken off the roll age, so that segments do not all roll at once.",
		atLeast(0), from("log.roll.jitter.ms", "log.roll.jitter.hours"))
	TopicSegmentMs = Topic.long("segment.ms", "604800000",
		"Age, by record time, at which a segment is closed.",
		atLeast(1), from("log.roll.ms", "log.roll.hours"))
	TopicUncleanLeaderElectionEnable = Topic.boolean("unclean.leader.election.enable", "false",
		"Let a replica that is not in sync become leader when no other is left, at the price of lost records.",
		from("unclean.leader.election.enable"))
)
