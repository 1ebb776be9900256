package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A TopicSpec is one entry of odradek.create.topics.
type TopicSpec struct {
	Name          string
	Partitions    int32  // -1: num.partitions
	Replicas      int16  // -1: default.replication.factor
	CleanupPolicy string // empty: log.cleanup.policy
}

// ParseTopicSpec reads NAME[:PARTITIONS[:REPLICAS[:POLICY]]]; empty numbers are -1.
func ParseTopicSpec(s string) (TopicSpec, error) {
	f := strings.Split(s, ":")
	t := TopicSpec{Name: f[0], Partitions: -1, Replicas: -1}
	if !topicName.MatchString(t.Name) || t.Name == "." || t.Name == ".." || len(f) > 4 {
		return t, fmt.Errorf("%q is not NAME:PARTITIONS:REPLICAS[:POLICY]", s)
	}
	p, r := int64(-1), int64(-1)
	var err1, err2 error
	if len(f) > 1 && f[1] != "" {
		p, err1 = strconv.ParseInt(f[1], 10, 32)
	}
	if len(f) > 2 && f[2] != "" {
		r, err2 = strconv.ParseInt(f[2], 10, 16)
	}
	if err1 != nil || err2 != nil || p == 0 || p < -1 || r == 0 || r < -1 {
		return t, fmt.Errorf("%q: partitions and replicas must be positive numbers", s)
	}
	t.Partitions, t.Replicas = int32(p), int16(r)
	if len(f) == 4 {
		// Within a list the two policies cannot be divided by a comma.
		t.CleanupPolicy = strings.ReplaceAll(f[3], "+", ",")
		if !slices.Contains([]string{"", "delete", "compact", "compact,delete", "delete,compact"}, t.CleanupPolicy) {
			return t, fmt.Errorf("%q: the policy must be delete, compact or compact+delete", s)
		}
	}
	return t, nil
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

func topicSpecs(d *Def) {
	ranged("entries NAME:PARTITIONS:REPLICAS[:POLICY]", func(v any) bool {
		return !slices.ContainsFunc(v.([]string), func(s string) bool {
			_, err := ParseTopicSpec(s)
			return err != nil
		})
	})(d)
}
