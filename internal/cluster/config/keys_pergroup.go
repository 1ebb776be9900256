package config

// Keys of what can be set on a group.
var (
	PerGroupConsumerHeartbeatIntervalMs = Group.int("consumer.heartbeat.interval.ms", "5000",
		"How often a member of this consumer group sends a heartbeat.",
		atLeast(1), from("group.consumer.heartbeat.interval.ms"))
	PerGroupConsumerSessionTimeoutMs = Group.int("consumer.session.timeout.ms", "45000",
		"A member of this consumer group that was silent for this long is removed.",
		atLeast(1), from("group.consumer.session.timeout.ms"))
	PerGroupDeadLetterCopyRecordEnable = Group.boolean("errors.deadletterqueue.copy.record.enable", "false",
		"Whether what is written to this share group's dead letter queue bears the key and value of the record that it tells of.",
		since("4.4"))
	PerGroupDeadLetterTopicName = Group.string("errors.deadletterqueue.topic.name", "",
		"The topic to which this share group's records go that are rejected, or delivered too often; empty if there is none.",
		deadLetterTopic, since("4.4"))
	PerGroupShareAutoOffsetReset = Group.string("share.auto.offset.reset", "latest",
		"Where this share group starts to read: latest, earliest, or by_duration and an ISO 8601 duration back from now.",
		shareOffsetReset)
	PerGroupShareHeartbeatIntervalMs = Group.int("share.heartbeat.interval.ms", "5000",
		"How often a member of this share group sends a heartbeat.",
		atLeast(1), from("group.share.heartbeat.interval.ms"))
	PerGroupShareIsolationLevel = Group.string("share.isolation.level", "read_uncommitted",
		"Whether this share group also gets records of transactions that are open or were aborted.",
		oneOf("read_committed", "read_uncommitted"))
	PerGroupShareRecordLockDurationMs = Group.int("share.record.lock.duration.ms", "30000",
		"How long a consumer of this share group may hold a record before it is delivered again.",
		atLeast(1000), from("group.share.record.lock.duration.ms"))
	PerGroupShareSessionTimeoutMs = Group.int("share.session.timeout.ms", "45000",
		"A member of this share group that was silent for this long is removed.",
		atLeast(1), from("group.share.session.timeout.ms"))
	PerGroupStreamsHeartbeatIntervalMs = Group.int("streams.heartbeat.interval.ms", "5000",
		"How often a member of this streams group sends a heartbeat.",
		atLeast(1), from("group.streams.heartbeat.interval.ms"), pending(streamsGroups))
	PerGroupStreamsInitialRebalanceDelayMs = Group.int("streams.initial.rebalance.delay.ms", "3000",
		"How long this streams group, when new, waits for more members before it first assigns tasks.",
		atLeast(0), from("group.streams.initial.rebalance.delay.ms"), pending(streamsGroups))
	PerGroupStreamsNumStandbyReplicas = Group.int("streams.num.standby.replicas", "0",
		"Standby copies of each stateful task of this streams group.",
		atLeast(0), from("group.streams.num.standby.replicas"), pending(streamsGroups))
	PerGroupStreamsSessionTimeoutMs = Group.int("streams.session.timeout.ms", "45000",
		"A member of this streams group that was silent for this long is removed.",
		atLeast(1), from("group.streams.session.timeout.ms"), pending(streamsGroups))
)
