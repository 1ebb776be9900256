package host

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/odradek/odradek/internal/store/commitlog"
)

// rig is a host of node 1 on a disk in memory, and the cluster's word.
type rig struct {
	t     *testing.T
	disk  *vfs.Mem
	fs    vfs.FS // what stands before the disk
	feed  *metadata.Feed
	rng   *rand.Rand
	dirs  []Dir
	epoch int64
	drawn atomic.Uint64

	// made is what Settings gives to a topic.
	made map[string]*partition.Settings

	host *Host
	stop context.CancelFunc
	done chan error
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{
		t: t, disk: vfs.NewMem(), feed: metadata.NewFeed(), rng: rand.New(rand.NewPCG(1, 1)),
		dirs: []Dir{{Path: "/a", ID: model.ID{1}}}, epoch: 7, made: map[string]*partition.Settings{},
	}
	for _, dir := range []string{"/a", "/b"} {
		if err := vfs.MkdirAllDurable(r.disk, dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// newRigOfTwo has two folders.
func newRigOfTwo(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	r.dirs = append(r.dirs, Dir{Path: "/b", ID: model.ID{2}})
	return r
}

func defaults() *partition.Settings {
	c := commitlog.Default()
	c.SegmentBytes, c.FileDeleteDelay = 4096, time.Minute
	return &partition.Settings{
		Log: c, Rules: record.Rules{MaxMessageBytes: 1 << 20, BeforeMaxMs: math.MaxInt64, AfterMaxMs: math.MaxInt64},
		Durable: true, FlushMessages: math.MaxInt64, FlushMillis: math.MaxInt64, MinISR: 1, DeleteAllowed: true,
	}
}

func (r *rig) open() error {
	fs := r.fs
	if fs == nil {
		fs = r.disk
	}
	host, err := Open(Config{
		NodeID: 1, FS: fs, Dirs: r.dirs, Feed: r.feed,
		Settings: func(_ *metadata.Image, topic string) *partition.Settings {
			if r.made[topic] == nil {
				r.made[topic] = defaults()
			}
			return r.made[topic]
		},
		BrokerEpoch: func() int64 { return r.epoch },
		Random:      r.random, JournalFileBytes: 64 << 10, JournalSmallBytes: 4 << 10,
		Log: slog.New(slog.NewTextHandler(r.t.Output(), &slog.HandlerOptions{Level: slog.LevelError + 1})),
	})
	r.host = host
	return err
}

// random is the host's own source: it asks from many goroutines.
func (r *rig) random() uint64 { return r.drawn.Add(1) * 0x9e3779b97f4a7c15 }

func (r *rig) start() {
	r.t.Helper()
	if err := r.open(); err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop, r.done = stop, make(chan error, 1)
	go func() { r.done <- r.host.Run(ctx) }()
}

func (r *rig) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Errorf("Run = %v", err)
	}
}

// cut cuts the power.
func (r *rig) cut() {
	r.disk = r.disk.Crash(r.rng)
	r.stop()
	<-r.done
}

func (r *rig) apply(recs ...metadata.Record) {
	r.t.Helper()
	if err := r.feed.ApplyEntry(r.feed.Image().Offset+1, metadata.Encode(nil, recs)); err != nil {
		r.t.Fatal(err)
	}
}

// create makes a topic whose partitions are all led here.
func (r *rig) create(name string, id byte, partitions int32) {
	r.t.Helper()
	recs := []metadata.Record{metadata.AddTopic{Name: name, ID: topicID(id)}}
	for n := range partitions {
		recs = append(recs, metadata.AddPartition{Topic: topicID(id), Number: n, Partition: metadata.Partition{
			Leader: 1, Replicas: []int32{1}, ISR: []int32{1}, Dirs: make([]model.ID, 1),
		}})
	}
	r.apply(recs...)
}

// topicID makes ids of which no two are near.
func topicID(id byte) model.ID { return model.ID{id, 37 * id, 101 * id, 171 * id} }

func (r *rig) delete(id byte) { r.apply(metadata.RemoveTopic{ID: topicID(id)}) }

func (r *rig) partition(topic string, n int32) *partition.Partition {
	r.t.Helper()
	p, err := r.host.Partition(model.TopicPartition{Topic: topic, Partition: n})
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func (r *rig) batch(key, value string) record.Batch {
	r.t.Helper()
	b := record.NewBuilder(record.BuilderConfig{})
	b.Append(record.Record{Timestamp: time.Now().UnixMilli(), Key: []byte(key), Value: []byte(value)})
	built, err := b.Build()
	if err != nil {
		r.t.Fatal(err)
	}
	return built
}

// put appends one record and waits until it is committed.
func (r *rig) put(topic string, n int32, key, value string) error {
	r.t.Helper()
	p := r.partition(topic, n)
	a, err := p.Append(r.batch(key, value), partition.AppendArgs{ProduceVersion: 12, Acks: partition.AllInSync})
	if err != nil {
		return err
	}
	return p.Wait(r.t.Context(), a.End, a.Epoch)
}

func (r *rig) mustPut(topic string, n int32, key, value string) {
	r.t.Helper()
	if err := r.put(topic, n, key, value); err != nil {
		r.t.Fatal(err)
	}
}

// values reads all records of a partition, as key=value.
func (r *rig) values(topic string, n int32) (list []string) {
	r.t.Helper()
	p := r.partition(topic, n)
	for at := int64(0); ; {
		b, next, err := p.ReadLog(at, 1<<20)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(b) == 0 {
			return list
		}
		for batch, err := range commitlog.Batches(b) {
			if err != nil {
				r.t.Fatal(err)
			}
			for rec, err := range batch.Records(record.Limits{}) {
				if err != nil {
					r.t.Fatal(err)
				}
				if o, _ := p.Offsets(); rec.Offset >= o.Start {
					list = append(list, fmt.Sprintf("%s=%.10s", rec.Key, rec.Value))
				}
			}
		}
		at = next
	}
}

// folders lists what lies in a folder, without the files and the journal, and without
// the part of a name that makes it unique.
func (r *rig) folders(dir string) string {
	r.t.Helper()
	entries, err := r.disk.ReadDir(dir)
	if err != nil {
		r.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() || e.Name() == journalName {
			continue
		}
		name, rest, aside := strings.Cut(e.Name(), ".")
		if aside {
			_, suffix, _ := strings.Cut(rest, "-")
			name += "…" + suffix
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}
