package config

// Keys of TLS.
var (
	SSLAllowDNChanges = Broker.boolean("ssl.allow.dn.changes", "false",
		"",
		low)
	SSLAllowSANChanges = Broker.boolean("ssl.allow.san.changes", "false",
		"",
		low)
	SSLCipherSuites = Broker.list("ssl.cipher.suites", "",
		"",
		perBroker)
	SSLClientAuth = Broker.string("ssl.client.auth", "none",
		"",
		perBroker, oneOf("required", "requested", "none"))
	SSLEnabledProtocols = Broker.list("ssl.enabled.protocols", "TLSv1.2,TLSv1.3",
		"",
		perBroker)
	SSLEndpointIdentificationAlgorithm = Broker.string("ssl.endpoint.identification.algorithm", "https",
		"",
		low, perBroker)
	SSLEngineFactoryClass = Broker.class("ssl.engine.factory.class", null,
		"",
		low, perBroker)
	SSLKeyPassword = Broker.password("ssl.key.password", null,
		"",
		perBroker)
	SSLKeymanagerAlgorithm = Broker.string("ssl.keymanager.algorithm", "SunX509",
		"",
		perBroker)
	SSLKeystoreCertificateChain = Broker.password("ssl.keystore.certificate.chain", null,
		"",
		perBroker)
	SSLKeystoreKey = Broker.password("ssl.keystore.key", null,
		"",
		perBroker)
	SSLKeystoreLocation = Broker.string("ssl.keystore.location", null,
		"",
		perBroker)
	SSLKeystorePassword = Broker.password("ssl.keystore.password", null,
		"",
		perBroker)
	SSLKeystoreType = Broker.string("ssl.keystore.type", "JKS",
		"",
		perBroker)
	SSLPrincipalMappingRules = Broker.string("ssl.principal.mapping.rules", "DEFAULT",
		"",
		low)
	SSLProtocol = Broker.string("ssl.protocol", "TLSv1.3",
		"",
		perBroker)
	SSLProvider = Broker.string("ssl.provider", null,
		"",
		perBroker)
	SSLSecureRandomImplementation = Broker.string("ssl.secure.random.implementation", null,
		"",
		low, perBroker)
	SSLTrustmanagerAlgorithm = Broker.string("ssl.trustmanager.algorithm", "PKIX",
		"",
		perBroker)
	SSLTruststoreCertificates = Broker.password("ssl.truststore.certificates", null,
		"",
		perBroker)
	SSLTruststoreLocation = Broker.string("ssl.truststore.location", null,
		"",
		perBroker)
	SSLTruststorePassword = Broker.password("ssl.truststore.password", null,
		"",
		perBroker)
	SSLTruststoreType = Broker.string("ssl.truststore.type", "JKS",
		"",
		perBroker)
)
