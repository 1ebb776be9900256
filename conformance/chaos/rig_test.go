package chaos

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/odradek/odradek/conformance/cluster"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var rigSeed = flag.Uint64("rig-seed", 0, "of the rig's and the nemesis's luck; 0 takes one of its own and prints it")

// A test that fails may be looked at: its disks are left in their images.
var keep = flag.String("rig-keep", "", "folder for the disks and logs of TestPowerCuts; default: one that is removed")

// patience keeps a cluster that hangs from hanging the test; nothing is measured by it.
const patience = 4 * time.Minute

// binary is built once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "odradek-chaos-bin-")
	if err != nil {
		return "", err
	}
	built = dir
	if err := os.WriteFile(filepath.Join(dir, pidFile), fmt.Append(nil, os.Getpid()), 0o644); err != nil {
		return "", err
	}
	return cluster.Build(dir, "skewed")
})

var built string // the folder of binary

func TestMain(m *testing.M) {
	flag.Parse()
	switch {
	case os.Getenv(victimOf) != "":
		beVictim()
		return
	case os.Getenv(ownerOf) != "":
		beOwner()
		return
	}
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// odradek is what the nodes run.
func odradek(t *testing.T) cluster.Program {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes; left out by -short")
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return cluster.Odradek(path)
}

// startRig starts a rig that goes with the test.
func startRig(t *testing.T, cfg Config) *Rig {
	t.Helper()
	cfg.Program, cfg.Skewed = odradek(t), true
	if cfg.Seed = *rigSeed; cfg.Seed == 0 {
		cfg.Seed = rand.Uint64()
	}
	t.Logf("repeat the choices with -rig-seed=%d", cfg.Seed)
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r.Cluster.LastWords(40))
			keepLogs(t, r)
		}
		r.Close()
	})
	if err := r.Start(within(t)); err != nil {
		t.Fatal(err)
	}
	return r
}

// keepLogs copies what the nodes printed to where it outlives the test.
func keepLogs(t *testing.T, r *Rig) {
	dir := filepath.Join("..", ".work", "failed", t.Name())
	_ = os.MkdirAll(dir, 0o755)
	for _, n := range r.Nodes {
		if text, err := os.ReadFile(n.Output); err == nil {
			_ = os.WriteFile(filepath.Join(dir, fmt.Sprintf("node-%d.log", n.ID)), text, 0o644)
		}
	}
	t.Logf("the nodes' logs are kept in conformance/.work/failed/%s", t.Name())
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// client is a client of all nodes that goes with the test, and does not wait long for one
// that says nothing.
func client(t *testing.T, r *Rig, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(r.Bootstrap()...), kgo.AlwaysRetryEOF(),
		kgo.ProduceRequestTimeout(time.Second), kgo.RequestTimeoutOverhead(time.Second), kgo.DialTimeout(time.Second)}, opts...)...)
	try(t, err)
	t.Cleanup(c.Close)
	return c
}

func makeTopic(t *testing.T, r *Rig, partitions int32, topic string) {
	t.Helper()
	_, err := kadm.NewClient(client(t, r)).CreateTopic(within(t), partitions, int16(min(3, len(r.Nodes))), nil, topic)
	try(t, err)
}

// write has a record acknowledged by all in sync.
func write(t *testing.T, c *kgo.Client, topic, value string) {
	t.Helper()
	try(t, c.ProduceSync(within(t), &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr())
}

// A node is killed and another one paused; a client's record is taken meanwhile, and the rig
// is whole afterwards.
func TestKillAndPause(t *testing.T) {
	r := startRig(t, Config{})
	makeTopic(t, r, 3, "t")
	c := client(t, r)
	for i, name := range []string{"kill", "pause"} {
		n := r.Nodes[i]
		h, err := r.Do(within(t), Named(name), n)
		try(t, err)
		write(t, c, "t", name)
		if n.Running() != (name == "pause") {
			t.Errorf("%s: node %d runs: %v", name, n.ID, n.Running())
		}
		try(t, h.Undo(within(t)))
		try(t, r.Heal(within(t)))
	}
	try(t, r.Unasked())
}

// A node that nobody killed is missed.
func TestUnasked(t *testing.T) {
	r := startRig(t, Config{})
	try(t, r.Nodes[1].Kill()) // behind the rig's back
	if err := r.Unasked(); err == nil {
		t.Error("a node is gone, and the rig does not see it")
	}
}
