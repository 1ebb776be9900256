// Package record reads, checks and makes record batches, the unit in which Kafka
// sends, stores and compresses records. It knows bytes and rules of the format; it
// does not know topics, logs or producers' history. It owns no goroutines, and what
// it is given it does not keep.
package record
