package config

// Keys of replication and leadership.
var (
	AutoLeaderRebalanceEnable = Broker.boolean("auto.leader.rebalance.enable", "true",
		"",
		high)
	ControlledShutdownEnable = Broker.boolean("controlled.shutdown.enable", "true",
		"")
	DefaultReplicationFactor = Broker.int("default.replication.factor", "1",
		"")
	DeleteRecordsPurgatoryPurgeIntervalRequests = Broker.int("delete.records.purgatory.purge.interval.requests", "1",
		"")
	FetchPurgatoryPurgeIntervalRequests = Broker.int("fetch.purgatory.purge.interval.requests", "1000",
		"")
	LeaderImbalanceCheckIntervalSeconds = Broker.long("leader.imbalance.check.interval.seconds", "300",
		"",
		high, atLeast(1))
	MinInSyncReplicas = Broker.int("min.insync.replicas", "1",
		"",
		high, clusterWide, atLeast(1))
	NumReplicaAlterLogDirsThreads = Broker.int("num.replica.alter.log.dirs.threads", null,
		"",
		high)
	NumReplicaFetchers = Broker.int("num.replica.fetchers", "1",
		"",
		high, clusterWide, atLeast(1))
	ProducerPurgatoryPurgeIntervalRequests = Broker.int("producer.purgatory.purge.interval.requests", "1000",
		"")
	ReplicaFetchBackoffMs = Broker.int("replica.fetch.backoff.ms", "1000",
		"",
		atLeast(0))
	ReplicaFetchMaxBytes = Broker.int("replica.fetch.max.bytes", "1048576",
		"",
		atLeast(0))
	ReplicaFetchMinBytes = Broker.int("replica.fetch.min.bytes", "1",
		"",
		high)
	ReplicaFetchResponseMaxBytes = Broker.int("replica.fetch.response.max.bytes", "10485760",
		"",
		atLeast(0))
	ReplicaFetchWaitMaxMs = Broker.int("replica.fetch.wait.max.ms", "500",
		"",
		high)
	ReplicaHighWatermarkCheckpointIntervalMs = Broker.long("replica.high.watermark.checkpoint.interval.ms", "5000",
		"",
		high)
	ReplicaLagTimeMaxMs = Broker.long("replica.lag.time.max.ms", "30000",
		"",
		high)
	ReplicaSelectorClass = Broker.string("replica.selector.class", null,
		"")
	ReplicaSocketReceiveBufferBytes = Broker.int("replica.socket.receive.buffer.bytes", "65536",
		"",
		high)
	ReplicaSocketTimeoutMs = Broker.int("replica.socket.timeout.ms", "30000",
		"",
		high)
	ReplicationQuotaWindowNum = Broker.int("replication.quota.window.num", "11",
		"",
		low, atLeast(1))
	ReplicationQuotaWindowSizeSeconds = Broker.int("replication.quota.window.size.seconds", "1",
		"",
		low, atLeast(1))
	UncleanLeaderElectionEnable = Broker.boolean("unclean.leader.election.enable", "false",
		"",
		high, clusterWide)
	UncleanLeaderElectionIntervalMs = Broker.long("unclean.leader.election.interval.ms", "300000",
		"",
		internal, atLeast(1))
	FollowerReplicationThrottledRate = Broker.long("follower.replication.throttled.rate", "9223372036854775807",
		"",
		perBroker, atLeast(0))
	LeaderReplicationThrottledRate = Broker.long("leader.replication.throttled.rate", "9223372036854775807",
		"",
		perBroker, atLeast(0))
	ReplicaAlterLogDirsIOMaxBytesPerSecond = Broker.long("replica.alter.log.dirs.io.max.bytes.per.second", "9223372036854775807",
		"",
		perBroker, atLeast(0))
)
