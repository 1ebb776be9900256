package record

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// kafkaMade is a file that Kafka 4.2.1 wrote; testdata/Golden.java says how.
func kafkaMade(t *testing.T, name string) Batch {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	batch, rest, err := Split(b)
	if err != nil || len(rest) > 0 || batch.Verify() != nil {
		t.Fatalf("%s: %v, %d bytes left, %v", name, err, len(rest), batch.Verify())
	}
	return batch
}

// What Kafka made is read as it was meant, and made the same here: byte for byte where
// no compressor has a say, compressed again to the same records elsewhere.
func TestAgainstKafka(t *testing.T) {
	for _, codec := range allCodecs {
		kafkas := kafkaMade(t, "kafka-"+codec.String()+".batch")
		ours := build(t, BuilderConfig{Codec: codec, BaseOffset: 42, Epoch: 7, ProducerID: 9, ProducerEpoch: 2,
			BaseSequence: 5, Transactional: true}, sampleRecords()...)
		if got, want := collect(t, kafkas), collect(t, ours); !slices.EqualFunc(got, want, sameRecord) {
			t.Errorf("%s: read %v, want %v", codec, got, want)
		}
		// The head but length and CRC.
		for _, r := range [][2]int{{0, posLength}, {posLeaderEpoch, posCRC}, {posAttributes, HeaderLen}} {
			if !bytes.Equal(kafkas[r[0]:r[1]], ours[r[0]:r[1]]) {
				t.Errorf("%s: head is\n% x, Kafka's\n% x", codec, []byte(ours[:HeaderLen]), []byte(kafkas[:HeaderLen]))
			}
		}
		if codec == None && !bytes.Equal(kafkas, ours) {
			t.Errorf("made\n% x, Kafka\n% x", []byte(ours), []byte(kafkas))
		}
	}
	marker := EndTxn(9, 2, EndTxnMarker{Commit: true, CoordinatorEpoch: 3}, 1700000000123)
	marker.Stamp(42, 7)
	if kafkas := kafkaMade(t, "kafka-commit.batch"); !bytes.Equal(marker, kafkas) {
		t.Errorf("marker is\n% x, Kafka's\n% x", []byte(marker), []byte(kafkas))
	}
}
