package partition

import (
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/commitlog"
)

// Settings are the configs of a topic as its partitions need them. Immutable.
type Settings struct {
	Log   commitlog.Config
	Rules record.Rules
	// Durable means that records are committed when they are on stable storage
	// (odradek.durability=fsync, the default); else when the operating system has them,
	// which is Kafka's default.
	Durable bool
	// FlushMessages and FlushMillis ask for a sync by number of records and by age of
	// the oldest one that is not synced (flush.messages, flush.ms).
	FlushMessages int64
	FlushMillis   int64
	// MinISR is min.insync.replicas.
	MinISR int
	// Unclean lets what is left of the records be served when nobody has all of them
	// (unclean.leader.election.enable).
	Unclean bool
	// DeleteAllowed is false on a topic that is only compacted: DeleteRecords is
	// refused there.
	DeleteAllowed bool
	// TrustTxns is set if nobody asks whether a partition belongs to a transaction that was
	// not begun by the write itself (transaction.partition.verification.enable=false).
	TrustTxns bool
}
