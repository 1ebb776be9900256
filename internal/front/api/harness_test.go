package api

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/coord/group"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// desk is a Server behind a real line, with a real controller whose quorum agrees at
// once, and stand-ins for the rooms with disks.
type desk struct {
	t        testing.TB
	server   *Server
	feed     *metadata.Feed
	ctl      *controller.Service
	groups   *fakeGroups
	txns     *fakeTransactions
	settings map[string]string
	listener *pipeListener
	line     *wire.Server
	level    slog.LevelVar
	status   quorum.Status
	dirs     []LogDir
	made     map[model.TopicPartition][]Producer
	conn     net.Conn // the client's, on listener PLAINTEXT
}

// options change a desk before its server is made.
type option func(*desk, *Config)

func newDesk(t testing.TB, opts ...option) *desk {
	t.Helper()
	d := &desk{t: t, feed: metadata.NewFeed(), groups: &fakeGroups{}, txns: &fakeTransactions{}, settings: map[string]string{},
		status: quorum.Status{Node: 1, Leader: 1, Term: 3, Commit: 41, Voters: []quorum.Replica{{Node: 1, Match: 41}}},
		made:   map[model.TopicPartition][]Producer{}}
	d.ctl = controller.New(controller.Options{Node: 1, Feed: d.feed, Begin: d.agree, Rand: rand.New(rand.NewPCG(1, 2))})
	cfg := Config{NodeID: 1, Feed: d.feed, Controller: d.ctl, Groups: d.groups, Transactions: d.txns, Shares: fakeShares{}, Host: noHost{},
		Settings: func() config.Values {
			v, err := config.Node{Static: d.settings}.Values()
			if err != nil {
				t.Fatal(err)
			}
			return v
		},
		Quorum:   func() quorum.Status { return d.status },
		LogDirs:  func() []LogDir { return d.dirs },
		LogLevel: &d.level,
		Producers: func(tp model.TopicPartition) ([]Producer, error) {
			list, ok := d.made[tp]
			if !ok {
				return nil, kerr.NotLeaderForPartition
			}
			return list, nil
		},
		Features: []metadata.FeatureRange{{Name: "group.version", Min: 0, Max: 1}, {Name: "metadata.version", Min: 7, Max: 29}},
	}
	for _, o := range opts {
		o(d, &cfg)
	}
	var err error
	if d.server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	d.apply(broker(1, "PLAINTEXT"), metadata.SetCluster{ID: "the-cluster"})
	d.ctl.Lead(1)
	d.listener = newPipeListener()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	ws := &wire.Server{Handler: d.server}
	d.line = ws
	wg.Go(func() { ws.Serve(ctx, d.listener, "PLAINTEXT") })
	t.Cleanup(func() { cancel(); wg.Wait() })
	d.conn = d.dial()
	return d
}

// agree is a quorum of one that never fails.
func (d *desk) agree(_ int64, entry []byte) controller.Wait {
	offset := d.feed.Image().Offset + 1
	err := d.feed.ApplyEntry(offset, entry)
	return func(context.Context) (int64, error) { return offset, err }
}

// apply makes records true behind the controller's back; it sees them after redo.
func (d *desk) apply(recs ...metadata.Record) {
	d.t.Helper()
	if err := d.feed.ApplyEntry(d.feed.Image().Offset+1, metadata.Encode(nil, recs)); err != nil {
		d.t.Fatal(err)
	}
}

// redo begins a new term, in which the controller sees what was applied.
func (d *desk) redo() {
	d.ctl.Resign()
	d.ctl.Lead(2)
}

func broker(id int32, listeners ...string) metadata.RegisterBroker {
	b := metadata.Broker{ID: id, Epoch: int64(id) * 10, Incarnation: model.ID{byte(id)}, LogDirs: []model.ID{{9, byte(id)}}}
	for i, l := range listeners {
		b.Endpoints = append(b.Endpoints, metadata.Endpoint{Listener: l, Host: "host" + string(rune('0'+id)), Port: 9092 + int32(i)})
	}
	return metadata.RegisterBroker{Broker: b}
}

// topic adds a topic whose partitions have the given replicas, led by the first.
func (d *desk) topic(name string, id byte, partitions ...[]int32) {
	d.t.Helper()
	recs := []metadata.Record{metadata.AddTopic{Name: name, ID: model.ID{id}}}
	for i, replicas := range partitions {
		p := metadata.Partition{Leader: replicas[0], Replicas: replicas, ISR: replicas, Dirs: make([]model.ID, len(replicas))}
		recs = append(recs, metadata.AddPartition{Topic: model.ID{id}, Number: int32(i), Partition: p})
	}
	d.apply(recs...)
	d.redo()
}

func (d *desk) dial() net.Conn {
	client, server := net.Pipe()
	d.listener.conns <- server
	d.t.Cleanup(func() { client.Close() })
	return client
}

// ask sends req in a version and reads its answer.
func ask[R kmsg.Response](d *desk, version int16, req kmsg.Request) R {
	d.t.Helper()
	req.SetVersion(version)
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("tester")).AppendRequest(nil, req, 7)
	body, err := exchange(d.conn, frame)
	if err != nil {
		d.t.Fatalf("%s v%d: %v", kmsg.NameForKey(req.Key()), version, err)
	}
	resp := req.ResponseKind()
	resp.SetVersion(version)
	if resp.IsFlexible() && req.Key() != keyApiVersions {
		if body[0] != 0 {
			d.t.Fatalf("response header has %d tags", body[0])
		}
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		d.t.Fatalf("read %s v%d: %v", kmsg.NameForKey(req.Key()), version, err)
	}
	return resp.(R)
}

// exchange writes a frame and reads the next, without its correlation id.
func exchange(c net.Conn, frame []byte) ([]byte, error) {
	sent := make(chan error, 1)
	go func() { _, err := c.Write(frame); sent <- err }()
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:4])-4)
	if _, err := io.ReadFull(c, body); err != nil {
		return nil, err
	}
	return body, <-sent
}

// noHost has no partitions.
type noHost struct{ Host }

// fakeGroups answers what a test wants and keeps what it was asked.
type fakeGroups struct {
	Groups
	caller group.Caller
	asked  kmsg.Request
}

func (g *fakeGroups) PartitionFor(string) int32 { return 0 }

// fakeTransactions keeps what it was asked, and answers by whatever the test wants.
type fakeTransactions struct {
	Transactions
	asked  kmsg.Request
	answer kmsg.Response
}

func (f *fakeTransactions) PartitionFor(string) int32 { return 1 }

// fakeShares knows where share partitions are, and nothing of them.
type fakeShares struct{}

func (fakeShares) PartitionFor(string) int32 { return 2 }
func (fakeShares) InitializeState(context.Context, *kmsg.InitializeShareGroupStateRequest) *kmsg.InitializeShareGroupStateResponse {
	return kmsg.NewPtrInitializeShareGroupStateResponse()
}
func (fakeShares) ReadState(context.Context, *kmsg.ReadShareGroupStateRequest) *kmsg.ReadShareGroupStateResponse {
	return kmsg.NewPtrReadShareGroupStateResponse()
}
func (fakeShares) WriteState(context.Context, *kmsg.WriteShareGroupStateRequest) *kmsg.WriteShareGroupStateResponse {
	return kmsg.NewPtrWriteShareGroupStateResponse()
}
func (fakeShares) DeleteState(context.Context, *kmsg.DeleteShareGroupStateRequest) *kmsg.DeleteShareGroupStateResponse {
	return kmsg.NewPtrDeleteShareGroupStateResponse()
}
func (fakeShares) ReadStateSummary(context.Context, *kmsg.ReadShareGroupStateSummaryRequest) *kmsg.ReadShareGroupStateSummaryResponse {
	return kmsg.NewPtrReadShareGroupStateSummaryResponse()
}

func answerTo[R kmsg.Response](f *fakeTransactions, req kmsg.Request) R {
	f.asked = req
	f.answer.SetVersion(req.GetVersion())
	return f.answer.(R)
}

func (f *fakeTransactions) InitProducerID(_ context.Context, r *kmsg.InitProducerIDRequest) *kmsg.InitProducerIDResponse {
	return answerTo[*kmsg.InitProducerIDResponse](f, r)
}

func (f *fakeTransactions) AddPartitionsToTxn(_ context.Context, r *kmsg.AddPartitionsToTxnRequest) *kmsg.AddPartitionsToTxnResponse {
	return answerTo[*kmsg.AddPartitionsToTxnResponse](f, r)
}

func (f *fakeTransactions) AddOffsetsToTxn(_ context.Context, r *kmsg.AddOffsetsToTxnRequest) *kmsg.AddOffsetsToTxnResponse {
	return answerTo[*kmsg.AddOffsetsToTxnResponse](f, r)
}

func (f *fakeTransactions) EndTxn(_ context.Context, r *kmsg.EndTxnRequest) *kmsg.EndTxnResponse {
	return answerTo[*kmsg.EndTxnResponse](f, r)
}

func (f *fakeTransactions) DescribeTransactions(_ context.Context, r *kmsg.DescribeTransactionsRequest) *kmsg.DescribeTransactionsResponse {
	return answerTo[*kmsg.DescribeTransactionsResponse](f, r)
}

func (f *fakeTransactions) ListTransactions(_ context.Context, r *kmsg.ListTransactionsRequest) *kmsg.ListTransactionsResponse {
	return answerTo[*kmsg.ListTransactionsResponse](f, r)
}

// pipeListener accepts the server's ends of pipes.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
