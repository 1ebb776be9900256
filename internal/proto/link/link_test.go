package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/memnet"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// node is one end of the tests: it answers calls by what it was asked, and keeps what it
// has received.
type node struct {
	t    *testing.T
	net  *memnet.Network
	id   int32
	life byte // of its incarnation
	link *Link
	stop func()

	mu    sync.Mutex
	got   []string
	gone  []int32
	wrong []error
	lost  []int32
	check func(Hello) error
}

func address(id int32) string { return fmt.Sprintf("10.0.0.%d:9093", id) }

func start(t *testing.T, net *memnet.Network, id int32, tweak ...func(*node, *Config)) *node {
	return startLife(t, net, id, 1, tweak...)
}

func startLife(t *testing.T, mem *memnet.Network, id int32, life byte, tweak ...func(*node, *Config)) *node {
	n := &node{t: t, net: mem, id: id, life: life, check: func(Hello) error { return nil }}
	host := mem.Host(fmt.Sprintf("10.0.0.%d", id))
	c := Config{
		Self: func() Hello { return Hello{ClusterID: "c", Node: id, Incarnation: model.ID{n.life, byte(id)}} },
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			return host.Dial(ctx, "tcp", address)
		},
		Check: func(h Hello) error {
			n.mu.Lock()
			defer n.mu.Unlock()
			return n.check(h)
		},
		Receive: func(from Hello, kind uint8, payload []byte) {
			n.note(&n.got, fmt.Sprintf("%d/%d %d bytes %.20s", from.Node, kind, len(payload), payload))
		},
		Handle: func(ctx context.Context, from Hello, kind uint8, payload []byte) ([]byte, error) {
			return echo(ctx, kind, payload)
		},
		Gone: func(id int32) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.gone = append(n.gone, id)
		},
		Lost: func(h Hello) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.lost = append(n.lost, h.Node)
		},
		Refused: func(_ int32, err error) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.wrong = append(n.wrong, err)
		},
	}
	for _, f := range tweak {
		f(n, &c)
	}
	var err error
	if n.link, err = New(c); err != nil {
		t.Fatal(err)
	}
	ln, err := mem.Listen("tcp", address(id))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- n.link.Run(ctx) }()
	go func() { ended <- n.link.Listen(ctx, ln) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("node %d: %v", id, err)
			}
		}
	})
	return n
}

const (
	kindEcho = 1
	kindFail = 2
	kindWait = 3
)

func echo(ctx context.Context, kind uint8, payload []byte) ([]byte, error) {
	switch kind {
	case kindFail:
		return nil, model.Explain(kerr.InvalidRequest, string(payload))
	case kindWait:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return payload, nil
}

func (n *node) note(list *[]string, s string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	*list = append(*list, s)
}

// linesLost are the nodes whose lines have ended.
func (n *node) linesLost() []int32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.lost)
}

// knows names the other nodes.
func (n *node) knows(ids ...int32) {
	book := map[int32][]string{}
	for _, id := range ids {
		book[id] = []string{address(id)}
	}
	n.link.SetPeers(book)
}

func seen[T any](n *node, list *[]T) []T {
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(*list)
}

func pair(t *testing.T, mem *memnet.Network) (a, b *node) {
	a, b = start(t, mem, 1), start(t, mem, 2)
	a.knows(1, 2)
	b.knows(1, 2)
	synctest.Wait()
	return a, b
}

// Messages come in order, calls are answered, errors keep code and words, and a payload
// of any size passes.
func TestSay(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, b := pair(t, memnet.New(0))
		for i := range 3 {
			if !a.link.Send(2, 7, []byte{'0' + byte(i)}) {
				t.Fatal("not sent")
			}
		}
		if got, want := seen(b, &b.got), []string{"1/7 1 bytes 0", "1/7 1 bytes 1", "1/7 1 bytes 2"}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
		for _, size := range []int{0, 1, pieceSize, pieceSize + 1, 3<<20 + 5} {
			ask := bytes.Repeat([]byte{'x'}, size)
			answer, err := b.link.Call(t.Context(), 1, kindEcho, ask)
			if err != nil || !bytes.Equal(answer, ask) {
				t.Errorf("%d bytes: %d came back, %v", size, len(answer), err)
			}
		}
		_, err := a.link.Call(t.Context(), 2, kindFail, []byte("why not"))
		if !errors.Is(err, kerr.InvalidRequest) || err.Error() != "why not" {
			t.Errorf("the error is %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.link.Call(ctx, 2, kindWait, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
		a.stop()
		b.stop()
	})
}

// A process that dies is told of at once, once; what was in flight is lost, what follows
// is refused, and when it is back the line is, too.
func TestGone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem := memnet.New(0)
		a, b := pair(t, mem)
		flying := make(chan error, 1)
		go func() {
			_, err := a.link.Call(t.Context(), 2, kindWait, nil)
			flying <- err
		}()
		synctest.Wait()
		began := time.Now()
		mem.Kill("10.0.0.2")
		b.stop()
		if gone := seen(a, &a.gone); !slices.Equal(gone, []int32{2}) || !time.Now().Equal(began) {
			t.Errorf("gone: %v after %v", gone, time.Since(began))
		}
		if err := <-flying; !errors.Is(err, ErrLost) {
			t.Errorf("the call in flight: %v", err)
		}
		if _, err := a.link.Call(t.Context(), 2, kindEcho, nil); !errors.Is(err, ErrDown) {
			t.Errorf("a call to the dead: %v", err)
		}
		time.Sleep(5 * time.Second)
		b = startLife(t, mem, 2, 2)
		time.Sleep(mostBackoff)
		if _, err := a.link.Call(t.Context(), 2, kindEcho, nil); err != nil {
			t.Errorf("after it is back: %v", err)
		}
		if gone := seen(a, &a.gone); len(gone) != 1 {
			t.Errorf("gone: %v", gone)
		}
		a.stop()
		b.stop()
	})
}

// A node that has moved is found by its other address, and a line stays while its own is
// among those that are named.
func TestAddressesAreTriedInTurn(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem := memnet.New(0)
		a, b := start(t, mem, 1), start(t, mem, 2)
		defer a.stop()
		defer b.stop()
		a.link.SetPeers(map[int32][]string{2: {"10.0.0.9:1", address(2)}})
		time.Sleep(time.Second)
		if _, err := a.link.Call(t.Context(), 2, kindEcho, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		a.link.SetPeers(map[int32][]string{2: {"10.0.0.8:1", address(2)}})
		time.Sleep(time.Second)
		if len(b.linesLost()) > 0 || len(a.link.Up()) != 1 {
			t.Errorf("the line has not stayed: lost %v", b.linesLost())
		}
		a.link.SetPeers(map[int32][]string{2: {"10.0.0.8:1"}})
		time.Sleep(time.Second)
		if len(b.linesLost()) != 1 || len(a.link.Up()) != 0 {
			t.Errorf("the line to an address that is named no more has stayed: lost %v", b.linesLost())
		}
	})
}
