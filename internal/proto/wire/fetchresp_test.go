package wire

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
)

// slab is a file of some bytes.
type slab struct {
	vfs.File
	b []byte
}

func (s slab) Name() string { return "slab" }

func (s slab) ReadAt(b []byte, pos int64) (int, error) {
	if pos >= int64(len(s.b)) {
		return 0, io.EOF
	}
	n := copy(b, s.b[pos:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// inFile is the records as a slice of a file with other bytes around them.
func inFile(records []byte) Part {
	return Part{File: slab{b: append(append([]byte("before"), records...), "after"...)}, Pos: 6, Len: len(records)}
}

// The bytes of a Fetch answer are those that kmsg would write, in every version.
func TestFetchIsEncodedAsByKmsg(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	s, _ := Lookup(1)
	srv := &Server{}
	for v := s.Min; v <= s.Max; v++ {
		for range 200 {
			resp := randomFetchResponse(rng)
			if resp.Version = v; v < 16 { // kmsg writes this tagged field too early
				resp.Brokers = nil
			}
			req := &Request{Header: Header{Key: 1, Version: v}, Conn: &Conn{srv: srv}}
			reply := Fetch(req, resp, func(t, p int) Part { return inFile(resp.Topics[t].Partitions[p].RecordBatches) }, nil)
			got := gather(t, reply.(*Parts).List)
			if want := resp.AppendTo(nil); !bytes.Equal(got, want) {
				t.Fatalf("v%d:\n%x\nwant\n%x", v, got, want)
			}
		}
	}
}

func gather(t *testing.T, list []Part) (all []byte) {
	for _, p := range list {
		if p.File == nil {
			all = append(all, p.Bytes...)
			continue
		}
		b := make([]byte, p.Len)
		if _, err := p.File.ReadAt(b, p.Pos); err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func randomFetchResponse(rng *rand.Rand) *kmsg.FetchResponse {
	resp := kmsg.NewPtrFetchResponse()
	randomValue(rng, reflect.ValueOf(&resp.Topics).Elem(), "Topics", 0)
	randomValue(rng, reflect.ValueOf(&resp.Brokers).Elem(), "Brokers", 0)
	resp.ThrottleMillis, resp.ErrorCode, resp.SessionID = rng.Int32(), int16(rng.Int32()), rng.Int32()
	for i := range resp.Brokers {
		resp.Brokers[i].UnknownTags = kmsg.Tags{}
	}
	for i := range resp.Topics {
		resp.Topics[i].UnknownTags = kmsg.Tags{}
		for j := range resp.Topics[i].Partitions {
			tame(rng, &resp.Topics[i].Partitions[j])
		}
	}
	return resp
}

// tame takes away what a broker never writes: unknown tags and null records.
func tame(rng *rand.Rand, p *kmsg.FetchResponseTopicPartition) {
	p.UnknownTags, p.DivergingEpoch.UnknownTags = kmsg.Tags{}, kmsg.Tags{}
	p.CurrentLeader.UnknownTags, p.SnapshotID.UnknownTags = kmsg.Tags{}, kmsg.Tags{}
	for i := range p.AbortedTransactions {
		p.AbortedTransactions[i].UnknownTags = kmsg.Tags{}
	}
	if rng.IntN(3) == 0 {
		p.AbortedTransactions = nil
	}
	if rng.IntN(2) == 0 {
		p.DivergingEpoch = kmsg.NewFetchResponseTopicPartitionDivergingEpoch()
	}
	if rng.IntN(2) == 0 {
		p.CurrentLeader = kmsg.NewFetchResponseTopicPartitionCurrentLeader()
	}
	if rng.IntN(2) == 0 {
		p.SnapshotID = kmsg.NewFetchResponseTopicPartitionSnapshotID()
	}
	p.RecordBatches = bytes.Repeat([]byte{byte(rng.Uint32())}, rng.IntN(200))
}

// An answer far larger than the buffers arrives whole, and its files are let go once.
func TestFetchOverAConnection(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(6, 6))
		released := 0
		sizes := []int{0, 1, 4095, 70_000, 300_000, 3, 2_000_000, 10}
		resp := kmsg.NewPtrFetchResponse()
		resp.Topics = []kmsg.FetchResponseTopic{{Topic: "t"}}
		for i, n := range sizes {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition, p.RecordBatches = int32(i), make([]byte, n)
			for j := range p.RecordBatches {
				p.RecordBatches[j] = byte(rng.Uint32())
			}
			resp.Topics[0].Partitions = append(resp.Topics[0].Partitions, p)
		}
		resp.Version = 11
		want := string(resp.AppendTo(nil))
		b := start(t, &Server{Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
			return r.Ready(Fetch(r, resp, func(_, p int) Part {
				records := resp.Topics[0].Partitions[p].RecordBatches
				if p == 4 {
					return Part{Bytes: records}
				}
				return inFile(records)
			}, func() { released++ }))
		})})
		defer b.stop()
		c := b.dial()
		defer c.Close()
		req := kmsg.NewPtrFetchRequest()
		req.Version = 11
		go func() { c.Write(append(framed(req, 1, "x"), framed(req, 2, "x")...)) }()
		wantAnswer(t, c, 1, want)
		wantAnswer(t, c, 2, want)
		synctest.Wait()
		if released != 2 {
			t.Errorf("files let go %d times", released)
		}
	})
}

// A file that ends too early ends the connection: the length is out already.
func TestFetchOfATruncatedFile(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		released := 0
		b := start(t, &Server{Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
			resp := kmsg.NewPtrFetchResponse()
			resp.Topics = []kmsg.FetchResponseTopic{{Topic: "t", Partitions: make([]kmsg.FetchResponseTopicPartition, 1)}}
			return r.Ready(Fetch(r, resp, func(int, int) Part { return Part{File: slab{b: make([]byte, 10)}, Len: 20} }, func() { released++ }))
		})})
		c := b.dial()
		req := kmsg.NewPtrFetchRequest()
		req.Version = 4
		c.Write(framed(req, 1, "x"))
		if _, body, err := answer(c); err == nil {
			t.Errorf("a whole answer of %d bytes", len(body))
		}
		b.stop()
		if released != 1 {
			t.Errorf("files let go %d times", released)
		}
	})
}

func BenchmarkFetchEncode(b *testing.B) {
	for _, partitions := range []int{1, 100} {
		b.Run(fmt.Sprint(partitions), func(b *testing.B) {
			resp := kmsg.NewPtrFetchResponse()
			resp.Topics = []kmsg.FetchResponseTopic{{Topic: "topic"}}
			for range partitions {
				resp.Topics[0].Partitions = append(resp.Topics[0].Partitions, kmsg.NewFetchResponseTopicPartition())
			}
			part := inFile(make([]byte, 1<<16))
			r := &Request{Header: Header{Key: 1, Version: 16}, Conn: &Conn{srv: &Server{}}}
			b.ReportAllocs()
			for b.Loop() {
				Fetch(r, resp, func(int, int) Part { return part }, nil)
			}
		})
	}
}
