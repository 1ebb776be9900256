// Package planted names mistakes that can be made on purpose: each is one that some system
// of this kind has made, at the line where this one would make it. It knows their names
// and which of them is planted; the line itself stands in the room whose mistake it is.
// It owns no goroutines.
//
//	if planted.Is(planted.AckBeforeSync) {
//		return nil // the mistake
//	}
//
// Without the build tag planted, Is is the constant false and the compiler drops the line.
// With it, Set plants one, by ODRADEK_PLANTED in the environment from the start, and the
// simulator has to find it: docs/PLANTED.md tells by what it does, and how soon. A checker
// that has never caught anything proves nothing.
package planted

// Bug is the name of a mistake.
type Bug string

// The mistakes. Beside each, where it was made, or the rule that it breaks.
const (
	AckBeforeSync            Bug = "AckBeforeSync"            // NATS #7564: acknowledged by the page cache
	AckBelowMinISR           Bug = "AckBelowMinISR"           // Kafka 0.8: the last one in sync acknowledges alone
	HWTooHigh                Bug = "HWTooHigh"                // a follower counts for a record that it asks for
	LSOTooHigh               Bug = "LSOTooHigh"               // Redpanda #3036: one offset past the first undecided
	TruncateByHW             Bug = "TruncateByHW"             // Kafka before KIP-101: followers cut to what they know
	OldEpoch                 Bug = "OldEpoch"                 // a fetch or an append of an epoch that is over is good
	VolatileProducers        Bug = "VolatileProducers"        // Redpanda PR 3616: who leads anew knows no producers
	ForgetProducerSnapshot   Bug = "ForgetProducerSnapshot"   // what was known of producers before a snapshot is lost
	StaleEndTxn              Bug = "StaleEndTxn"              // KAFKA-17754: a late EndTxn ends the next transaction
	OffsetZeroOnError        Bug = "OffsetZeroOnError"        // Bufstream 0.1.0: an error bears offset 0, not -1
	GroupDeletionNotLogged   Bug = "GroupDeletionNotLogged"   // Redpanda #4900: a deleted group comes back
	PendingOffsetsTold       Bug = "PendingOffsetsTold"       // Redpanda #10669: offsets that a transaction is changing
	OldBrokerEpochInISR      Bug = "OldBrokerEpochInISR"      // KIP-903: in sync by what another incarnation had
	RetryAfterSyncError      Bug = "RetryAfterSyncError"      // fsyncgate: the second sync succeeds, the data is gone
	SkipDirSync              Bug = "SkipDirSync"              // a rename that a power cut takes back
	DeleteAbsentFromMetadata Bug = "DeleteAbsentFromMetadata" // NATS #7556: not in my metadata, so deleted
	TwoOwners                Bug = "TwoOwners"                // a partition is given away before it was given up
)

// All lists the mistakes, in the order in which they are told above.
func All() []Bug {
	return []Bug{
		AckBeforeSync, AckBelowMinISR, HWTooHigh, LSOTooHigh, TruncateByHW, OldEpoch,
		VolatileProducers, ForgetProducerSnapshot, StaleEndTxn, OffsetZeroOnError,
		GroupDeletionNotLogged, PendingOffsetsTold, OldBrokerEpochInISR, RetryAfterSyncError,
		SkipDirSync, DeleteAbsentFromMetadata, TwoOwners,
	}
}
