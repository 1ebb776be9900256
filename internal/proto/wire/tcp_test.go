package wire

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/odradek/odradek/internal/base/vfs"
)

// Over a real socket, files arrive whole: read and written, by sendfile, and through
// TLS, to a client that takes its time. What a consumer with Kafka's defaults gets of a
// partition, whole batches of at most 1 MiB, is left to the kernel.
func TestFilesOverSockets(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(9, 9))
	records := make([]byte, 3<<20)
	for i := range records {
		records[i] = byte(rng.Uint32())
	}
	f, err := vfs.OS.OpenFile(filepath.Join(dir, "records"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(records, 0); err != nil {
		t.Fatal(err)
	}
	const pos = 12_345
	cert, client := certificate(t)
	for _, c := range []struct {
		name     string
		sendfile int
		tls      bool
		n        int
		read     bool
	}{
		{"read and written", -1, false, 2 << 20, true},
		{"sendfile", 1, false, 2 << 20, false},
		{"TLS", 1, true, 2 << 20, true},
		{"as clients ask", 0, false, 1<<20 - 70_000, false},
		{"small", 0, false, 16 << 10, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, counted := c.n, &readsCounted{File: f, Conn: f.(syscall.Conn)}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := ln.Addr().String()
			if c.tls {
				ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}})
			}
			srv := &Server{Limits: Limits{Sendfile: c.sendfile}, Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
				resp := kmsg.NewPtrFetchResponse()
				resp.Topics = []kmsg.FetchResponseTopic{{Topic: "t", Partitions: make([]kmsg.FetchResponseTopicPartition, 1)}}
				return r.Ready(Fetch(r, resp, func(int, int) Part { return Part{File: counted, Pos: pos, Len: n} }, nil))
			})}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- srv.Serve(ctx, ln, "SSL") }()
			var conn net.Conn
			if c.tls {
				conn, err = tls.Dial("tcp", addr, client)
			} else {
				conn, err = net.Dial("tcp", addr)
			}
			if err != nil {
				t.Fatal(err)
			}
			req := kmsg.NewPtrFetchRequest()
			req.Version = 4
			if _, err := conn.Write(append(framed(req, 1, "x"), framed(req, 2, "x")...)); err != nil {
				t.Fatal(err)
			}
			for id := range int32(2) {
				got, body, err := answer(conn)
				if err != nil || got != id+1 || !bytes.HasSuffix([]byte(body), records[pos:pos+n]) {
					t.Errorf("answer %d of %d bytes, %v: not the file", got, len(body), err)
				}
			}
			conn.Close()
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if reads := counted.reads.Load(); runtime.GOOS == "linux" && reads > 0 != c.read {
				t.Errorf("the file was read %d times", reads)
			}
		})
	}
}

// readsCounted is a file of the system that counts what is read in the process's name.
type readsCounted struct {
	vfs.File
	syscall.Conn
	reads atomic.Int64
}

func (f *readsCounted) ReadAt(b []byte, pos int64) (int, error) {
	f.reads.Add(1)
	return f.File.ReadAt(b, pos)
}

// certificate is a server's certificate for 127.0.0.1 and a client's trust in it.
func certificate(t *testing.T) (tls.Certificate, *tls.Config) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(zeroes{}, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, &tls.Config{RootCAs: roots}
}

// zeroes is as random as a test's certificate needs.
type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

var _ io.Reader = zeroes{}
