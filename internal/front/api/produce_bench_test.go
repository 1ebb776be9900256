package api

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// BenchmarkProduce is a request to ten partitions and its answer: of a producer without
// sequences, of an idempotent one, and of one in a transaction that goes on.
func BenchmarkProduce(b *testing.B) {
	for _, kind := range []string{"plain", "idempotent", "transactional"} {
		b.Run(kind, func(b *testing.B) {
			const partitions = 10
			d, _ := serving(b, map[string][][]int32{"a": slicesOf(partitions)}, benchOptions...)
			seq := int32(0)
			frame := func() []byte {
				req := kmsg.NewPtrProduceRequest()
				req.SetVersion(12)
				req.Acks, req.TimeoutMillis = -1, 5000
				cfg := record.BuilderConfig{ProducerID: record.NoProducerID}
				if kind != "plain" {
					cfg = record.BuilderConfig{ProducerID: 5, BaseSequence: seq, Idempotent: true, Transactional: kind == "transactional"}
				}
				if kind == "transactional" {
					id := "x"
					req.TransactionID = &id
				}
				seq++
				bld := record.NewBuilder(cfg)
				bld.Append(record.Record{Timestamp: 1000, Value: make([]byte, 100)})
				batch, err := bld.Build()
				if err != nil {
					b.Fatal(err)
				}
				topic := kmsg.ProduceRequestTopic{Topic: "a"}
				for p := range int32(partitions) {
					topic.Partitions = append(topic.Partitions, kmsg.ProduceRequestTopicPartition{Partition: p, Records: batch})
				}
				req.Topics = append(req.Topics, topic)
				return kmsg.NewRequestFormatter().AppendRequest(nil, req, 7)
			}
			frames := make([][]byte, 2000)
			for i := range frames {
				frames[i] = frame()
			}
			var head [4]byte
			body := make([]byte, 4096)
			turn := func(frame []byte) {
				go d.conn.Write(frame)
				if _, err := io.ReadFull(d.conn, head[:]); err != nil {
					b.Fatal(err)
				}
				body = body[:binary.BigEndian.Uint32(head[:])]
				if _, err := io.ReadFull(d.conn, body); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if kind != "plain" && i >= len(frames) {
					b.StopTimer()
					frames = append(frames, frame())
					b.StartTimer()
				}
				turn(frames[min(i, len(frames)-1)])
			}
			if binary.BigEndian.Uint16(body[4+1+1+2+1+4:]) != 0 {
				b.Fatalf("refused: %x", body)
			}
		})
	}
}

func slicesOf(n int) [][]int32 {
	s := make([][]int32, n)
	for i := range s {
		s[i] = []int32{1}
	}
	return s
}

var benchOptions = []option{withRegister(&register{})}
