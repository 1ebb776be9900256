package wire

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The bytes of a ShareFetch answer are those that kmsg would write.
func TestShareFetchIsEncodedAsByKmsg(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for v := int16(1); v <= 2; v++ {
		for range 200 {
			resp := kmsg.NewPtrShareFetchResponse()
			resp.Version = v
			randomValue(rng, reflect.ValueOf(resp).Elem(), "Response", 0)
			resp.Version, resp.UnknownTags = v, kmsg.Tags{}
			for i := range resp.NodeEndpoints {
				resp.NodeEndpoints[i].UnknownTags = kmsg.Tags{}
			}
			for i := range resp.Topics {
				resp.Topics[i].UnknownTags = kmsg.Tags{}
				for j := range resp.Topics[i].Partitions {
					p := &resp.Topics[i].Partitions[j]
					p.UnknownTags, p.CurrentLeader.UnknownTags = kmsg.Tags{}, kmsg.Tags{}
					for k := range p.AcquiredRecords {
						p.AcquiredRecords[k].UnknownTags = kmsg.Tags{}
					}
					p.Records = bytes.Repeat([]byte{byte(rng.Uint32())}, rng.IntN(200))
				}
			}
			req := &Request{Header: Header{Key: 78, Version: v}, Conn: &Conn{srv: &Server{}}}
			reply := ShareFetch(req, resp, func(t, p int) Part { return inFile(resp.Topics[t].Partitions[p].Records) }, nil)
			if got, want := gather(t, reply.(*Parts).List), resp.AppendTo(nil); !bytes.Equal(got, want) {
				t.Fatalf("v%d:\n%x\nwant\n%x", v, got, want)
			}
		}
	}
}
