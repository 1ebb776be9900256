package config

// relations checks what no key can say alone, as Kafka does at a broker's start.
func (s Static) relations(v Values, rep *Report) {
	fail := func(key string, ok bool, format string, args ...any) {
		if !ok {
			set, _ := s.Lookup(key)
			rep.errorf(key, set.Origin, format, args...)
		}
	}
	if NodeID.IsSet(v) && BrokerID.IsSet(v) {
		fail("broker.id", NodeID.Get(v) == BrokerID.Get(v), "node.id=%d and broker.id=%d are two names of one value", NodeID.Get(v), BrokerID.Get(v))
	}
	roll, set := LogRollMs.Lookup(v)
	fail("log.roll.ms", !set || roll >= 1, "log.roll.ms=%d is out of range (at least 1)", roll)
	jitter, set := LogRollJitterMs.Lookup(v)
	fail("log.roll.jitter.ms", !set || jitter >= 0, "log.roll.jitter.ms=%d is out of range (at least 0)", jitter)
	fail(retentionKey(v), retention(v) != 0, "%s=0 would delete every record at once (-1, or at least 1)", retentionKey(v))
	threads := int64(LogCleanerThreads.Get(v))
	fail("log.cleaner.dedupe.buffer.size", threads == 0 || LogCleanerDedupeBufferSize.Get(v)/threads > 1<<20,
		"log.cleaner.dedupe.buffer.size=%d is less than 1 MiB for each of %d log.cleaner.threads", LogCleanerDedupeBufferSize.Get(v), threads)
	wait := ReplicaFetchWaitMaxMs.Get(v)
	fail("replica.fetch.wait.max.ms", wait <= ReplicaSocketTimeoutMs.Get(v),
		"replica.fetch.wait.max.ms=%d must not be more than replica.socket.timeout.ms=%d", wait, ReplicaSocketTimeoutMs.Get(v))
	fail("replica.fetch.wait.max.ms", int64(wait) <= ReplicaLagTimeMaxMs.Get(v),
		"replica.fetch.wait.max.ms=%d must not be more than replica.lag.time.max.ms=%d", wait, ReplicaLagTimeMaxMs.Get(v))
	queued := QueuedMaxRequestBytes.Get(v)
	fail("queued.max.request.bytes", queued <= 0 || queued >= int64(SocketRequestMaxBytes.Get(v)),
		"queued.max.request.bytes=%d must be at least socket.request.max.bytes=%d", queued, SocketRequestMaxBytes.Get(v))
	fail("odradek.memory.request.bytes", queued > 0 || MemoryRequestBytes.Get(v) >= int64(SocketRequestMaxBytes.Get(v)),
		"odradek.memory.request.bytes=%d must be at least socket.request.max.bytes=%d", MemoryRequestBytes.Get(v), SocketRequestMaxBytes.Get(v))
	fail("max.connections.per.ip", MaxConnectionsPerIP.Get(v) != 0 || MaxConnectionsPerIPOverrides.Get(v) != "",
		"max.connections.per.ip=0 needs max.connections.per.ip.overrides")
	_, err := ParseHostCounts(MaxConnectionsPerIPOverrides.Get(v))
	fail("max.connections.per.ip.overrides", err == nil, "max.connections.per.ip.overrides: %v", err)
	idle := ConnectionsMaxIdleMs.Get(v)
	fail("connection.failed.authentication.delay.ms", idle < 0 || int64(ConnectionFailedAuthenticationDelayMs.Get(v)) < idle,
		"connection.failed.authentication.delay.ms=%d must be less than connections.max.idle.ms=%d", ConnectionFailedAuthenticationDelayMs.Get(v), idle)
	fail("log.cleaner.min.compaction.lag.ms", LogCleanerMinCompactionLagMs.Get(v) <= LogCleanerMaxCompactionLagMs.Get(v),
		"log.cleaner.min.compaction.lag.ms=%d must not be more than log.cleaner.max.compaction.lag.ms=%d", LogCleanerMinCompactionLagMs.Get(v), LogCleanerMaxCompactionLagMs.Get(v))
	fail("group.min.session.timeout.ms", GroupMinSessionTimeoutMs.Get(v) <= GroupMaxSessionTimeoutMs.Get(v),
		"group.min.session.timeout.ms=%d must not be more than group.max.session.timeout.ms=%d", GroupMinSessionTimeoutMs.Get(v), GroupMaxSessionTimeoutMs.Get(v))
	if 2*BrokerHeartbeatIntervalMs.Get(v) > BrokerSessionTimeoutMs.Get(v) {
		o, _ := s.Lookup("broker.heartbeat.interval.ms")
		rep.warnf("broker.heartbeat.interval.ms", o.Origin, "broker.heartbeat.interval.ms=%d should be at most half of broker.session.timeout.ms=%d, or one late heartbeat fences the broker",
			BrokerHeartbeatIntervalMs.Get(v), BrokerSessionTimeoutMs.Get(v))
	}
}

// retention is the broker's retention in ms, from whichever key gives it; -1 is for ever.
func retention(v Values) int64 {
	ms, ok := LogRetentionMs.Lookup(v)
	if !ok {
		if m, ok := LogRetentionMinutes.Lookup(v); ok {
			ms = int64(m) * 60_000
		} else {
			ms = int64(LogRetentionHours.Get(v)) * 3600_000
		}
	}
	return max(ms, -1)
}

func retentionKey(v Values) string {
	if LogRetentionMs.IsSet(v) {
		return "log.retention.ms"
	}
	if LogRetentionMinutes.IsSet(v) {
		return "log.retention.minutes"
	}
	return "log.retention.hours"
}
