package cli

import (
	"cmp"
	"fmt"
	"strings"
)

// comparePartitions orders partitions by topic and number.
func comparePartitions(topic1 string, partition1 int32, topic2 string, partition2 int32) int {
	if c := strings.Compare(topic1, topic2); c != 0 {
		return c
	}
	return cmp.Compare(partition1, partition2)
}

// partitionName is how a partition is written: TOPIC:N.
func partitionName(topic string, partition int32) string {
	return fmt.Sprintf("%s:%d", topic, partition)
}
