package raw

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/server"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A batch has the size that was asked for and is one that a broker takes as it is.
func TestBatches(t *testing.T) {
	sizes := []int{0, 100, 200, 1024, 16 << 10, 64 << 10, 1 << 20}
	for n := range 600 {
		sizes = append(sizes, 1000+n) // across the lengths of lengths
	}
	for _, size := range sizes {
		for _, recordSize := range []int{1, 16, 100, 1000} {
			if size == 100 && recordSize == 100 {
				continue // cannot be
			}
			b, n, err := Batch(size, recordSize)
			if err != nil {
				t.Errorf("%d bytes in records of %d: %v", size, recordSize, err)
				continue
			}
			if size > 0 && len(b) != size {
				t.Errorf("%d bytes, want %d", len(b), size)
			}
			checkBatch(t, b, n, recordSize)
		}
	}
}

func checkBatch(t *testing.T, bytes []byte, want, recordSize int) {
	t.Helper()
	b, err := record.Single(bytes)
	if err != nil {
		t.Fatal(err)
	}
	after, _, err := record.Validate(slices.Clone(b), record.DefaultRules(), time.Now().UnixMilli())
	if err != nil || len(after) != len(b) {
		t.Fatalf("a batch of %d records: %v", want, err)
	}
	n := 0
	for r, err := range b.Records(record.Limits{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n < want-1 && len(r.Value) != recordSize {
			t.Errorf("record %d has %d bytes, want %d", n, len(r.Value), recordSize)
		}
	}
	if n != want {
		t.Errorf("%d records, want %d", n, want)
	}
}

// node is a node in memory with a topic of two partitions, and a connection to it.
func node(t *testing.T) (net.Conn, *kadm.Client) {
	t.Helper()
	s, err := server.Start(t.Context(), server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c, err := kgo.NewClient(kgo.SeedBrokers(s.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	adm := kadm.NewClient(c)
	if _, err := adm.CreateTopic(t.Context(), 2, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, adm
}

// What a stream says was acknowledged is in the log, and can be fetched batch by batch.
func TestStreamAgainstANode(t *testing.T) {
	for _, inFlight := range []int{1, 4} {
		conn, adm := node(t)
		batch, records, err := Batch(16<<10, 1000)
		if err != nil {
			t.Fatal(err)
		}
		request := Produce("t", []int32{0, 1}, -1, batch)
		s := Stream{Conn: conn, InFlight: inFlight, Burst: min(inFlight, 2),
			Request: func(int64) []byte { return request },
			Check:   func(_ int64, answer []byte) error { return CheckProduce(answer, 2) }}
		for _, n := range []int64{7, 4} { // a stream goes on where it was
			d, err := s.Run(Limit{Requests: n})
			if err != nil || d.Requests != n || d.Sent != n*int64(len(request)) {
				t.Fatalf("%d of %d requests, %d bytes: %v", d.Requests, n, d.Sent, err)
			}
		}
		if ends := endOf(t, adm); ends != 2*11*int64(records) {
			t.Errorf("the log ends at %d, want %d", ends, 2*11*records)
		}
		fetchAll(t, conn, inFlight, 11, records, len(batch))
	}
}

func endOf(t *testing.T, adm *kadm.Client) (sum int64) {
	ends, err := adm.ListEndOffsets(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum
}

func fetchAll(t *testing.T, conn net.Conn, inFlight, batches, records, size int) {
	t.Helper()
	request, at := Fetch("t", 1, int32(size))
	f := Stream{Conn: conn, InFlight: inFlight, MaxAnswer: size + 1024,
		Request: func(i int64) []byte {
			binary.BigEndian.PutUint64(request[at:], uint64(i)*uint64(records))
			return request
		},
		Check: func(i int64, answer []byte) error {
			bytes, err := Fetched(answer)
			if err != nil {
				return err
			}
			b, err := record.Single(bytes)
			if err == nil && (b.BaseOffset() != i*int64(records) || len(b) != size) {
				err = errors.New("another batch")
			}
			return err
		}}
	d, err := f.Run(Limit{Requests: int64(batches)})
	if err != nil || d.Requests != int64(batches) {
		t.Errorf("%d of %d batches: %v", d.Requests, batches, err)
	}
}

// An answer with an error, an answer to another request and an early end are errors of
// the stream, with one request in flight and with several.
func TestStreamRefuses(t *testing.T) {
	refused := Produce("nowhere", []int32{0}, -1, func() []byte { b, _, _ := Batch(0, 10); return b }())
	for name, in := range map[string]int{"one by one": 1, "pipelined": 3} {
		conn, _ := node(t)
		s := Stream{Conn: conn, InFlight: in, Request: func(int64) []byte { return refused },
			Check: func(_ int64, a []byte) error { return CheckProduce(a, 1) }}
		if d, err := s.Run(Limit{Requests: 5}); !errors.Is(err, kerr.UnknownTopicOrPartition) || d.Requests != 0 {
			t.Errorf("%s: a refused request: %v, %d answers count", name, err, d.Requests)
		}
		for what, answer := range map[string][]byte{
			"another id": {0, 0, 0, 10, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0},
			"the end":    {0, 0, 0, 10, 0, 0, 0, 0, 0},
			"nothing":    {0, 0, 0, 0},
		} {
			near, far := net.Pipe()
			go func() {
				io.ReadFull(far, make([]byte, len(Ping())))
				far.Write(answer)
				far.Close()
			}()
			s := Stream{Conn: near, InFlight: in, Request: func(int64) []byte { return Ping() }, Check: func(_ int64, a []byte) error { return CheckPing(a) }}
			if d, err := s.Run(Limit{Requests: 5}); err == nil || d.Requests != 0 {
				t.Errorf("%s: %s is taken for an answer", name, what)
			}
		}
	}
}

// A stream ends at its time, and has an answer to each request.
func TestStreamEndsInTime(t *testing.T) {
	conn, _ := node(t)
	ping := Ping()
	s := Stream{Conn: conn, InFlight: 8, Burst: 4, Request: func(int64) []byte { return ping }, Check: func(_ int64, a []byte) error { return CheckPing(a) }}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if d, err := s.Run(Limit{Until: time.Now().Add(10 * time.Millisecond)}); err != nil || d.Requests == 0 || d.Requests != s.next {
		t.Errorf("%d requests, %d answers: %v", s.next, d.Requests, err)
	}
}
