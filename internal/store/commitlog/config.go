package commitlog

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/odradek/odradek/internal/base/clock"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
)

// Config is what may change while the log is open; SetConfig swaps it. Where zero
// makes no sense it means the default that the comment gives; elsewhere zero counts.
// The zero Config deletes nothing.
type Config struct {
	SegmentBytes       int64 // segment.bytes; 1 GiB
	SegmentMs          int64 // segment.ms; 7 days
	SegmentJitterMs    int64 // segment.jitter.ms
	SegmentIndexBytes  int64 // segment.index.bytes; 10 MiB
	IndexIntervalBytes int64 // index.interval.bytes; zero counts

	Delete          bool          // cleanup.policy has delete
	Compact         bool          // cleanup.policy has compact
	RetentionMs     int64         // retention.ms; negative keeps for ever
	RetentionBytes  int64         // retention.bytes; negative keeps all
	FileDeleteDelay time.Duration // file.delete.delay.ms

	MinCleanableRatio  float64 // min.cleanable.dirty.ratio
	MinCompactionLagMs int64   // min.compaction.lag.ms
	MaxCompactionLagMs int64   // max.compaction.lag.ms; no limit
	DeleteRetentionMs  int64   // delete.retention.ms
	CompactionMapBytes int64   // the cleaner's dedupe buffer; 16 MiB
	MaxMessageBytes    int64   // max.message.bytes; 1 MiB

	ProducerExpiry time.Duration // producer.id.expiration.ms; 1 day
}

// Default returns Kafka's defaults.
func Default() Config {
	return Config{
		IndexIntervalBytes: 4096,
		Delete:             true,
		RetentionMs:        7 * 24 * 3600_000,
		RetentionBytes:     -1,
		FileDeleteDelay:    time.Minute,
		MinCleanableRatio:  0.5,
		DeleteRetentionMs:  24 * 3600_000,
	}.withDefaults()
}

func (c Config) withDefaults() Config {
	def(&c.SegmentBytes, 1<<30)
	def(&c.SegmentMs, 7*24*3600_000)
	def(&c.SegmentIndexBytes, 10<<20)
	def(&c.MaxCompactionLagMs, 1<<63-1)
	def(&c.CompactionMapBytes, 16<<20)
	def(&c.MaxMessageBytes, 1048588)
	def(&c.ProducerExpiry, 24*time.Hour)
	return c
}

// segmentMs is for how long a segment takes records: records that must be compacted
// soon may not stay in the active segment (KIP-354).
func (c *Config) segmentMs() int64 {
	if c.Compact {
		return min(c.SegmentMs, c.MaxCompactionLagMs)
	}
	return c.SegmentMs
}

func def[T int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Options say where a log is and what is known of it from before.
type Options struct {
	FS     vfs.FS
	Dir    string            // the partition's folder; made if missing
	ID     model.IDPartition // its topic id is compared with partition.metadata
	Topic  string            // for words only
	Config Config

	// RecoveryPoint is the offset below which the host's checkpoint says that all is
	// durable, Start the log start offset of its other checkpoint (0 if there is none).
	RecoveryPoint int64
	Start         int64
	// FirstDirty is where compaction goes on (cleaner-offset-checkpoint), 0 if unknown.
	FirstDirty int64
	// Clean says that the log was closed by Close: nothing is scanned.
	Clean bool
	// Epochs is how many leader epochs the partition has had, by what the cluster agreed on:
	// every record here is of one below. 0 if that is not known.
	Epochs int32

	Clock clock.Clock // what records, files and producers are as old as
	Log   *slog.Logger
	Rand  func() uint64 // spreads segment.jitter.ms; nil means no jitter
}

func (o *Options) validate() error {
	var errs []error
	if o.FS == nil {
		errs = append(errs, errors.New("no FS"))
	}
	if o.Dir == "" {
		errs = append(errs, errors.New("no Dir"))
	}
	if o.Config.SegmentBytes < 0 || o.Config.SegmentBytes > 1<<31-1 {
		errs = append(errs, fmt.Errorf("SegmentBytes %d: not in [0, 2^31)", o.Config.SegmentBytes))
	}
	if o.RecoveryPoint < 0 || o.Start < 0 {
		errs = append(errs, fmt.Errorf("recovery point %d or start %d is negative", o.RecoveryPoint, o.Start))
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return errors.Join(errs...)
}
