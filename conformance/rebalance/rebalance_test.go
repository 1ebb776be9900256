package rebalance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/conformance/cluster"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	members  = flag.Int("members", 0, "how many members the group has at first; 0 leaves the test out")
	parts    = flag.Int("partitions", 5000, "how many partitions the topic has at first")
	programs = flag.String("programs", "odradek", "what the node runs, one after the other, with commas: kafka, odradek")
	results  = flag.String("results", "", "file to which figures are appended, a line of JSON each")
	heap     = flag.Int("heap", 1024, "megabytes for Apache Kafka")
)

const patience = 8 * time.Minute

// Members join a group, one leaves, a tenth as many more join, the topic grows by a tenth:
// how long is it, each time, until every member is of the same epoch and each partition has
// one member, and what does it cost the node? Nothing here asserts a time.
func TestRebalance(t *testing.T) {
	if *members == 0 {
		t.Skip("asked for with -members=500 -partitions=5000 -programs=kafka,odradek")
	}
	for name := range strings.SplitSeq(*programs, ",") {
		for protocol, work := range map[string]func(*member) error{"classic": classic, "consumer": modern} {
			t.Run(name+"/"+protocol, func(t *testing.T) { measure(t, name, protocol, work) })
		}
	}
}

func measure(t *testing.T, name, protocol string, work func(*member) error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Config{Program: programOf(t, name), Dir: t.TempDir(), Nodes: 1, Settings: []string{
		"default.replication.factor=1", "min.insync.replicas=1", "offsets.topic.replication.factor=1", "log.index.size.max.bytes=4096",
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	node := c.All[0]
	client, err := kgo.NewClient(kgo.SeedBrokers(node.Addr))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	a := kadm.NewClient(client)
	made, err := a.CreateTopic(ctx, int32(*parts), 1, nil, topic)
	if err = errors.Join(err, made.Err); err != nil {
		t.Fatal(err)
	}
	if err := c.Until(ctx, "led", cluster.WholeISR, topic); err != nil {
		t.Fatal(err)
	}
	ready(ctx, t, a)
	crowd := newCrowd(t.Context(), node.Addr, made.ID, int32(*parts), work)
	epoch := int32(-1)
	phase := func(what string, change func()) {
		began, cpu := time.Now(), node.CPU()
		change()
		now, moved, err := crowd.settle(ctx, epoch)
		if err != nil {
			t.Fatalf("%s: %v\n%s", what, err, node.LastWords(20))
		}
		epoch = now
		took := time.Since(began)
		record(t, figure{Program: name, Protocol: protocol, Phase: what, Members: *members, Partitions: *parts,
			Seconds: took.Seconds(), CPU: (node.CPU() - cpu).Seconds(), Moved: moved, Memory: float64(node.Memory()) / (1 << 20)})
	}
	phase("all join", func() { crowd.join(*members) })
	phase("one leaves", crowd.leaveOne)
	phase("a tenth more join", func() { crowd.join(*members / 10) })
	phase("the topic grows by a tenth", func() {
		count := int32(*parts + *parts/10)
		rs, err := a.UpdatePartitions(ctx, int(count), topic)
		if err = errors.Join(err, rs.Error()); err != nil {
			t.Fatal(err)
		}
		crowd.grow(count)
	})
}

// ready waits until every partition is served and the coordinator answers: what a node does
// to make its topics is not measured.
func ready(ctx context.Context, t *testing.T, a *kadm.Client) {
	t.Helper()
	for {
		ends, err := a.ListEndOffsets(ctx, topic)
		if err == nil {
			err = ends.Error()
		}
		if err == nil {
			_, err = a.FetchOffsets(ctx, group)
		}
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the topics are not served: %v", err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func programOf(t *testing.T, name string) cluster.Program {
	t.Helper()
	root := filepath.Join("..", "..")
	switch name {
	case "odradek":
		binary := os.Getenv("ODRADEK_BINARY")
		if binary == "" {
			binary = filepath.Join(t.TempDir(), "odradek")
			cmd := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "github.com/odradek/odradek/cmd/odradek")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("build: %v\n%s", err, out)
			}
		}
		return cluster.Odradek(binary)
	case "kafka":
		libs, err := cluster.KafkaJars(root)
		if err == nil {
			libs, err = filepath.Abs(libs)
		}
		if err != nil {
			t.Skipf("SKIPPED: Apache Kafka cannot be started: %v", err)
		}
		return cluster.Kafka(libs, *heap)
	}
	t.Fatal(fmt.Errorf("no program is called %q: odradek or kafka", name))
	return cluster.Program{}
}
