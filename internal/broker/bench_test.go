package broker

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"

	"crypto/rand"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// benchNode is a node on disk and a bare connection to it: what is allocated beside a
// few words a request is the node's.
func benchNode(b *testing.B) net.Conn {
	b.Helper()
	n, err := New(Config{
		NodeID: 1, LogDirs: []string{b.TempDir()}, FS: vfs.OS,
		Listeners: []Listener{{Name: "PLAINTEXT", Bind: "127.0.0.1:0"}},
		Listen: func(ctx context.Context, a string) (net.Listener, error) {
			return new(net.ListenConfig).Listen(ctx, "tcp", a)
		},
		Random: func(p []byte) { rand.Read(p) },
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	<-n.Ready()
	c, err := net.Dial("tcp", n.Addr("PLAINTEXT").String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close(); stop(); <-done })
	return c
}

// ask sends a frame and reads the answer into buf.
func ask(b *testing.B, c net.Conn, frame, buf []byte) []byte {
	if _, err := c.Write(frame); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(c, buf[:4]); err != nil {
		b.Fatal(err)
	}
	n := binary.BigEndian.Uint32(buf)
	if _, err := io.ReadFull(c, buf[:n]); err != nil {
		b.Fatal(err)
	}
	return buf[:n]
}

func frameOf(req kmsg.Request, version int16) []byte {
	req.SetVersion(version)
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, req, 1)
}

func benchTopic(b *testing.B, c net.Conn) {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = "bench", 1, 1
	req.Topics = append(req.Topics, t)
	ask(b, c, frameOf(req, 5), make([]byte, 1<<16))
}

// produceFrame is a Produce of one batch of records of 1 KiB, acks=all.
func produceFrame(records int) []byte {
	builder := record.NewBuilder(record.BuilderConfig{})
	value := make([]byte, 1024)
	for range records {
		builder.Append(record.Record{Value: value, Timestamp: -1})
	}
	batch, err := builder.Build()
	if err != nil {
		panic(err)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 30_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = "bench"
	t.Partitions = append(t.Partitions, kmsg.ProduceRequestTopicPartition{Records: batch})
	req.Topics = append(req.Topics, t)
	return frameOf(req, 9)
}

// BenchmarkProduce is one batch after the other on one connection, each acknowledged
// when it is on disk.
func BenchmarkProduce(b *testing.B) {
	for _, records := range []int{1, 16, 64, 900} {
		b.Run(fmt.Sprintf("batch=%dKiB", records), func(b *testing.B) {
			c := benchNode(b)
			benchTopic(b, c)
			frame, buf := produceFrame(records), make([]byte, 1<<16)
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for b.Loop() {
				ask(b, c, frame, buf)
			}
		})
	}
}

// BenchmarkFetch reads the same 1 MiB again and again.
func BenchmarkFetch(b *testing.B) {
	c := benchNode(b)
	benchTopic(b, c)
	buf := make([]byte, 4<<20)
	for range 32 {
		ask(b, c, produceFrame(64), buf)
	}
	req := kmsg.NewPtrFetchRequest()
	req.MinBytes, req.MaxBytes, req.MaxWaitMillis = 1, 1<<20, 500
	t := kmsg.NewFetchRequestTopic()
	t.Topic = "bench"
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes = 1 << 20
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	req.SessionEpoch = -1
	frame := frameOf(req, 12)
	b.SetBytes(int64(len(ask(b, c, frame, buf))))
	b.ReportAllocs()
	for b.Loop() {
		ask(b, c, frame, buf)
	}
}
