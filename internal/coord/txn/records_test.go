package txn

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func values() []value {
	tps := partitionsNamed([]string{"a/0", "a/7", "b/3"})
	return []value{
		{producerID: 1000, prevID: noProducer, nextID: noProducer, lastEpoch: noEpoch, timeoutMillis: 60_000, started: noTime, updated: 1_700_000_000_000},
		{producerID: 1000, prevID: noProducer, nextID: noProducer, epoch: 7, lastEpoch: 6, timeoutMillis: 1, started: noTime, updated: 5},
		{producerID: 1 << 40, prevID: 1000, nextID: noProducer, lastEpoch: maxEpoch - 1, timeoutMillis: 1, started: noTime, updated: 5},
		{producerID: 1000, prevID: noProducer, nextID: noProducer, epoch: 3, lastEpoch: noEpoch, timeoutMillis: 1, phase: ongoing, version: 2, started: 4, updated: 5, partitions: tps},
		{producerID: 1000, prevID: noProducer, nextID: 2000, epoch: maxEpoch, lastEpoch: maxEpoch - 1, timeoutMillis: 1, phase: prepareCommit, version: 2, started: 4, updated: 5, partitions: tps},
		{producerID: 1000, prevID: noProducer, nextID: noProducer, epoch: 4, lastEpoch: noEpoch, timeoutMillis: 1, phase: prepareAbort, started: 4, updated: 5, partitions: tps},
		{producerID: 2000, prevID: 1000, nextID: noProducer, lastEpoch: maxEpoch - 1, timeoutMillis: 1, phase: completeCommit, version: 2, started: 4, updated: 5},
		{producerID: 1000, prevID: noProducer, nextID: noProducer, epoch: 4, lastEpoch: 3, timeoutMillis: 1, phase: completeAbort, version: 2, started: 4, updated: 5},
	}
}

// Version 1 says everything; version 0 all but what only this coordinator knows. An
// independent codec reads the same.
func TestRecords(t *testing.T) {
	for _, v := range values() {
		for version := int16(0); version <= 1; version++ {
			b := v.append(nil, version)
			want := v
			if version == 0 {
				want.prevID, want.nextID, want.version, want.lastEpoch = noProducer, noProducer, 0, noEpoch
			}
			if got, err := parseValue(b); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("version %d of %+v is read as %+v, %v", version, v, got, err)
			}
			compareWithKmsg(t, version, b, &v)
		}
	}
	k := appendKey(nil, "transäktion")
	if kind, id, err := parseKey(k); kind != 0 || id != "transäktion" || err != nil {
		t.Errorf("key is read as %d %q %v", kind, id, err)
	}
	var theirs kmsg.TxnMetadataKey
	if err := theirs.ReadFrom(k); err != nil || theirs.TransactionalID != "transäktion" || theirs.Version != 0 {
		t.Errorf("key is read by others as %+v, %v", theirs, err)
	}
}

func compareWithKmsg(t *testing.T, version int16, b []byte, v *value) {
	t.Helper()
	theirs := kmsg.NewTxnMetadataValue()
	if err := theirs.ReadFrom(b); err != nil {
		t.Fatalf("version %d of %+v: others say %v", version, v, err)
	}
	if theirs.Version != version || theirs.ProducerID != v.producerID || theirs.ProducerEpoch != v.epoch || theirs.TimeoutMillis != v.timeoutMillis ||
		phase(theirs.State) != v.phase || theirs.LastUpdateTimestamp != v.updated || theirs.StartTimestamp != v.started {
		t.Errorf("version %d of %+v is read by others as %+v", version, v, theirs)
	}
	if version == 1 && (theirs.PreviousProducerID != v.prevID || theirs.NextProducerID != v.nextID || theirs.ClientTransactionVersion != int16(v.version) || theirs.NextProducerEpoch != -1) {
		t.Errorf("tags of %+v are read by others as %+v", v, theirs)
	}
	var tps []model.TopicPartition
	for _, rt := range theirs.Topics {
		for _, p := range rt.Partitions {
			tps = append(tps, model.TopicPartition{Topic: rt.Topic, Partition: p})
		}
	}
	if !reflect.DeepEqual(tps, v.partitions) {
		t.Errorf("partitions of %+v are read by others as %v", v, tps)
	}
	if got, err := parseValue(theirs.AppendTo(nil)); err != nil || got.phase != v.phase || !reflect.DeepEqual(got.partitions, v.partitions) {
		t.Errorf("what others write of %+v is read as %+v, %v", v, got, err)
	}
}

// kafkaRecords were encoded by Apache Kafka 4.2.1, at transaction.version 0 and 2.
var kafkaRecords = map[string]value{
	"000000000000000003e800000000ea6000ffffffff0000018bcfe56800ffffffffffffffff": {
		producerID: 1000, prevID: noProducer, nextID: noProducer, lastEpoch: noEpoch, timeoutMillis: 60_000, started: noTime, updated: 1_700_000_000_000},
	"000000000000000003e800030000ea6001000000010005746f70696300000001000000000000018bcfe568020000018bcfe56801": {
		producerID: 1000, prevID: noProducer, nextID: noProducer, epoch: 3, lastEpoch: noEpoch, timeoutMillis: 60_000, phase: ongoing,
		started: 1_700_000_000_001, updated: 1_700_000_000_002, partitions: partitionsNamed([]string{"topic/0"})},
	"000000000000000003e800040000ea6002000000010005746f70696300000001000000000000018bcfe568030000018bcfe56801": {
		producerID: 1000, prevID: noProducer, nextID: noProducer, epoch: 4, lastEpoch: noEpoch, timeoutMillis: 60_000, phase: prepareCommit,
		started: 1_700_000_000_001, updated: 1_700_000_000_003, partitions: partitionsNamed([]string{"topic/0"})},
	"000000000000000003e800040000ea6005000000000000018bcfe568040000018bcfe56801": {
		producerID: 1000, prevID: noProducer, nextID: noProducer, epoch: 4, lastEpoch: noEpoch, timeoutMillis: 60_000, phase: completeAbort,
		started: 1_700_000_000_001, updated: 1_700_000_000_004},
	"000100000000000003e800000000ea6000000000018bcfe56800ffffffffffffffff00": {
		producerID: 1000, prevID: noProducer, nextID: noProducer, lastEpoch: noEpoch, timeoutMillis: 60_000, started: noTime, updated: 1_700_000_000_000},
	"000100000000000003e800030000ea60010206746f7069630200000000000000018bcfe568020000018bcfe568010102020002": {
		producerID: 1000, prevID: noProducer, nextID: noProducer, epoch: 3, lastEpoch: noEpoch, timeoutMillis: 60_000, phase: ongoing, version: 2,
		started: 1_700_000_000_001, updated: 1_700_000_000_002, partitions: partitionsNamed([]string{"topic/0"})},
	"000100000000000003e800040000ea60020206746f7069630200000000000000018bcfe568030000018bcfe568010102020002": {
		producerID: 1000, prevID: noProducer, nextID: noProducer, epoch: 4, lastEpoch: 3, timeoutMillis: 60_000, phase: prepareCommit, version: 2,
		started: 1_700_000_000_001, updated: 1_700_000_000_003, partitions: partitionsNamed([]string{"topic/0"})},
	"000100000000000003e800040000ea6005010000018bcfe568040000018bcfe568010102020002": {
		producerID: 1000, prevID: noProducer, nextID: noProducer, epoch: 4, lastEpoch: 3, timeoutMillis: 60_000, phase: completeAbort, version: 2,
		started: 1_700_000_000_001, updated: 1_700_000_000_004},
}

// What Kafka writes is read, and written in the same bytes.
func TestRecordsOfKafka(t *testing.T) {
	for text, want := range kafkaRecords {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseValue(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read as %+v, %v, want %+v", text, got, err, want)
		}
		if again := hex.EncodeToString(got.append(nil, int16(b[1]))); again != text {
			t.Errorf("%s is written as %s", text, again)
		}
	}
}

func TestMalformedRecords(t *testing.T) {
	for _, v := range values() {
		for version := int16(0); version <= 1; version++ {
			b := v.append(nil, version)
			for n := range b {
				if _, err := parseValue(b[:n]); err == nil {
					t.Fatalf("%d of %d bytes of %+v are read", n, len(b), v)
				}
			}
		}
	}
	b := (&value{}).append(nil, 0)
	b[1] = 2
	if _, err := parseValue(b); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a version that is not known: %v", err)
	}
	for _, state := range []byte{6, 7, 200} {
		b := (&value{}).append(nil, 0)
		b[2+8+2+4] = state
		if _, err := parseValue(b); err == nil {
			t.Errorf("state %d is read", state)
		}
	}
	for _, k := range [][]byte{nil, {0}, {0, 0}, {0, 0, 0, 9, 'x'}, {0, 0, 255, 255}} {
		if _, _, err := parseKey(k); err == nil {
			t.Errorf("key %x is read", k)
		}
	}
}

func FuzzRecords(f *testing.F) {
	for _, v := range values() {
		f.Add(v.append(nil, 0))
		f.Add(v.append(nil, 1))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseValue(b)
		if err != nil {
			return
		}
		if v.phase == empty {
			v.partitions = nil // are not written
		}
		for version := int16(0); version <= 1; version++ {
			again, err := parseValue(v.append(nil, version))
			if err != nil || version == 1 && !reflect.DeepEqual(again, v) {
				t.Fatalf("%+v is read as %+v, %v", v, again, err)
			}
		}
	})
}
