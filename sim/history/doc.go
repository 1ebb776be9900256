// Package history keeps what clients asked of a cluster and what they were told: the
// sends, polls, transactions, commits, assignments and questions of a run, each with the
// interval in which it took place and whether it is known to have succeeded, known to have
// failed, or neither. It knows nothing of the inside of a broker, so that the same history
// comes from the simulator and from real clients in any language, and package check can
// judge either. A Recorder is safe for many goroutines and starts none; histories are
// stored as JSON lines (docs/formats/history.md).
package history
