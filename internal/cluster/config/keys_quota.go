package config

// Keys of quotas, metrics and telemetry.
var (
	AlterLogDirsReplicationQuotaWindowNum = Broker.int("alter.log.dirs.replication.quota.window.num", "11",
		"",
		low, atLeast(1))
	AlterLogDirsReplicationQuotaWindowSizeSeconds = Broker.int("alter.log.dirs.replication.quota.window.size.seconds", "1",
		"",
		low, atLeast(1))
	ClientQuotaCallbackClass = Broker.class("client.quota.callback.class", null,
		"",
		low)
	ConfigProviders = Broker.list("config.providers", "",
		"",
		low, clusterWide)
	KafkaMetricsPollingIntervalSecs = Broker.int("kafka.metrics.polling.interval.secs", "10",
		"",
		low, atLeast(1))
	KafkaMetricsReporters = Broker.list("kafka.metrics.reporters", "",
		"",
		low)
	MetricReporters = Broker.list("metric.reporters", "org.apache.kafka.common.metrics.JmxReporter",
		"",
		low, clusterWide)
	MetricsNumSamples = Broker.int("metrics.num.samples", "2",
		"",
		low, atLeast(1))
	MetricsRecordingLevel = Broker.string("metrics.recording.level", "INFO",
		"",
		low)
	MetricsSampleWindowMs = Broker.long("metrics.sample.window.ms", "30000",
		"",
		low, atLeast(1))
	QuotaWindowNum = Broker.int("quota.window.num", "11",
		"",
		low, atLeast(1))
	QuotaWindowSizeSeconds = Broker.int("quota.window.size.seconds", "1",
		"",
		low, atLeast(1))
	TelemetryMaxBytes = Broker.int("telemetry.max.bytes", "1048576",
		"",
		low, atLeast(1))
)
