package wire

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// asked are requests that brokers send each other over a Client.
var asked = []kmsg.Request{
	kmsg.NewPtrOffsetForLeaderEpochRequest(), kmsg.NewPtrWriteTxnMarkersRequest(), kmsg.NewPtrAddPartitionsToTxnRequest(),
	kmsg.NewPtrListOffsetsRequest(), kmsg.NewPtrFindCoordinatorRequest(), kmsg.NewPtrReadShareGroupStateRequest(),
	kmsg.NewPtrWriteShareGroupStateRequest(), kmsg.NewPtrDescribeClusterRequest(),
}

// FuzzClient lets a broker that is asked answer any bytes, to its versions or to a request:
// who asks gets an answer or an error, and the connection ends if it makes no sense. What is
// allocated follows from what came.
func FuzzClient(f *testing.F) {
	versions := kmsg.NewPtrApiVersionsResponse()
	versions.ApiKeys = []kmsg.ApiVersionsResponseApiKey{{ApiKey: 10, MinVersion: 0, MaxVersion: 4}, {ApiKey: -1, MaxVersion: 9}, {ApiKey: 9999}}
	for _, v := range []int16{0, 3} {
		versions.SetVersion(v)
		f.Add(uint8(255), versions.AppendTo(nil))
	}
	f.Add(uint8(255), []byte{0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4})
	for i, req := range asked {
		resp := req.ResponseKind()
		resp.SetVersion(req.MaxVersion())
		f.Add(uint8(i), append([]byte{0}, resp.AppendTo(nil)...))
	}
	f.Add(uint8(4), []byte{0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, which uint8, answer []byte) {
		if len(answer) > 1<<14 {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		bubble.Test(t, func(t *testing.T) { askWhoLies(t, which, answer) })
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > uint64(4<<20+300*len(answer)) {
			t.Errorf("%d bytes of an answer took %d", len(answer), spent)
		}
	})
}

// askWhoLies asks a broker that gives one answer, to the question for its versions (255) or
// to a request, and then nothing more.
func askWhoLies(t *testing.T, which uint8, answer []byte) {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		for n := uint32(0); ; n++ {
			if _, err := readFrame(far); err != nil {
				return
			}
			body := allVersions
			if n > 0 || which == 255 {
				body = answer
			}
			head := binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))
			if _, err := far.Write(append(binary.BigEndian.AppendUint32(head, n), body...)); err != nil || n > 0 {
				return
			}
		}
	}()
	dial := func(context.Context, string, string) (net.Conn, error) { return near, nil }
	c, err := Dial(t.Context(), ClientConfig{Dial: dial, Address: "s:1", ClientID: "c"})
	if err != nil {
		return
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if which%2 == 0 {
		_, _ = c.Do(ctx, asked[int(which)%len(asked)]) // an answer, or an error: both are right
		return
	}
	req := FetchRequest{Replica: 1, MaxBytes: 100, Partitions: []FetchPartition{{ID: model.IDPartition{Topic: model.ID{1}}}}}
	var resp FetchResponse
	if c.FetchRaw(ctx, &req, &resp) == nil {
		resp.Release()
	}
}

// allVersions answers ApiVersions v3 with all that there is.
var allVersions = func() []byte {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.SetVersion(3)
	for key := int16(0); key <= MaxKey; key++ {
		if s, ok := Lookup(key); ok {
			k := kmsg.NewApiVersionsResponseApiKey()
			k.ApiKey, k.MinVersion, k.MaxVersion = key, s.Min, s.Max
			resp.ApiKeys = append(resp.ApiKeys, k)
		}
	}
	return resp.AppendTo(nil)
}()

func readFrame(c net.Conn) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(c, b)
	return b, err
}
