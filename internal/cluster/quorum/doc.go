// Package quorum keeps a log of opaque entries that a majority of voters agrees on, by
// Raft. It knows terms, votes, entries, snapshots and how they become durable; it does
// not know what the entries mean, nor the wire. Run, which the broker starts, is its
// one goroutine: Raft, the disk and Apply are touched by nobody else.
package quorum
