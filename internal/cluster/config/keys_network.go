package config

// Keys of listeners, sockets and requests.
var (
	AdvertisedListeners = Broker.list("advertised.listeners", null,
		"",
		high, notEmpty)
	BackgroundThreads = Broker.int("background.threads", "10",
		"",
		high, clusterWide, atLeast(1))
	ConnectionFailedAuthenticationDelayMs = Broker.int("connection.failed.authentication.delay.ms", "100",
		"",
		low, atLeast(0))
	ConnectionsMaxIdleMs = Broker.long("connections.max.idle.ms", "600000",
		"")
	EarlyStartListeners = Broker.list("early.start.listeners", null,
		"",
		high)
	FetchMaxBytes = Broker.int("fetch.max.bytes", "57671680",
		"",
		atLeast(1024))
	InterBrokerListenerName = Broker.string("inter.broker.listener.name", null,
		"")
	ListenerSecurityProtocolMap = Broker.string("listener.security.protocol.map", "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
		"",
		low, perBroker)
	Listeners = Broker.list("listeners", "PLAINTEXT://:9092",
		"",
		high, perBroker, notEmpty)
	MaxConnectionCreationRate = Broker.int("max.connection.creation.rate", "2147483647",
		"",
		clusterWide, atLeast(0))
	MaxConnections = Broker.int("max.connections", "2147483647",
		"",
		clusterWide, atLeast(0))
	MaxConnectionsPerIP = Broker.int("max.connections.per.ip", "2147483647",
		"",
		clusterWide, atLeast(0))
	MaxConnectionsPerIPOverrides = Broker.string("max.connections.per.ip.overrides", "",
		"",
		clusterWide)
	MaxIncrementalFetchSessionCacheSlots = Broker.int("max.incremental.fetch.session.cache.slots", "1000",
		"",
		atLeast(0))
	MaxRequestPartitionSizeLimit = Broker.int("max.request.partition.size.limit", "2000",
		"",
		atLeast(1))
	NumIOThreads = Broker.int("num.io.threads", "8",
		"",
		high, clusterWide, atLeast(1))
	NumNetworkThreads = Broker.int("num.network.threads", "3",
		"",
		high, clusterWide, atLeast(1))
	QueuedMaxRequestBytes = Broker.long("queued.max.request.bytes", "-1",
		"")
	QueuedMaxRequests = Broker.int("queued.max.requests", "500",
		"",
		high, atLeast(1))
	RequestTimeoutMs = Broker.int("request.timeout.ms", "30000",
		"",
		high)
	SecurityInterBrokerProtocol = Broker.string("security.inter.broker.protocol", "PLAINTEXT",
		"",
		oneOf("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"))
	SocketConnectionSetupTimeoutMaxMs = Broker.long("socket.connection.setup.timeout.max.ms", "30000",
		"")
	SocketConnectionSetupTimeoutMs = Broker.long("socket.connection.setup.timeout.ms", "10000",
		"")
	SocketListenBacklogSize = Broker.int("socket.listen.backlog.size", "50",
		"",
		atLeast(1))
	SocketReceiveBufferBytes = Broker.int("socket.receive.buffer.bytes", "102400",
		"",
		high)
	SocketRequestMaxBytes = Broker.int("socket.request.max.bytes", "104857600",
		"",
		high, atLeast(1))
	SocketSendBufferBytes = Broker.int("socket.send.buffer.bytes", "102400",
		"",
		high)
)
