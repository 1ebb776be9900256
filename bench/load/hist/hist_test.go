package hist

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A quantile is never below the true one, and at most 1/64 above it.
func TestQuantiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h, half Hist
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(1) << rng.IntN(40)
		d += time.Duration(rng.Int64N(int64(d)))
		all = append(all, d)
		if len(all)%2 == 0 {
			half.Add(d)
		} else {
			h.Add(d)
		}
	}
	h.Merge(&half)
	slices.Sort(all)
	for _, q := range []float64{0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1} {
		want := all[min(len(all)-1, max(0, int(q*float64(len(all))+0.999999)-1))]
		if got := h.Quantile(q); got < want || float64(got) > float64(want)*(1+1.0/64) {
			t.Errorf("quantile %v is %v, of the list %v", q, got, want)
		}
	}
	if h.Max() != all[len(all)-1] || h.Count() != int64(len(all)) {
		t.Errorf("max %v of %d, want %v of %d", h.Max(), h.Count(), all[len(all)-1], len(all))
	}
}

// Every bucket ends where the next begins.
func TestBucketsMeet(t *testing.T) {
	for i := range len(Hist{}.counts) - 1 {
		if bucket(top(i)) != i || bucket(top(i)+1) != i+1 {
			t.Fatalf("bucket %d ends at %d, which is in %d; the next is in %d", i, top(i), bucket(top(i)), bucket(top(i)+1))
		}
	}
}

func TestEmpty(t *testing.T) {
	var h Hist
	if h.Quantile(0.5) != 0 || h.Mean() != 0 || h.Max() != 0 {
		t.Error("an empty histogram has figures")
	}
	h.Add(-time.Second)
	if h.Quantile(1) != 0 || h.Count() != 1 {
		t.Error("a negative duration is not 0")
	}
}
