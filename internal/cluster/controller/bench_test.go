package controller

import (
	"fmt"
	"testing"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// full is a cluster of three brokers with 1,000 topics of 10 partitions each, three
// replicas a partition.
func full(t testing.TB) *world {
	w := newWorld(t, "", "", "")
	w.rules.MinISR = func(*metadata.Image, string) int { return 2 }
	for i := range 1000 {
		_, recs := w.state().CreateTopics([]NewTopic{{Name: fmt.Sprint("t", i), Partitions: 10, ReplicationFactor: 3}}, false)
		next, err := w.image.Apply(recs, w.image.Offset+1)
		if err != nil {
			t.Fatal(err)
		}
		w.image = next
	}
	return w
}

// Fencing one of three brokers decides on 3,300 leaders and 10,000 ISRs.
func BenchmarkFence(b *testing.B) {
	w := full(b)
	bytes, records := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		recs, err := w.state().FenceBroker(1)
		if err != nil {
			b.Fatal(err)
		}
		image, size := w.image, 0
		for _, entry := range entries(recs) {
			if image, err = image.Apply(entry, image.Offset+1); err != nil {
				b.Fatal(err)
			}
			size += len(metadata.Encode(nil, entry))
		}
		bytes, records = size, len(recs)
	}
	b.ReportMetric(float64(bytes), "bytes")
	b.ReportMetric(float64(records), "records")
}

// A heartbeat that says nothing new.
func BenchmarkHeartbeat(b *testing.B) {
	w := full(b)
	h := Heartbeat{ID: 1, Epoch: epochOf(w, 1), MetadataOffset: w.image.Offset}
	b.ReportAllocs()
	for b.Loop() {
		if _, recs, err := w.state().Heartbeat(h); err != nil || len(recs) > 0 {
			b.Fatal(recs, err)
		}
	}
}
