package config

// Keys of authentication, authorization and delegation tokens.
var (
	AuthorizerClassName = Broker.string("authorizer.class.name", "",
		"Turns on access control. Empty, everybody may do everything.",
		low, pending(acls))
	ConnectionsMaxReauthMs = Broker.long("connections.max.reauth.ms", "0",
		"A client must authenticate again after this long; 0 means never.",
		pending(sasl))
	DelegationTokenExpiryCheckIntervalMs = Broker.long("delegation.token.expiry.check.interval.ms", "3600000",
		"How often expired tokens are removed.",
		low, atLeast(1), pending(tokens))
	DelegationTokenExpiryTimeMs = Broker.long("delegation.token.expiry.time.ms", "86400000",
		"How long a token is valid unless it is renewed.",
		atLeast(1), pending(tokens))
	DelegationTokenMaxLifetimeMs = Broker.long("delegation.token.max.lifetime.ms", "604800000",
		"How long a token can be renewed.",
		atLeast(1), pending(tokens))
	DelegationTokenSecretKey = Broker.password("delegation.token.secret.key", null,
		"The key that signs delegation tokens, the same on all brokers.",
		pending(tokens))
	PrincipalBuilderClass = Broker.class("principal.builder.class", "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
		"A Java class that turns a connection into a user name.",
		perBroker, inert(noPlugins))
	SASLClientCallbackHandlerClass = Broker.class("sasl.client.callback.handler.class", null,
		"A Java class behind the client side of SASL.",
		inert(noPlugins))
	SASLEnabledMechanisms = Broker.list("sasl.enabled.mechanisms", "GSSAPI",
		"SASL mechanisms that clients may use.",
		perBroker, pending(sasl))
	SASLJAASConfig = Broker.password("sasl.jaas.config", null,
		"Login configuration in JAAS form, usually per listener and mechanism.",
		perBroker, pending(sasl))
	SASLKerberosKinitCmd = Broker.string("sasl.kerberos.kinit.cmd", "/usr/bin/kinit",
		"The kinit program.",
		perBroker, inert(noKerberos))
	SASLKerberosMinTimeBeforeRelogin = Broker.long("sasl.kerberos.min.time.before.relogin", "60000",
		"Pause between logins.",
		perBroker, inert(noKerberos))
	SASLKerberosPrincipalToLocalRules = Broker.list("sasl.kerberos.principal.to.local.rules", "DEFAULT",
		"Rules that turn a Kerberos name into a user name.",
		perBroker, inert(noKerberos))
	SASLKerberosServiceName = Broker.string("sasl.kerberos.service.name", null,
		"The name that the broker runs under.",
		perBroker, inert(noKerberos))
	SASLKerberosTicketRenewJitter = Broker.double("sasl.kerberos.ticket.renew.jitter", "0.05",
		"Random part of the renewal.",
		perBroker, inert(noKerberos))
	SASLKerberosTicketRenewWindowFactor = Broker.double("sasl.kerberos.ticket.renew.window.factor", "0.8",
		"Renew a ticket after this part of its life.",
		perBroker, inert(noKerberos))
	SASLLoginCallbackHandlerClass = Broker.class("sasl.login.callback.handler.class", null,
		"A Java class behind logins.",
		inert(noPlugins))
	SASLLoginClass = Broker.class("sasl.login.class", null,
		"A Java class that logs in.",
		inert(noPlugins))
	SASLLoginConnectTimeoutMs = Broker.int("sasl.login.connect.timeout.ms", null,
		"How long a connection to the token server may take to open.",
		low, pending(oauth))
	SASLLoginReadTimeoutMs = Broker.int("sasl.login.read.timeout.ms", null,
		"How long the token server may take to answer.",
		low, pending(oauth))
	SASLLoginRefreshBufferSeconds = Broker.short("sasl.login.refresh.buffer.seconds", "300",
		"Renew a token at least this long before it expires.",
		perBroker, pending(oauth))
	SASLLoginRefreshMinPeriodSeconds = Broker.short("sasl.login.refresh.min.period.seconds", "60",
		"Wait at least this long between renewals.",
		perBroker, pending(oauth))
	SASLLoginRefreshWindowFactor = Broker.double("sasl.login.refresh.window.factor", "0.8",
		"Renew a token after this part of its life.",
		perBroker, pending(oauth))
	SASLLoginRefreshWindowJitter = Broker.double("sasl.login.refresh.window.jitter", "0.05",
		"Random part of that moment.",
		perBroker, pending(oauth))
	SASLLoginRetryBackoffMaxMs = Broker.long("sasl.login.retry.backoff.max.ms", "10000",
		"Longest pause after failed logins.",
		low, pending(oauth))
	SASLLoginRetryBackoffMs = Broker.long("sasl.login.retry.backoff.ms", "100",
		"First pause after a failed login.",
		low, pending(oauth))
	SASLMechanismControllerProtocol = Broker.string("sasl.mechanism.controller.protocol", "GSSAPI",
		"SASL mechanism between brokers and controllers.",
		high, pending(sasl))
	SASLMechanismInterBrokerProtocol = Broker.string("sasl.mechanism.inter.broker.protocol", "GSSAPI",
		"SASL mechanism between brokers.",
		perBroker, pending(sasl))
	SASLOAuthBearerAssertionAlgorithm = Broker.string("sasl.oauthbearer.assertion.algorithm", "RS256",
		"Algorithm that signs the assertion sent to the token server.",
		oneOfAnyCase("ES256", "RS256"), pending(oauth))
	SASLOAuthBearerAssertionClaimAud = Broker.string("sasl.oauthbearer.assertion.claim.aud", null,
		"Audience of that assertion.",
		pending(oauth))
	SASLOAuthBearerAssertionClaimExpSeconds = Broker.int("sasl.oauthbearer.assertion.claim.exp.seconds", "300",
		"How long that assertion is valid.",
		low, between(0, 86400), pending(oauth))
	SASLOAuthBearerAssertionClaimIss = Broker.string("sasl.oauthbearer.assertion.claim.iss", null,
		"Issuer of that assertion.",
		pending(oauth))
	SASLOAuthBearerAssertionClaimJtiInclude = Broker.boolean("sasl.oauthbearer.assertion.claim.jti.include", "false",
		"Give each assertion an id.",
		pending(oauth))
	SASLOAuthBearerAssertionClaimNbfSeconds = Broker.int("sasl.oauthbearer.assertion.claim.nbf.seconds", "60",
		"How far back that assertion is valid.",
		low, between(0, 3600), pending(oauth))
	SASLOAuthBearerAssertionClaimSub = Broker.string("sasl.oauthbearer.assertion.claim.sub", null,
		"Subject of that assertion.",
		pending(oauth))
	SASLOAuthBearerAssertionFile = Broker.string("sasl.oauthbearer.assertion.file", null,
		"File with a ready assertion.",
		pending(oauth))
	SASLOAuthBearerAssertionPrivateKeyFile = Broker.string("sasl.oauthbearer.assertion.private.key.file", null,
		"File with the key that signs assertions.",
		pending(oauth))
	SASLOAuthBearerAssertionPrivateKeyPassphrase = Broker.password("sasl.oauthbearer.assertion.private.key.passphrase", null,
		"Password of that key.",
		pending(oauth))
	SASLOAuthBearerAssertionTemplateFile = Broker.string("sasl.oauthbearer.assertion.template.file", null,
		"File with more claims for the assertion.",
		pending(oauth))
	SASLOAuthBearerClientCredentialsClientID = Broker.string("sasl.oauthbearer.client.credentials.client.id", null,
		"Client id for the token server.",
		pending(oauth))
	SASLOAuthBearerClientCredentialsClientSecret = Broker.password("sasl.oauthbearer.client.credentials.client.secret", null,
		"Client secret for the token server.",
		pending(oauth))
	SASLOAuthBearerClockSkewSeconds = Broker.int("sasl.oauthbearer.clock.skew.seconds", "30",
		"How far clocks may differ when a token is checked.",
		low, pending(oauth))
	SASLOAuthBearerExpectedAudience = Broker.list("sasl.oauthbearer.expected.audience", "",
		"A token must name one of these as its audience.",
		low, pending(oauth))
	SASLOAuthBearerExpectedIssuer = Broker.string("sasl.oauthbearer.expected.issuer", null,
		"A token must name this as its issuer.",
		low, pending(oauth))
	SASLOAuthBearerJWKSEndpointRefreshMs = Broker.long("sasl.oauthbearer.jwks.endpoint.refresh.ms", "3600000",
		"How often those keys are read again.",
		low, pending(oauth))
	SASLOAuthBearerJWKSEndpointRetryBackoffMaxMs = Broker.long("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", "10000",
		"Longest pause when reading them failed.",
		low, pending(oauth))
	SASLOAuthBearerJWKSEndpointRetryBackoffMs = Broker.long("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "100",
		"First pause when reading them failed.",
		low, pending(oauth))
	SASLOAuthBearerJWKSEndpointURL = Broker.string("sasl.oauthbearer.jwks.endpoint.url", null,
		"Where the keys that sign tokens are published.",
		pending(oauth))
	SASLOAuthBearerJWTRetrieverClass = Broker.class("sasl.oauthbearer.jwt.retriever.class", "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
		"A Java class that fetches tokens.",
		inert(noPlugins))
	SASLOAuthBearerJWTValidatorClass = Broker.class("sasl.oauthbearer.jwt.validator.class", "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
		"A Java class that checks tokens.",
		inert(noPlugins))
	SASLOAuthBearerScope = Broker.string("sasl.oauthbearer.scope", null,
		"Scope to ask the token server for.",
		pending(oauth))
	SASLOAuthBearerScopeClaimName = Broker.string("sasl.oauthbearer.scope.claim.name", "scope",
		"The claim that holds a token's scope.",
		low, pending(oauth))
	SASLOAuthBearerSubClaimName = Broker.string("sasl.oauthbearer.sub.claim.name", "sub",
		"The claim that holds a token's user name.",
		low, pending(oauth))
	SASLOAuthBearerTokenEndpointURL = Broker.string("sasl.oauthbearer.token.endpoint.url", null,
		"Where tokens are fetched.",
		pending(oauth))
	SASLServerCallbackHandlerClass = Broker.class("sasl.server.callback.handler.class", null,
		"A Java class behind the server side of SASL.",
		inert(noPlugins))
	SASLServerMaxReceiveSize = Broker.int("sasl.server.max.receive.size", "524288",
		"Largest SASL message that is read.",
		pending(sasl))
	SecurityProviders = Broker.string("security.providers", null,
		"Java security providers.",
		low, inert(noJVM))
)
