package config

// Keys of transactions and idempotent producers.
var (
	AddPartitionsToTxnRetryBackoffMaxMs = Broker.int("add.partitions.to.txn.retry.backoff.max.ms", "100",
		"",
		high, atLeast(0))
	AddPartitionsToTxnRetryBackoffMs = Broker.int("add.partitions.to.txn.retry.backoff.ms", "20",
		"",
		high, atLeast(1))
	ProducerIDExpirationCheckIntervalMs = Broker.int("producer.id.expiration.check.interval.ms", "600000",
		"",
		low, internal, atLeast(1))
	ProducerIDExpirationMs = Broker.int("producer.id.expiration.ms", "86400000",
		"",
		low, clusterWide, atLeast(1))
	TransactionAbortTimedOutTransactionCleanupIntervalMs = Broker.int("transaction.abort.timed.out.transaction.cleanup.interval.ms", "10000",
		"",
		low, atLeast(1))
	TransactionMaxTimeoutMs = Broker.int("transaction.max.timeout.ms", "900000",
		"",
		high, atLeast(1))
	TransactionPartitionVerificationEnable = Broker.boolean("transaction.partition.verification.enable", "true",
		"",
		low, clusterWide)
	TransactionRemoveExpiredTransactionCleanupIntervalMs = Broker.int("transaction.remove.expired.transaction.cleanup.interval.ms", "3600000",
		"",
		low, atLeast(1))
	TransactionStateLogLoadBufferSize = Broker.int("transaction.state.log.load.buffer.size", "5242880",
		"",
		high, atLeast(1))
	TransactionStateLogMinISR = Broker.int("transaction.state.log.min.isr", "2",
		"",
		high, atLeast(1))
	TransactionStateLogNumPartitions = Broker.int("transaction.state.log.num.partitions", "50",
		"",
		high, atLeast(1))
	TransactionStateLogReplicationFactor = Broker.short("transaction.state.log.replication.factor", "3",
		"",
		high, atLeast(1))
	TransactionStateLogSegmentBytes = Broker.int("transaction.state.log.segment.bytes", "104857600",
		"",
		high, atLeast(1))
	TransactionTwoPhaseCommitEnable = Broker.boolean("transaction.two.phase.commit.enable", "false",
		"",
		low)
	TransactionalIDExpirationMs = Broker.int("transactional.id.expiration.ms", "604800000",
		"",
		high, atLeast(1))
)
