// Package share is the share coordinator (KIP-932): it keeps, for each partition that a
// share group reads, where delivery starts and which records beyond are in which state.
// The leader of the partition delivers and decides; it asks this room to remember, over
// the wire, through a Persister.
//
// What decides is the state of one partition of __share_group_state: pure, it sees
// requests and writes snapshots and updates in Kafka's own formats. The Service is the
// shell on the coordinators' runtime, whose goroutines run under its Run. The room knows
// neither groups nor their members.
package share
