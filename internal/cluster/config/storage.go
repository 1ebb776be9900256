package config

import (
	"slices"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/commitlog"
)

// CommitLog returns what a partition's log needs to know: the topic's values, and of
// the broker's what logs share.
func CommitLog(topic, broker Values) commitlog.Config {
	policy := TopicCleanupPolicy.Get(topic)
	return commitlog.Config{
		SegmentBytes:       segmentBytes(topic),
		SegmentMs:          TopicSegmentMs.Get(topic),
		SegmentJitterMs:    TopicSegmentJitterMs.Get(topic),
		SegmentIndexBytes:  int64(TopicSegmentIndexBytes.Get(topic)),
		IndexIntervalBytes: int64(TopicIndexIntervalBytes.Get(topic)),
		Delete:             slices.Contains(policy, "delete"),
		Compact:            slices.Contains(policy, "compact"),
		RetentionMs:        TopicRetentionMs.Get(topic),
		RetentionBytes:     TopicRetentionBytes.Get(topic),
		FileDeleteDelay:    millis(TopicFileDeleteDelayMs.Get(topic)),
		MinCleanableRatio:  TopicMinCleanableDirtyRatio.Get(topic),
		MinCompactionLagMs: TopicMinCompactionLagMs.Get(topic),
		MaxCompactionLagMs: TopicMaxCompactionLagMs.Get(topic),
		DeleteRetentionMs:  TopicDeleteRetentionMs.Get(topic),
		CompactionMapBytes: LogCleanerDedupeBufferSize.Get(broker) / int64(max(LogCleanerThreads.Get(broker), 1)),
		MaxMessageBytes:    int64(TopicMaxMessageBytes.Get(topic)),
		ProducerExpiry:     millis(int64(ProducerIDExpirationMs.Get(broker))),
	}
}

func segmentBytes(topic Values) int64 {
	if n, is := TopicInternalSegmentBytes.Lookup(topic); is && n > 0 {
		return int64(n)
	}
	return int64(TopicSegmentBytes.Get(topic))
}

// Rules returns what a batch that a client sends to the topic must satisfy, and what is
// done to it. The caller adds the request's version.
func Rules(topic Values) record.Rules {
	r := record.DefaultRules()
	r.LogAppendTime = TopicMessageTimestampType.Get(topic) == "LogAppendTime"
	r.BeforeMaxMs = TopicMessageTimestampBeforeMaxMs.Get(topic)
	r.AfterMaxMs = TopicMessageTimestampAfterMaxMs.Get(topic)
	r.Compacted = slices.Contains(TopicCleanupPolicy.Get(topic), "compact")
	r.MaxMessageBytes = TopicMaxMessageBytes.Get(topic)
	r.Compression = codecs[TopicCompressionType.Get(topic)]
	r.GzipLevel = TopicCompressionGzipLevel.Get(topic)
	r.LZ4Level = TopicCompressionLZ4Level.Get(topic)
	r.ZstdLevel = TopicCompressionZstdLevel.Get(topic)
	return r
}

var codecs = map[string]record.Codec{
	"producer":     record.ProducerCodec,
	"uncompressed": record.None,
	"gzip":         record.Gzip,
	"snappy":       record.Snappy,
	"lz4":          record.LZ4,
	"zstd":         record.Zstd,
}

// millis turns a key's milliseconds into a Duration, at most the longest that there is.
func millis(ms int64) time.Duration {
	const longest = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(ms, longest)) * time.Millisecond
}
