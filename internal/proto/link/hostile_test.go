package link

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/memnet"
	"github.com/odradek/odradek/internal/proto/model"
)

// Whatever bytes come, the line ends, and what they claim costs nothing.
func FuzzServe(f *testing.F) {
	hello := appendOpening(nil, Hello{ClusterID: "c", Node: 7, Incarnation: model.ID{1}, Voters: []Peer{{1, "a:1"}}}, 0)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(hello)
	say := bytes.Clone(hello)
	say = appendFrame(say, frameMessage, 1, 0, 0, []byte("message"))
	say = appendFrame(say, frameCall, 1, flagBulk|flagMore, 3, []byte("first piece"))
	say = appendFrame(say, frameCall, 1, flagBulk, 3, []byte("last"))
	say = appendFrame(say, frameCancel, 0, 0, 3, nil)
	say = appendFrame(say, framePing, 0, 0, 0, nil)
	say = appendFrame(say, frameCredit, 0, 0, 1<<60, nil)
	f.Add(say)
	f.Add(appendFrame(bytes.Clone(hello), frameHello, 0, 0, 0, Hello{Node: 7, Incarnation: model.ID{1}}.append(nil)))
	f.Add(appendRefusal(append([]byte(Magic), version), errEnded))
	l, err := New(Config{
		Self:   func() Hello { return Hello{Node: 1} },
		Handle: func(_ context.Context, _ Hello, _ uint8, payload []byte) ([]byte, error) { return payload, nil },
	})
	if err != nil {
		f.Fatal(err)
	}
	whole := l.budget.Load()
	f.Fuzz(func(t *testing.T, b []byte) {
		// Half of the time the checksums are right, so that what is behind them is reached.
		for _, b := range [][]byte{b, summed(b)} {
			if err := l.Serve(t.Context(), reads{bytes.NewReader(b)}); err == nil && len(b) == 0 {
				t.Error("nothing is a line")
			}
			if held := whole - l.budget.Load(); held != 0 || len(l.accepted) != 0 || l.opening.Load() != 0 {
				t.Errorf("after its end a line holds %d bytes", held)
			}
		}
	})
}

// summed gives every frame its right checksum.
func summed(b []byte) []byte {
	b = bytes.Clone(b)
	if len(b) < 5 {
		return b
	}
	for at := 5; at+headSize <= len(b); {
		h, err := parseHead(b[at : at+headSize])
		if err != nil || at+headSize+h.length > len(b) {
			break
		}
		frame := b[at : at+headSize+h.length]
		copy(frame, appendFrame(nil, h.typ, h.kind, h.flags, h.id, frame[headSize:]))
		at += len(frame)
	}
	return b
}

// A connection that says nothing, or says its hello byte by byte, is closed after a while.
func TestSlowHello(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem := memnet.New(0)
		a := start(t, mem, 1)
		for _, pause := range []time.Duration{time.Hour, 400 * time.Millisecond} {
			nc, err := mem.Dial(t.Context(), "tcp", address(1))
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			go func() {
				for _, c := range appendOpening(nil, Hello{Node: 5}, 0) {
					if _, err := nc.Write([]byte{c}); err != nil {
						return
					}
					time.Sleep(pause)
				}
			}()
			if _, err := nc.Read(make([]byte, 1)); err == nil {
				t.Error("it is answered")
			}
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("it lasted %v", took)
			}
			nc.Close()
			time.Sleep(time.Hour)
		}
		a.stop()
	})
}

// Calls that are cancelled as fast as they come do not pile up.
func TestCallsAreBounded(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem := memnet.New(0)
		a := start(t, mem, 1, func(_ *node, c *Config) {
			c.Handle = func(context.Context, Hello, uint8, []byte) ([]byte, error) {
				time.Sleep(time.Minute) // it does not hear that nobody waits
				return nil, nil
			}
		})
		nc, err := mem.Dial(t.Context(), "tcp", address(1))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			b := appendOpening(nil, Hello{Node: 5, Incarnation: model.ID{1}}, 0)
			for id := range uint64(5000) {
				b = appendFrame(b, frameCall, kindWait, 0, id, nil)
				if id%500 != 499 {
					continue
				}
				_, _ = nc.Write(b) // it fails when the line ends
				time.Sleep(5 * time.Millisecond)
				b = b[:0]
				for i := range uint64(500) {
					b = appendFrame(b, frameCancel, 0, 0, id-i, nil)
				}
			}
		}()
		most := 0
		for range 100 {
			time.Sleep(time.Millisecond)
			a.link.mu.Lock()
			for n := range a.link.accepted {
				n.calls.mu.Lock()
				most = max(most, n.calls.running)
				n.calls.mu.Unlock()
			}
			a.link.mu.Unlock()
		}
		if most > 2*mostCalls {
			t.Errorf("%d calls are under way", most)
		}
		if _, err := io.Copy(io.Discard, nc); err == nil && most < 1000 {
			t.Errorf("the test has seen %d calls only", most)
		}
		nc.Close()
		time.Sleep(2 * time.Minute)
		a.stop()
	})
}

// An outbox sends what it was given, whole and in order for each kind, whatever is
// cancelled and however often the line is lost between.
func TestOutboxHistories(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		o, budget := newOutbox(), new(atomic.Int64)
		budget.Store(1 << 40)
		in := inbox{most: 1 << 30, budget: budget, parts: map[part][]byte{}}
		var sent, got [3][]uint32 // sizes of messages by kind
		calls := map[uint64]bool{}
		drain := func(most int) {
			for range most {
				b, _ := o.next(nil)
				if len(b) == 0 {
					return
				}
				f := newFrames(&patient{Conn: reads{bytes.NewReader(b)}})
				for {
					h, payload, err := f.next(in.into)
					if err != nil {
						break
					}
					if payload, whole := in.take(h, payload); whole && h.typ == frameMessage {
						got[h.kind] = append(got[h.kind], uint32(len(payload)))
					} else if whole && h.typ == frameCall {
						if !calls[h.id] {
							t.Fatalf("seed %d: call %d came twice, or was cancelled", seed, h.id)
						}
						delete(calls, h.id)
					} else if h.typ == frameCancel {
						in.cancel(h.id)
					}
				}
				if in.due() {
					if err := o.confirmed(in.came); err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
				}
			}
		}
		for step := range uint64(200) {
			size := 1 + rng.IntN(1<<(4+rng.IntN(15)))
			switch rng.IntN(6) {
			case 0, 1, 2:
				kind := uint8(rng.IntN(3))
				if o.message(kind, make([]byte, size), 8<<20) {
					sent[kind] = append(sent[kind], uint32(size))
				}
			case 3:
				o.call(1, step, make([]byte, size))
				calls[step] = true
			case 4:
				for id := range calls {
					o.cancel(id)
					delete(calls, id)
					break
				}
			case 5:
				drain(rng.IntN(4))
			}
		}
		drain(1 << 20)
		for kind := range sent {
			if !slices.Equal(sent[kind], got[kind]) {
				t.Fatalf("seed %d, kind %d: %d were sent, %d came, or out of order", seed, kind, len(sent[kind]), len(got[kind]))
			}
		}
		if len(calls) > 0 || o.due() > 0 || o.ready != 0 || len(in.parts) > 0 || o.queued != 0 || len(o.calls) > 0 || len(o.behind) > 0 || len(o.bulk) > 0 {
			t.Fatalf("seed %d: %d calls did not come, %d payloads are in pieces, %d bytes wait", seed, len(calls), len(in.parts), o.queued)
		}
	}
}
