package cli

import (
	"cmp"
	"fmt"
	"net"
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

// dialable is where an address that is listened on can be reached from this machine.
func dialable(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port), nil
}
