package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/memnet"
	"github.com/twmb/franz-go/pkg/kgo"
)

// rig is a cluster in one process: a network and disks in memory, in a bubble of faked
// time.
type rig struct {
	t     *testing.T
	net   *memnet.Network
	rng   *rand.Rand
	nodes []*peer

	mu  sync.Mutex         // guards cuts
	cut map[[2]string]bool // hosts that cannot dial each other, from and to

	truth   truth          // what the nodes' images have said
	waiting sync.WaitGroup // for those who listen to the images
	wipes   bool           // a disk may be lost, as none was
	leaving []func()       // clients to close before the nodes stop
}

// peer is one node of a rig. Its disk outlives it.
type peer struct {
	rig    *rig
	cutOff bool // by the network
	id     int32
	roles  string // "both", "broker" or "controller"
	voters map[int32]string
	disk   *vfs.Mem
	slow   chan struct{} // open while the disk stalls, nil while it does not
	drive  *vfs.Faulty   // disk, for the process that runs
	static map[string]string
	broker *Broker
	stop   context.CancelCauseFunc
	done   chan error
}

func hostOf(id int32) string            { return fmt.Sprintf("node-%d", id) }
func kafkaAddress(id int32) string      { return hostOf(id) + ":9092" }
func controllerAddress(id int32) string { return hostOf(id) + ":9093" }

// newRig makes voters nodes that are broker and voter, and after them brokers that are
// brokers only. None runs yet. It must be called inside a bubble.
func newRig(t *testing.T, seed uint64, voters, brokers int) *rig {
	r := &rig{t: t, net: memnet.New(0), rng: rand.New(rand.NewPCG(seed, 3)), cut: make(map[[2]string]bool), truth: newTruth()}
	r.net.OnDial(r.dialed)
	addresses := make(map[int32]string)
	for id := range int32(voters) {
		addresses[id+1] = controllerAddress(id + 1)
	}
	for id := range int32(voters + brokers) {
		m := &peer{rig: r, id: id + 1, roles: "both", voters: addresses, disk: vfs.NewMem(), static: map[string]string{
			"group.initial.rebalance.delay.ms": "0", "log.segment.bytes": "1048576", "odradek.journal.file.bytes": "1048576",
			"default.replication.factor": "3", "min.insync.replicas": "2", "offsets.topic.num.partitions": "4",
		}}
		if int(id) >= voters {
			m.roles = "broker"
		}
		r.nodes = append(r.nodes, m)
	}
	return r
}

// up starts every node that does not run, and waits until all serve.
func (r *rig) up() {
	r.t.Helper()
	for _, m := range r.nodes {
		if m.broker == nil {
			m.launch()
		}
	}
	for _, m := range r.nodes {
		if err := m.serving(); err != nil {
			r.t.Fatalf("node %d: %v", m.id, err)
		}
	}
}

// down stops all nodes in order.
func (r *rig) down() {
	for _, leave := range r.leaving {
		leave()
	}
	for _, m := range r.nodes {
		if m.broker != nil {
			m.stop(nil)
		}
	}
	for _, m := range r.nodes {
		if m.broker != nil {
			if err := <-m.done; err != nil {
				r.t.Errorf("node %d stopped: %v", m.id, err)
			}
			m.broker = nil
		}
	}
	r.waiting.Wait()
	for _, err := range r.truth.errs {
		r.t.Error(err)
	}
}

// dialed refuses what is cut, as a dead machine's neighbour would.
func (r *rig) dialed(from, to string) error {
	f, _, _ := strings.Cut(from, ":")
	t, _, _ := strings.Cut(to, ":")
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut[[2]string{f, t}] || r.cut[[2]string{f, ""}] {
		return syscall.ECONNREFUSED
	}
	return nil
}

func (r *rig) sever(from, to string, cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut[[2]string{from, to}] = cut
}

func (m *peer) launch() {
	m.rig.t.Helper()
	m.rig.sever(hostOf(m.id), "", false)
	m.drive = vfs.NewFaulty(m.disk, nil)
	var mu sync.Mutex
	bytes := rand.NewChaCha8([32]byte{byte(m.rig.rng.Uint32()), byte(m.rig.rng.Uint32()), byte(m.id)})
	cfg := Config{
		NodeID: m.id, LogDirs: []string{"/data"}, FS: m.drive,
		Broker: m.roles != "controller", Controller: m.roles != "broker", Voters: m.voters,
		Listen: func(_ context.Context, a string) (net.Listener, error) { return m.rig.net.Listen("tcp", a) },
		Dial:   m.rig.net.Host(hostOf(m.id)).Dial,
		Random: func(p []byte) { mu.Lock(); defer mu.Unlock(); bytes.Read(p) },
		Phase:  time.Duration(m.id) * 7 * time.Millisecond,
		Static: m.static,
		Log:    slog.New(slog.NewTextHandler(m.rig.t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: noTime})).With("on", m.id),
	}
	if cfg.Broker {
		cfg.Listeners = []Listener{{Name: "PLAINTEXT", Bind: kafkaAddress(m.id)}}
	}
	if cfg.Controller {
		cfg.Controllers = []Listener{{Name: "CONTROLLER", Bind: controllerAddress(m.id)}}
	}
	b, err := New(cfg)
	if err != nil {
		m.rig.t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	m.stop, m.done, m.broker = stop, make(chan error, 1), b
	go func() { m.done <- b.Run(ctx) }()
	m.rig.waiting.Go(func() { m.rig.truth.listen(ctx, m.id, b.feed) })
}

// noTime prints how long a bubble has lived instead of the time.
func noTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		a.Value = slog.DurationValue(a.Value.Time().Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)))
	}
	return a
}

// serving waits until the node serves, or tells why it does not.
func (m *peer) serving() error {
	select {
	case <-m.broker.Ready():
		return nil
	case err := <-m.done:
		m.stop(nil) // those who listen to it
		m.broker = nil
		return errors.Join(errors.New("it has stopped"), err)
	case <-time.After(time.Minute):
		return errors.New("it does not serve after a minute")
	}
}

// kill ends a node as kill -9 and a power cut at once: what was not synced is gone, and so
// are the bytes on the line.
func (m *peer) kill() {
	m.disk = m.disk.Crash(m.rig.rng)
	m.stall(false)
	m.rig.sever(hostOf(m.id), "", true)
	m.rig.net.Kill(hostOf(m.id))
	m.stop(ErrAtOnce)
	<-m.done // whatever it says: its disk is gone
	m.broker = nil
}

// stall has the disk answer nothing until it is healthy again.
func (m *peer) stall(on bool) {
	if on == (m.slow != nil) {
		return
	}
	if !on {
		close(m.slow)
		m.drive.SetRule(nil)
		m.slow = nil
		return
	}
	m.slow = make(chan struct{})
	until := m.slow
	m.drive.SetRule(func(vfs.Op, string) error { <-until; return nil })
}

// isolate cuts a node off from all other nodes, or heals that; clients still reach it. With
// half only what it sends is lost.
func (m *peer) isolate(cut, half bool) {
	for _, o := range m.rig.nodes {
		if o != m {
			m.rig.net.Freeze(hostOf(m.id), hostOf(o.id), cut)
			m.rig.net.Freeze(hostOf(o.id), hostOf(m.id), cut && !half)
		}
	}
	m.cutOff = cut
}

func (r *rig) client(opts ...kgo.Opt) *kgo.Client {
	r.t.Helper()
	var seeds []string
	for _, m := range r.nodes {
		if m.roles != "controller" {
			seeds = append(seeds, kafkaAddress(m.id))
		}
	}
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(seeds...), kgo.Dialer(r.dialAfar), kgo.MetadataMinAge(50 * time.Millisecond),
		// A node that is cut off does not know new topics, and is asked more than four times.
		kgo.UnknownTopicRetries(-1),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
	}, opts...)...)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// dialAfar is a client's way to the cluster. It takes time, so that one who tries again
// without a pause does not stop it.
func (r *rig) dialAfar(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := r.net.Host("client").Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return far{c}, nil
}

type far struct{ net.Conn }

func (c far) Write(b []byte) (int, error) {
	time.Sleep(200 * time.Microsecond)
	return c.Conn.Write(b)
}

// leading is the node that decides, as the newest image anywhere says, or nil.
func (r *rig) leading() *peer {
	for _, m := range r.nodes {
		if m.broker != nil && m.broker.control != nil && m.broker.control.Leading() {
			return m
		}
	}
	return nil
}

// eventually waits until cond holds.
func (r *rig) eventually(what string, cond func() bool) {
	r.t.Helper()
	for range 6000 {
		if cond() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.t.Fatalf("not within a minute: %s", what)
}
