// Package hist counts durations in buckets of fixed relative width, as HdrHistogram
// does: what a quantile says is at most 1/64 too high and never too low, however many
// durations there were, and the maximum is exact.
package hist

import (
	"math/bits"
	"time"
)

// sub is how many buckets there are between a power of two and the next.
const (
	subBits = 6
	sub     = 1 << subBits
)

// Hist is a histogram of durations; negative ones count as 0. The zero Hist is empty. It
// is not safe for concurrent use: have one a goroutine and Merge them.
type Hist struct {
	counts [(64 - subBits) * sub]int64
	count  int64
	sum    float64 // nanoseconds
	max    time.Duration
}

// Add counts d.
func (h *Hist) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))]++
	h.count++
	h.sum += float64(d)
	h.max = max(h.max, d)
}

// Merge adds what o has counted.
func (h *Hist) Merge(o *Hist) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.count += o.count
	h.sum += o.sum
	h.max = max(h.max, o.max)
}

func (h *Hist) Count() int64       { return h.count }
func (h *Hist) Max() time.Duration { return h.max }

// Mean is 0 if nothing was counted.
func (h *Hist) Mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return time.Duration(h.sum / float64(h.count))
}

// Quantile is a duration that at least the share q of all did not exceed: the upper end
// of its bucket, and no more than Max.
func (h *Hist) Quantile(q float64) time.Duration {
	need := int64(q * float64(h.count))
	if float64(need) < q*float64(h.count) || need == 0 {
		need++
	}
	var seen int64
	for i, n := range h.counts {
		if seen += n; n > 0 && seen >= need {
			return min(time.Duration(top(i)), h.max)
		}
	}
	return h.max
}

// bucket is linear up to 2*sub, and has sub steps between powers of two from there.
func bucket(v uint64) int {
	if v < 2*sub {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return shift*sub + int(v>>shift)
}

// top is the greatest value of a bucket.
func top(i int) uint64 {
	if i < 2*sub {
		return uint64(i)
	}
	shift := i/sub - 1
	return (uint64(i-shift*sub)+1)<<shift - 1
}
