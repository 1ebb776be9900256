package host

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/replica/partition"
)

// What replication costs when few of many partitions move. "vs10" is the time beside that
// with ten partitions, in the same run: it should stay near one.
func BenchmarkReplicate(b *testing.B) {
	for _, size := range []int{100, 1 << 20} {
		base := 0.0
		for _, partitions := range []int32{10, 1000} {
			b.Run(fmt.Sprintf("batch=%d/partitions=%d", size, partitions), func(b *testing.B) {
				c := newClusterOn(b, 2, b.TempDir())
				c.made.Log.SegmentBytes = 64 << 20
				c.made.Rules.MaxMessageBytes = 2 << 20
				c.topic("orders", partitions, 1, 2)
				appendTo := func(p int32, batch record.Batch) {
					part, err := c.nodes[1].host.Partition(model.TopicPartition{Topic: "orders", Partition: p})
					if err != nil {
						b.Fatal(err)
					}
					a, err := part.Append(batch, partition.AppendArgs{ProduceVersion: 12, Acks: partition.AllInSync})
					if err == nil {
						err = part.Wait(context.Background(), a.End, a.Epoch)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				for p := range partitions {
					appendTo(p, batchOf(b, 10))
				}
				batch := batchOf(b, size)
				began, n, buf := time.Now(), int32(0), make([]byte, 0, len(batch))
				b.SetBytes(int64(size))
				for b.Loop() {
					appendTo(n%10, append(buf[:0], batch...))
					n++
				}
				each := float64(time.Since(began)) / float64(b.N)
				if base == 0 {
					base = each
				}
				b.ReportMetric(each/base, "vs10")
				c.end()
			})
		}
	}
}

func batchOf(b *testing.B, size int) record.Batch {
	built := record.NewBuilder(record.BuilderConfig{})
	built.Append(record.Record{Timestamp: time.Now().UnixMilli(), Value: make([]byte, size)})
	batch, err := built.Build()
	if err != nil {
		b.Fatal(err)
	}
	return batch
}
