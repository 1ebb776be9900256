package zkview

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// cluster is a feed that a test moves on.
type cluster struct {
	t    *testing.T
	feed *metadata.Feed
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{t, metadata.NewFeed()}
	c.does(metadata.SetCluster{ID: "AAAAAAAAAAAAAAAAAAAAAA"}, metadata.SetController{Node: 500, Epoch: 3})
	for id := int32(500); id < 503; id++ {
		c.does(metadata.RegisterBroker{Broker: metadata.Broker{ID: id, Epoch: int64(id), Endpoints: []metadata.Endpoint{{Listener: "PLAINTEXT", Host: "localhost", Port: 8595 + id}}}})
	}
	c.does(metadata.AddTopic{Name: "orders", ID: model.ID{1}},
		metadata.AddPartition{Topic: model.ID{1}, Partition: metadata.Partition{Leader: 501, LeaderEpoch: 2, PartitionEpoch: 7, Replicas: []int32{501, 502}, ISR: []int32{501}}},
		metadata.SetConfig{Resource: metadata.Resource{Type: metadata.TopicResource, Name: "orders"}, Key: "retention.ms", Value: new("5")})
	return c
}

func (c *cluster) does(recs ...metadata.Record) {
	c.t.Helper()
	if err := c.feed.ApplyEntry(c.feed.Image().Offset+1, metadata.Encode(nil, recs)); err != nil {
		c.t.Fatal(err)
	}
}

// client speaks as ZooKeeper's own does.
type client struct {
	t    *testing.T
	conn net.Conn
}

func (c *cluster) dial() *client {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- New(c.feed, "test", nil).Serve(c.t.Context(), ln) }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		conn.Close()
		ln.Close()
		<-done
	})
	return &client{c.t, conn}
}

func (z *client) connect() *client {
	e := newFrame()
	e.int(0)
	e.long(0)
	e.int(10_000)
	e.long(0)
	e.buffer(make([]byte, 16))
	z.send(e)
	d := z.receive()
	if d.int(); d.int() != 10_000 {
		z.t.Error("the time-out that was asked for is not granted")
	}
	return z
}

func (z *client) send(e *encoder) {
	z.t.Helper()
	if _, err := z.conn.Write(e.frame()); err != nil {
		z.t.Fatal(err)
	}
}

func (z *client) receive() *decoder {
	z.t.Helper()
	var head [4]byte
	if _, err := io.ReadFull(z.conn, head[:]); err != nil {
		z.t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(z.conn, b); err != nil {
		z.t.Fatal(err)
	}
	return &decoder{b: b}
}

// ask sends a request about a path and returns its error and what follows.
func (z *client) ask(op int32, path string, watch bool) (int32, *decoder) {
	z.t.Helper()
	e := newFrame()
	e.int(op * 100)
	e.int(op)
	e.string(path)
	e.bool(watch)
	z.send(e)
	d := z.receive()
	if xid := d.int(); xid != op*100 {
		z.t.Fatalf("the answer is to request %d, not %d", xid, op*100)
	}
	d.long()
	return d.int(), d
}

func (z *client) children(path string) []string {
	z.t.Helper()
	code, d := z.ask(opGetChildren, path, true)
	if code != ok {
		z.t.Fatalf("ls %s: %d", path, code)
	}
	return d.strings()
}

// event is the next thing that the server tells of its own accord.
func (z *client) event() event {
	z.t.Helper()
	d := z.receive()
	if xid := d.int(); xid != xidWatch {
		z.t.Fatalf("no event but an answer to %d", xid)
	}
	d.long()
	d.int()
	e := event{kind: d.int()}
	d.int()
	e.path = d.string()
	return e
}

// A broker that stops disappears, and who watches is told, once.
func TestBrokersComeAndGo(t *testing.T) {
	c := newCluster(t)
	z := c.dial().connect()
	if got := z.children("/brokers/ids"); !slices.Equal(got, []string{"500", "501", "502"}) {
		t.Fatalf("%v", got)
	}
	code, d := z.ask(opGetData, "/brokers/ids/501", true)
	if data := string(d.buffer()); code != ok || !strings.Contains(data, `"endpoints":["PLAINTEXT://localhost:9096"]`) || !strings.Contains(data, `"port":9096,"host":"localhost"`) {
		t.Errorf("%d %s", code, data)
	}
	c.does(metadata.ChangeBroker{ID: 501, Epoch: 501, Fenced: true})
	if got := []event{z.event(), z.event()}; !slices.Equal(got, []event{{eventDeleted, "/brokers/ids/501"}, {eventChildChanged, "/brokers/ids"}}) {
		t.Errorf("events %v", got)
	}
	c.does(metadata.ChangeBroker{ID: 502, Epoch: 502, Fenced: true})
	if got := z.children("/brokers/ids"); !slices.Equal(got, []string{"500"}) { // no event came before: the watch was used up
		t.Errorf("%v", got)
	}
	if code, _ := z.ask(opExists, "/brokers/ids/501", true); code != errNoNode {
		t.Errorf("exists of a broker that is gone: %d", code)
	}
	c.does(metadata.ChangeBroker{ID: 501, Epoch: 501})
	if got := []event{z.event(), z.event()}; !slices.Contains(got, event{eventCreated, "/brokers/ids/501"}) || !slices.Contains(got, event{eventChildChanged, "/brokers/ids"}) {
		t.Errorf("events %v", got)
	}
}

// The rest of the tree, as Kafka kept it.
func TestTree(t *testing.T) {
	c := newCluster(t)
	z := c.dial().connect()
	for path, want := range map[string]string{
		"/controller":            `{"version":2,"brokerid":500,"timestamp":"-1","kraftControllerEpoch":3}`,
		"/controller_epoch":      `3`,
		"/cluster/id":            `{"id":"AAAAAAAAAAAAAAAAAAAAAA","version":"1"}`,
		"/brokers/topics/orders": `{"partitions":{"0":[501,502]},"topic_id":"` + model.ID{1}.String() + `","adding_replicas":{},"removing_replicas":{},"version":3}`,
		"/brokers/topics/orders/partitions/0/state": `{"controller_epoch":3,"leader":501,"version":1,"leader_epoch":2,"isr":[501]}`,
		"/config/topics/orders":                     `{"config":{"retention.ms":"5"},"version":1}`,
	} {
		code, d := z.ask(opGetData, path, false)
		if got := string(d.buffer()); code != ok || got != want {
			t.Errorf("get %s: %d\n got %s\nwant %s", path, code, got, want)
		}
	}
	for path, want := range map[string]string{
		"/":        "admin brokers cluster config consumers controller controller_epoch isr_change_notification latest_producer_id_block log_dir_event_notification zookeeper",
		"/brokers": "ids seqid topics", "/brokers/topics": "orders", "/brokers/topics/orders": "partitions", "/config/topics": "orders", "/config/brokers": "",
		"/brokers/topics/orders/partitions": "0", "/brokers/topics/orders/partitions/0": "state",
	} {
		if got := strings.Join(z.children(path), " "); got != want {
			t.Errorf("ls %s: %s, want %s", path, got, want)
		}
	}
	for _, path := range []string{"", "brokers", "/brokers/", "/brokers/ids/0500", "/brokers/ids/7", "/brokers/topics/orders/partitions/1", "/brokers/topics/orders/partitions/-1", "/nope", "/controller/x"} {
		if code, _ := z.ask(opExists, path, false); code != errNoNode {
			t.Errorf("exists %s: %d", path, code)
		}
	}
	for _, op := range []int32{opCreate, opDelete, opSetData, opSetACL} {
		if code, _ := z.ask(op, "/brokers/ids/500", false); code != errNotReadOnly {
			t.Errorf("write %d: %d", op, code)
		}
	}
	if code, _ := z.ask(999, "/", false); code != errUnimplemented {
		t.Errorf("unknown request: %d", code)
	}
}

// A persistent watch fires again and again, for all that is below.
func TestPersistentWatch(t *testing.T) {
	c := newCluster(t)
	z := c.dial().connect()
	e := newFrame()
	e.int(1)
	e.int(opAddWatch)
	e.string("/brokers/topics")
	e.int(1)
	z.send(e)
	if d := z.receive(); d.int() != 1 || d.long() < 0 || d.int() != ok {
		t.Fatal("the watch is refused")
	}
	state := "/brokers/topics/orders/partitions/0/state"
	for epoch := int32(8); epoch < 10; epoch++ {
		c.does(metadata.ChangePartition{Topic: model.ID{1}, Partition: metadata.Partition{Leader: 502, LeaderEpoch: epoch, PartitionEpoch: epoch, Replicas: []int32{501, 502}, ISR: []int32{502}}})
		if got := z.event(); got != (event{eventDataChanged, state}) {
			t.Errorf("event %v", got)
		}
	}
}

// Who comes back after a lost connection is told what it has missed, and goes on waiting
// for the rest.
func TestWatchesOutliveAConnection(t *testing.T) {
	c := newCluster(t)
	since := c.feed.Image().Offset
	rewatch := func(z *client, since int64) {
		e := newFrame()
		e.int(-8)
		e.int(opSetWatches)
		e.long(since)
		e.strings([]string{"/brokers/ids/501"})
		e.strings([]string{"/brokers/ids/7"})
		e.strings([]string{"/brokers/ids"})
		z.send(e)
	}
	z := c.dial().connect()
	rewatch(z, since)
	if d := z.receive(); d.int() != -8 || d.long() != since || d.int() != ok {
		t.Error("nothing has changed, and something else comes than the answer")
	}
	c.does(metadata.ChangeBroker{ID: 501, Epoch: 501, Fenced: true})
	if got := []event{z.event(), z.event()}; !slices.Equal(got, []event{{eventDeleted, "/brokers/ids/501"}, {eventChildChanged, "/brokers/ids"}}) {
		t.Errorf("events %v", got)
	}
	late := c.dial().connect()
	rewatch(late, since)
	if got := []event{late.event(), late.event()}; !slices.Equal(got, []event{{eventDeleted, "/brokers/ids/501"}, {eventChildChanged, "/brokers/ids"}}) {
		t.Errorf("missed events %v", got)
	}
}

func TestFourLetterWords(t *testing.T) {
	for word, want := range map[string]string{"ruok": "imok", "envi": "zookeeper.version=3.9.0-", "srvr": "Mode: standalone\nNode count: 31\n", "mntr": "zk_znode_count\t31\n"} {
		z := newCluster(t).dial()
		io.WriteString(z.conn, word)
		got, err := io.ReadAll(z.conn)
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: %q, %v", word, got, err)
		}
	}
}

// What no client sends ends the connection and nothing else.
func FuzzRequest(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1, '/', 1})
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := newCluster(t)
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		s := &session{server: New(c.feed, "", nil), conn: far, watches: newWatches(), seen: c.feed.Image(), more: make(chan struct{}, 1)}
		d := &decoder{b: b}
		xid, op := d.int(), d.int()
		if d.err != nil || op == opCloseSession {
			return
		}
		if out := s.answer(s.seen, xid, op, d); len(out) < 20 || binary.BigEndian.Uint32(out) != uint32(len(out)-4) {
			t.Errorf("answer %x", out)
		}
		if s.watches.count() > maxWatches {
			t.Errorf("%d watches", s.watches.count())
		}
	})
}
