package commitlog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
)

const testDir = "/data/orders-0"

var testID = model.IDPartition{Topic: model.ID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}}

// plain builds a batch of n records with values of size bytes, from timestamp ts on.
func plain(n, size int, ts int64) record.Batch {
	b := record.NewBuilder(record.BuilderConfig{})
	for i := range n {
		b.Append(record.Record{Offset: int64(i), Timestamp: ts + int64(i), Value: bytes.Repeat([]byte{byte(ts + int64(i))}, size)})
	}
	batch, err := b.Build()
	if err != nil {
		panic(err)
	}
	return batch
}

func testConfig() Config {
	c := Default()
	c.SegmentBytes, c.IndexIntervalBytes = 4096, 256
	c.FileDeleteDelay = 0
	return c
}

func testOptions(fsys vfs.FS, c Config) Options {
	return Options{FS: fsys, Dir: testDir, ID: testID, Topic: "orders", Config: c}
}

func mustOpen(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newMem(t testing.TB) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem()
	if err := vfs.MkdirAllDurable(m, "/data", 0o755); err != nil {
		t.Fatal(err)
	}
	return m
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// readAll reads the log from offset to the end by reads of up to maxBytes.
func readAll(t testing.TB, l *Log, from int64, maxBytes int) []byte {
	t.Helper()
	var all []byte
	for from < l.End() {
		s, err := l.Read(from, l.End(), maxBytes, true)
		if err != nil {
			t.Fatalf("read at %d: %v", from, err)
		}
		if s.Len == 0 && s.Next == from {
			break
		}
		if all, err = s.ReadAll(all); err != nil {
			t.Fatal(err)
		}
		if s.Next <= from {
			t.Fatalf("read at %d goes on at %d", from, s.Next)
		}
		from = s.Next
		s.Release()
	}
	return all
}

// offsetsOf lists the batches in bytes as [base, next) and checks them.
func offsetsOf(t testing.TB, all []byte) (list []string) {
	t.Helper()
	for b, err := range Batches(all) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%d-%d/%d", b.BaseOffset(), b.NextOffset(), b.LeaderEpoch()))
	}
	return list
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }
