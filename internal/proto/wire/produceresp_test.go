package wire

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The bytes of a Produce answer are those that kmsg would write, in every version.
func TestProduceIsEncodedAsByKmsg(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	s, _ := Lookup(0)
	for v := max(3, s.Min); v <= s.Max; v++ {
		for range 200 {
			resp := randomProduceResponse(rng, v)
			req := &Request{Header: Header{Key: 0, Version: v}, Conn: &Conn{srv: &Server{}}}
			got := Produce(resp).(*produceReply).encode([]byte("before"), req)
			if want := resp.AppendTo([]byte("before")); !bytes.Equal(got, want) {
				t.Fatalf("v%d:\n%x\nwant\n%x", v, got, want)
			}
		}
	}
}

func randomProduceResponse(rng *rand.Rand, version int16) *kmsg.ProduceResponse {
	resp := kmsg.NewPtrProduceResponse()
	resp.Version = version
	randomValue(rng, reflect.ValueOf(&resp.Topics).Elem(), "Topics", 0)
	randomValue(rng, reflect.ValueOf(&resp.Brokers).Elem(), "Brokers", 0)
	resp.ThrottleMillis = rng.Int32()
	for i := range resp.Topics {
		resp.Topics[i].UnknownTags = kmsg.Tags{}
		for j := range resp.Topics[i].Partitions {
			tameProduced(rng, version, &resp.Topics[i].Partitions[j])
		}
	}
	for i := range resp.Brokers {
		resp.Brokers[i].UnknownTags = kmsg.Tags{}
	}
	if version < 10 { // kmsg writes this tagged field too early, and the leader
		resp.Brokers = nil
	}
	return resp
}

// tameProduced takes away what a broker never writes: unknown tags.
func tameProduced(rng *rand.Rand, version int16, p *kmsg.ProduceResponseTopicPartition) {
	p.UnknownTags, p.CurrentLeader.UnknownTags = kmsg.Tags{}, kmsg.Tags{}
	for i := range p.ErrorRecords {
		p.ErrorRecords[i].UnknownTags = kmsg.Tags{}
	}
	if version < 10 || rng.IntN(2) == 0 {
		p.CurrentLeader = kmsg.NewProduceResponseTopicPartitionCurrentLeader()
	}
}
