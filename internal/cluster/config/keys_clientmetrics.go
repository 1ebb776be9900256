package config

// Keys of what can be set on a client metrics subscription.
var (
	ClientMetricsIntervalMs = ClientMetrics.int("interval.ms", "300000",
		"")
	ClientMetricsMatch = ClientMetrics.list("match", "",
		"")
	ClientMetricsMetrics = ClientMetrics.list("metrics", "",
		"")
)
