package broker_test

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/broker"
	"github.com/odradek/odradek/internal/proto/memnet"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// hermit is a node alone, whole, on a disk and a network in memory. It must be made in a
// bubble.
type hermit struct {
	t      *testing.T
	net    *memnet.Network
	disk   *vfs.Mem
	static map[string]string
	broker *broker.Broker
	stop   context.CancelFunc
	done   chan error
	logged complaints // what it says that it never must
	topic  [16]byte   // of the topic a
	lives  byte
}

// Where a hermit is reached: by clients and brokers, and as a node of the quorum.
const (
	clientsDoor = "hermit:9092"
	quorumDoor  = "hermit:9093"
)

func newHermit(t *testing.T) *hermit {
	h := formHermit(t)
	h.launch()
	return h
}

// formHermit is one that was never started.
func formHermit(t *testing.T) *hermit {
	return &hermit{t: t, net: memnet.New(1 << 20), disk: vfs.NewMem(), static: map[string]string{
		"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "1", "transaction.state.log.num.partitions": "1",
		"share.coordinator.state.topic.num.partitions": "1", "odradek.journal.file.bytes": "1048576", "log.segment.bytes": "1048576",
	}}
}

func (h *hermit) launch() {
	h.t.Helper()
	if err := h.try(); err != nil {
		h.t.Fatalf("it does not start: %v", err)
	}
}

// try starts the node, or tells why it does not start.
func (h *hermit) try() error {
	h.t.Helper()
	var mu sync.Mutex
	h.lives++ // no id is drawn twice
	bytes := rand.NewChaCha8([32]byte{7, h.lives})
	b, err := broker.New(broker.Config{
		NodeID: 1, LogDirs: []string{"/data"}, FS: h.disk,
		Listeners:   []broker.Listener{{Name: "PLAINTEXT", Bind: clientsDoor}},
		Controllers: []broker.Listener{{Name: "CONTROLLER", Bind: quorumDoor}},
		Listen:      func(_ context.Context, a string) (net.Listener, error) { return h.net.Listen("tcp", a) },
		Dial:        h.net.Host("hermit").Dial,
		Random:      func(p []byte) { mu.Lock(); defer mu.Unlock(); bytes.Read(p) },
		Static:      h.static,
		Log:         slog.New(&h.logged),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	h.broker, h.stop, h.done = b, stop, make(chan error, 1)
	go func() { h.done <- b.Run(ctx) }()
	select {
	case <-b.Ready():
		return nil
	case err := <-h.done:
		stop()
		return err
	}
}

// end stops the node in order.
func (h *hermit) end() {
	h.t.Helper()
	h.stop()
	if err := <-h.done; err != nil {
		h.t.Errorf("it stopped: %v", err)
	}
	h.sane("all of it")
}

// sane fails the test if the node has met a bug of its own.
func (h *hermit) sane(after string) {
	h.t.Helper()
	h.unharmed(after)
	select {
	case err := <-h.done:
		h.done <- err
		h.t.Fatalf("after %s the node has ended: %v", after, err)
	default:
	}
}

// unharmed fails the test if something in it has panicked.
func (h *hermit) unharmed(after string) {
	h.t.Helper()
	if bug := h.logged.take(); bug != "" {
		h.t.Errorf("after %s: %s", after, bug)
	}
}

func (h *hermit) dial(door string) net.Conn {
	h.t.Helper()
	c, err := h.net.Dial(context.Background(), "tcp", door)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// ask sends a good request and reads its answer.
func (h *hermit) ask(c net.Conn, version int16, req kmsg.Request) kmsg.Response {
	h.t.Helper()
	req.SetVersion(version)
	if _, err := c.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("hermit")).AppendRequest(nil, req, 7)); err != nil {
		h.t.Fatalf("%s v%d: %v", kmsg.NameForKey(req.Key()), version, err)
	}
	body, err := answer(c)
	if err != nil {
		h.t.Fatalf("%s v%d: %v", kmsg.NameForKey(req.Key()), version, err)
	}
	resp := req.ResponseKind()
	resp.SetVersion(version)
	if resp.IsFlexible() && req.Key() != 18 {
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		h.t.Fatalf("%s v%d: the answer cannot be read: %v", kmsg.NameForKey(req.Key()), version, err)
	}
	return resp
}

// answer reads one answer, without its correlation id.
func answer(c net.Conn) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:])-4)
	_, err := io.ReadFull(c, body)
	return body, err
}

// frameOf is a frame of any body behind a good header.
func frameOf(key, version int16, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = append(b, 0, 0, 0, 7, 0, 1, 'c')
	if req := kmsg.RequestForKey(key); req != nil {
		if req.SetVersion(version); req.IsFlexible() {
			b = append(b, 0)
		}
	}
	b = append(b, body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// complaints is a log that keeps what must never be in it.
type complaints struct {
	mu  sync.Mutex
	bug string
}

func (c *complaints) Enabled(context.Context, slog.Level) bool { return true }
func (c *complaints) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c *complaints) WithGroup(string) slog.Handler            { return c }

func (c *complaints) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.Key + "=" + a.Value.String(); return true })
	if strings.Contains(text, "panic") || strings.Contains(text, "bug: ") {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bug = text
	}
	return nil
}

func (c *complaints) take() (bug string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	bug, c.bug = c.bug, ""
	return bug
}

// make makes a topic of one partition.
func (h *hermit) make(c net.Conn, name string, configs map[string]string) {
	h.t.Helper()
	req, rt := kmsg.NewPtrCreateTopicsRequest(), kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = name, 1, 1
	for k, v := range configs {
		rt.Configs = append(rt.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: k, Value: &v})
	}
	req.Topics = append(req.Topics, rt)
	if rt := h.ask(c, 7, req).(*kmsg.CreateTopicsResponse).Topics[0]; rt.ErrorCode != 0 {
		h.t.Fatalf("create %s: %d", name, rt.ErrorCode)
	}
}

// produce sends one batch to partition 0 of a topic, and returns what is said of it.
func (h *hermit) produce(c net.Conn, topic string, batch []byte) int16 {
	h.t.Helper()
	req, rt := kmsg.NewPtrProduceRequest(), kmsg.NewProduceRequestTopic()
	rt.Topic, rt.Partitions = topic, []kmsg.ProduceRequestTopicPartition{{Records: batch}}
	req.Acks, req.TimeoutMillis, req.Topics = -1, 1000, append(req.Topics, rt)
	return h.ask(c, 9, req).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode
}
