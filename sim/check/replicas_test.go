package check

import (
	"fmt"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/producers"
	"github.com/odradek/odradek/sim/history"
)

// folder is a partition's folder before it is written: two segments of batches.
type folder struct {
	segments  [2][]record.Batch
	epochs    string
	snapshot  []byte
	high      int64
	byteToRot int
}

// goodFolder has six batches of two records, of a producer, in the epochs 3 and 5.
func goodFolder() *folder {
	f := &folder{epochs: "0\n2\n3 0\n5 6\n", high: 12}
	var state producers.State
	for n := range int64(6) {
		epoch := int32(3)
		if n >= 3 {
			epoch = 5
		}
		b := twoRecords(2*n, epoch, "value")
		if n < 4 {
			f.segments[0] = append(f.segments[0], b)
			state.Apply(b)
		} else {
			f.segments[1] = append(f.segments[1], b)
		}
	}
	f.snapshot = state.Snapshot()
	return f
}

func twoRecords(base int64, epoch int32, value string) record.Batch {
	b := record.NewBuilder(record.BuilderConfig{BaseOffset: base, Epoch: epoch, ProducerID: 9, BaseSequence: int32(base)})
	for range 2 {
		b.Append(record.Record{Key: []byte("k"), Value: []byte(value), Timestamp: 1000})
	}
	batch, err := b.Build()
	if err != nil {
		panic(err)
	}
	return batch
}

func (f *folder) write(t *testing.T) Replica {
	t.Helper()
	mem := vfs.NewMem()
	write := func(name string, b []byte) {
		if err := vfs.WriteFileDurable(mem, "/p/"+name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := mem.MkdirAll("/p", 0o755); err != nil {
		t.Fatal(err)
	}
	for i, batches := range f.segments {
		var all []byte
		for _, b := range batches {
			all = append(all, b...)
		}
		if i == 0 && f.byteToRot > 0 {
			all[f.byteToRot] ^= 1
		}
		write(fmt.Sprintf("%020d.log", i*8), all)
	}
	write("00000000000000000008.snapshot", f.snapshot)
	write("leader-epoch-checkpoint", []byte(f.epochs))
	return Replica{FS: mem, Dir: "/p", High: f.high}
}

// Two good folders are the same, and each that is spoiled is found out.
func TestReplicas(t *testing.T) {
	for _, c := range []struct {
		name      string
		want      string // part of the first violation; "" is none
		compacted bool
		spoil     func(f *folder)
	}{
		{"good", "", false, func(*folder) {}},
		{"good, and compacted", "", true, func(f *folder) { f.segments[0] = f.segments[0][1:] }},
		{"a follower is behind", "", false, func(f *folder) { f.high, f.segments[1] = 10, f.segments[1][:1] }},
		{"above the high watermark they may differ", "", false, func(f *folder) {
			f.segments[1] = append(f.segments[1], twoRecords(12, 4, "of an old leader"))
		}},
		{"too short", "ends at 10", false, func(f *folder) { f.segments[1] = f.segments[1][:1] }},
		{"another record", "differ in the batches at 2 and 2", false, func(f *folder) { f.segments[0][1] = twoRecords(2, 3, "other") }},
		{"another record, and compacted", "differ in the record at 2", true, func(f *folder) { f.segments[0][1] = twoRecords(2, 3, "other") }},
		{"of another epoch", "leader epoch 4, and the checkpoint says 3", false, func(f *folder) { f.segments[0][2] = twoRecords(4, 4, "value") }},
		{"of another epoch, which the checkpoint knows", "differ in the batches at 4 and 4", false, func(f *folder) {
			f.segments[0][2], f.epochs = twoRecords(4, 4, "value"), "0\n3\n3 0\n4 4\n5 6\n"
		}},
		{"epochs go back", "after 3", false, func(f *folder) { f.segments[0][2] = twoRecords(4, 2, "value") }},
		{"the checkpoint lacks an epoch", "the checkpoint says 3", false, func(f *folder) { f.epochs = "0\n1\n3 0\n" }},
		{"the checkpoint is no such", "its epochs", false, func(f *folder) { f.epochs = "0\n1\nx y\n" }},
		{"a hole", "nothing from 2 to 4", false, func(f *folder) { f.segments[0] = append(f.segments[0][:1], f.segments[0][2:]...) }},
		{"an offset twice", "comes after", false, func(f *folder) { f.segments[0] = append(f.segments[0], f.segments[0][3]) }},
		{"rot", "corrupt", false, func(f *folder) { f.byteToRot = 62 }},
		{"a snapshot of other producers", "remembers", false, func(f *folder) {
			var s producers.State
			s.Apply(twoRecords(4, 3, "value"))
			f.snapshot = s.Snapshot()
		}},
		{"a snapshot that a power cut tore", "", false, func(f *folder) { f.snapshot = f.snapshot[:7] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := goodFolder()
			c.spoil(f)
			found := Replicas(history.Place{Topic: "a"}, []Replica{goodFolder().write(t), f.write(t)}, c.compacted)
			switch {
			case c.want == "" && len(found) > 0:
				t.Error(found)
			case c.want != "" && (len(found) == 0 || !strings.Contains(found[0].Text, c.want)):
				t.Errorf("found %v, want %q", found, c.want)
			}
		})
	}
}

// A snapshot that lacks an open transaction is found out.
func TestReplicasForgetTransaction(t *testing.T) {
	f := goodFolder()
	b := record.NewBuilder(record.BuilderConfig{BaseOffset: 6, Epoch: 5, ProducerID: 10, Transactional: true})
	b.Append(record.Record{Value: []byte("a")})
	b.Append(record.Record{Value: []byte("b")})
	var err error
	if f.segments[0][3], err = b.Build(); err != nil {
		t.Fatal(err)
	}
	var s producers.State
	for _, b := range f.segments[0][:3] {
		s.Apply(b)
	}
	f.snapshot = s.Snapshot()
	found := Replicas(history.Place{Topic: "a"}, []Replica{f.write(t)}, false)
	if len(found) != 1 || !strings.Contains(found[0].Text, "open since 6") {
		t.Errorf("found %v", found)
	}
}
