package host

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

func TestCheckpointText(t *testing.T) {
	c := checkpoint{{Topic: "b", Partition: 10}: 5, {Topic: "b", Partition: 9}: 0, {Topic: "a-1", Partition: 0}: 1 << 40}
	want := "0\n3\na-1 0 1099511627776\nb 9 0\nb 10 5\n"
	if got := string(c.text()); got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if got, err := parseCheckpoint(want); err != nil || !maps.Equal(got, c) {
		t.Errorf("parsed %v, %v", got, err)
	}
	for _, damaged := range []string{"", "0", "1\n0\n", "0\n2\na 0 1\n", "0\n1\na 0\n", "0\n1\na x 1\n", "0\n1\na 0 1x\n", "0\nx\n", "0\n1\na 99999999999 1\n"} {
		if got, err := parseCheckpoint(damaged); err == nil {
			t.Errorf("%q is read as %v", damaged, got)
		}
	}
}

func (r *rig) file(name string) string {
	r.t.Helper()
	b, err := vfs.ReadFile(r.disk, "/a/"+name)
	if err != nil {
		return ""
	}
	return string(b)
}

// Checkpoints are written when something has changed, say where each log stands, and are
// what the next start knows.
func TestCheckpoints(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.create("orders", 1, 3)
		for range 4 {
			r.mustPut("orders", 0, "k", "v")
		}
		r.mustPut("orders", 2, "k", "v")
		if start, err := r.host.DeleteRecords(r.partition("orders", 0), 3); err != nil || start != 3 {
			t.Fatalf("DeleteRecords = %d, %v", start, err)
		}
		r.end()
		for name, want := range map[string]string{
			recoveryPoints: "0\n2\norders 0 4\norders 2 1\n", logStarts: "0\n1\norders 0 3\n",
			highWatermarks: "0\n2\norders 0 4\norders 2 1\n",
		} {
			if got := r.file(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		r.start()
		if o, err := r.partition("orders", 0).Offsets(); err != nil || o.Start != 3 || o.End != 4 {
			t.Errorf("after a restart: %+v, %v", o, err)
		}
		r.end()
		if err := vfs.WriteFileDurable(r.disk, "/a/"+recoveryPoints, []byte("0\n7\norders 0 4\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := r.open(); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("start with a damaged checkpoint: %v", err)
		}
	})
}

// The mark of a clean shutdown names the broker's epoch. It is there only after an end in
// order, is taken away by the next start, and is believed of what it stood for.
func TestCleanMark(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		check := func(when string, epoch int64) {
			t.Helper()
			r.start()
			if got := r.host.CleanEpoch(); got != epoch {
				t.Errorf("%s: epoch %d, want %d", when, got, epoch)
			}
			if got := r.file(cleanMarker); got != "" {
				t.Errorf("%s: the mark is still there: %s", when, got)
			}
		}
		check("at first", -1)
		r.create("orders", 1, 2)
		r.mustPut("orders", 0, "k", "v")
		r.mustPut("orders", 1, "k", "v")
		r.end()
		if got := r.file(cleanMarker); got != `{"version":0,"brokerEpoch":7}` {
			t.Errorf("the mark is %s", got)
		}
		r.epoch = 8
		check("after an end in order", 7)
		r.mustPut("orders", 0, "k", "v")
		r.cut()
		check("after a power cut", -1)
		r.values("orders", 0)
		r.end()
		if got := r.file(cleanMarker); got != "" {
			t.Errorf("marked as clean though orders-1 was not looked at since the power cut: %s", got)
		}
		check("after that", -1)
		time.Sleep(6 * time.Minute) // retention visits all
		r.end()
		check("after all were looked at", 8)
		r.end()
		if err := vfs.WriteFileDurable(r.disk, "/a/"+cleanMarker, nil, 0o644); err != nil { // as Kafka's once was
			t.Fatal(err)
		}
		check("a mark without an epoch", -1)
		r.end()
	})
}

// A log start that was acknowledged outlives a power cut.
func TestDeleteRecordsIsDurable(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.create("orders", 1, 1)
		for i := range 5 {
			r.mustPut("orders", 0, "k", fmt.Sprint(i))
		}
		if _, err := r.host.DeleteRecords(r.partition("orders", 0), 2); err != nil {
			t.Fatal(err)
		}
		r.cut()
		r.start()
		if got := r.values("orders", 0); !slices.Equal(got, []string{"k=2", "k=3", "k=4"}) {
			t.Errorf("records after a power cut: %v", got)
		}
		r.end()
	})
}

// Retention by time and by size goes on while nobody asks, in logs that were not opened
// since the start as well.
func TestRetention(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		bySize := defaults()
		bySize.Log.RetentionBytes = 6000
		byTime := defaults()
		byTime.Log.RetentionMs = time.Hour.Milliseconds()
		r.made["size"], r.made["time"] = bySize, byTime
		r.start()
		r.create("size", 1, 1)
		r.create("time", 2, 2)
		for i := range 10 {
			for _, p := range []model.TopicPartition{{Topic: "size"}, {Topic: "time"}, {Topic: "time", Partition: 1}} {
				r.mustPut(p.Topic, p.Partition, "k", strings.Repeat(fmt.Sprint(i), 1000))
			}
		}
		time.Sleep(6 * time.Minute)
		if got := len(r.values("size", 0)); got < 5 || got > 8 {
			t.Errorf("%d records are kept by size", got)
		}
		if got := len(r.values("time", 0)); got != 10 {
			t.Errorf("%d records are kept before their time", got)
		}
		r.end()
		r.start()
		time.Sleep(time.Hour)
		for n := range int32(2) {
			if r.host.replica(model.IDPartition{Topic: topicID(2), Partition: n}).Opened() != nil {
				t.Error("retention left a log open that nobody uses")
			}
			if o, err := r.partition("time", n).Offsets(); err != nil || o.Start != 10 || o.End != 10 {
				t.Errorf("time-%d after its time: %+v, %v", n, o, err)
			}
		}
		r.end()
	})
}

// Compacted topics are compacted while nobody asks.
func TestCompaction(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := defaults()
		s.Log.Compact, s.Log.Delete, s.Log.MinCleanableRatio = true, false, 0.01
		r.made["orders"] = s
		r.start()
		r.create("orders", 1, 1)
		for i := range 40 {
			r.mustPut("orders", 0, fmt.Sprint("k", i%2), strings.Repeat("v", 300))
		}
		before := r.partition("orders", 0).Opened().Size()
		time.Sleep(time.Minute)
		if after := r.partition("orders", 0).Opened().Size(); after > before/2 {
			t.Errorf("%d bytes, %d before", after, before)
		}
		seen := map[string]bool{}
		for _, v := range r.values("orders", 0) {
			seen[v[:2]] = true
		}
		if !seen["k0"] || !seen["k1"] {
			t.Errorf("keys left: %v", seen)
		}
		r.cut() // and what the journal has of it comes back nowhere
		r.start()
		if o, err := r.partition("orders", 0).Offsets(); err != nil || o.End != 40 {
			t.Errorf("after a power cut: %+v, %v", o, err)
		}
		r.end()
	})
}

// Partitions that nobody uses cost the disk nothing: one visit, then no call at all.
func TestIdleIsFree(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.create("orders", 1, 50)
		for n := range int32(40) {
			r.mustPut("orders", n, "k", "v")
		}
		r.end()
		var calls atomic.Int64
		r.fs = vfs.NewFaulty(r.disk, func(vfs.Op, string) error { calls.Add(1); return nil })
		r.start()
		synctest.Wait()
		started := calls.Load()
		time.Sleep(4 * time.Minute)
		if n := calls.Load() - started; n > 20 {
			t.Errorf("%d calls of the disk in four minutes", n)
		}
		time.Sleep(2 * time.Minute) // the visit
		visited := calls.Load()
		time.Sleep(24 * time.Hour)
		if n := calls.Load() - visited; n > 10 {
			t.Errorf("%d calls of the disk in a day", n)
		}
		r.end()
	})
}

// A folder that Kafka wrote and closed is taken over: its records, its producer, its
// place in the checkpoints.
func TestKafkasFolder(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		const from = "../../store/commitlog/testdata/kafka"
		entries, err := os.ReadDir(from)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{
			"/a/" + recoveryPoints: "0\n1\norders 0 400\n", "/a/" + logStarts: "0\n1\norders 0 0\n",
			"/a/" + highWatermarks: "0\n1\norders 0 400\n", "/a/" + cleanMarker: `{"version":0,"brokerEpoch":13}`,
		}
		for _, e := range entries {
			b, err := os.ReadFile(filepath.Join(from, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			files["/a/orders-0/"+e.Name()] = string(b)
		}
		if err := vfs.MkdirAllDurable(r.disk, "/a/orders-0", 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			if err := vfs.WriteFileDurable(r.disk, name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		id, err := model.ParseID("hgCbRF82SS-RSRJTirvsnQ")
		if err != nil {
			t.Fatal(err)
		}
		r.start()
		if got := r.host.CleanEpoch(); got != 13 {
			t.Errorf("Kafka's broker epoch is %d, want 13", got)
		}
		r.apply(metadata.AddTopic{Name: "orders", ID: id}, metadata.AddPartition{Topic: id, Partition: metadata.Partition{
			Leader: 1, LeaderEpoch: 3, Replicas: []int32{1}, ISR: []int32{1}, Dirs: make([]model.ID, 1),
		}})
		got := r.values("orders", 0)
		if len(got) != 400 || got[0] != "k1=value-1-xx" || got[399] != "k0=value-400-" {
			t.Errorf("%d records: %.3v", len(got), got)
		}
		if list, err := r.partition("orders", 0).Producers(); err != nil || len(list) != 1 || list[0].LastSequence != 399 {
			t.Errorf("producers %+v, %v", list, err)
		}
		r.mustPut("orders", 0, "k", "ours")
		r.cut()
		r.start()
		if got := r.values("orders", 0); len(got) != 401 || got[400] != "k=ours" {
			t.Errorf("%d records after ours and a power cut", len(got))
		}
		r.end()
	})
}

// A broken invariant ends the host.
func TestInvariantEndsTheHost(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.create("orders", 1, 1)
		r.mustPut("orders", 0, "k", "v")
		r.partition("orders", 0).Durable(1000)
		if err := <-r.done; !errors.Is(err, commitlog.ErrInvariant) {
			t.Errorf("Run = %v", err)
		}
		if got := r.file(cleanMarker); got != "" {
			t.Errorf("the end is marked as clean: %s", got)
		}
	})
}

// On a full disk records can be deleted, and make the room to keep that.
func TestDeleteRecordsOnFullDisk(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.create("orders", 1, 1)
		for range 10 {
			r.mustPut("orders", 0, "k", strings.Repeat("v", 1500))
		}
		r.disk.SetSize(0)
		if err := r.put("orders", 0, "k", strings.Repeat("v", 1500)); !errors.Is(err, kerr.KafkaStorageError) {
			t.Fatalf("append on a full disk: %v", err)
		}
		_, free, err := r.disk.Space("/a")
		if err != nil || free != 0 {
			t.Fatal(free, err)
		}
		used := int64(0)
		if err := r.measure("/a", &used); err != nil {
			t.Fatal(err)
		}
		r.disk.SetSize(used)
		if start, err := r.host.DeleteRecords(r.partition("orders", 0), 8); err != nil || start != 8 {
			t.Errorf("DeleteRecords = %d, %v", start, err)
		}
		r.mustPut("orders", 0, "k", strings.Repeat("v", 1500))
		r.cut()
		r.start()
		if got := len(r.values("orders", 0)); got != 3 {
			t.Errorf("%d records after a power cut, want 3", got)
		}
		r.end()
	})
}

// measure adds up the bytes below a folder.
func (r *rig) measure(dir string, sum *int64) error {
	entries, err := r.disk.ReadDir(dir)
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if e.IsDir() {
			err = errors.Join(err, r.measure(name, sum))
			continue
		}
		info, ierr := e.Info()
		if err = errors.Join(err, ierr); ierr == nil {
			*sum += info.Size()
		}
	}
	return err
}
