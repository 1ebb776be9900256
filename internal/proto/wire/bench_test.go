package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/odradek/odradek/internal/base/vfs"
)

// serveTCP runs a server on loopback and returns a connection to it.
func serveTCP(b *testing.B, srv *Server) net.Conn {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln, "PLAINTEXT") }()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		c.Close()
		cancel()
		<-done
	})
	return c
}

func heartbeat(_ *Conn, r *Request) Pending {
	resp := kmsg.NewPtrHeartbeatResponse()
	return r.Ready(Message(resp))
}

func heartbeatLater(_ *Conn, r *Request) Pending {
	return func(context.Context) (Reply, error) { return Message(kmsg.NewPtrHeartbeatResponse()), nil }
}

func skipAnswer(b *testing.B, rd *bufio.Reader) {
	head, err := rd.Peek(4)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := rd.Discard(4 + int(binary.BigEndian.Uint32(head))); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRequests shows requests one by one and 100 at a time, answered at once and
// by a Pending.
func BenchmarkRequests(b *testing.B) {
	for _, c := range []struct {
		name    string
		handler handlerFunc
		depth   int
	}{
		{"ready/1", heartbeat, 1}, {"ready/100", heartbeat, 100},
		{"pending/1", heartbeatLater, 1}, {"pending/100", heartbeatLater, 100},
	} {
		b.Run(c.name, func(b *testing.B) {
			conn := serveTCP(b, &Server{Handler: c.handler})
			rd := bufio.NewReaderSize(conn, 64*kib)
			out := bytes.Repeat(frame(1, "bench", 10), c.depth)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if n%c.depth == 0 {
					if _, err := conn.Write(out); err != nil {
						b.Fatal(err)
					}
					for range c.depth {
						skipAnswer(b, rd)
					}
				}
				n++
			}
		})
	}
}

// BenchmarkLargeFrames shows what a frame of 1 MiB costs to receive.
func BenchmarkLargeFrames(b *testing.B) {
	conn := serveTCP(b, &Server{Handler: handlerFunc(heartbeat)})
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version = 0
	f := framed(req, 1, "bench")
	f = append(f[:len(f)-2-4-2], 0x7f, 0xff)
	f = append(f, make([]byte, 0x7fff+4+2)...)
	binary.BigEndian.PutUint32(f, uint32(len(f)-4))
	b.SetBytes(int64(len(f)))
	b.ReportAllocs()
	rd := bufio.NewReader(conn)
	for b.Loop() {
		if _, err := conn.Write(f); err != nil {
			b.Fatal(err)
		}
		skipAnswer(b, rd)
	}
}

// BenchmarkFetchSend shows what an answer with a slice of a file costs, by the length
// of the slice, read and written or by sendfile.
func BenchmarkFetchSend(b *testing.B) {
	for _, n := range []int{16 * kib, 64 * kib, 256 * kib, 1 * mib, 4 * mib} {
		for name, least := range map[string]int{"read": -1, "sendfile": 1} {
			b.Run(byteSize(n)+"/"+name, func(b *testing.B) { benchmarkFetch(b, n, least) })
		}
	}
}

func benchmarkFetch(b *testing.B, n, least int) {
	f, err := vfs.OS.OpenFile(filepath.Join(b.TempDir(), "records"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, n), 0); err != nil {
		b.Fatal(err)
	}
	srv := &Server{Limits: Limits{Sendfile: least}, Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
		resp := kmsg.NewPtrFetchResponse()
		resp.Topics = []kmsg.FetchResponseTopic{{Topic: "t", Partitions: make([]kmsg.FetchResponseTopicPartition, 1)}}
		return r.Ready(Fetch(r, resp, func(int, int) Part { return Part{File: f, Len: n} }, nil))
	})}
	conn := serveTCP(b, srv)
	req := kmsg.NewPtrFetchRequest()
	req.Version = 11
	ask := framed(req, 1, "bench")
	var head [4]byte
	sink := make([]byte, 256*kib)
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(ask); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			b.Fatal(err)
		}
		for left := int(binary.BigEndian.Uint32(head[:])); left > 0; {
			m, err := conn.Read(sink[:min(left, len(sink))])
			if err != nil {
				b.Fatal(err)
			}
			left -= m
		}
	}
}

func byteSize(n int) string { return fmt.Sprintf("%dKiB", n/kib) }
