package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/proto/memnet"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/replica/partition"
)

// BenchmarkPartitions measures what ten thousand partitions cost: to make them, to start
// with them after a clean stop and after a kill, and in memory while they are idle: never
// used, or used once. On the machine's own disk.
//
//	go test ./internal/broker -run '^$' -bench Partitions -benchtime 1x
func BenchmarkPartitions(b *testing.B) {
	for _, used := range []int{0, 1000, 10_000} {
		b.Run(fmt.Sprint("used=", used), func(b *testing.B) {
			for b.Loop() {
				benchPartitions(b, used)
			}
		})
	}
}

const benchTopics, benchPer = 100, 100

func benchPartitions(b *testing.B, used int) {
	dir := b.TempDir()
	run := newFullNode(b, dir)
	empty := heap()
	began := time.Now()
	run.create()
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms-to-create")
	b.ReportMetric(float64(heap()-empty)/(benchTopics*benchPer), "B/partition-unused")
	began = time.Now()
	run.use(used)
	if used > 0 {
		b.ReportMetric(float64(time.Since(began).Microseconds())/float64(used), "µs/first-append")
		b.ReportMetric(float64(heap()-empty)/(benchTopics*benchPer), "B/partition-used")
	}
	goroutines := runtime.NumGoroutine()
	b.ReportMetric(float64(goroutines), "goroutines")
	began = time.Now()
	run.stop()
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms-to-stop")

	began = time.Now()
	run = newFullNode(b, dir)
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms-to-ready-clean")
	b.ReportMetric(float64(heap()-empty)/(benchTopics*benchPer), "B/partition-restarted")
	run.use(used)
	run.kill()

	began = time.Now()
	run = newFullNode(b, dir)
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms-to-ready-killed")
	run.stop()
	b.ReportMetric(0, "ns/op")
}

type fullNode struct {
	b    *testing.B
	disk *vfs.Faulty
	node *Broker
	stop func()
}

var errKilled = errors.New("the process is dead")

func newFullNode(b *testing.B, dir string) *fullNode {
	b.Helper()
	network := memnet.New(0)
	rng := rand.New(rand.NewPCG(1, 2))
	n := &fullNode{b: b, disk: vfs.NewFaulty(vfs.OS, nil)}
	var err error
	n.node, err = New(Config{
		NodeID: 1, LogDirs: []string{filepath.Join(dir, "data")}, FS: n.disk,
		Listeners: []Listener{{Name: "PLAINTEXT", Bind: address}},
		Listen:    func(_ context.Context, a string) (net.Listener, error) { return network.Listen("tcp", a) },
		Random: func(p []byte) {
			for i := range p {
				p[i] = byte(rng.Uint32())
			}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.node.Run(ctx) }()
	n.stop = func() { cancel(); <-ended }
	select {
	case <-n.node.Ready():
	case err := <-ended:
		b.Fatal(err)
	}
	return n
}

// kill leaves the disk as a process does that is killed: what was written is written,
// and nothing is any more.
func (n *fullNode) kill() {
	n.disk.SetRule(func(op vfs.Op, _ string) error {
		if op == vfs.OpRead || op == vfs.OpSize || op == vfs.OpStat {
			return nil
		}
		return errKilled
	})
	n.stop()
}

func (n *fullNode) create() {
	for t := range benchTopics {
		topics := []controller.NewTopic{{Name: fmt.Sprint("topic-", t), Partitions: benchPer, ReplicationFactor: 1}}
		results, err := n.node.control.CreateTopics(n.b.Context(), topics, false)
		if err != nil || results[0].Err != nil {
			n.b.Fatal(err, results)
		}
	}
}

// use appends a record to some partitions.
func (n *fullNode) use(count int) {
	type waiting struct {
		p   *partition.Partition
		end int64
		at  int32
	}
	var waits []waiting
	for i := range count {
		builder := record.NewBuilder(record.BuilderConfig{})
		builder.Append(record.Record{Timestamp: time.Now().UnixMilli(), Value: make([]byte, 100)})
		batch, err := builder.Build()
		if err != nil {
			n.b.Fatal(err)
		}
		p, err := n.node.host.Partition(model.TopicPartition{Topic: fmt.Sprint("topic-", i%benchTopics), Partition: int32(i / benchTopics)})
		if err != nil {
			n.b.Fatal(err)
		}
		a, err := p.Append(batch, partition.AppendArgs{ProduceVersion: 12, Acks: partition.AllInSync})
		if err != nil {
			n.b.Fatal(err)
		}
		waits = append(waits, waiting{p, a.End, a.Epoch})
	}
	for _, w := range waits {
		if err := w.p.Wait(n.b.Context(), w.end, w.at); err != nil {
			n.b.Fatal(err)
		}
	}
}

// heap is the bytes that are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
