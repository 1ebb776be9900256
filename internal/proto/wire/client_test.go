package wire

import (
	"context"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A real client speaks to a server in a bubble over memnet.
func TestFranzGoInABubble(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := start(t, &Server{Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
			switch r.Key {
			case 18:
				resp := kmsg.NewPtrApiVersionsResponse()
				if r.Version > 4 { // the client is newer: it asks again
					resp.ErrorCode = 35
				}
				for key := int16(0); key <= MaxKey; key++ {
					if s, ok := Lookup(key); ok {
						resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: key, MinVersion: s.Min, MaxVersion: s.Max})
					}
				}
				return r.Ready(Message(resp))
			case 3:
				resp := kmsg.NewPtrMetadataResponse()
				resp.Brokers = []kmsg.MetadataResponseBroker{{NodeID: 1, Host: "s", Port: 1}}
				return func(ctx context.Context) (Reply, error) {
					return Message(resp), sleep(ctx, 100*time.Millisecond)
				}
			}
			t.Errorf("unexpected request %d", r.Key)
			return nil
		})})
		cl, err := kgo.NewClient(kgo.SeedBrokers("s:1"), kgo.Dialer(b.net.Host("client").Dial))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			resp, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), cl)
			if err != nil || len(resp.Brokers) != 1 || resp.Brokers[0].Host != "s" {
				t.Errorf("%+v, %v", resp, err)
			}
		}
		cl.Close()
		b.stop()
	})
}
