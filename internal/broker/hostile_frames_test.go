package broker_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/front/api"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Frames whose counts, lengths and tags lie, of every request in every version, on both
// kinds of listeners: none makes the node panic or end, and what it allocates follows from
// the bytes that came and not from what they claim. It is the allocator that is asked; time
// is asked of nobody, and a frame that kept a processor busy would stand out by what it does
// not let others do: the test would not end.
func TestHostileFrames(t *testing.T) {
	for _, door := range []string{clientsDoor, quorumDoor} {
		for _, part := range split(advertised(door), 4) {
			bubble.Test(t, func(t *testing.T) {
				h := newHermit(t)
				defer h.end()
				h.furnish()
				for _, a := range part {
					for v := max(a.Min, a.Floor); v <= a.Max; v++ {
						h.lies(door, a.Key, v)
					}
				}
			})
		}
	}
}

// Many of the smallest elements there are, or many times the same name, in every list of
// every request.
func TestGreedyFrames(t *testing.T) {
	for _, door := range []string{clientsDoor, quorumDoor} {
		for _, part := range split(advertised(door), 4) {
			bubble.Test(t, func(t *testing.T) {
				h := newHermit(t)
				defer h.end()
				h.furnish()
				for _, a := range part {
					h.greedy(door, a.Key, a.Max)
				}
			})
		}
	}
}

// advertised is what a listener takes, by the table that ApiVersions is made of.
func advertised(door string) []api.API {
	return slices.DeleteFunc(api.Table(), func(a api.API) bool {
		on := a.On
		if on == 0 {
			on = api.OnBrokers
		}
		if door == clientsDoor {
			return on&api.OnBrokers == 0
		}
		return on&api.OnControllers == 0
	})
}

// split deals a list out to n others.
func split[T any](list []T, n int) [][]T {
	parts := make([][]T, n)
	for i, e := range list {
		parts[i%n] = append(parts[i%n], e)
	}
	return parts
}

// furnish makes what requests can be about: a topic a.
func (h *hermit) furnish() {
	c := h.dial(clientsDoor)
	defer c.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	for _, name := range []string{"a", "b"} {
		rt := kmsg.NewCreateTopicsRequestTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = name, 2, 1
		req.Topics = append(req.Topics, rt)
	}
	for _, rt := range h.ask(c, 7, req).(*kmsg.CreateTopicsResponse).Topics {
		if rt.ErrorCode != 0 {
			h.t.Fatalf("create %s: %d", rt.Topic, rt.ErrorCode)
		}
		if rt.Topic == "a" {
			h.topic = rt.TopicID
		}
	}
}

// Costs in memory, garbage included. A frame that names nothing, or little, is answered for
// the price of its handling. Of one that names many things, what is decoded is bounded by 8
// times the body and 1 MiB (wire.CheckRequest), who answers may take as much again, and each
// thing may be answered in words.
const (
	lieCosts   = 256 << 10
	thingCosts = 2500
)

func greedCosts(frame int) uint64 { return uint64(2*(8*frame+1<<20) + thingCosts*manyThings) }

// lies sends a plausible request with one lie at each of its bytes in turn.
func (h *hermit) lies(door string, key, version int16) {
	rng := rand.New(rand.NewPCG(uint64(key), uint64(version)))
	body := h.plausible(key, version, 1)
	step := 1
	if testing.Short() {
		step = 5
	}
	c := h.dial(door)
	defer func() { c.Close() }()
	for at := 0; at <= len(body); at += step {
		c = h.hostile(c, door, key, version, lie(rng, body, at), lieCosts, fmt.Sprintf("a lie at byte %d", at))
	}
}

// lie changes what stands at a place into a count, a length or a tag that is not true.
func lie(rng *rand.Rand, body []byte, at int) []byte {
	b := bytes.Clone(body)
	switch kind := rng.IntN(6); {
	case kind == 0:
		return b[:at]
	case kind == 1 && at+4 <= len(b):
		binary.BigEndian.PutUint32(b[at:], []uint32{1<<31 - 1, 1 << 31, 1 << 24, 65536}[rng.IntN(4)])
	case kind == 2 && at+2 <= len(b):
		binary.BigEndian.PutUint16(b[at:], []uint16{1<<15 - 1, 1 << 15, 4096}[rng.IntN(3)])
	case kind == 3 && at < len(b):
		claim := binary.AppendUvarint(nil, []uint64{1<<32 - 1, 1 << 31, 1 << 20, 300}[rng.IntN(4)])
		return append(append(b[:at:at], claim...), b[at+1:]...)
	case kind == 4:
		return append(append(b[:at:at], 0xff, 0xff, 0xff, 0xff, 0x0f), b[at:]...)
	case at < len(b):
		b[at] ^= byte(1 + rng.IntN(255))
	}
	return b
}

// manyThings is how many elements a greedy list has: enough that what grows with their square
// would stand out.
const manyThings = 5000

// greedy sends requests with many elements in one list after the other.
func (h *hermit) greedy(door string, key, version int16) {
	for list := 0; ; list++ {
		c := h.dial(door)
		for _, text := range []string{"", "a", "N"} {
			req := kmsg.RequestForKey(key)
			req.SetVersion(version)
			g := greed{topic: h.topic, target: list, text: text}
			if text == "a" { // what exists
				g.number = 1
			}
			g.fill(reflect.ValueOf(req).Elem(), nil)
			if g.lists <= list {
				c.Close()
				return
			}
			body := req.AppendTo(nil)
			c = h.hostile(c, door, key, version, body, greedCosts(len(body)), fmt.Sprintf("many in list %s, text %q", g.name, text))
		}
		c.Close()
	}
}

// hostile sends a frame and waits until nothing happens any more, without letting time pass.
// It returns another connection.
func (h *hermit) hostile(c net.Conn, door string, key, version int16, body []byte, most uint64, what string) net.Conn {
	h.t.Helper()
	frame := frameOf(key, version, body)
	got := make([]byte, 1<<16)
	read := 0
	var before, after runtime.MemStats
	synctest.Wait()
	runtime.ReadMemStats(&before)
	go c.Write(frame)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			n, err := c.Read(got)
			if read += n; err != nil {
				return
			}
		}
	}()
	synctest.Wait()
	runtime.ReadMemStats(&after)
	what = fmt.Sprintf("%s v%d, %d bytes, %s", kmsg.NameForKey(key), version, len(frame), what)
	if spent := after.TotalAlloc - before.TotalAlloc; spent > most && !racing {
		h.t.Errorf("%s: %d bytes allocated, %d answered, at most %d are to be", what, spent, read, most)
	}
	h.sane(what)
	c.Close()
	<-over
	return h.dial(door)
}

// plausible is the body of a request in which every list has n elements and every name is
// that of something that exists.
func (h *hermit) plausible(key, version int16, n int) []byte {
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	g := greed{topic: h.topic, target: -1, text: "a", number: 1, each: n}
	g.fill(reflect.ValueOf(req).Elem(), nil)
	return req.AppendTo(nil)
}

// greed fills the fields of a request: the list number target has as many elements as it
// may, those around it one, and other lists each.
type greed struct {
	topic  [16]byte
	text   string // "N" numbers the names
	number int64
	target int
	each   int

	lists int // met so far
	name  string
	count int
}

func (g *greed) fill(v reflect.Value, path []string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Name != "Version" && f.Name != "UnknownTags" {
				g.fill(v.Field(i), append(path, f.Name))
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(g.text))
			return
		}
		me, n := g.lists, max(g.each, 1)
		if g.lists++; me == g.target {
			n, g.name = manyThings, strings.Join(path, ".")
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		lists := g.lists
		for i := range n {
			g.lists = lists // lists in the elements of one list are one list
			g.fill(v.Index(i), path)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		g.fill(v.Elem(), path)
	case reflect.Array:
		reflect.Copy(v, reflect.ValueOf(g.topic[:]))
	case reflect.String:
		if g.count++; g.text == "N" {
			v.SetString(fmt.Sprint("n", g.count))
		} else {
			v.SetString(g.text)
		}
	case reflect.Bool:
		v.SetBool(g.number == 1)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(g.number)
	}
}
