// Package rebalance measures how long a large consumer group takes until every member has
// its partitions again, by the classic protocol and by that of KIP-848, on Odradek and on
// Apache Kafka in the same run. Its members speak the protocol themselves, each on a
// connection of its own, so that hundreds fit into one process and no library's habits are
// measured. It knows what members were told, and nothing of a broker's inside. Each member
// is a goroutine, which ends with the crowd.
package rebalance
