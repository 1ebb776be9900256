package wire

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Requests that wait keep what they take once decoded, over all connections, although
// their frames were given back.
func TestDecodedRequestsAreBounded(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const limit = 1 << 20
		var decoded atomic.Int64
		gate := make(chan struct{})
		b := start(t, &Server{Budget: NewBudget(limit), Handler: handlerFunc(func(_ *Conn, r *Request) Pending {
			cost := int64(r.cost)
			decoded.Add(cost)
			r.Release()
			return func(ctx context.Context) (Reply, error) {
				select {
				case <-gate:
				case <-ctx.Done():
				}
				decoded.Add(-cost)
				return text(""), nil
			}
		})})
		defer b.stop()
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.SetVersion(1)
		req.Groups = make([]string, 5000) // 24 bytes each, for 2 on the wire
		var conns []net.Conn
		for range 4 {
			c := b.dial()
			conns = append(conns, c)
			go func() {
				for i := range int32(40) {
					c.Write(framed(req, i, "x"))
				}
			}()
		}
		synctest.Wait()
		if n := decoded.Load(); n > limit || n < limit/2 {
			t.Errorf("%d bytes of decoded requests wait, the budget is %d", n, limit)
		}
		close(gate)
		for _, c := range conns {
			for range 40 {
				if _, _, err := answer(c); err != nil {
					t.Fatal(err)
				}
			}
		}
		synctest.Wait()
		if n := b.srv.waiting.Used(); n != 0 || decoded.Load() != 0 {
			t.Errorf("%d bytes are held at the end", n)
		}
	})
}

// While large frames that stall hold all memory, small requests are answered, and the
// frames that stall lose their connections as soon as somebody waits.
func TestStalledFramesKeepNobodyOut(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := start(t, &Server{Budget: NewBudget(4 * mib), Handler: handlerFunc(echo)})
		dribble := func(c net.Conn) {
			head := binary.BigEndian.AppendUint32(nil, 50*mib)
			c.Write(append(head, make([]byte, 900*kib)...))
			for {
				if _, err := c.Write([]byte{0}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}
		var wg sync.WaitGroup
		defer wg.Wait()
		defer b.stop()
		for range 20 {
			wg.Go(func() { dribble(b.dial()) })
		}
		time.Sleep(time.Millisecond)
		if used := b.srv.Budget.Used(); used < 4*mib {
			t.Fatalf("only %d bytes are held", used)
		}
		began := time.Now()
		c := b.dial()
		c.Write(frame(1, "small", 10))
		if _, body, err := answer(c); err != nil || body != "small" || time.Since(began) > 0 {
			t.Errorf("a small request: %q, %v after %v", body, err, time.Since(began))
		}
		large := kmsg.NewPtrDeleteGroupsRequest()
		large.SetVersion(1)
		for range 100 * kib {
			large.Groups = append(large.Groups, "0123456789")
		}
		go c.Write(framed(large, 2, "large"))
		if _, body, err := answer(c); err != nil || body != "large" {
			t.Errorf("a large request: %q, %v", body, err)
		}
		// Twenty frames take turns, of holdTimeout and a second at most.
		if took := time.Since(began); took > time.Minute {
			t.Errorf("a large request waited %v for frames that stall", took)
		}
	})
}
