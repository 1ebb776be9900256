package broker_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A batch that would become very large costs, where it has to be opened, what the caps on
// size and ratio of package record leave, and is refused beyond them; where it need not be
// opened it costs nothing and is stored as it came.
func TestBombsInProduce(t *testing.T) {
	if testing.Short() {
		t.Skip("it compresses gigabytes")
	}
	const large = 136 << 20 // beyond the cap of 128 MiB
	bubble.Test(t, func(t *testing.T) {
		h := newHermit(t)
		defer h.end()
		c := h.dial(clientsDoor)
		defer c.Close()
		h.make(c, "opened", map[string]string{"cleanup.policy": "compact"})
		h.make(c, "closed", nil)
		for _, codec := range []record.Codec{record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
			size := large
			if codec == record.Snappy {
				size = 16 << 20 // 22 to 1 at most: more is not a batch that is taken at all
			}
			bomb := bomb(t, codec, size)
			for _, topic := range []string{"opened", "closed"} {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				code := h.produce(c, topic, bomb)
				runtime.ReadMemStats(&after)
				spent, what := after.TotalAlloc-before.TotalAlloc, fmt.Sprintf("%s, %d bytes that become %d, %s", codec, len(bomb), size, topic)
				switch {
				case topic == "closed" && (code != 0 || spent > 8<<20):
					t.Errorf("%s: code %d, %d bytes allocated; it need not be opened", what, code, spent)
				case topic == "opened" && size == large && code != kerr.InvalidRecord.Code:
					t.Errorf("%s: code %d, it is beyond the caps", what, code)
				case spent > 5*128<<20: // buffers that double up to the cap, all of them
					t.Errorf("%s: %d bytes allocated", what, spent)
				}
				h.sane(what)
			}
		}
	})
}

// bomb is a batch of one record whose value is zeros: of zstd the densest there is.
func bomb(t *testing.T, codec record.Codec, size int) record.Batch {
	b := record.NewBuilder(record.BuilderConfig{Codec: codec, ProducerID: -1})
	b.Append(record.Record{Timestamp: 1, Key: []byte("k"), Value: make([]byte, size)})
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}
