package metadata

import (
	"strings"
	"testing"
)

// What no controller may decide, whatever led to it.
func TestCheckOfPartitions(t *testing.T) {
	was := &Partition{Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2}, Leader: 1, LeaderEpoch: 4}
	for name, c := range map[string]struct {
		is   Partition
		want string
	}{
		"the same":         {*was, ""},
		"another leader":   {Partition{Replicas: was.Replicas, ISR: was.ISR, Leader: 2, LeaderEpoch: 5}, ""},
		"no leader":        {Partition{Replicas: was.Replicas, ISR: was.ISR, Leader: -1, LeaderEpoch: 5}, ""},
		"two leaders":      {Partition{Replicas: was.Replicas, ISR: was.ISR, Leader: 2, LeaderEpoch: 4}, "1 and 2 lead in epoch 4"},
		"leader that lags": {Partition{Replicas: was.Replicas, ISR: []int32{2}, Leader: 3, LeaderEpoch: 5}, "not in sync"},
		"in sync nowhere":  {Partition{Replicas: was.Replicas, ISR: []int32{1, 4}, Leader: 1, LeaderEpoch: 4}, "no replica"},
		"elected nowhere":  {Partition{Replicas: was.Replicas, ISR: []int32{1}, ELR: []int32{5}, Leader: 1, LeaderEpoch: 4}, "no replica"},
	} {
		err := c.is.Check(was)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
