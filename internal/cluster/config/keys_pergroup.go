package config

// Keys of what can be set on a group.
var (
	PerGroupConsumerHeartbeatIntervalMs = Group.int("consumer.heartbeat.interval.ms", "5000",
		"",
		atLeast(1), from("group.consumer.heartbeat.interval.ms"))
	PerGroupConsumerSessionTimeoutMs = Group.int("consumer.session.timeout.ms", "45000",
		"",
		atLeast(1), from("group.consumer.session.timeout.ms"))
	PerGroupShareAutoOffsetReset = Group.string("share.auto.offset.reset", "latest",
		"",
		shareOffsetReset)
	PerGroupShareHeartbeatIntervalMs = Group.int("share.heartbeat.interval.ms", "5000",
		"",
		atLeast(1), from("group.share.heartbeat.interval.ms"))
	PerGroupShareIsolationLevel = Group.string("share.isolation.level", "read_uncommitted",
		"",
		oneOf("read_committed", "read_uncommitted"))
	PerGroupShareRecordLockDurationMs = Group.int("share.record.lock.duration.ms", "30000",
		"",
		atLeast(1000), from("group.share.record.lock.duration.ms"))
	PerGroupShareSessionTimeoutMs = Group.int("share.session.timeout.ms", "45000",
		"",
		atLeast(1), from("group.share.session.timeout.ms"))
	PerGroupStreamsHeartbeatIntervalMs = Group.int("streams.heartbeat.interval.ms", "5000",
		"",
		atLeast(1), from("group.streams.heartbeat.interval.ms"))
	PerGroupStreamsInitialRebalanceDelayMs = Group.int("streams.initial.rebalance.delay.ms", "3000",
		"",
		atLeast(0), from("group.streams.initial.rebalance.delay.ms"))
	PerGroupStreamsNumStandbyReplicas = Group.int("streams.num.standby.replicas", "0",
		"",
		atLeast(0), from("group.streams.num.standby.replicas"))
	PerGroupStreamsSessionTimeoutMs = Group.int("streams.session.timeout.ms", "45000",
		"",
		atLeast(1), from("group.streams.session.timeout.ms"))
)
