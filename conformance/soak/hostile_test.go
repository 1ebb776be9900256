package soak

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A node takes a bounded amount of memory from clients that would have it take more, and
// answers others meanwhile.
func TestHostileClientsAreBounded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the memory of a process is read from /proc")
	}
	binary := filepath.Join(t.TempDir(), "odradek")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/odradek/odradek/cmd/odradek").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, c := range []struct {
		name   string
		most   int // MiB of memory that the node may have had at most
		attack func(t *testing.T, n *Node) []net.Conn
	}{
		{"500 declare 100 MiB and send 400 KiB of it", 700, declare},
		{"10 send 40 costly requests behind one that waits", 700, park},
		{"20 sessions of 100000 partitions", 500, sessions},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := Start(binary, filepath.Join(t.TempDir(), "data"), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer n.Stop()
			for _, conn := range c.attack(t, n) {
				defer conn.Close()
			}
			conn := n.dial(t)
			defer conn.Close()
			if err := ask(conn, request(kmsg.NewPtrApiVersionsRequest(), 3)); err != nil {
				t.Errorf("another client: %v", err)
			}
			peak := n.peak(t)
			t.Logf("peak %d MiB", peak)
			if peak > c.most {
				t.Errorf("the node took %d MiB, %d are explained", peak, c.most)
			}
		})
	}
}

func declare(t *testing.T, n *Node) (conns []net.Conn) {
	frame := binary.BigEndian.AppendUint32(nil, 100<<20)
	frame = append(frame, make([]byte, 400<<10)...)
	for range 500 {
		c := n.dial(t)
		c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)) // the node reads on only as memory allows
		c.Write(frame)
		conns = append(conns, c)
	}
	return conns
}

func park(t *testing.T, n *Node) (conns []net.Conn) {
	costly := kmsg.NewPtrDeleteGroupsRequest()
	for range 400_000 {
		costly.Groups = append(costly.Groups, "gggggggg")
	}
	frame := request(costly, 2)
	create := kmsg.NewPtrMetadataRequest()
	create.AllowAutoTopicCreation = true
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr("t")
	create.Topics = append(create.Topics, topic)
	first := n.dial(t)
	conns = append(conns, first)
	if err := ask(first, request(create, 9)); err != nil {
		t.Fatal(err)
	}
	fetch := fetchOf(1)
	fetch.MaxWaitMillis, fetch.SessionEpoch = 60_000, -1
	var writers sync.WaitGroup
	for range 10 {
		c := n.dial(t)
		c.SetWriteDeadline(time.Now().Add(5 * time.Second))
		conns = append(conns, c)
		c.Write(request(fetch, 12))
		writers.Go(func() {
			for range 40 {
				if _, err := c.Write(frame); err != nil {
					return
				}
			}
		})
	}
	writers.Wait() // until the node reads no more, and their time is up
	return conns
}

func sessions(t *testing.T, n *Node) []net.Conn {
	frame := request(fetchOf(100_000), 12)
	for range 20 {
		c := n.dial(t)
		if err := ask(c, frame); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	return nil
}

func fetchOf(partitions int32) *kmsg.FetchRequest {
	f := kmsg.NewPtrFetchRequest()
	f.MinBytes, f.MaxBytes = 1, 1<<20
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic = "t"
	for i := range partitions {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.PartitionMaxBytes = i, 1<<20
		topic.Partitions = append(topic.Partitions, p)
	}
	f.Topics = append(f.Topics, topic)
	return f
}

func (n *Node) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", n.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func request(r kmsg.Request, version int16) []byte {
	r.SetVersion(version)
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("soak")).AppendRequest(nil, r, 1)
}

// ask sends a frame and reads the whole answer.
func ask(c net.Conn, frame []byte) error {
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write(frame); err != nil {
		return err
	}
	head := make([]byte, 4)
	for size := 4; size > 0; {
		n, err := c.Read(head[:min(size, len(head))])
		if err != nil {
			return err
		}
		if size -= n; size == 0 && len(head) == 4 {
			size, head = int(binary.BigEndian.Uint32(head)), make([]byte, 64<<10)
		}
	}
	return nil
}

// peak is the most memory that the process has had, in MiB.
func (n *Node) peak(t *testing.T) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}
