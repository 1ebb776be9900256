package config

// Keys of quotas, metrics and telemetry.
var (
	AlterLogDirsReplicationQuotaWindowNum = Broker.int("alter.log.dirs.replication.quota.window.num", "11",
		"Samples that the quota for moves between folders remembers.",
		low, atLeast(1), pending(quotas))
	AlterLogDirsReplicationQuotaWindowSizeSeconds = Broker.int("alter.log.dirs.replication.quota.window.size.seconds", "1",
		"Length of one such sample.",
		low, atLeast(1), pending(quotas))
	ClientQuotaCallbackClass = Broker.class("client.quota.callback.class", null,
		"A Java class that computes client quotas.",
		low, inert(noPlugins))
	ConfigProviders = Broker.list("config.providers", "",
		"Names of the sources for ${name:…} in configuration files.",
		low, clusterWide, mapped("env, file and dir are built in and need no declaration"))
	KafkaMetricsPollingIntervalSecs = Broker.int("kafka.metrics.polling.interval.secs", "10",
		"How often old metrics reporters are called.",
		low, atLeast(1), inert(metricsAreNative))
	KafkaMetricsReporters = Broker.list("kafka.metrics.reporters", "",
		"Java classes that publish metrics, the old kind.",
		low, inert(noPlugins))
	MetricReporters = Broker.list("metric.reporters", "",
		"Java classes that publish metrics.",
		low, clusterWide, differs("org.apache.kafka.common.metrics.JmxReporter", "there is no JVM and so no JMX; metrics are served at /metrics on the admin listener"), inert(noPlugins))
	MetricsNumSamples = Broker.int("metrics.num.samples", "2",
		"Samples from which Kafka computes a metric.",
		low, atLeast(1), inert(metricsAreNative))
	MetricsRecordingLevel = Broker.string("metrics.recording.level", "INFO",
		"How detailed Kafka's metrics are.",
		low, inert(metricsAreNative))
	MetricsSampleWindowMs = Broker.long("metrics.sample.window.ms", "30000",
		"Length of one such sample.",
		low, atLeast(1), inert(metricsAreNative))
	QuotaWindowNum = Broker.int("quota.window.num", "11",
		"Samples that client quotas remember.",
		low, atLeast(1), pending(quotas))
	QuotaWindowSizeSeconds = Broker.int("quota.window.size.seconds", "1",
		"Length of one such sample.",
		low, atLeast(1), pending(quotas))
	TelemetryMaxBytes = Broker.int("telemetry.max.bytes", "1048576",
		"Largest report of metrics that a client may push.",
		low, atLeast(1), pending(telemetry))
)
