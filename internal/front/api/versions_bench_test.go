package api

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// BenchmarkApiVersions is the smallest request that every client makes, one by one.
func BenchmarkApiVersions(b *testing.B) {
	d, _ := serving(b, map[string][][]int32{"a": slicesOf(1)}, benchOptions...)
	req := kmsg.NewPtrApiVersionsRequest()
	req.SetVersion(4)
	req.ClientSoftwareName, req.ClientSoftwareVersion = "bench", "1"
	frame := kmsg.NewRequestFormatter().AppendRequest(nil, req, 7)
	var head [4]byte
	body := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		go d.conn.Write(frame)
		if _, err := io.ReadFull(d.conn, head[:]); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(d.conn, body[:binary.BigEndian.Uint32(head[:])]); err != nil {
			b.Fatal(err)
		}
	}
}
