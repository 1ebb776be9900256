package config

// Keys of what can be set on a client metrics subscription.
var (
	ClientMetricsIntervalMs = ClientMetrics.int("interval.ms", "300000",
		"How often the clients that match push their metrics.",
		pending(telemetry), between(100, 3600000))
	ClientMetricsMatch = ClientMetrics.list("match", "",
		"Which clients push: KEY=PATTERN pairs over client_instance_id, client_id, client_software_name, client_software_version, client_source_address and client_source_port. Empty means all.",
		clientMatch, pending(telemetry))
	ClientMetricsMetrics = ClientMetrics.list("metrics", "",
		"Prefixes of the metrics that they push. * means all, empty means none.",
		pending(telemetry))
)
