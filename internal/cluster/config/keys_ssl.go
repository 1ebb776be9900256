package config

// Keys of TLS.
var (
	SSLAllowDNChanges = Broker.boolean("ssl.allow.dn.changes", "false",
		"Allow a new certificate to have another name than the one it replaces.",
		low, pending(tls))
	SSLAllowSANChanges = Broker.boolean("ssl.allow.san.changes", "false",
		"Allow a new certificate to have fewer alternative names than the one it replaces.",
		low, pending(tls))
	SSLCipherSuites = Broker.list("ssl.cipher.suites", "",
		"Cipher suites that are allowed; empty means the defaults.",
		perBroker, pending(tls))
	SSLClientAuth = Broker.string("ssl.client.auth", "none",
		"Whether a client must, may or need not show a certificate.",
		perBroker, oneOf("required", "requested", "none"), pending(tls))
	SSLEnabledProtocols = Broker.list("ssl.enabled.protocols", "TLSv1.2,TLSv1.3",
		"TLS versions that are allowed.",
		perBroker, pending(tls))
	SSLEndpointIdentificationAlgorithm = Broker.string("ssl.endpoint.identification.algorithm", "https",
		"How a server's name is checked against its certificate; empty switches the check off.",
		low, perBroker, pending(tls))
	SSLEngineFactoryClass = Broker.class("ssl.engine.factory.class", null,
		"A Java class that makes TLS engines.",
		low, perBroker, inert(noPlugins))
	SSLKeyPassword = Broker.password("ssl.key.password", null,
		"Password of the private key.",
		perBroker, pending(tls))
	SSLKeymanagerAlgorithm = Broker.string("ssl.keymanager.algorithm", "SunX509",
		"Java's algorithm for choosing keys.",
		perBroker, inert(noJVM))
	SSLKeystoreCertificateChain = Broker.password("ssl.keystore.certificate.chain", null,
		"The certificate chain itself, in PEM.",
		perBroker, pending(tls))
	SSLKeystoreKey = Broker.password("ssl.keystore.key", null,
		"The private key itself, in PEM.",
		perBroker, pending(tls))
	SSLKeystoreLocation = Broker.string("ssl.keystore.location", null,
		"File with the private key and its certificates.",
		perBroker, pending(tls))
	SSLKeystorePassword = Broker.password("ssl.keystore.password", null,
		"Password of that file.",
		perBroker, pending(tls))
	SSLKeystoreType = Broker.string("ssl.keystore.type", "JKS",
		"Format of that file: JKS, PKCS12 or PEM.",
		perBroker, pending(tls))
	SSLPrincipalMappingRules = Broker.string("ssl.principal.mapping.rules", "DEFAULT",
		"Rules that turn a certificate's name into a user name.",
		low, pending(tls))
	SSLProtocol = Broker.string("ssl.protocol", "TLSv1.3",
		"TLS version that is used by default.",
		perBroker, pending(tls))
	SSLProvider = Broker.string("ssl.provider", null,
		"Java's TLS provider.",
		perBroker, inert(noJVM))
	SSLSecureRandomImplementation = Broker.string("ssl.secure.random.implementation", null,
		"Java's random generator for TLS.",
		low, perBroker, inert(noJVM))
	SSLTrustmanagerAlgorithm = Broker.string("ssl.trustmanager.algorithm", "PKIX",
		"Java's algorithm for checking certificates.",
		perBroker, inert(noJVM))
	SSLTruststoreCertificates = Broker.password("ssl.truststore.certificates", null,
		"The trusted certificates themselves, in PEM.",
		perBroker, pending(tls))
	SSLTruststoreLocation = Broker.string("ssl.truststore.location", null,
		"File with the trusted certificates.",
		perBroker, pending(tls))
	SSLTruststorePassword = Broker.password("ssl.truststore.password", null,
		"Password of that file.",
		perBroker, pending(tls))
	SSLTruststoreType = Broker.string("ssl.truststore.type", "JKS",
		"Format of that file: JKS, PKCS12 or PEM.",
		perBroker, pending(tls))
)
