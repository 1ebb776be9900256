package commitlog

import (
	"fmt"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
)

func benchLog(b *testing.B) *Log {
	o := Options{FS: vfs.OS, Dir: b.TempDir() + "/orders-0", ID: model.IDPartition{Topic: testID.Topic}, Topic: "orders", Config: Default()}
	l := mustOpen(b, o)
	b.Cleanup(func() { l.Close() })
	return l
}

// BenchmarkAppendLeader writes batches of 16 KiB to the page cache.
func BenchmarkAppendLeader(b *testing.B) {
	l := benchLog(b)
	batch := plain(16, 1000, 1000)
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.AppendLeader(batch, 0, Client); err != nil {
			b.Fatal(err)
		}
		if l.Size() > 900<<20 {
			b.StopTimer()
			if err := l.TruncateFullyAndStartAt(0); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	}
}

// BenchmarkReadTail finds the newest batch, as consumers do that keep up.
func BenchmarkReadTail(b *testing.B) {
	l := benchLog(b)
	fill(b, l, 16<<20)
	last := l.End() - 16
	b.ReportAllocs()
	for b.Loop() {
		s, err := l.Read(last, l.End(), 1<<20, true)
		if err != nil || s.Len == 0 {
			b.Fatal(err, s.Len)
		}
		s.Release()
	}
}

// BenchmarkReadBatch finds one batch after the other, as consumers do that take little at once.
func BenchmarkReadBatch(b *testing.B) {
	for _, records := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("%dKiB", records), func(b *testing.B) {
			l := benchLog(b)
			batch := plain(records, 1000, 1000)
			for range 256 {
				if _, err := l.AppendLeader(batch, 0, Client); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			at := int64(0)
			for b.Loop() {
				s, err := l.Read(at, l.End(), len(batch), true)
				if err != nil || s.Len != len(batch) {
					b.Fatal(err, s.Len)
				}
				s.Release()
				at = (at + int64(records)) % (l.End() - int64(records))
			}
		})
	}
}

// BenchmarkReadRandom finds 1 MiB from anywhere.
func BenchmarkReadRandom(b *testing.B) {
	l := benchLog(b)
	fill(b, l, 256<<20)
	rng := newRand(1)
	b.ReportAllocs()
	for b.Loop() {
		s, err := l.Read(rng.Int64N(l.End()), l.End(), 1<<20, true)
		if err != nil || s.Len == 0 {
			b.Fatal(err, s.Len)
		}
		s.Release()
	}
}

// BenchmarkOpenClean opens a log that was closed in order.
func BenchmarkOpenClean(b *testing.B) {
	o := Options{FS: vfs.OS, Dir: b.TempDir() + "/orders-0", ID: model.IDPartition{Topic: testID.Topic}, Topic: "orders", Config: Default()}
	l := mustOpen(b, o)
	fill(b, l, 8<<20)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	o.Clean = true
	b.ReportAllocs()
	for b.Loop() {
		if err := mustOpen(b, o).Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func fill(b *testing.B, l *Log, size int64) {
	batch := plain(16, 1000, 1000)
	for l.Size() < size {
		if _, err := l.AppendLeader(batch, 0, Client); err != nil {
			b.Fatal(err)
		}
	}
}
