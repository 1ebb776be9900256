// Package zkview shows the cluster to tools that look for ZooKeeper: it speaks
// ZooKeeper's protocol, read only, and answers from the cluster's image as if a Kafka of
// ZooKeeper's days had written it: /brokers/ids, /brokers/topics, /controller,
// /cluster/id, /config. Watches fire when the image changes. It keeps nothing and knows
// no disk; what would write is refused. Serve owns its goroutines: one that accepts, and
// a reader and a watcher for each connection.
//
// Formats: ZooKeeper's zookeeper.jute (3.9) and kafka.zk.ZkData of Kafka 3.9.
package zkview
