package txn

import "math"

// phase is the state of a transactional id, as the log numbers it.
type phase int8

const (
	empty          phase = 0 // a producer was made, and nothing has happened since
	ongoing        phase = 1
	prepareCommit  phase = 2 // decided; markers are on their way
	prepareAbort   phase = 3
	completeCommit phase = 4 // every partition has its marker
	completeAbort  phase = 5
)

// phaseNames are Kafka's, of all that it knows. The last two never reach a log.
var phaseNames = [...]string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence"}

func (p phase) String() string { return phaseNames[p] }

// valid reports whether a log may hold it.
func (p phase) valid() bool { return p >= empty && p <= completeAbort }

// prepared: decided, and not yet told everybody.
func (p phase) prepared() bool { return p == prepareCommit || p == prepareAbort }

// settled: nothing is open, and nothing on its way.
func (p phase) settled() bool { return p == empty || p == completeCommit || p == completeAbort }

// preparing and completed are the two steps to an end.
func preparing(commit bool) phase {
	if commit {
		return prepareCommit
	}
	return prepareAbort
}

func (p phase) completed() phase {
	if p == prepareCommit {
		return completeCommit
	}
	return completeAbort
}

// ends reports whether p is the end that commit asks for.
func (p phase) ends(commit bool) bool { return p == preparing(commit).completed() }

const (
	noProducer int64 = -1
	noEpoch    int16 = -1
	noTime     int64 = -1

	// maxEpoch is kept for the coordinator, so that it can always fence a producer: no
	// client ever gets it.
	maxEpoch int16 = math.MaxInt16
	// noTimeout is the timeout of a transaction that waits for a coordinator outside
	// (KIP-939).
	noTimeout int32 = math.MaxInt32
)

// exhausted reports whether an epoch can be followed by none that a client may have.
func exhausted(epoch int16) bool { return epoch >= maxEpoch-1 }

// bumps is the version of transactions from which on every end is a new epoch (KIP-890).
const bumps = 2
