// Package group is the group coordinator: who is in a consumer group, which generation
// it is in, and which offsets it has committed. The classic protocol of JoinGroup and
// SyncGroup lives here with the offsets of all groups.
//
// What decides is the state: pure, it sees requests and the time, changes what members
// wait for and writes records in Kafka's own format of __consumer_offsets. The Service
// is the shell: it finds the partition of a group, runs commands on the runtime and
// turns errors into responses. The room knows neither connections nor the cluster;
// which partitions it leads it is told. Its goroutines are the runtime's, under Run.
package group
