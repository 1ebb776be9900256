package config

// Keys of listeners, sockets and requests.
var (
	AdvertisedListeners = Broker.list("advertised.listeners", null,
		"The addresses that clients are told to connect to, as NAME://HOST:PORT. Unset, they are those of listeners. 0.0.0.0 cannot be advertised.",
		high, notEmpty)
	BackgroundThreads = Broker.int("background.threads", "10",
		"Threads for house-keeping.",
		high, clusterWide, atLeast(1), inert(noThreads))
	ConnectionFailedAuthenticationDelayMs = Broker.int("connection.failed.authentication.delay.ms", "100",
		"How long the answer to a failed authentication is held back.",
		low, atLeast(0), pending(sasl))
	ConnectionsMaxIdleMs = Broker.long("connections.max.idle.ms", "600000",
		"A connection without traffic for this long is closed; negative means never.")
	EarlyStartListeners = Broker.list("early.start.listeners", null,
		"Listeners that open before the node has finished starting.",
		high, mapped("every listener opens when the node can serve it"))
	FetchMaxBytes = Broker.int("fetch.max.bytes", "57671680",
		"Most bytes of records in one answer to a consumer's fetch. The first batch is always sent whole.",
		atLeast(1024))
	InterBrokerListenerName = Broker.string("inter.broker.listener.name", null,
		"The listener over which brokers talk to each other. Unset, it is the one named like security.inter.broker.protocol.")
	ListenerSecurityProtocolMap = Broker.string("listener.security.protocol.map", "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
		"Which security protocol each listener name uses, as NAME:PROTOCOL pairs.",
		low, perBroker)
	ListenerList = Broker.list("listeners", "PLAINTEXT://localhost:9092",
		"Where the node listens, as NAME://HOST:PORT, separated by commas. An empty host is every interface. Each name is in listener.security.protocol.map or is itself a protocol.",
		high, perBroker, notEmpty, differs("PLAINTEXT://:9092", "a node that nobody configured must not be open to the network"))
	MaxConnectionCreationRate = Broker.int("max.connection.creation.rate", "2147483647",
		"Most new connections a second on a broker; per listener with a prefix.",
		clusterWide, atLeast(0), pending(quotas))
	MaxConnections = Broker.int("max.connections", "2147483647",
		"Most connections that a broker keeps open; per listener with the prefix listener.name.NAME.",
		clusterWide, atLeast(0))
	MaxConnectionsPerIP = Broker.int("max.connections.per.ip", "2147483647",
		"Most connections from one address.",
		clusterWide, atLeast(0))
	MaxConnectionsPerIPOverrides = Broker.string("max.connections.per.ip.overrides", "",
		"Other limits for given hosts or addresses, as HOST:COUNT, separated by commas. A host's name is looked up when the node starts.",
		clusterWide)
	MaxIncrementalFetchSessionCacheSlots = Broker.int("max.incremental.fetch.session.cache.slots", "1000",
		"How many fetch sessions a broker remembers.",
		atLeast(0))
	MaxRequestPartitionSizeLimit = Broker.int("max.request.partition.size.limit", "2000",
		"Most partitions in one answer to DescribeTopicPartitions.",
		atLeast(1))
	NumIOThreads = Broker.int("num.io.threads", "8",
		"Threads that work on requests.",
		high, clusterWide, atLeast(1), inert(noThreads))
	NumNetworkThreads = Broker.int("num.network.threads", "3",
		"Threads that move bytes between network and requests, per listener.",
		high, clusterWide, atLeast(1), inert(noThreads))
	QueuedMaxRequestBytes = Broker.long("queued.max.request.bytes", "-1",
		"Bytes of requests that may wait before no more are read; -1 means no limit of its own.",
		mapped("if positive, it is the byte budget; see odradek.memory.request.bytes"))
	QueuedMaxRequests = Broker.int("queued.max.requests", "500",
		"Requests that may wait before the network threads stop reading.",
		high, atLeast(1), mapped("requests are bounded by bytes: see odradek.memory.request.bytes"))
	RequestTimeoutMs = Broker.int("request.timeout.ms", "30000",
		"How long a node waits for the answer to a request of its own.",
		high)
	SecurityInterBrokerProtocol = Broker.string("security.inter.broker.protocol", "PLAINTEXT",
		"The protocol between brokers, when inter.broker.listener.name is unset. Only one of the two may be set.",
		oneOf("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"))
	SocketConnectionSetupTimeoutMaxMs = Broker.long("socket.connection.setup.timeout.max.ms", "30000",
		"The setup timeout grows up to this after failures in a row.",
		inert("a pause grows between attempts, not the time for one"))
	SocketConnectionSetupTimeoutMs = Broker.long("socket.connection.setup.timeout.ms", "10000",
		"How long a connection to another node may take to open.")
	SocketListenBacklogSize = Broker.int("socket.listen.backlog.size", "50",
		"How many connections may wait to be accepted.",
		atLeast(1), mapped("the operating system's own limit is used"))
	SocketReceiveBufferBytes = Broker.int("socket.receive.buffer.bytes", "102400",
		"Receive buffer of a client's socket; -1 leaves it to the operating system.",
		high, inert("the operating system sizes socket buffers, and better than a constant"))
	SocketRequestMaxBytes = Broker.int("socket.request.max.bytes", "104857600",
		"Largest request that is read. A larger one closes its connection.",
		high, atLeast(1))
	SocketSendBufferBytes = Broker.int("socket.send.buffer.bytes", "102400",
		"Send buffer of a client's socket; -1 leaves it to the operating system.",
		high, inert("the operating system sizes socket buffers, and better than a constant"))
)
