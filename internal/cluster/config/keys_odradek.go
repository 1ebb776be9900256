package config

// Odradek's own keys.
var (
	Durability = Broker.string("odradek.durability", DurabilityFsync,
		"When a record counts as stored. fsync: acknowledged records are on stable storage and survive a power cut. os: acknowledged records are in the operating system's cache, as is Kafka's own default; they survive a crash of the broker but not one of the machine.",
		high, clusterWide, oneOf(DurabilityFsync, DurabilityOS))
	TopicDurability = Topic.string("odradek.durability", DurabilityFsync,
		"When a record of this topic counts as stored. fsync: acknowledged records are on stable storage and survive a power cut. os: acknowledged records are in the operating system's cache, as is Kafka's own default.",
		high, oneOf(DurabilityFsync, DurabilityOS), from("odradek.durability"))
	DataDir = Broker.string("odradek.data.dir", null,
		"Folder for everything that the node keeps, when neither log.dirs nor log.dir is set. Unset, odradek/data below $XDG_DATA_HOME or ~/.local/share.",
		high, notEmpty)
	ClusterID = Broker.string("odradek.cluster.id", null,
		"Id of the cluster that a new node forms or joins. Unset, a node that forms a cluster draws one. A node with data of another cluster does not start.",
		clusterID)
	AdminListener = Broker.string("odradek.admin.listener", "localhost:9644",
		"HOST:PORT for metrics, health and profiles over HTTP. Empty switches it off.",
		hostPortOrEmpty)
	ZooKeeperListener = Broker.string("odradek.zookeeper.listener", "",
		"HOST:PORT at which tools that look for ZooKeeper find the cluster, read only: /brokers/ids, /brokers/topics, /controller. Empty switches it off.",
		hostPortOrEmpty)
	CreateTopics = Broker.list("odradek.create.topics", "",
		"Topics to create at the start if they do not exist: NAME:PARTITIONS:REPLICAS, and after another colon the cleanup policy if it is not delete.",
		topicSpecs)
	MemoryRequestBytes = Broker.long("odradek.memory.request.bytes", "268435456",
		"Bytes of requests that the broker holds at a time. Connections wait to be read while it is used up. It must hold at least one request of socket.request.max.bytes.",
		high, atLeast(1<<20))
	JournalFileBytes = Broker.int("odradek.journal.file.bytes", "16777216",
		"Size of one file of the shared journal, through which small appends of all partitions become durable together.",
		low, between(1<<20, 1<<30))
	JournalSmallBytes = Broker.int("odradek.journal.small.bytes", "65536",
		"An append up to this size goes through the shared journal, and up to four times as much of a partition by one write of it; the rest syncs its own segment.",
		low, between(0, 1<<20))
	ScrubIntervalMs = Broker.long("odradek.scrub.interval.ms", "604800000",
		"Time in which every log is read once against its checksums, to find what the disk has changed. 0 switches it off.",
		low, atLeast(0))
	ScrubBytesPerSecond = Broker.long("odradek.scrub.bytes.per.second", "16777216",
		"Bytes a second at which logs are read against their checksums. 0 is without bound.",
		low, atLeast(0))
	LogLevel = Broker.string("odradek.log.level", "info",
		"Least level of what the node logs. It can be changed while the node runs, as the level of the logger root.",
		oneOfAnyCase("trace", "debug", "info", "warn", "error"))
	LogFormat = Broker.string("odradek.log.format", "text",
		"How log lines are written.",
		low, oneOf("text", "json"))
)

// The values of odradek.durability.
const (
	DurabilityFsync = "fsync"
	DurabilityOS    = "os"
)
