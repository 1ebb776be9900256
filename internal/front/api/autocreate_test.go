package api

import (
	"testing"

	"github.com/odradek/odradek/internal/cluster/config"
)

// The topics of coordinators may have smaller segments than a user may ask for.
func TestSegmentsOfKeptTopics(t *testing.T) {
	for _, n := range []int{1, 10_000, 1<<20 - 1, 1 << 20, 100 << 20} {
		set := segmentBytes(n)
		broker, _ := config.Node{}.Values()
		v, err := config.Node{}.Topics().With(map[string]string{set[0]: set[1]})
		if err != nil || config.CommitLog(v, broker).SegmentBytes != int64(n) {
			t.Errorf("%v gives segments of %d bytes, %v", set, config.CommitLog(v, broker).SegmentBytes, err)
		}
	}
}
