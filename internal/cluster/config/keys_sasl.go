package config

// Keys of authentication, authorization and delegation tokens.
var (
	AuthorizerClassName = Broker.string("authorizer.class.name", "",
		"",
		low)
	ConnectionsMaxReauthMs = Broker.long("connections.max.reauth.ms", "0",
		"")
	DelegationTokenExpiryCheckIntervalMs = Broker.long("delegation.token.expiry.check.interval.ms", "3600000",
		"",
		low, atLeast(1))
	DelegationTokenExpiryTimeMs = Broker.long("delegation.token.expiry.time.ms", "86400000",
		"",
		atLeast(1))
	DelegationTokenMaxLifetimeMs = Broker.long("delegation.token.max.lifetime.ms", "604800000",
		"",
		atLeast(1))
	DelegationTokenSecretKey = Broker.password("delegation.token.secret.key", null,
		"")
	PrincipalBuilderClass = Broker.class("principal.builder.class", "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
		"",
		perBroker)
	SASLClientCallbackHandlerClass = Broker.class("sasl.client.callback.handler.class", null,
		"")
	SASLEnabledMechanisms = Broker.list("sasl.enabled.mechanisms", "GSSAPI",
		"",
		perBroker)
	SASLJAASConfig = Broker.password("sasl.jaas.config", null,
		"",
		perBroker)
	SASLKerberosKinitCmd = Broker.string("sasl.kerberos.kinit.cmd", "/usr/bin/kinit",
		"",
		perBroker)
	SASLKerberosMinTimeBeforeRelogin = Broker.long("sasl.kerberos.min.time.before.relogin", "60000",
		"",
		perBroker)
	SASLKerberosPrincipalToLocalRules = Broker.list("sasl.kerberos.principal.to.local.rules", "DEFAULT",
		"",
		perBroker)
	SASLKerberosServiceName = Broker.string("sasl.kerberos.service.name", null,
		"",
		perBroker)
	SASLKerberosTicketRenewJitter = Broker.double("sasl.kerberos.ticket.renew.jitter", "0.05",
		"",
		perBroker)
	SASLKerberosTicketRenewWindowFactor = Broker.double("sasl.kerberos.ticket.renew.window.factor", "0.8",
		"",
		perBroker)
	SASLLoginCallbackHandlerClass = Broker.class("sasl.login.callback.handler.class", null,
		"")
	SASLLoginClass = Broker.class("sasl.login.class", null,
		"")
	SASLLoginConnectTimeoutMs = Broker.int("sasl.login.connect.timeout.ms", null,
		"",
		low)
	SASLLoginReadTimeoutMs = Broker.int("sasl.login.read.timeout.ms", null,
		"",
		low)
	SASLLoginRefreshBufferSeconds = Broker.short("sasl.login.refresh.buffer.seconds", "300",
		"",
		perBroker)
	SASLLoginRefreshMinPeriodSeconds = Broker.short("sasl.login.refresh.min.period.seconds", "60",
		"",
		perBroker)
	SASLLoginRefreshWindowFactor = Broker.double("sasl.login.refresh.window.factor", "0.8",
		"",
		perBroker)
	SASLLoginRefreshWindowJitter = Broker.double("sasl.login.refresh.window.jitter", "0.05",
		"",
		perBroker)
	SASLLoginRetryBackoffMaxMs = Broker.long("sasl.login.retry.backoff.max.ms", "10000",
		"",
		low)
	SASLLoginRetryBackoffMs = Broker.long("sasl.login.retry.backoff.ms", "100",
		"",
		low)
	SASLMechanismControllerProtocol = Broker.string("sasl.mechanism.controller.protocol", "GSSAPI",
		"",
		high)
	SASLMechanismInterBrokerProtocol = Broker.string("sasl.mechanism.inter.broker.protocol", "GSSAPI",
		"",
		perBroker)
	SASLOAuthBearerAssertionAlgorithm = Broker.string("sasl.oauthbearer.assertion.algorithm", "RS256",
		"",
		oneOfAnyCase("ES256", "RS256"))
	SASLOAuthBearerAssertionClaimAud = Broker.string("sasl.oauthbearer.assertion.claim.aud", null,
		"")
	SASLOAuthBearerAssertionClaimExpSeconds = Broker.int("sasl.oauthbearer.assertion.claim.exp.seconds", "300",
		"",
		low, between(0, 86400))
	SASLOAuthBearerAssertionClaimIss = Broker.string("sasl.oauthbearer.assertion.claim.iss", null,
		"")
	SASLOAuthBearerAssertionClaimJtiInclude = Broker.boolean("sasl.oauthbearer.assertion.claim.jti.include", "false",
		"")
	SASLOAuthBearerAssertionClaimNbfSeconds = Broker.int("sasl.oauthbearer.assertion.claim.nbf.seconds", "60",
		"",
		low, between(0, 3600))
	SASLOAuthBearerAssertionClaimSub = Broker.string("sasl.oauthbearer.assertion.claim.sub", null,
		"")
	SASLOAuthBearerAssertionFile = Broker.string("sasl.oauthbearer.assertion.file", null,
		"")
	SASLOAuthBearerAssertionPrivateKeyFile = Broker.string("sasl.oauthbearer.assertion.private.key.file", null,
		"")
	SASLOAuthBearerAssertionPrivateKeyPassphrase = Broker.password("sasl.oauthbearer.assertion.private.key.passphrase", null,
		"")
	SASLOAuthBearerAssertionTemplateFile = Broker.string("sasl.oauthbearer.assertion.template.file", null,
		"")
	SASLOAuthBearerClientCredentialsClientID = Broker.string("sasl.oauthbearer.client.credentials.client.id", null,
		"")
	SASLOAuthBearerClientCredentialsClientSecret = Broker.password("sasl.oauthbearer.client.credentials.client.secret", null,
		"")
	SASLOAuthBearerClockSkewSeconds = Broker.int("sasl.oauthbearer.clock.skew.seconds", "30",
		"",
		low)
	SASLOAuthBearerExpectedAudience = Broker.list("sasl.oauthbearer.expected.audience", "",
		"",
		low)
	SASLOAuthBearerExpectedIssuer = Broker.string("sasl.oauthbearer.expected.issuer", null,
		"",
		low)
	SASLOAuthBearerJWKSEndpointRefreshMs = Broker.long("sasl.oauthbearer.jwks.endpoint.refresh.ms", "3600000",
		"",
		low)
	SASLOAuthBearerJWKSEndpointRetryBackoffMaxMs = Broker.long("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", "10000",
		"",
		low)
	SASLOAuthBearerJWKSEndpointRetryBackoffMs = Broker.long("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "100",
		"",
		low)
	SASLOAuthBearerJWKSEndpointURL = Broker.string("sasl.oauthbearer.jwks.endpoint.url", null,
		"")
	SASLOAuthBearerJWTRetrieverClass = Broker.class("sasl.oauthbearer.jwt.retriever.class", "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
		"")
	SASLOAuthBearerJWTValidatorClass = Broker.class("sasl.oauthbearer.jwt.validator.class", "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
		"")
	SASLOAuthBearerScope = Broker.string("sasl.oauthbearer.scope", null,
		"")
	SASLOAuthBearerScopeClaimName = Broker.string("sasl.oauthbearer.scope.claim.name", "scope",
		"",
		low)
	SASLOAuthBearerSubClaimName = Broker.string("sasl.oauthbearer.sub.claim.name", "sub",
		"",
		low)
	SASLOAuthBearerTokenEndpointURL = Broker.string("sasl.oauthbearer.token.endpoint.url", null,
		"")
	SASLServerCallbackHandlerClass = Broker.class("sasl.server.callback.handler.class", null,
		"")
	SASLServerMaxReceiveSize = Broker.int("sasl.server.max.receive.size", "524288",
		"")
	SecurityProviders = Broker.string("security.providers", null,
		"",
		low)
)
