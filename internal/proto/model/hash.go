package model

import "unicode/utf16"

// CoordinatorPartition is the partition, of so many, of a coordinators' topic that holds
// what belongs to key: a group, a transactional id, a share partition. It hashes as Java
// does, over UTF-16 units. Clients and Kafka's brokers rely on it.
func CoordinatorPartition(key string, partitions int32) int32 {
	var h int32
	for _, r := range key {
		if high, low := utf16.EncodeRune(r); r > 0xffff {
			h = 31*(31*h+high) + low
			continue
		}
		h = 31*h + r
	}
	if h == -1<<31 {
		return 0 // has no positive counterpart
	}
	return max(h, -h) % partitions
}
