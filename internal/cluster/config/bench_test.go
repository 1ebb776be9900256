package config

import "testing"

func BenchmarkGet(b *testing.B) {
	v, _ := Node{Static: kv{"log.segment.bytes": "2097152"}}.Topics().With(kv{"retention.ms": "5"})
	b.ReportAllocs()
	for b.Loop() {
		if TopicRetentionMs.Get(v) != 5 {
			b.Fatal("lost")
		}
	}
}

func BenchmarkTopicWith(b *testing.B) {
	base := Node{}.Topics()
	over := kv{"retention.ms": "5", "cleanup.policy": "compact"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := base.With(over); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDescribeTopic(b *testing.B) {
	n := Node{Static: kv{"log.segment.bytes": "2097152"}}
	b.ReportAllocs()
	for b.Loop() {
		n.DescribeTopic(kv{"retention.ms": "5"})
	}
}
