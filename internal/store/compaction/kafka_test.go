package compaction

import (
	"bytes"
	"os"
	"testing"

	"github.com/odradek/odradek/internal/proto/record"
)

// One cleaning leaves the same bytes that Kafka 4.2.1 leaves: a smaller batch with a
// delete horizon, and an empty one. The files are made by record/testdata/Golden.java.
func TestAgainstKafka(t *testing.T) {
	file := func(name string) []byte {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	dirty, _, err := record.Split(file("kafka-dirty.batch"))
	if err != nil {
		t.Fatal(err)
	}
	m := NewOffsetMap(1<<10, 10)
	if _, err := m.Add(dirty, new(Txns), 0); err != nil {
		t.Fatal(err)
	}
	f := &Filter{Map: m, Now: 5000, DeleteRetentionMs: 86400000, End: 13}
	if got, err := f.Rewrite(nil, dirty); err != nil || !bytes.Equal(got, file("kafka-cleaned.batch")) {
		t.Errorf("%v, left\n% x, Kafka\n% x", err, got, file("kafka-cleaned.batch"))
	}
	for _, key := range []string{"a", "b"} {
		m.put([]byte(key), 100)
	}
	if got, err := f.Rewrite(nil, dirty); err != nil || !bytes.Equal(got, file("kafka-emptied.batch")) {
		t.Errorf("%v, left\n% x, Kafka\n% x", err, got, file("kafka-emptied.batch"))
	}
}
