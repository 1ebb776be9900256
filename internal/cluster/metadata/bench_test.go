package metadata

import (
	"fmt"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
)

func largeImage(b *testing.B, topics, partitions int) *Image {
	b.Helper()
	m := Empty()
	for i := range topics {
		recs := []Record{AddTopic{fmt.Sprintf("topic-%06d", i), id(i + 1)}}
		for p := range partitions {
			recs = append(recs, AddPartition{id(i + 1), int32(p), Partition{Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2, 3}, Dirs: make([]model.ID, 3)}})
		}
		var err error
		if m, err = m.Apply(recs, int64(i)); err != nil {
			b.Fatal(err)
		}
	}
	return m
}

// One topic more at 100,000 partitions.
func BenchmarkApplyTopic(b *testing.B) {
	m := largeImage(b, 10_000, 10)
	recs := []Record{AddTopic{"topic-x", id(1 << 20)}, AddPartition{id(1 << 20), 0, Partition{Replicas: []int32{1}, ISR: []int32{1}}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Apply(recs, 1); err != nil {
			b.Fatal(err)
		}
	}
}

// What changed by one topic more at 100,000 partitions.
func BenchmarkDiff(b *testing.B) {
	m := largeImage(b, 10_000, 10)
	next, err := m.Apply([]Record{AddTopic{"topic-x", id(1 << 20)}}, 1)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if c := Diff(m, next); len(c.Topics) != 1 {
			b.Fatal(c)
		}
	}
}

func BenchmarkSnapshot(b *testing.B) {
	m := largeImage(b, 10_000, 10)
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(m.Encode())))
	}
}

func BenchmarkRestore(b *testing.B) {
	data := largeImage(b, 10_000, 10).Encode()
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := DecodeImage(data); err != nil {
			b.Fatal(err)
		}
	}
}
