package txn

import (
	"log/slog"
	"maps"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
)

// Markers wait by the broker that leads their partition, or by none, until nobody wants them.
func TestWaitingMarkers(t *testing.T) {
	leaders := map[model.TopicPartition]int32{{Topic: "a"}: 1, {Topic: "a", Partition: 1}: 2, {Topic: "b"}: 1, {Topic: "b", Partition: 1}: model.NoLeader}
	s := newSender(Config{Log: slog.New(slog.DiscardHandler), Leader: func(tp model.TopicPartition) (int32, int32, bool) {
		node, ok := leaders[tp]
		return node, 0, ok
	}}, func(int32, []*job) {})
	s.lead(7, 0)
	serial := s.begin(7)
	s.lead(8, 0)
	s.add(7, []*job{{serial: serial, partitions: []model.TopicPartition{{Topic: "a"}, {Topic: "a", Partition: 1}, {Topic: "b"}, {Topic: "b", Partition: 1}}}})
	s.add(8, []*job{{serial: s.begin(8), partitions: []model.TopicPartition{{Topic: "b"}}}})
	is := func(when string, want map[int32]int) {
		t.Helper()
		if got := s.waiting(); !maps.Equal(got, want) {
			t.Errorf("%s %v wait, want %v", when, got, want)
		}
	}
	is("before any is sent", map[int32]int{1: 3, 2: 1, model.NoLeader: 1})
	load, _ := s.take(s.queues[1], func() {})
	is("while broker 1 is asked", map[int32]int{1: 3, 2: 1, model.NoLeader: 1})
	s.retry(s.rest(load))
	is("when that has failed", map[int32]int{1: 3, 2: 1, model.NoLeader: 1})
	s.resign(7)
	is("when another coordinates most", map[int32]int{1: 1, 2: 0})
}
