package config

import (
	"fmt"
	"strconv"
	"strings"
)

// HostCount is a number for a host or an address.
type HostCount struct {
	Host  string
	Count int
}

// ParseHostCounts reads HOST:COUNT pairs, separated by commas. As in Kafka the last colon
// parts the two, so that an IPv6 address needs no brackets.
func ParseHostCounts(text string) (counts []HostCount, err error) {
	for pair := range strings.SplitSeq(text, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		colon := strings.LastIndexByte(pair, ':')
		if colon <= 0 {
			return nil, fmt.Errorf("%q is not HOST:COUNT", pair)
		}
		n, err := strconv.ParseInt(strings.TrimSpace(pair[colon+1:]), 10, 32)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q is not HOST:COUNT", pair)
		}
		host := strings.Trim(strings.TrimSpace(pair[:colon]), "[]")
		counts = append(counts, HostCount{host, int(n)})
	}
	return counts, nil
}
