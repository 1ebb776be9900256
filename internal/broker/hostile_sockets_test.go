package broker_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What clients that are broken, or mean harm, do with their connections. An honest one is
// served all the while.
func TestSockets(t *testing.T) {
	for name, story := range map[string]func(*hermit){
		"cut at every byte": (*hermit).cutFrames, "sizes that lie": (*hermit).wrongSizes, "byte by byte": (*hermit).slowly,
		"ten thousand at once": (*hermit).pipelined, "what nobody knows": (*hermit).unknown, "other protocols": (*hermit).otherProtocols,
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				h := newHermit(t)
				defer h.end()
				h.furnish()
				story(h)
				h.sane(name)
				h.alive()
			})
		})
	}
}

// cutFrames ends the connection within a frame, after each of its bytes.
func (h *hermit) cutFrames() {
	for _, key := range []int16{0, 1, 3, 11, 18, 22} {
		version := kmsg.RequestForKey(key).MaxVersion()
		frame := frameOf(key, version, h.plausible(key, version, 1))
		for n := range frame {
			c := h.dial(clientsDoor)
			if _, err := c.Write(frame[:n]); err != nil {
				h.t.Fatalf("%d bytes: %v", n, err)
			}
			c.Close()
		}
	}
	synctest.Wait()
}

// wrongSizes declares frames that are negative, too small for a header, or too large: the
// connection ends, and no memory is taken for what does not come.
func (h *hermit) wrongSizes() {
	for _, size := range []uint32{0, 1, 7, 1 << 31, 1<<32 - 1, 1<<31 - 1, 101 << 20} {
		c := h.dial(clientsDoor)
		if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, size), make([]byte, 64)...)); err != nil {
			h.t.Fatal(err)
		}
		if b, err := io.ReadAll(c); len(b) > 0 {
			h.t.Errorf("a frame of %d bytes is answered by %x, %v", size, b, err)
		}
		c.Close()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const many = 50
	var held []net.Conn
	for range many { // as large as may be, and then nothing
		c := h.dial(clientsDoor)
		held = append(held, c)
		if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, 99<<20), make([]byte, 100)...)); err != nil {
			h.t.Fatal(err)
		}
	}
	synctest.Wait()
	runtime.ReadMemStats(&after)
	if spent := (after.TotalAlloc - before.TotalAlloc) / many; spent > 256<<10 {
		h.t.Errorf("100 bytes of a frame take %d", spent)
	}
	for _, c := range held {
		c.Close()
	}
}

// slowly sends a frame byte by byte: within the time that a frame may take it is answered,
// and beyond it the connection ends.
func (h *hermit) slowly() {
	frame := frameOf(18, 0, nil)
	for pause, answered := range map[time.Duration]bool{100 * time.Millisecond: true, time.Minute: false} {
		c := h.dial(clientsDoor)
		go func() {
			for _, b := range frame {
				if _, err := c.Write([]byte{b}); err != nil {
					return // it has been ended
				}
				time.Sleep(pause)
			}
		}()
		if _, err := answer(c); (err == nil) != answered {
			h.t.Errorf("a byte every %v: %v", pause, err)
		}
		h.alive()
		c.Close()
	}
	time.Sleep(time.Hour) // for who still writes
}

// pipelined asks ten thousand times before it reads: all is answered, in order.
func (h *hermit) pipelined() {
	const n = 10_000
	c := h.dial(clientsDoor)
	defer c.Close()
	go func() {
		var all []byte
		for i := range uint32(n) {
			frame := frameOf(3, 1, []byte{0, 0, 0, 0})
			binary.BigEndian.PutUint32(frame[8:], i)
			all = append(all, frame...)
		}
		_, _ = c.Write(all) // if it fails, so does the reader
	}()
	for i := range uint32(n) {
		var head [8]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			h.t.Fatalf("answer %d: %v", i, err)
		}
		if id := binary.BigEndian.Uint32(head[4:]); id != i {
			h.t.Fatalf("answer %d is to request %d", i, id)
		}
		if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(head[:])-4)); err != nil {
			h.t.Fatal(err)
		}
	}
}

// unknown asks what this node does not know: the connection ends, but that an ApiVersions
// from the future is answered by what would be understood.
func (h *hermit) unknown() {
	for _, ask := range [][2]int16{{999, 0}, {-1, 0}, {32767, 32767}, {3, 99}, {0, -1}, {4, 7}, {56, 3}} {
		c := h.dial(clientsDoor)
		if _, err := c.Write(frameOf(ask[0], ask[1], make([]byte, 20))); err != nil {
			h.t.Fatal(err)
		}
		if b, err := io.ReadAll(c); len(b) > 0 {
			h.t.Errorf("key %d version %d is answered by %x, %v", ask[0], ask[1], b, err)
		}
		c.Close()
	}
	c := h.dial(clientsDoor)
	defer c.Close()
	if _, err := c.Write(frameOf(18, 99, []byte("from the future"))); err != nil {
		h.t.Fatal(err)
	}
	body, err := answer(c)
	resp := kmsg.NewPtrApiVersionsResponse()
	if err == nil {
		err = resp.ReadFrom(body)
	}
	if err != nil || resp.ErrorCode != kerr.UnsupportedVersion.Code || len(resp.ApiKeys) != 1 || resp.ApiKeys[0].ApiKey != 18 {
		h.t.Errorf("ApiVersions v99: %+v, %v", resp, err)
	}
}

// otherProtocols speaks what is not Kafka's, at both doors.
func (h *hermit) otherProtocols() {
	hello := []byte{22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3} // TLS
	for _, say := range [][]byte{hello, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), []byte("SSH-2.0-x\r\n"), bytes.Repeat([]byte{0}, 100), bytes.Repeat([]byte{0xff}, 100)} {
		for _, door := range []string{clientsDoor, quorumDoor} {
			c := h.dial(door)
			go io.Copy(io.Discard, c)
			if _, err := c.Write(say); err != nil {
				h.t.Fatal(err)
			}
			synctest.Wait()
			c.Close()
		}
	}
}
