package commitlog

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/store/producers"
)

// testdata/kafka-txn is the folder of a partition that Apache Kafka 4.2.1 wrote and closed:
// three producers in turns, whose transactions overlap, commit and abort; one is left open
// at the end.
func kafkaTxns(t *testing.T) (*vfs.Mem, Options) {
	t.Helper()
	return folderOf(t, "testdata/kafka-txn", kafkaTxnsID, kafkaTxnsEnd)
}

const (
	kafkaTxnsID  = "ObYXBLPNTT6LTAdhk1rO0w"
	kafkaTxnsEnd = 92
)

// What Kafka says of transactions is believed where it closed the folder; where it was
// killed, or its index is gone or damaged, the same is found in the log.
func TestOpenKafkaTxns(t *testing.T) {
	var want []AbortedTxn
	var entries []producers.Entry
	for name, harm := range map[string]func(*vfs.Mem, *Options){
		"closed": func(*vfs.Mem, *Options) {},
		"killed": func(_ *vfs.Mem, o *Options) { o.Clean, o.RecoveryPoint = false, 0 },
		"killed, without its last words": func(m *vfs.Mem, o *Options) {
			o.Clean, o.RecoveryPoint = false, 0
			index := must[[]byte](t)(vfs.ReadFile(m, testDir+"/00000000000000000000.txnindex"))
			overwrite(t, m, ".txnindex", index[:5*txnEntry])
		},
		"damaged": func(m *vfs.Mem, _ *Options) {
			index := must[[]byte](t)(vfs.ReadFile(m, testDir+"/00000000000000000000.txnindex"))
			index[7*txnEntry] = 1 // of another version
			overwrite(t, m, ".txnindex", index)
		},
		"torn": func(m *vfs.Mem, _ *Options) {
			index := must[[]byte](t)(vfs.ReadFile(m, testDir+"/00000000000000000000.txnindex"))
			overwrite(t, m, ".txnindex", index[:len(index)-1])
		},
	} {
		mem, o := kafkaTxns(t)
		harm(mem, &o)
		l := mustOpen(t, o)
		aborted := must[[]AbortedTxn](t)(l.AbortedIn(0, kafkaTxnsEnd))
		known := must[[]producers.Entry](t)(l.Producers())
		if want == nil {
			want, entries = aborted, known
		}
		if len(aborted) < 10 || !cmp.Equal(aborted, want) {
			t.Errorf("%s: aborted transactions are %v, want %v", name, aborted, want)
		}
		if diff := cmp.Diff(entries, known); diff != "" {
			t.Errorf("%s: producers differ: %s", name, diff)
		}
		open := int64(kafkaTxnsEnd)
		for _, e := range known {
			if e.TxnFirstOffset >= 0 {
				open = e.TxnFirstOffset
			}
		}
		if m, err := l.Marks(kafkaTxnsEnd); err != nil || open == kafkaTxnsEnd || m.Stable != open {
			t.Errorf("%s: marks are %+v, %v; a transaction is open from %d on", name, m, err, open)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if got, kafka := readIndex(t, mem), must[[]byte](t)(os.ReadFile("testdata/kafka-txn/00000000000000000000.txnindex")); !bytes.Equal(got, kafka) {
			t.Errorf("%s: .txnindex has %d bytes, which differ from Kafka's %d", name, len(got), len(kafka))
		}
	}
}

// Appending what Kafka wrote gives its index, byte for byte, and its producers.
func TestWriteKafkasTxnIndex(t *testing.T) {
	_, o := kafkaTxns(t)
	log := readAll(t, mustOpen(t, o), 0, 1<<20)
	mem := newMem(t)
	o.FS, o.RecoveryPoint, o.Clean = mem, 0, false
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
	if got, want := readIndex(t, mem), must[[]byte](t)(os.ReadFile("testdata/kafka-txn/00000000000000000000.txnindex")); !bytes.Equal(got, want) {
		t.Errorf(".txnindex has %d bytes, which differ from Kafka's %d", len(got), len(want))
	}
	got := must[[]producers.Entry](t)(l.Producers())
	var kafka producers.State
	if err := kafka.Load(must[[]byte](t)(os.ReadFile("testdata/kafka-txn/00000000000000000092.snapshot")), kafkaTxnsEnd); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(kafka.Entries(), got); diff != "" {
		t.Errorf("producers are not Kafka's: %s", diff)
	}
}

func readIndex(t *testing.T, mem *vfs.Mem) []byte {
	t.Helper()
	return must[[]byte](t)(vfs.ReadFile(mem, testDir+"/00000000000000000000.txnindex"))
}

func overwrite(t *testing.T, mem *vfs.Mem, ext string, b []byte) {
	t.Helper()
	if err := vfs.WriteFileDurable(mem, testDir+"/00000000000000000000"+ext, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
