package config

// Keys of replication and leadership.
var (
	AutoLeaderRebalanceEnable = Broker.boolean("auto.leader.rebalance.enable", "true",
		"Give leaderships back to the preferred replicas by itself.",
		high)
	ControlledShutdownEnable = Broker.boolean("controlled.shutdown.enable", "true",
		"Move leaderships away before a broker stops.")
	CordonedLogDirs = Broker.list("cordoned.log.dirs", "",
		"Folders of the broker that get no new replicas; * is all of them (KIP-1066, of Kafka 4.3). odradek broker drain sets it.",
		perBroker, since("4.3"), mapped("only * has an effect"))
	DefaultReplicationFactor = Broker.int("default.replication.factor", "3",
		"Replicas of a topic whose creator does not say how many.",
		differs("1", "a new topic is safe when there are brokers enough: unless it was set, it is the number of brokers if that is less"))
	DeleteRecordsPurgatoryPurgeIntervalRequests = Broker.int("delete.records.purgatory.purge.interval.requests", "1",
		"How often finished deletions of records leave the purgatory.",
		inert(noPurgatory))
	FetchPurgatoryPurgeIntervalRequests = Broker.int("fetch.purgatory.purge.interval.requests", "1000",
		"How often finished fetches leave the purgatory.",
		inert(noPurgatory))
	LeaderImbalanceCheckIntervalSeconds = Broker.long("leader.imbalance.check.interval.seconds", "300",
		"How often the controller looks whether leaderships should move back.",
		high, atLeast(1))
	MinInSyncReplicas = Broker.int("min.insync.replicas", "1",
		"How many replicas must have a record before acks=all is answered.",
		high, clusterWide, atLeast(1))
	NumReplicaAlterLogDirsThreads = Broker.int("num.replica.alter.log.dirs.threads", null,
		"Threads that move replicas between folders.",
		high, inert(noThreads))
	NumReplicaFetchers = Broker.int("num.replica.fetchers", "1",
		"Connections over which a broker follows one other broker.",
		high, clusterWide, atLeast(1))
	ProducerPurgatoryPurgeIntervalRequests = Broker.int("producer.purgatory.purge.interval.requests", "1000",
		"How often finished produce requests leave the purgatory.",
		inert(noPurgatory))
	ReplicaFetchBackoffMs = Broker.int("replica.fetch.backoff.ms", "1000",
		"Pause of a follower after a failed fetch.",
		atLeast(0))
	ReplicaFetchMaxBytes = Broker.int("replica.fetch.max.bytes", "1048576",
		"Most bytes of one partition that a follower asks for at a time. One batch is always sent whole.",
		atLeast(0))
	ReplicaFetchMinBytes = Broker.int("replica.fetch.min.bytes", "1",
		"A leader answers a follower when it has this many bytes, or when replica.fetch.wait.max.ms has passed.",
		high)
	ReplicaFetchResponseMaxBytes = Broker.int("replica.fetch.response.max.bytes", "10485760",
		"Most bytes in one answer to a follower.",
		atLeast(0))
	ReplicaFetchWaitMaxMs = Broker.int("replica.fetch.wait.max.ms", "500",
		"Longest wait of a follower's fetch for new records.",
		high)
	ReplicaHighWatermarkCheckpointIntervalMs = Broker.long("replica.high.watermark.checkpoint.interval.ms", "5000",
		"How often the high watermarks are written down.",
		high, mapped(checkpoints))
	ReplicaLagTimeMaxMs = Broker.long("replica.lag.time.max.ms", "30000",
		"A follower that has not caught up for this long leaves the in-sync set.",
		high)
	ReplicaSelectorClass = Broker.string("replica.selector.class", null,
		"Chooses the replica that a consumer should read from. Unset, the leader.")
	ReplicaSocketReceiveBufferBytes = Broker.int("replica.socket.receive.buffer.bytes", "65536",
		"Receive buffer of a follower's socket; -1 leaves it to the operating system.",
		high, inert("the operating system sizes socket buffers, and better than a constant"))
	ReplicaSocketTimeoutMs = Broker.int("replica.socket.timeout.ms", "30000",
		"How long a follower waits for its leader's answer.",
		high)
	ReplicationQuotaWindowNum = Broker.int("replication.quota.window.num", "11",
		"Samples that replication quotas remember.",
		low, atLeast(1), pending(quotas))
	ReplicationQuotaWindowSizeSeconds = Broker.int("replication.quota.window.size.seconds", "1",
		"Length of one such sample.",
		low, atLeast(1), pending(quotas))
	UncleanLeaderElectionEnable = Broker.boolean("unclean.leader.election.enable", "false",
		"Let a replica that is not in sync become leader when no other is left, at the price of lost records.",
		high, clusterWide)
	UncleanLeaderElectionIntervalMs = Broker.long("unclean.leader.election.interval.ms", "300000",
		"How often the controller looks for partitions that need such an election.",
		internal, atLeast(1))
	FollowerReplicationThrottledRate = Broker.long("follower.replication.throttled.rate", "9223372036854775807",
		"Bytes a second that this broker, as follower, fetches for throttled replicas.",
		dynamicOnly, atLeast(0), pending(quotas))
	LeaderReplicationThrottledRate = Broker.long("leader.replication.throttled.rate", "9223372036854775807",
		"Bytes a second that this broker, as leader, sends for throttled replicas.",
		dynamicOnly, atLeast(0), pending(quotas))
	ReplicaAlterLogDirsIOMaxBytesPerSecond = Broker.long("replica.alter.log.dirs.io.max.bytes.per.second", "9223372036854775807",
		"Bytes a second for moving replicas between folders.",
		dynamicOnly, atLeast(0), pending(quotas))
)
