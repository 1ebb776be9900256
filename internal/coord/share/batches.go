package share

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
)

// combine merges batches that may overlap into ascending ones that do not, and drops what
// is below start unless that is NoStart. Where batches overlap the one with the higher
// delivery count stands, of equal ones the later state: a record only ever goes that way,
// so what was sent twice or late changes nothing. Neighbours that are alike become one.
func combine(batches []StateBatch, start int64) []StateBatch {
	batches = slices.Clone(batches)
	slices.SortFunc(batches, func(a, b StateBatch) int { return cmp.Compare(a.First, b.First) })
	var merged []StateBatch
	var open byRank // those that have begun and may not have ended
	at := max(start, 0)
	for {
		for len(open) > 0 && open[0].Last < at {
			heap.Pop(&open)
		}
		if len(open) == 0 {
			if len(batches) == 0 {
				return merged
			}
			at = max(at, batches[0].First)
		}
		for len(batches) > 0 && batches[0].First <= at {
			heap.Push(&open, batches[0])
			batches = batches[1:]
		}
		if open[0].Last < at {
			continue
		}
		b := open[0]
		b.First = at
		if len(batches) > 0 {
			b.Last = min(b.Last, batches[0].First-1)
		}
		merged = join(merged, b)
		if b.Last == math.MaxInt64 {
			return merged
		}
		at = b.Last + 1
	}
}

// join appends a batch, or lengthens the last one if it is its continuation.
func join(batches []StateBatch, b StateBatch) []StateBatch {
	if n := len(batches); n > 0 {
		last := &batches[n-1]
		if last.Last+1 == b.First && last.State == b.State && last.Deliveries == b.Deliveries {
			last.Last = b.Last
			return batches
		}
	}
	return append(batches, b)
}

// byRank is a heap with what stands above the others first.
type byRank []StateBatch

func (h byRank) Len() int      { return len(h) }
func (h byRank) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *byRank) Push(x any)   { *h = append(*h, x.(StateBatch)) }

func (h byRank) Less(i, j int) bool {
	if h[i].Deliveries != h[j].Deliveries {
		return h[i].Deliveries > h[j].Deliveries
	}
	return h[i].State > h[j].State
}

func (h *byRank) Pop() any {
	last := len(*h) - 1
	b := (*h)[last]
	*h = (*h)[:last]
	return b
}

// completed counts the records whose delivery is complete.
func completed(batches []StateBatch) int32 {
	var n int64
	for _, b := range batches {
		if b.State == Acknowledged || b.State == Archived {
			n += b.Last - b.First + 1
		}
	}
	return int32(min(n, math.MaxInt32))
}
