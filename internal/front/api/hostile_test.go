package api

import (
	"context"
	"fmt"
	"math"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/delivery"
	"github.com/odradek/odradek/internal/coord/enlist"
	"github.com/odradek/odradek/internal/coord/group"
	"github.com/odradek/odradek/internal/coord/runtime/memlog"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/coord/txn"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// coordinatorKeys are the requests that end in a coordinator, or in share groups.
var coordinatorKeys = []int16{8, 9, 10, 11, 12, 13, 14, 15, 16, 22, 24, 25, 26, 27, 28, 42, 47, 65, 66, 68, 69, 76, 77, 78, 79, 83, 84, 85, 86, 87, 90, 91, 92}

// withCoordinators is a desk in a bubble with real coordinators, whose logs are in memory,
// and a topic a. All of it must end: nobody may be left waiting.
func withCoordinators(t *testing.T, test func(*desk)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		var d *desk
		run := func(what string, f func(context.Context) error) {
			running.Go(func() {
				if err := f(ctx); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		ask := func(ctx context.Context, _ int32, req kmsg.Request) (kmsg.Response, error) {
			return d.server.Local(ctx, req)
		}
		one := func() int32 { return 1 }
		var start func()
		topics := map[string][][]int32{"a": {{1}, {1}}, model.ConsumerOffsetsTopic: {{1}}, model.TransactionStateTopic: {{1}}, model.ShareGroupStateTopic: {{1}}}
		d, _ = serving(t, topics, func(own *desk, c *Config) {
			d = own
			image := d.feed.Image
			groups := group.New(group.Config{Partitions: one, Image: image, Ask: ask})
			next := int64(0)
			txns := txn.New(txn.Config{
				Partitions: one, TxnVersion: func() int16 { return 2 },
				ProducerID:     func(context.Context) (int64, error) { next++; return next, nil },
				GroupPartition: func(string) int32 { return 0 },
				Leader: func(tp model.TopicPartition) (int32, int32, bool) {
					_, p, ok := image().Partition(tp.Topic, tp.Partition)
					if !ok {
						return model.NoLeader, model.NoEpoch, false
					}
					return p.Leader, p.LeaderEpoch, true
				},
				Ask: ask,
			})
			states := share.New(share.Config{Partitions: one, Topic: func(id model.ID) int32 {
				topic, ok := image().TopicByID(id)
				if !ok {
					return 0
				}
				return int32(len(topic.Partitions))
			}})
			shares := delivery.New(delivery.Config{Partition: c.Host.Partition, Persister: &shareKeeper{starts: map[share.Key]int64{}}})
			c.Groups, c.Transactions, c.Shares, c.Deliveries = groups, txns, states, shares
			c.Enlist = enlist.New(enlist.Config{Node: 1, Ask: ask, Coordinator: func(string) (int32, bool) { return 1, true }}).Enlist
			c.ControlTimeout = time.Minute
			start = func() {
				run("groups", groups.Run)
				run("transactions", txns.Run)
				run("share states", states.Run)
				run("deliveries", shares.Run)
				groups.Lead(0, 0, &memlog.Log{})
				txns.Lead(0, 0, &memlog.Log{})
				states.Lead(0, 0, &memlog.Log{})
				synctest.Wait()
			}
		})
		start()
		for _, feature := range []string{"group.version", "share.version"} {
			d.apply(metadata.SetFeature{Name: feature, Level: 1})
		}
		test(d)
		d.conn.Close()
		cancel()
		running.Wait()
	})
}

// filling is what stands in all fields of a request.
type filling struct {
	name   string
	text   func(kind int) string
	number int64
	elems  int // of each list
	null   bool
}

var longText = strings.Repeat("x", 40_000)

// fillings are requests of which something is wrong, and one of which not much is.
var fillings = []filling{
	{"plausible", func(int) string { return "a" }, 0, 1, false},
	{"twice", func(int) string { return "a" }, 1, 2, false},
	{"negative", func(int) string { return "a" }, -1, 1, false},
	{"very negative", func(int) string { return "a" }, math.MinInt64, 1, false},
	{"large", func(int) string { return "a" }, math.MaxInt64, 1, false},
	{"empty", func(int) string { return "" }, 0, 1, false},
	{"no elements", func(int) string { return "a" }, 0, 0, false},
	{"null", func(int) string { return "a" }, 0, 1, true},
	{"null and empty", func(int) string { return "" }, -1, 0, true},
	{"long", func(int) string { return longText }, 0, 1, false},
	{"not closed", func(int) string { return `\Qa)(` }, 0, 1, false},
	{"many", func(int) string { return "a" }, 0, 40, false},
}

// fill sets every field of a request, and of what is in it.
func (f *filling) fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Field(i); field.CanSet() && v.Type().Field(i).Name != "Version" && v.Type().Field(i).Name != "UnknownTags" {
				f.fill(field)
			}
		}
	case reflect.Slice:
		if f.null {
			v.SetZero()
			return
		}
		n := f.elems
		if f.elems > 2 && v.Type().Elem().Kind() == reflect.Struct {
			n = 8 // lists in lists
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(v.Index(i))
		}
	case reflect.Pointer:
		if f.null {
			v.SetZero()
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Array:
		v.Index(0).SetUint(1) // the id of a topic
	case reflect.String:
		v.SetString(f.text(0))
	case reflect.Bool:
		v.SetBool(f.elems == 1)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(clamp(f.number, v.Type().Bits()))
	case reflect.Uint8:
		v.SetUint(uint64(f.number) & 0xff)
	}
}

func clamp(n int64, bits int) int64 {
	return max(-1<<(bits-1), min(n, 1<<(bits-1)-1))
}

// patient gives what waits a little time.
func patient(req kmsg.Request) {
	for _, name := range []string{"MaxWaitMillis", "TimeoutMillis", "SessionTimeoutMillis", "RebalanceTimeoutMillis"} {
		if f := reflect.ValueOf(req).Elem().FieldByName(name); f.IsValid() && f.Int() > 1000 {
			f.SetInt(1000)
		}
	}
}

// Requests to coordinators in which all is negative, too large, empty, null, too long or
// there more than once are answered, or end their connection. None makes a handler panic, and
// nothing is kept waiting: the next one is answered.
func TestHostileCoordinatorRequests(t *testing.T) {
	for _, f := range fillings {
		t.Run(f.name, func(t *testing.T) {
			for kind, prepare := range prepared {
				withCoordinators(t, func(d *desk) { d.hostileRequests(f, kind, prepare) })
			}
		})
	}
}

// prepared is what there is of the name a before.
var prepared = map[string][]kmsg.Request{
	"nothing": nil,
	"a transaction": {
		&kmsg.InitProducerIDRequest{Version: 5, TransactionalID: kmsg.StringPtr("a"), TransactionTimeoutMillis: 1000, ProducerID: -1, ProducerEpoch: -1},
		&kmsg.AddPartitionsToTxnRequest{Version: 3, TransactionalID: "a", ProducerID: 1, Topics: []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "a", Partitions: []int32{0, 1}}}},
	},
	"a consumer group": {
		&kmsg.ConsumerGroupHeartbeatRequest{Version: 1, Group: "a", MemberID: "a", RebalanceTimeoutMillis: 1000, SubscribedTopicNames: []string{"a"},
			SubscribedTopicRegex: kmsg.StringPtr("a.*"), Topics: []kmsg.ConsumerGroupHeartbeatRequestTopic{}},
	},
	"a share group": {
		&kmsg.ShareGroupHeartbeatRequest{Version: 1, GroupID: "a", MemberID: "a", SubscribedTopicNames: []string{"a"}},
		&kmsg.ShareFetchRequest{Version: 1, GroupID: kmsg.StringPtr("a"), MemberID: kmsg.StringPtr("a"), MaxRecords: 10, MaxBytes: 1000,
			Topics: []kmsg.ShareFetchRequestTopic{{TopicID: model.ID{1}, Partitions: make([]kmsg.ShareFetchRequestTopicPartition, 1)}}},
	},
}

// hostileRequests sends all of them, filled in one way.
func (d *desk) hostileRequests(f filling, kind string, prepare []kmsg.Request) {
	for _, req := range prepare {
		if !d.hostile("prepare "+kind, req) {
			d.t.Errorf("prepare %s: %s is not answered", kind, kmsg.NameForKey(req.Key()))
		}
	}
	answers := 0
	for _, key := range coordinatorKeys {
		a := d.server.apis[key]
		for version := max(a.Min, a.Floor); version <= a.Max; version++ {
			req := kmsg.RequestForKey(key)
			req.SetVersion(version)
			if f.name == "long" && !req.IsFlexible() {
				continue // it cannot be said
			}
			f.fill(reflect.ValueOf(req).Elem())
			patient(req)
			if d.hostile(fmt.Sprintf("%s, with %s: %s version %d", f.name, kind, kmsg.NameForKey(key), version), req) {
				answers++
			}
		}
	}
	if answers < 30 {
		d.t.Errorf("%s, with %s: %d requests were answered, the others ended their connection", f.name, kind, answers)
	}
}

// hostile sends a request and wants it answered, or the connection ended.
func (d *desk) hostile(what string, req kmsg.Request) (answered bool) {
	d.t.Helper()
	conn, panics := d.dial(), d.line.Panics()
	defer conn.Close()
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, err := exchange(conn, kmsg.NewRequestFormatter(kmsg.FormatterClientID("tester")).AppendRequest(nil, req, 7))
		answered = err == nil
	}()
	if !ended(over, conn) {
		d.t.Errorf("%s: no answer for an hour", what)
	}
	if d.line.Panics() != panics {
		d.t.Errorf("%s: the handler panicked", what)
	}
	return answered
}

func ended(over chan struct{}, conn net.Conn) bool {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	select {
	case <-over:
		return true
	case <-timer.C:
		conn.Close()
		<-over
		return false
	}
}
