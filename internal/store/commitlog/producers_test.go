package commitlog

import (
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/record"
)

// A bit that turns in the position of an index entry may have it lead beyond the file. Producers
// are read all the same, and what is cut ends where it should.
func TestIndexThatLeadsAnywhere(t *testing.T) {
	of := func(sequence int32) record.Batch {
		b := record.NewBuilder(record.BuilderConfig{ProducerID: 7, BaseSequence: sequence})
		b.Append(record.Record{Timestamp: 1, Value: []byte("v")})
		return must[record.Batch](t)(b.Build())
	}
	c := testConfig()
	c.IndexIntervalBytes = 100
	for bit := range int64(32) {
		mem := newMem(t)
		l := mustOpen(t, testOptions(mem, c))
		for i := range int32(10) {
			must[Appended](t)(l.AppendLeader(of(i), 0, Client))
		}
		if err := l.Close(); err != nil { // takes a snapshot
			t.Fatal(err)
		}
		o := testOptions(mem, c)
		o.Clean = true
		l = mustOpen(t, o)
		for i := range int32(10) {
			must[Appended](t)(l.AppendLeader(of(10+i), 0, Client))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := mem.Remove(testDir + "/" + fileName(20, snapshotExt)); err != nil {
			t.Fatal(err)
		}
		l = mustOpen(t, o)
		first := must[Slice](t)(l.Read(5, 6, 1, true)) // what is wrong with the index by now is seen
		first.Release()
		name := testDir + "/" + fileName(0, indexExt)
		size := int64(len(must[[]byte](t)(vfs.ReadFile(mem, name))))
		for at := int64(4); at < size; at += offsetEntry {
			if err := mem.Rot(name, 8*at+bit); err != nil {
				t.Fatal(err)
			}
		}
		if a := must[Appended](t)(l.AppendLeader(of(19), 0, Client)); !a.Duplicate || a.Base != 19 {
			t.Errorf("bit %d: the last record again: %+v", bit, a)
		}
		must[Appended](t)(l.AppendLeader(of(20), 0, Client))
		if err := l.TruncateTo(15); err != nil || l.End() != 15 {
			t.Errorf("bit %d: cut at 15, it ends at %d: %v", bit, l.End(), err)
		}
	}
}
