package commitlog

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

func fileNames(t *testing.T, fsys vfs.FS) string {
	t.Helper()
	entries := must[[]fs.DirEntry](t)(fsys.ReadDir(testDir))
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimLeft(e.Name(), "0"))
	}
	return strings.Join(names, " ")
}

// A new log has a segment at its start and the topic's id; a roll and a clean close add
// Kafka's other files.
func TestFiles(t *testing.T) {
	mem := newMem(t)
	l := mustOpen(t, testOptions(mem, testConfig()))
	if got, want := fileNames(t, mem), ".log partition.metadata"; got != want {
		t.Errorf("files of an empty log: %s, want %s", got, want)
	}
	must[Appended](t)(l.AppendLeader(plain(3, 10, 1000), 4, Client))
	if err := l.Roll(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	want := ".index .log .timeindex 3.index 3.log 3.snapshot 3.timeindex leader-epoch-checkpoint partition.metadata"
	if got := fileNames(t, mem); got != want {
		t.Errorf("files: %s, want %s", got, want)
	}
	for name, want := range map[string]string{
		epochsName: "0\n1\n4 0\n", metadataName: "version: 0\ntopic_id: AQIDBAUGBwgJCgsMDQ4PEA",
	} {
		if got := must[[]byte](t)(vfs.ReadFile(mem, testDir+"/"+name)); string(got) != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// One bit of the topic id changes, whichever: the log opens, with its records, and the id is
// written anew.
func TestTopicIDDamaged(t *testing.T) {
	mem := newMem(t)
	o := testOptions(mem, testConfig())
	o.ID.Topic = model.ID{0x9c, 0x0d, 0x4e, 0x7f, 1, 0xb2, 0x5c, 0x46, 0xaa, 3, 0x66, 0xe0, 0x17, 0xfe, 0x51, 0xd3}
	l := must[*Log](t)(Open(o))
	must[Appended](t)(l.AppendLeader(plain(3, 10, 1000), 4, Client))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	name := testDir + "/" + metadataName
	whole := must[[]byte](t)(vfs.ReadFile(mem, name))
	for i := range 8 * len(whole) {
		text := slices.Clone(whole)
		text[i/8] ^= 1 << (i % 8)
		if err := vfs.WriteFileDurable(mem, name, text, 0o644); err != nil {
			t.Fatal(err)
		}
		l, err := Open(o)
		if err != nil {
			t.Fatalf("bit %d: %v", i, err)
		}
		if l.End() != 3 {
			t.Fatalf("bit %d: the log ends at %d", i, l.End())
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if got := must[[]byte](t)(vfs.ReadFile(mem, name)); !bytes.Equal(got, whole) {
			// The same id by another text: what is left over of the last character.
			if id, err := parseMetadata(string(got)); err != nil || id != o.ID.Topic {
				t.Fatalf("bit %d: %q is not mended", i, got)
			}
		}
	}
}

// Another topic's folder is refused.
func TestTopicID(t *testing.T) {
	mem := newMem(t)
	must[*Log](t)(Open(testOptions(mem, testConfig())))
	o := testOptions(mem, testConfig())
	o.ID.Topic[0]++
	if _, err := Open(o); !errors.Is(err, ErrTopicID) {
		t.Fatalf("error %v, want %v", err, ErrTopicID)
	}
}

func TestReadOutOfRange(t *testing.T) {
	l := mustOpen(t, testOptions(newMem(t), testConfig()))
	must[Appended](t)(l.AppendLeader(plain(3, 10, 1000), 0, Client))
	for offset, want := range map[int64]error{-1: kerr.OffsetOutOfRange, 4: kerr.OffsetOutOfRange, 3: nil, 0: nil} {
		s, err := l.Read(offset, 3, 100, true)
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("read at %d: %v, want %v", offset, err, want)
		}
		s.Release()
	}
}

// producerBatch builds a batch of an idempotent producer.
func producerBatch(t *testing.T, n int, epoch int16, seq int32) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.BuilderConfig{ProducerID: 7, ProducerEpoch: epoch, BaseSequence: seq, Idempotent: true})
	for i := range n {
		b.Append(record.Record{Offset: int64(i), Timestamp: 1000, Value: []byte("v")})
	}
	return must[record.Batch](t)(b.Build())
}

// A batch that is sent again is answered as the first time and written once; one that
// does not follow is refused. The state outlives a clean close, a kill and a power cut.
func TestIdempotence(t *testing.T) {
	mem := newMem(t)
	l := mustOpen(t, testOptions(mem, testConfig()))
	for i := range int32(7) {
		must[Appended](t)(l.AppendLeader(producerBatch(t, 2, 0, 2*i), 0, Client))
	}
	check := func(what string) {
		t.Helper()
		for seq := int32(4); seq <= 12; seq += 2 {
			a, err := l.AppendLeader(producerBatch(t, 2, 0, seq), 0, Client)
			if err != nil || !a.Duplicate || a.Base != int64(seq) || a.End != int64(seq)+2 || a.Bytes != 0 {
				t.Errorf("%s: again from sequence %d: %+v, %v", what, seq, a, err)
			}
		}
		if _, err := l.AppendLeader(producerBatch(t, 2, 0, 16), 0, Client); !errors.Is(err, kerr.OutOfOrderSequenceNumber) {
			t.Errorf("%s: after a gap: %v", what, err)
		}
		if _, err := l.AppendLeader(producerBatch(t, 2, -1, 14), 0, Client); err == nil {
			t.Errorf("%s: older epoch was taken", what)
		}
		if l.End() != 14 {
			t.Errorf("%s: log ends at %d, want 14", what, l.End())
		}
	}
	check("open")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o := testOptions(mem, testConfig())
	o.Clean = true
	l = mustOpen(t, o)
	check("closed and opened")
	o.Clean, o.RecoveryPoint = false, 14
	mem = mem.Kill()
	o.FS = mem
	l = mustOpen(t, o)
	check("killed")
	must[int64](t)(l.Sync())
	o.FS = mem.Crash(newRand(1))
	l = mustOpen(t, o)
	check("power cut")
}

// A full disk refuses an append, leaves the log as it was, and takes the next one when
// there is room again.
func TestFullDisk(t *testing.T) {
	mem := newMem(t)
	l := mustOpen(t, testOptions(mem, testConfig()))
	must[Appended](t)(l.AppendLeader(plain(3, 100, 1000), 0, Client))
	before := readAll(t, l, 0, 1000)
	mem.SetSize(l.Size() + 200)
	for range 3 {
		_, err := l.AppendLeader(plain(5, 100, 1000), 0, Client)
		if !errors.Is(err, vfs.ErrNoSpace) || !errors.Is(err, kerr.KafkaStorageError) {
			t.Fatalf("append to a full disk: %v", err)
		}
	}
	if got := readAll(t, l, 0, 1000); !bytes.Equal(got, before) || l.End() != 3 {
		t.Fatalf("the log changed: it ends at %d", l.End())
	}
	if size := must[fs.FileInfo](t)(mem.Stat(testDir + "/00000000000000000000.log")).Size(); size != l.Size() {
		t.Fatalf("file has %d bytes, want %d", size, l.Size())
	}
	mem.SetSize(1 << 30)
	if a, err := l.AppendLeader(plain(5, 100, 1000), 0, Client); err != nil || a.Base != 3 {
		t.Fatalf("append after there was room: %+v, %v", a, err)
	}
}

// A failed sync is never retried: the log takes no more writes, and still reads.
func TestFailedSync(t *testing.T) {
	faulty := vfs.NewFaulty(newMem(t), nil)
	l := mustOpen(t, testOptions(faulty, testConfig()))
	must[Appended](t)(l.AppendLeader(plain(3, 100, 1000), 0, Client))
	faulty.SetRule(func(op vfs.Op, _ string) error {
		if op == vfs.OpSync {
			return vfs.LostSync{}
		}
		return nil
	})
	if _, err := l.Sync(); !errors.Is(err, kerr.KafkaStorageError) {
		t.Fatalf("sync: %v", err)
	}
	faulty.SetRule(nil)
	if n, err := l.Sync(); err == nil {
		t.Fatalf("a second sync says %d is durable", n)
	}
	if _, err := l.AppendLeader(plain(1, 1, 1), 0, Client); !errors.Is(err, kerr.KafkaStorageError) {
		t.Fatalf("append after a failed sync: %v", err)
	}
	if l.RecoveryPoint() != 0 {
		t.Fatalf("recovery point is %d", l.RecoveryPoint())
	}
	readAll(t, l, 0, 1000)
}

// Damage below the recovery point is found when it is read, and told apart from an error
// of the disk.
func TestCorruptBelowRecoveryPoint(t *testing.T) {
	mem := newMem(t)
	l := mustOpen(t, testOptions(mem, testConfig()))
	for range 10 {
		must[Appended](t)(l.AppendLeader(plain(3, 100, 1000), 0, Client))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f := must[vfs.File](t)(mem.OpenFile(testDir+"/00000000000000000000.log", 2, 0))
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, 61), 0); err != nil {
		t.Fatal(err)
	}
	o := testOptions(mem, testConfig())
	o.Clean = true
	l = mustOpen(t, o)
	if _, err := l.Read(1, 30, 100, true); !errors.Is(err, kerr.CorruptMessage) {
		t.Fatalf("read of damaged bytes: %v", err)
	}
	if s, err := l.Read(27, 30, 1000, true); err != nil || s.Len == 0 {
		t.Fatalf("read behind the damage: %v", err)
	}
}

// Indexes that are missing, cut, or of another log are made anew.
func TestWrongIndexes(t *testing.T) {
	damage := map[string]func(vfs.FS, string) error{
		"missing": func(fsys vfs.FS, name string) error { return fsys.Remove(name) },
		"empty":   func(fsys vfs.FS, name string) error { return vfs.WriteFileDurable(fsys, name, nil, 0o644) },
		"garbage": func(fsys vfs.FS, name string) error {
			return vfs.WriteFileDurable(fsys, name, bytes.Repeat([]byte{1, 2, 3, 9, 7}, 50), 0o644)
		},
		"shifted": func(fsys vfs.FS, name string) error {
			b, err := vfs.ReadFile(fsys, name)
			if err != nil || len(b) == 0 {
				return err
			}
			for i := 7; i < len(b); i += 8 {
				b[i] ^= 1
			}
			return vfs.WriteFileDurable(fsys, name, b, 0o644)
		},
		"preallocated": func(fsys vfs.FS, name string) error {
			f, err := fsys.OpenFile(name, 2, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			return f.Truncate(10 << 20)
		},
	}
	for what, do := range damage {
		for _, clean := range []bool{true, false} {
			mem := newMem(t)
			c := testConfig()
			c.IndexIntervalBytes = 100
			l := mustOpen(t, testOptions(mem, c))
			for i := range 100 {
				must[Appended](t)(l.AppendLeader(plain(3, 50, int64(1000*i)), 0, Client))
			}
			want := readAll(t, l, 0, 1000)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			for _, s := range l.segs {
				for _, ext := range []string{indexExt, timeIndexExt} {
					if err := do(mem, l.path(s.base, ext)); err != nil {
						t.Fatal(err)
					}
				}
			}
			o := testOptions(mem, c)
			o.Clean, o.RecoveryPoint = clean, 250
			l = mustOpen(t, o)
			if got := readAll(t, l, 0, 1000); !bytes.Equal(got, want) {
				t.Errorf("%s, clean %v: the log reads otherwise", what, clean)
			}
			for offset := int64(0); offset < 300; offset += 7 {
				s, err := l.Read(offset, 300, 1, true)
				if err != nil {
					t.Fatalf("%s, clean %v: read at %d: %v", what, clean, offset, err)
				}
				got := must[[]byte](t)(s.ReadAll(nil))
				if b := record.Batch(got); b.BaseOffset() > offset || b.NextOffset() <= offset {
					t.Errorf("%s, clean %v: read at %d begins at %d", what, clean, offset, b.BaseOffset())
				}
				s.Release()
			}
		}
	}
}

// A slice outlives the segment that it lies in.
func TestSliceOutlivesDeletion(t *testing.T) {
	mem := newMem(t)
	c := testConfig()
	c.RetentionBytes = 0
	l := mustOpen(t, testOptions(mem, c))
	batch := plain(3, 100, 1000)
	must[Appended](t)(l.AppendLeader(batch, 0, Client))
	s := must[Slice](t)(l.Read(0, 3, 1000, true))
	if n, err := l.Retain(3, time.Now()); n != 1 || err != nil {
		t.Fatalf("deleted %d segments, %v", n, err)
	}
	if l.Start() != 3 {
		t.Fatalf("log starts at %d", l.Start())
	}
	if got := must[[]byte](t)(s.ReadAll(nil)); !bytes.Equal(got, batch) {
		t.Fatal("slice reads otherwise")
	}
	s.Release()
	if names := fileNames(t, mem); strings.Contains(names, "0.log") || strings.Contains(names, deletedSuffix) {
		t.Fatalf("files are left: %s", names)
	}
}

// An abandoned log is left as it is, and a sync of it that was asked for before is none.
func TestAbandon(t *testing.T) {
	mem := newMem(t)
	l := mustOpen(t, testOptions(mem, testConfig()))
	must[Appended](t)(l.AppendLeader(plain(3, 100, 1000), 0, Client))
	names := fileNames(t, mem)
	if err := l.Abandon(); err != nil {
		t.Fatal(err)
	}
	if end, err := l.Sync(); end != l.End() || err != nil {
		t.Errorf("Sync = %d, %v", end, err)
	}
	if err := errors.Join(l.Abandon(), l.Close()); err != nil {
		t.Errorf("once more: %v", err)
	}
	if got := fileNames(t, mem); got != names {
		t.Errorf("files %s, before %s", got, names)
	}
	if l.RecoveryPoint() != 0 {
		t.Errorf("recovery point %d", l.RecoveryPoint())
	}
}

// Deleted files stay under another name for file.delete.delay.ms.
func TestDeleteDelay(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem := newMem(t)
		c := testConfig()
		c.RetentionMs, c.FileDeleteDelay = 60_000, time.Minute
		l := mustOpen(t, testOptions(mem, c))
		must[Appended](t)(l.AppendLeader(plain(3, 100, time.Now().UnixMilli()), 0, Client))
		retain := func() int { return must[int](t)(l.Retain(3, time.Now())) }
		if retain() != 0 {
			t.Fatal("deleted before its time")
		}
		time.Sleep(61 * time.Second)
		if n, err := l.Retain(2, time.Now()); n != 0 || err != nil {
			t.Fatalf("deleted %d segments that are not below the high watermark, %v", n, err)
		}
		if retain() != 1 {
			t.Fatal("not deleted")
		}
		if names := fileNames(t, mem); !strings.Contains(names, ".log"+deletedSuffix) {
			t.Fatalf("file is gone at once: %s", names)
		}
		time.Sleep(time.Minute)
		retain()
		if names := fileNames(t, mem); strings.Contains(names, deletedSuffix) {
			t.Fatalf("file is still there: %s", names)
		}
	})
}

// Segments roll by the time of their records, not by the clock.
func TestRollByTime(t *testing.T) {
	for _, c := range []struct {
		name   string
		config func(*Config)
		times  []int64
		want   int
	}{
		{"younger than segment.ms", func(c *Config) { c.SegmentMs = 1000 }, []int64{0, 500, 990}, 1},
		{"older", func(c *Config) { c.SegmentMs = 1000 }, []int64{0, 500, 1100}, 2},
		{"back in time", func(c *Config) { c.SegmentMs = 1000 }, []int64{5000, 100, 4000}, 1},
		{"compaction lag", func(c *Config) { c.SegmentMs, c.Compact, c.MaxCompactionLagMs = 1000, true, 100 }, []int64{0, 200}, 2},
		{"lag of a log that is not compacted", func(c *Config) { c.SegmentMs, c.MaxCompactionLagMs = 1000, 100 }, []int64{0, 200}, 1},
		{"full index", func(c *Config) { c.IndexIntervalBytes, c.SegmentIndexBytes = 0, 36 }, []int64{1, 2, 3, 4, 5}, 2},
	} {
		config := testConfig()
		c.config(&config)
		l := mustOpen(t, testOptions(newMem(t), config))
		for _, ts := range c.times {
			must[Appended](t)(l.AppendLeader(plain(1, 10, 10_000+ts), 0, Client))
		}
		if l.Segments() != c.want {
			t.Errorf("%s: %d segments, want %d", c.name, l.Segments(), c.want)
		}
	}
}

// EpochEnd answers as KIP-101 and KIP-279 say.
func TestEpochEnd(t *testing.T) {
	e := epochs{}.assign(2, 10).assign(4, 20).assign(4, 25).assign(7, 30)
	for _, c := range []struct {
		epoch, want int32
		end         int64
	}{
		{-1, model.NoEpoch, -1}, {1, 1, 10}, {2, 2, 20}, {3, 2, 20}, {4, 4, 30}, {6, 4, 30}, {7, 7, 42}, {8, model.NoEpoch, -1},
	} {
		if epoch, end := e.end(c.epoch, 42); epoch != c.want || end != c.end {
			t.Errorf("end of epoch %d is %d of %d, want %d of %d", c.epoch, end, epoch, c.end, c.want)
		}
	}
	if epoch, end := (epochs{}).end(0, 42); epoch != model.NoEpoch || end != -1 {
		t.Errorf("end of an epoch of an empty log is %d of %d", end, epoch)
	}
}

func TestFollowerErrors(t *testing.T) {
	l := mustOpen(t, testOptions(newMem(t), testConfig()))
	must[Appended](t)(l.AppendLeader(plain(3, 10, 1000), 5, Client))
	batch := func(offset int64, epoch int32) []byte {
		b := plain(2, 10, 1000)
		b.Stamp(offset, epoch)
		return b
	}
	bad := batch(3, 5)
	bad[len(bad)-1]++
	for what, c := range map[string]struct {
		bytes []byte
		want  error
	}{
		"below the end": {batch(2, 5), ErrUnexpectedOffset},
		"epoch falls":   {batch(3, 4), ErrInvariant},
		"damaged":       {bad, kerr.CorruptMessage},
		"cut":           {batch(3, 5)[:70], kerr.CorruptMessage},
		"overlapping":   {append(batch(3, 5), batch(4, 5)...), ErrUnexpectedOffset},
	} {
		if _, err := l.AppendFollower(c.bytes); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	if a, err := l.AppendFollower(batch(10, 6)); err != nil || a.End != 12 {
		t.Errorf("a gap of a compacted leader: %+v, %v", a, err)
	}
	if s, err := l.Read(4, 12, 1000, true); err != nil || s.Next != 12 || s.Len == 0 {
		t.Errorf("read in the gap: %+v, %v", s, err)
	}
}
