package wire

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A Produce request reads as kmsg reads it, in every version, and its records are not
// copied.
func TestProduceIsDecodedAsByKmsg(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	s, _ := Lookup(0)
	var got ProduceRequest
	for v := s.Min; v <= s.Max; v++ {
		for range 300 {
			body := randomRequest(rng, 0, v)
			want := kmsg.NewPtrProduceRequest()
			want.Version = v
			if err := want.ReadFrom(body); err != nil {
				t.Fatal(err)
			}
			if err := got.Decode(v, body); err != nil {
				t.Fatalf("v%d: %v\n%x", v, err, body)
			}
			sameProduce(t, &got, want)
			for n := range body {
				if err := got.Decode(v, body[:n]); !errors.Is(err, ErrMalformed) {
					t.Fatalf("v%d cut to %d of %d bytes: %v", v, n, len(body), err)
				}
			}
		}
	}
}

func sameProduce(t *testing.T, got *ProduceRequest, want *kmsg.ProduceRequest) {
	t.Helper()
	if got.Acks != want.Acks || got.TimeoutMillis != want.TimeoutMillis || len(got.Topics) != len(want.Topics) ||
		(got.TransactionalID == nil) != (want.TransactionID == nil) ||
		got.TransactionalID != nil && *got.TransactionalID != *want.TransactionID {
		t.Fatalf("%+v, want %+v", got, want)
	}
	for i, g := range got.Topics {
		w := want.Topics[i]
		if g.Name != w.Topic || g.ID != w.TopicID || len(g.Partitions) != len(w.Partitions) {
			t.Fatalf("topic %+v, want %+v", g, w)
		}
		for j, p := range g.Partitions {
			r := w.Partitions[j].Records
			if p.Index != w.Partitions[j].Partition || !bytes.Equal(p.Records, r) {
				t.Fatalf("partition %+v, want %+v", p, w.Partitions[j])
			}
			if len(r) > 0 && &r[0] != &p.Records[0] {
				t.Fatal("the records were copied")
			}
		}
	}
}

func TestHostileProduceIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		ver  int16
		body []byte
	}{
		{"many topics", 3, []byte{0xff, 0xff, 0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff}},
		{"null topics", 3, []byte{0xff, 0xff, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}},
		{"many partitions", 3, []byte{0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0x7f, 0, 0, 0}},
		{"null name", 3, []byte{0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0}},
		{"many tags", 9, []byte{0, 0, 1, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f}},
		{"left over", 9, []byte{0, 0, 1, 0, 0, 0, 0, 1, 0, 0}},
	} {
		var p ProduceRequest
		if err := p.Decode(c.ver, c.body); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzProduceDecode(f *testing.F) {
	rng := rand.New(rand.NewPCG(8, 8))
	for v := int16(3); v <= 13; v++ {
		f.Add(v, randomRequest(rng, 0, v))
	}
	f.Fuzz(func(t *testing.T, v int16, body []byte) {
		var p ProduceRequest
		if v < 3 || v > 13 {
			return
		}
		err := p.Decode(v, body)
		if CheckRequest(0, v, body) != nil {
			return
		}
		if err != nil {
			t.Fatalf("the guard lets it pass, but: %v", err)
		}
		want := kmsg.NewPtrProduceRequest()
		want.Version = v
		if err := want.ReadFrom(body); err != nil {
			t.Fatal(err)
		}
		sameProduce(t, &p, want)
	})
}

func BenchmarkProduceDecode(b *testing.B) {
	req := kmsg.NewPtrProduceRequest()
	req.Version = 12
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: "topic", Partitions: make([]kmsg.ProduceRequestTopicPartition, 3)}}
	body := req.AppendTo(nil)
	b.ReportAllocs()
	var p ProduceRequest
	for b.Loop() {
		if err := CheckRequest(0, 12, body); err != nil {
			b.Fatal(err)
		}
		if err := p.Decode(12, body); err != nil {
			b.Fatal(err)
		}
	}
}
