package record

import "math"

// ProducerCodec, as a compression.type, keeps what the producer chose.
const ProducerCodec Codec = -1

// Rules are what a topic's settings ask of a batch from a client. They are taken as
// they stand, zeros included: start from DefaultRules.
type Rules struct {
	// LogAppendTime is message.timestamp.type: the broker's time replaces the client's.
	LogAppendTime bool
	// BeforeMaxMs and AfterMaxMs are message.timestamp.before.max.ms and after.max.ms:
	// how far a create time may lie from now.
	BeforeMaxMs, AfterMaxMs int64
	// Compacted topics (cleanup.policy has compact) refuse null keys.
	Compacted bool
	// MaxMessageBytes is max.message.bytes, asked of the whole batch.
	MaxMessageBytes int
	// Compression is compression.type: ProducerCodec or what batches are compressed
	// with here. The levels are compression.gzip.level and so on, as for Compress.
	Compression                    Codec
	GzipLevel, LZ4Level, ZstdLevel int
	// OpenCompressed has every compressed batch opened and its records checked one by
	// one, as Kafka does, even if no other rule needs it (docs/decisions/0003).
	OpenCompressed bool
	// ProduceVersion is the version of the Produce request, 0 for none: zstd needs 7.
	ProduceVersion int16
	// Limits cap the decompression of the batches that are opened.
	Limits Limits
}

// DefaultRules are those of a topic with Kafka's default settings.
func DefaultRules() Rules {
	return Rules{
		BeforeMaxMs:     math.MaxInt64,
		AfterMaxMs:      3600_000,
		MaxMessageBytes: 1048588,
		Compression:     ProducerCodec,
	}
}

// target is how a batch that came with codec from is stored, and the level.
func (r *Rules) target(from Codec) (Codec, int) {
	switch r.Compression {
	case ProducerCodec:
		return from, DefaultLevel
	case Gzip:
		return Gzip, r.GzipLevel
	case LZ4:
		return LZ4, r.LZ4Level
	case Zstd:
		return Zstd, r.ZstdLevel
	}
	return r.Compression, DefaultLevel
}

// mustOpen reports whether the records of a compressed batch have to be looked at.
// Kafka looks always; here the header speaks for them where it can: the greatest
// timestamp stands in it. A header that cannot be true (clients that leave the greatest
// timestamp out) or that would have the batch refused is not taken at its word.
func (r *Rules) mustOpen(b Batch, nowMillis int64) bool {
	if r.OpenCompressed || r.Compacted || b.LogAppendTime() {
		return true
	}
	if to, _ := r.target(b.Codec()); to != b.Codec() {
		return true
	}
	if r.LogAppendTime {
		return false
	}
	return r.BeforeMaxMs != math.MaxInt64 || b.MaxTimestamp() < b.BaseTimestamp() || r.outOfRange(b.MaxTimestamp(), nowMillis)
}

// outOfRange reports whether a create time is too far from now. Records may have none.
func (r *Rules) outOfRange(timestamp, nowMillis int64) bool {
	if timestamp == NoTimestamp {
		return false
	}
	ago := nowMillis - timestamp
	return ago > r.BeforeMaxMs || -ago > r.AfterMaxMs
}
