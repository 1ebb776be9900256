package enlist

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// coordinator answers when it is told to, and writes down what it was asked.
type coordinator struct {
	mu     sync.Mutex
	asked  []string
	held   chan struct{} // nil: answers at once
	err    error
	whole  int16                                 // error of the whole answer
	codes  map[string]int16                      // by topic-partition
	forget func(txn, topic string, n int32) bool // not spoken of
}

func (c *coordinator) ask(ctx context.Context, node int32, req kmsg.Request) (kmsg.Response, error) {
	r := req.(*kmsg.AddPartitionsToTxnRequest)
	c.mu.Lock()
	c.asked = append(c.asked, fmt.Sprintf("%d:%s", node, show(r)))
	held, err := c.held, c.err
	c.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err != nil {
		return nil, err
	}
	resp := r.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	if resp.ErrorCode = c.whole; resp.ErrorCode != 0 {
		return resp, nil
	}
	for _, t := range r.Transactions {
		one := kmsg.AddPartitionsToTxnResponseTransaction{TransactionalID: t.TransactionalID}
		for _, topic := range t.Topics {
			rt := kmsg.AddPartitionsToTxnResponseTransactionTopic{Topic: topic.Topic}
			for _, p := range topic.Partitions {
				if c.forget == nil || !c.forget(t.TransactionalID, topic.Topic, p) {
					rt.Partitions = append(rt.Partitions, kmsg.AddPartitionsToTxnResponseTransactionTopicPartition{
						Partition: p, ErrorCode: c.codes[fmt.Sprintf("%s-%d", topic.Topic, p)]})
				}
			}
			one.Topics = append(one.Topics, rt)
		}
		resp.Transactions = append(resp.Transactions, one)
	}
	return resp, nil
}

func show(r *kmsg.AddPartitionsToTxnRequest) string {
	var txns []string
	for _, t := range r.Transactions {
		s := fmt.Sprintf("%s/%d/%d", t.TransactionalID, t.ProducerID, t.ProducerEpoch)
		if t.VerifyOnly {
			s += "?"
		}
		for _, topic := range t.Topics {
			s += fmt.Sprintf(" %s%v", topic.Topic, topic.Partitions)
		}
		txns = append(txns, s)
	}
	return strings.Join(txns, ", ")
}

func (c *coordinator) log() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

func at(topic string, n int32) model.TopicPartition {
	return model.TopicPartition{Topic: topic, Partition: n}
}

func enlister(c *coordinator, node int32) *Enlister {
	return New(Config{Node: 1, Ask: c.ask, Coordinator: func(string) (int32, bool) { return node, node >= 0 }})
}

// What the coordinator says, and what producers are told.
func TestErrors(t *testing.T) {
	tp := at("t", 0)
	cases := []struct {
		name string
		op   Op
		c    *coordinator
		want error
	}{
		{"all is well", Add, &coordinator{}, nil},
		{"a fenced producer", Add, &coordinator{codes: map[string]int16{"t-0": kerr.ProducerFenced.Code}}, kerr.InvalidProducerEpoch},
		{"an old epoch", Verify, &coordinator{codes: map[string]int16{"t-0": kerr.InvalidProducerEpoch.Code}}, kerr.InvalidProducerEpoch},
		{"not added, to who knows the error", VerifyAbortable, &coordinator{codes: map[string]int16{"t-0": kerr.TransactionAbortable.Code}}, kerr.TransactionAbortable},
		{"not added, to who does not", Verify, &coordinator{codes: map[string]int16{"t-0": kerr.TransactionAbortable.Code}}, kerr.InvalidTxnState},
		{"one that ends", Add, &coordinator{codes: map[string]int16{"t-0": kerr.ConcurrentTransactions.Code}}, kerr.ConcurrentTransactions},
		{"another producer's id", Verify, &coordinator{codes: map[string]int16{"t-0": kerr.InvalidProducerIDMapping.Code}}, kerr.InvalidProducerIDMapping},
		{"a coordinator no more", Add, &coordinator{codes: map[string]int16{"t-0": kerr.NotCoordinator.Code}}, kerr.NotCoordinator},
		{"this broker may not ask", Add, &coordinator{whole: kerr.ClusterAuthorizationFailed.Code}, kerr.InvalidTxnState},
		{"nothing of it is known", Add, &coordinator{whole: kerr.UnknownServerError.Code}, kerr.UnknownServerError},
		{"the line breaks", Add, &coordinator{err: errors.New("reset by peer")}, kerr.NetworkException},
		{"the broker is gone", Add, &coordinator{err: fmt.Errorf("ask: %w", kerr.BrokerNotAvailable)}, kerr.CoordinatorNotAvailable},
		{"the answer does not speak of it", Add, &coordinator{forget: func(string, string, int32) bool { return true }}, kerr.NetworkException},
	}
	for _, node := range []int32{1, 2} { // this broker, and another
		for _, tc := range cases {
			got := enlister(tc.c, node).Enlist(context.Background(), Txn{"x", 5, 2}, tc.op, []model.TopicPartition{tp})
			if !errors.Is(got[tp], tc.want) || (tc.want == nil) != (len(got) == 0) {
				t.Errorf("%s, coordinator %d: %v, want %v", tc.name, node, got, tc.want)
			}
		}
	}
	got := enlister(&coordinator{}, -1).Enlist(context.Background(), Txn{ID: "x"}, Add, []model.TopicPartition{tp})
	if !errors.Is(got[tp], kerr.CoordinatorNotAvailable) {
		t.Errorf("without a coordinator: %v", got)
	}
}

// Each partition has its own answer, and nothing else has.
func TestPartitions(t *testing.T) {
	c := &coordinator{codes: map[string]int16{"t-1": kerr.InvalidTxnState.Code},
		forget: func(_, topic string, n int32) bool { return topic == "u" && n == 3 }}
	got := enlister(c, 1).Enlist(context.Background(), Txn{"x", 5, 2}, Verify,
		[]model.TopicPartition{at("t", 0), at("u", 2), at("t", 1), at("u", 3)})
	if len(got) != 2 || !errors.Is(got[at("t", 1)], kerr.InvalidTxnState) || !errors.Is(got[at("u", 3)], kerr.NetworkException) {
		t.Errorf("got %v", got)
	}
	if want := []string{"1:x/5/2? t[0 1] u[2 3]"}; !slices.Equal(c.log(), want) {
		t.Errorf("asked %q, want %q", c.log(), want)
	}
}

// What is asked of another broker while a request is on its way goes there together, but a
// transaction once in a request. This broker is asked at once.
func TestTogether(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := &coordinator{held: make(chan struct{})}
		e := enlister(c, 2)
		var wg sync.WaitGroup
		for _, id := range []string{"a", "b", "c", "b"} {
			wg.Go(func() {
				if errs := e.Enlist(t.Context(), Txn{ID: id}, Add, []model.TopicPartition{at("t", 0)}); errs != nil {
					t.Errorf("%s: %v", id, errs)
				}
			})
			synctest.Wait()
		}
		close(c.held)
		wg.Wait()
		want := []string{"2:a/0/0 t[0]", "2:b/0/0 t[0], c/0/0 t[0]", "2:b/0/0 t[0]"}
		if !slices.Equal(c.log(), want) {
			t.Errorf("asked %q, want %q", c.log(), want)
		}
		if len(e.lanes) != 0 {
			t.Error("a lane is left")
		}
	})
}

// Who sends for others and leaves does not take them along; who leaves while it waits does
// not hold up the rest.
func TestLeave(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := &coordinator{held: make(chan struct{})}
		e := enlister(c, 2)
		leave := map[string]context.CancelFunc{}
		got := map[string]error{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for _, id := range []string{"a", "b", "c", "d"} {
			ctx, cancel := context.WithCancel(t.Context())
			leave[id] = cancel
			wg.Go(func() {
				errs := e.Enlist(ctx, Txn{ID: id}, Add, []model.TopicPartition{at("t", 0)})
				mu.Lock()
				got[id] = errs[at("t", 0)]
				mu.Unlock()
			})
			synctest.Wait()
		}
		leave["a"]() // sends for itself: b sends for c and d
		synctest.Wait()
		leave["c"]() // on its way with b
		synctest.Wait()
		leave["b"]() // c must not wait again, and d sends
		synctest.Wait()
		close(c.held)
		wg.Wait()
		want := []string{"2:a/0/0 t[0]", "2:b/0/0 t[0], c/0/0 t[0], d/0/0 t[0]", "2:d/0/0 t[0]"}
		if !slices.Equal(c.log(), want) {
			t.Errorf("asked %q, want %q", c.log(), want)
		}
		for _, id := range []string{"a", "b", "c"} {
			if !errors.Is(got[id], kerr.NetworkException) {
				t.Errorf("%s: %v", id, got[id])
			}
		}
		if got["d"] != nil || len(e.lanes) != 0 {
			t.Errorf("d: %v; %d lanes are left", got["d"], len(e.lanes))
		}
	})
}

// Callers come and go at random, often at one instant; each that stays is answered, and no lane is left behind.
func TestHistories(t *testing.T) {
	for seed := range uint64(20) {
		bubble.Test(t, func(t *testing.T) {
			rng, pauses := rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex // guards pauses
			slow := func(ctx context.Context, node int32, req kmsg.Request) (kmsg.Response, error) {
				mu.Lock()
				wait := time.Duration(pauses.IntN(3)) * 10 * time.Millisecond
				mu.Unlock()
				select {
				case <-time.After(wait):
				case <-ctx.Done():
					return nil, ctx.Err()
				}
				return (&coordinator{}).ask(ctx, node, req)
			}
			e := New(Config{Node: 1, Ask: slow, Coordinator: func(id string) (int32, bool) { return 1 + int32(id[0])%3, true }})
			var wg sync.WaitGroup
			for i := range 60 {
				id := string(rune('a' + rng.IntN(9)))
				patience := time.Duration(rng.IntN(7)) * 10 * time.Millisecond
				start := time.Duration(rng.IntN(10)) * 10 * time.Millisecond
				wg.Go(func() {
					time.Sleep(start)
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					tp := at("t", int32(i))
					errs := e.Enlist(ctx, Txn{ID: id}, Add, []model.TopicPartition{tp})
					if errs != nil && (ctx.Err() == nil || !errors.Is(errs[tp], kerr.NetworkException)) {
						t.Errorf("seed %d: %v", seed, errs)
					}
				})
			}
			wg.Wait()
			if len(e.lanes) != 0 {
				t.Errorf("seed %d: %d lanes are left", seed, len(e.lanes))
			}
		})
	}
}

// Who leaves just when its turn to send comes hands it on.
func TestLeaveAtOnesTurn(t *testing.T) {
	e := enlister(&coordinator{}, 2)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 { // either may be seen first
		e.lanes[2] = &lane{}
		a := &ask{txn: Txn{ID: "a"}, partitions: []model.TopicPartition{at("t", 0)}, woken: make(chan bool, 1)}
		a.woken <- true
		e.queue(gone, 2, a)
		if len(e.lanes) != 0 {
			t.Fatal("a turn was lost")
		}
	}
}
