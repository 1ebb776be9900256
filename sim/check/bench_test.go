package check

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/odradek/odradek/sim/history"
)

// long is a good history of n sends by 20 producers to 12 partitions, each read by three
// who poll 200 records at a time, and drained.
func long(n int) *history.History {
	h, rng := new(history.History), rand.New(rand.NewPCG(1, 2))
	logs := make([][]history.Read, 12)
	seq := make([]int64, 20)
	for i := range n {
		p, producer := rng.IntN(len(logs)), rng.IntN(len(seq))
		v := history.MakeValue(int32(producer)+1, seq[producer])
		seq[producer]++
		op := history.Blank()
		op.Kind, op.Outcome, op.Process, op.Value = history.Send, history.OK, int32(producer), v
		op.Topic, op.Partition, op.Offset = "orders", int32(p), int64(len(logs[p]))
		op.Invoke, op.Return = int64(i)*10, int64(i)*10+500
		logs[p] = append(logs[p], history.Read{Offset: op.Offset, Value: v})
		h.Add(op)
	}
	for reader := range 3 {
		for p, log := range logs {
			for from := 0; from < len(log); from += 200 {
				op := history.Blank()
				op.Kind, op.Outcome, op.Process, op.Topic, op.Partition = history.Poll, history.OK, int32(100+reader), "orders", int32(p)
				op.Records = log[from:min(from+200, len(log))]
				op.High, op.Stable, op.Start = int64(len(log)), int64(len(log)), 0
				op.Invoke = int64(n)*10 + 1000 + int64(reader*n+p*n/12+from)
				op.Return = op.Invoke + 1
				h.Add(op)
			}
			if reader == 2 {
				op := history.Blank()
				op.Kind, op.Outcome, op.Process, op.Topic, op.Partition = history.Drain, history.OK, 102, "orders", int32(p)
				op.Start, op.High = 0, int64(len(log))
				op.Invoke = int64(n)*10 + 1000 + int64(reader*n+p*n/12)
				op.Return = op.Invoke + int64(n)
				h.Add(op)
			}
		}
	}
	h.Sort()
	return h
}

// A million sends and three million records that were polled.
func BenchmarkAll(b *testing.B) {
	h := long(1_000_000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	for b.Loop() {
		if found := All(h, Options{}); len(found) > 0 {
			b.Fatal(found[0])
		}
	}
	runtime.ReadMemStats(&after)
	sends, polled, _ := h.Count()
	b.ReportMetric(float64(sends+polled)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mops/s")
}
