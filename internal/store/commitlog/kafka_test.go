package commitlog

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
)

// testdata/kafka is the folder of a partition that Apache Kafka 4.2.1 wrote and closed:
// 400 records, by an idempotent producer, "k<i%20>" and "value-<i>-xxx…", i from 1 on.
func kafkaFolder(t *testing.T) (*vfs.Mem, Options) {
	t.Helper()
	return folderOf(t, "testdata/kafka", "hgCbRF82SS-RSRJTirvsnQ", 400)
}

func folderOf(t *testing.T, from, id string, end int64) (*vfs.Mem, Options) {
	t.Helper()
	mem := newMem(t)
	if err := mem.MkdirAll(testDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, e := range must[[]fs.DirEntry](t)(os.ReadDir(from)) {
		b := must[[]byte](t)(os.ReadFile(filepath.Join(from, e.Name())))
		if err := vfs.WriteFileDurable(mem, testDir+"/"+e.Name(), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	o := testOptions(mem, Default())
	o.ID.Topic = must[model.ID](t)(model.ParseID(id))
	o.RecoveryPoint, o.Clean = end, true
	return mem, o
}

func checkKafkaRecords(t *testing.T, l *Log) {
	t.Helper()
	i := 0
	for b, err := range Batches(readAll(t, l, 0, 5000)) {
		if err != nil {
			t.Fatal(err)
		}
		for r, err := range b.Records(record.Limits{}) {
			if err != nil {
				t.Fatal(err)
			}
			i++
			if string(r.Key) != "k"+strconv.Itoa(i%20) || !strings.HasPrefix(string(r.Value), "value-"+strconv.Itoa(i)+"-") || r.Offset != int64(i-1) {
				t.Fatalf("record %d is %q at %d", i, r.Key, r.Offset)
			}
		}
	}
	if i != 400 || l.End() != 400 {
		t.Fatalf("%d records, end %d", i, l.End())
	}
}

// A folder that Kafka closed opens, tells of Kafka's producer, and goes on.
func TestOpenKafkaFolder(t *testing.T) {
	_, o := kafkaFolder(t)
	l := mustOpen(t, o)
	checkKafkaRecords(t, l)
	if l.LatestEpoch() != 0 {
		// Kafka noted epoch 2 at the end, where no record is yet.
		t.Errorf("latest epoch %d", l.LatestEpoch())
	}
	entries, err := l.Producers()
	if err != nil || len(entries) != 1 || entries[0].LastSequence != 399 || entries[0].LastOffset != 399 {
		t.Errorf("producers %+v, %v", entries, err)
	}
	last := must[TimestampOffset](t)(l.MaxTimestamp())
	if first := must[TimestampOffset](t)(l.OffsetForTimestamp(last.Timestamp, 400)); first != last {
		t.Errorf("first record of the greatest timestamp: %+v and %+v", first, last)
	}
	if a, err := l.AppendLeader(plain(2, 10, last.Timestamp), 3, Client); err != nil || a.Base != 400 {
		t.Fatalf("append: %+v, %v", a, err)
	}
}

// A folder of a Kafka that was killed opens: its indexes are 10 MiB of reserved space,
// there is no snapshot, and its last records were not synced.
func TestOpenKilledKafkaFolder(t *testing.T) {
	mem, o := kafkaFolder(t)
	for name, size := range map[string]int64{"00000000000000000000.index": 10485760, "00000000000000000000.timeindex": 10485756} {
		f := must[vfs.File](t)(mem.OpenFile(testDir+"/"+name, os.O_RDWR, 0))
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
	}
	if err := mem.Remove(testDir + "/00000000000000000400.snapshot"); err != nil {
		t.Fatal(err)
	}
	for _, rp := range []int64{0, 108, 400} {
		o.RecoveryPoint, o.Clean = rp, false
		l := mustOpen(t, o)
		checkKafkaRecords(t, l)
		if entries, err := l.Producers(); err != nil || len(entries) != 1 || entries[0].LastSequence != 399 {
			t.Errorf("producers %+v, %v", entries, err)
		}
	}
}

// The files that are written are Kafka's, byte for byte: appending Kafka's batches gives
// Kafka's log, indexes and snapshot.
func TestWriteWhatKafkaWrites(t *testing.T) {
	_, o := kafkaFolder(t)
	log := readAll(t, mustOpen(t, o), 0, 1<<20)
	o.FS, o.RecoveryPoint, o.Clean = newMem(t), 0, false
	o.Config.IndexIntervalBytes = 300
	l := mustOpen(t, o)
	for b, err := range Batches(log) {
		if err != nil {
			t.Fatal(err)
		}
		must[Appended](t)(l.AppendFollower(b))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"00000000000000000000.log", "00000000000000000000.index", "00000000000000000000.timeindex", "partition.metadata"} {
		want := must[[]byte](t)(os.ReadFile(filepath.Join("testdata/kafka", name)))
		if got := must[[]byte](t)(vfs.ReadFile(o.FS, testDir+"/"+name)); !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes differ from Kafka's %d", name, len(got), len(want))
		}
	}
}
