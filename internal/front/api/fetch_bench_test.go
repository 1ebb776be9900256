package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// BenchmarkFollowerFetch is one round of a follower whose session has some partitions, of
// which one has got a record: the append, the fetch that brings it, and the next one that
// commits it. The ratio of the two is what partitions cost that rest; it should be 1.
func BenchmarkFollowerFetch(b *testing.B) {
	for _, count := range []int{10, 1000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			brokers := make([][]int32, count)
			for i := range brokers {
				brokers[i] = []int32{1, 2}
			}
			d, h := serving(b, map[string][][]int32{"a": brokers})
			f := d.follower(2)
			ats := make([]at, count)
			for i := range ats {
				ats[i] = at{"a", int32(i), 0}
			}
			f.fetch(ats...)
			offset := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				h.append("a", 3, "x")
				f.round()
				offset++
				f.round(at{"a", 3, offset})
			}
		})
	}
}

// round is a fetch whose answer nobody reads.
func (f *fetcher) round(ats ...at) {
	ask[*kmsg.FetchResponse](f.desk, f.version, f.request(ats...))
	f.epoch++
}
