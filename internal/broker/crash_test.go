package broker

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/memnet"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// node is a broker on a disk and a network in memory.
type node struct {
	t    *testing.T
	net  *memnet.Network
	disk *vfs.Mem
	rng  *rand.Rand
	stop context.CancelFunc
	done chan error

	broker *Broker

	dirs []string                   // default /data
	wrap func(disk *vfs.Mem) vfs.FS // what stands before the disk, if anything does
}

const address = "node:9092"

func newNode(t *testing.T) *node {
	return &node{t: t, net: memnet.New(0), disk: vfs.NewMem(), rng: rand.New(rand.NewPCG(1, 1)), dirs: []string{"/data"}}
}

func (n *node) start() {
	n.t.Helper()
	if err := n.try(); err != nil {
		n.t.Fatalf("start: %v", err)
	}
}

// try starts the node, or tells why it does not start.
func (n *node) try() error {
	n.t.Helper()
	seed := n.rng.Uint64()
	var mu sync.Mutex
	bytes := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	b, err := New(Config{
		NodeID: 1, LogDirs: n.dirs, FS: n.fs(),
		Listeners: []Listener{{Name: "PLAINTEXT", Bind: address}},
		Listen:    func(_ context.Context, a string) (net.Listener, error) { return n.net.Listen("tcp", a) },
		Random:    func(p []byte) { mu.Lock(); defer mu.Unlock(); bytes.Read(p) },
		Static:    map[string]string{"group.initial.rebalance.delay.ms": "0", "log.segment.bytes": "1048576", "odradek.journal.file.bytes": "1048576"},
		Log:       slog.New(slog.NewTextHandler(n.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		n.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n.stop, n.done, n.broker = stop, make(chan error, 1), b
	go func() { n.done <- b.Run(ctx) }()
	select {
	case <-b.Ready():
		return nil
	case err := <-n.done:
		return err
	}
}

func (n *node) fs() vfs.FS {
	if n.wrap != nil {
		return n.wrap(n.disk)
	}
	return n.disk
}

// cut cuts the power and the node's connections.
func (n *node) cut() {
	n.disk = n.disk.Crash(n.rng)
	n.net.Kill("node")
	n.stop()
	<-n.done // whatever it says: its disk is gone
}

func (n *node) client(opts ...kgo.Opt) *kgo.Client {
	n.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(address), kgo.Dialer(n.net.Dial), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
	}, opts...)...)
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// A power cut loses no record that was acknowledged, doubles none of an idempotent
// producer, and keeps their order, wherever it comes and however much the disk forgets.
func TestPowerCut(t *testing.T) {
	seeds := 40
	if testing.Short() {
		seeds = 4
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) { powerCuts(t, seed) })
		})
	}
}

func powerCuts(t *testing.T, seed uint64) {
	n := newNode(t)
	n.rng = rand.New(rand.NewPCG(seed, 1))
	n.start()
	admin := n.client()
	if _, err := kadm.NewClient(admin).CreateTopics(t.Context(), 3, 1, nil, "a", "b"); err != nil {
		t.Fatal(err)
	}
	admin.Close()
	acked := make(map[string][]string) // topic-partition: values in the order of their offsets
	next := 0
	for range 3 {
		n.produceUntilCut(acked, &next)
		n.start()
		n.check(acked)
	}
	n.stop()
	if err := <-n.done; err != nil {
		t.Errorf("stop: %v", err)
	}
	n.start()
	n.check(acked)
	n.stop()
	<-n.done
}

// produceUntilCut produces from many goroutines' worth of promises and cuts the power at
// a random one.
func (n *node) produceUntilCut(acked map[string][]string, next *int) {
	c := n.client(kgo.ProducerLinger(0), kgo.RecordDeliveryTimeout(time.Second), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	var mu sync.Mutex
	cut, count := false, 0
	stopAt := 50 + n.rng.IntN(400)
	reached := make(chan struct{})
	for range stopAt * 2 {
		value := fmt.Sprintf("%d/%s", *next, string(make([]byte, n.rng.IntN(2000)*n.rng.IntN(40)/10)))
		*next++
		topic := []string{"a", "b"}[n.rng.IntN(2)]
		c.Produce(n.t.Context(), &kgo.Record{Topic: topic, Value: []byte(value)}, func(r *kgo.Record, err error) {
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if cut {
				return
			}
			where := fmt.Sprint(r.Topic, "-", r.Partition, "@", r.Offset)
			acked[where] = append(acked[where], value)
			if count++; count == stopAt {
				close(reached)
			}
		})
	}
	<-reached
	n.cut()
	c.Close()
	mu.Lock()
	defer mu.Unlock()
	cut = true
}

// check reads everything and compares it with what was acknowledged.
func (n *node) check(acked map[string][]string) {
	n.t.Helper()
	c := n.client(kgo.ConsumeTopics("a", "b"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(n.t.Context(), "a", "b")
	if err != nil {
		n.t.Fatal(err)
	}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	read, seen := make(map[string]string), make(map[string]string)
	for left > 0 {
		fetches := c.PollFetches(n.t.Context())
		fetches.EachError(func(t string, p int32, err error) { n.t.Fatalf("%s-%d: %v", t, p, err) })
		fetches.EachRecord(func(r *kgo.Record) {
			left--
			where := fmt.Sprint(r.Topic, "-", r.Partition, "@", r.Offset)
			read[where] = string(r.Value)
			if was, twice := seen[string(r.Value)]; twice {
				n.t.Errorf("record at %s was read at %s too", where, was)
			}
			seen[string(r.Value)] = where
		})
	}
	for where, values := range acked {
		if len(values) != 1 || read[where] != values[0] {
			n.t.Errorf("acknowledged at %s: %.20q, read %.20q", where, values, read[where])
		}
	}
}
