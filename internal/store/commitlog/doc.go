// Package commitlog keeps one partition's batches on disk, in offset order, in the
// files and formats of Apache Kafka (docs/formats/log.md draws them). It knows
// segments, indexes, leader epochs, producers' sequences, retention, compaction and
// recovery; it does not know leaders, replicas, high watermarks or clients: who calls
// tells it what may be deleted and how far may be read. It owns no goroutines.
//
// Locks, in the order in which they are taken:
//
//	compacting  held while old segments are rewritten; one at a time
//	syncing     held across fsync; Sync, and what may not run beside it (truncation)
//	writing     held across disk writes; whoever changes the log
//	mu          a plain mutex, never held across the disk; what readers look at
//
// The first three are gates (base/gate), so that a slow disk under testing/synctest is a
// durable wait.
package commitlog
