package share

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// combine gives each offset the batch that ranks highest there, whatever the order.
func TestCombine(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var batches []StateBatch
		for range random.IntN(8) {
			first := random.Int64N(20)
			batches = append(batches, StateBatch{first, first + random.Int64N(8), [...]int8{Available, Acknowledged, Archived}[random.IntN(3)], int16(random.IntN(3))})
		}
		start := random.Int64N(12) - 1
		want := map[int64]StateBatch{}
		for _, b := range batches {
			for at := max(b.First, start); at <= b.Last; at++ {
				have, ok := want[at]
				if !ok || b.Deliveries > have.Deliveries || b.Deliveries == have.Deliveries && b.State > have.State {
					want[at] = StateBatch{at, at, b.State, b.Deliveries}
				}
			}
		}
		before := slices.Clone(batches)
		got := combine(batches, start)
		if !reflect.DeepEqual(before, batches) {
			t.Fatal("combine changed its argument")
		}
		points := map[int64]StateBatch{}
		for i, b := range got {
			if i > 0 && got[i-1].Last >= b.First {
				t.Fatalf("%v from %d on gives %v: out of order", batches, start, got)
			}
			if last := i - 1; i > 0 && got[last].Last+1 == b.First && got[last].State == b.State && got[last].Deliveries == b.Deliveries {
				t.Fatalf("%v from %d on gives %v: neighbours are alike", batches, start, got)
			}
			for at := b.First; at <= b.Last; at++ {
				points[at] = StateBatch{at, at, b.State, b.Deliveries}
			}
		}
		if !reflect.DeepEqual(points, want) {
			t.Fatalf("%v from %d on gives %v", batches, start, got)
		}
		random.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
		if again := combine(batches, start); !reflect.DeepEqual(again, got) {
			t.Fatalf("%v from %d on gives %v, in another order %v", batches, start, got, again)
		}
	}
}

func TestCombineAtTheEnds(t *testing.T) {
	got := combine([]StateBatch{{0, math.MaxInt64, Available, 1}, {5, math.MaxInt64 - 1, Archived, 2}}, NoStart)
	want := []StateBatch{{0, 4, Available, 1}, {5, math.MaxInt64 - 1, Archived, 2}, {math.MaxInt64, math.MaxInt64, Available, 1}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := combine(nil, 7); got != nil {
		t.Errorf("nothing gives %v", got)
	}
}

// A leader that persists one acknowledgement into a full window.
func BenchmarkCombine(b *testing.B) {
	var window []StateBatch
	for i := range int64(1000) {
		window = append(window, StateBatch{2 * i, 2 * i, Acknowledged, 1})
	}
	window = append(window, StateBatch{1, 1, Acknowledged, 1})
	b.ReportAllocs()
	for b.Loop() {
		combine(window, 0)
	}
}
