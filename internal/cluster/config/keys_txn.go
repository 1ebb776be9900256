package config

// Keys of transactions and idempotent producers.
var (
	AddPartitionsToTxnRetryBackoffMaxMs = Broker.int("add.partitions.to.txn.retry.backoff.max.ms", "100",
		"How long the server goes on retrying that.",
		high, atLeast(0))
	AddPartitionsToTxnRetryBackoffMs = Broker.int("add.partitions.to.txn.retry.backoff.ms", "20",
		"First pause before the server retries a partition that cannot join a transaction yet.",
		high, atLeast(1))
	ProducerIDExpirationCheckIntervalMs = Broker.int("producer.id.expiration.check.interval.ms", "600000",
		"How often a partition looks for such producers.",
		low, internal, atLeast(1), mapped("a producer is forgotten when its partition is next looked at"))
	ProducerIDExpirationMs = Broker.int("producer.id.expiration.ms", "86400000",
		"A partition forgets an idempotent producer that was silent for this long.",
		low, clusterWide, atLeast(1))
	TransactionAbortTimedOutTransactionCleanupIntervalMs = Broker.int("transaction.abort.timed.out.transaction.cleanup.interval.ms", "10000",
		"How often transactions that took too long are looked for and aborted.",
		low, atLeast(1))
	TransactionMaxTimeoutMs = Broker.int("transaction.max.timeout.ms", "900000",
		"Longest transaction timeout that a producer may ask for.",
		high, atLeast(1))
	TransactionPartitionVerificationEnable = Broker.boolean("transaction.partition.verification.enable", "true",
		"Check with the coordinator that a partition belongs to the transaction before its first record is accepted.",
		low, clusterWide)
	TransactionRemoveExpiredTransactionCleanupIntervalMs = Broker.int("transaction.remove.expired.transaction.cleanup.interval.ms", "3600000",
		"How often transactional ids that nobody used are looked for.",
		low, atLeast(1))
	TransactionStateLogLoadBufferSize = Broker.int("transaction.state.log.load.buffer.size", "5242880",
		"Bytes that are read at a time when a transaction coordinator loads its state.",
		high, atLeast(1), inert("a load reads pieces of 1 MiB"))
	TransactionStateLogMinISR = Broker.int("transaction.state.log.min.isr", "2",
		"min.insync.replicas of the topic that keeps transactions; never more than its replicas.",
		high, atLeast(1))
	TransactionStateLogNumPartitions = Broker.int("transaction.state.log.num.partitions", "50",
		"Partitions of the topic that keeps transactions. It must not change after the first use.",
		high, atLeast(1))
	TransactionStateLogReplicationFactor = Broker.short("transaction.state.log.replication.factor", "3",
		"Replicas of the topic that keeps transactions.",
		high, atLeast(1), differs("3", followsBrokers))
	TransactionStateLogSegmentBytes = Broker.int("transaction.state.log.segment.bytes", "104857600",
		"Segment size of the topic that keeps transactions.",
		high, atLeast(1))
	TransactionTwoPhaseCommitEnable = Broker.boolean("transaction.two.phase.commit.enable", "false",
		"Let producers prepare transactions for an outside coordinator.",
		low, inert("producers ask for it in InitProducerId 6, which Kafka 4.2 does not serve by default either"))
	TransactionalIDExpirationMs = Broker.int("transactional.id.expiration.ms", "604800000",
		"A transactional id that was idle for this long is forgotten.",
		high, atLeast(1))
)
