package controller

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// agreement is a quorum that agrees with everything, unless it is held up.
type agreement struct {
	t    *testing.T
	feed *metadata.Feed

	mu     sync.Mutex
	offset int64
	held   chan struct{} // closed when what was proposed meanwhile is agreed
	queue  [][]byte
}

func (a *agreement) Begin(_ int64, entry []byte) Wait {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.offset++
	at, held := a.offset, a.held
	a.queue = append(a.queue, entry)
	if held == nil {
		a.settle()
	}
	return func(ctx context.Context) (int64, error) {
		if held != nil {
			select {
			case <-held:
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			}
		}
		return at, nil
	}
}

func (a *agreement) settle() {
	for _, entry := range a.queue {
		if err := a.feed.ApplyEntry(a.feed.Image().Offset+1, entry); err != nil {
			a.t.Error(err)
		}
	}
	a.queue = nil
}

// hold holds everything up until the func is called.
func (a *agreement) hold() (release func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	held := make(chan struct{})
	a.held = held
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.held = nil
		a.settle()
		close(held)
	}
}

// fleet is brokers around a service: those that live send heartbeats.
type fleet struct {
	*Service
	t    *testing.T
	feed *metadata.Feed
	all  *agreement
	mu   sync.Mutex
	ends map[string]error // of addresses: what a probe finds; nil: somebody listens
	stop map[int32]context.CancelFunc
}

func newFleet(t *testing.T, rules Rules) *fleet {
	feed := metadata.NewFeed()
	f := &fleet{t: t, feed: feed, all: &agreement{t: t, feed: feed}, ends: map[string]error{}, stop: map[int32]context.CancelFunc{}}
	f.Service = New(Options{
		Node: 9, Feed: feed, Begin: f.all.Begin, Rules: rules, Rand: rand.New(rand.NewPCG(1, 2)),
		InterBroker: "INTERNAL", Probe: f.probe,
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	f.Lead(1)
	if err := f.Bootstrap(t.Context(), clusterID); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fleet) probe(ctx context.Context, address string) error {
	f.mu.Lock()
	err, known := f.ends[address]
	f.mu.Unlock()
	if !known {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return err
}

func (f *fleet) at(id int32, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ends[fmt.Sprintf("b%d:1", id)] = err
}

// start registers a broker, which speaks until it is stopped.
func (f *fleet) start(id int32, incarnation byte) {
	f.t.Helper()
	r := registration(id, incarnation)
	r.Endpoints = []metadata.Endpoint{{Listener: "CLIENTS", Host: "far", Port: 1}, {Listener: "INTERNAL", Host: fmt.Sprint("b", id), Port: 1}}
	epoch, err := f.RegisterBroker(f.t.Context(), r)
	if err != nil {
		f.t.Fatal(err)
	}
	f.at(id, nil)
	ctx, cancel := context.WithCancel(f.t.Context())
	f.stop[id] = cancel
	go func() {
		for ctx.Err() == nil {
			_, err := f.Heartbeat(ctx, Heartbeat{ID: id, Epoch: epoch, MetadataOffset: f.feed.Image().Offset})
			if err != nil && !errors.Is(err, kerr.NotController) && ctx.Err() == nil {
				f.t.Errorf("heartbeat of %d: %v", id, err)
			}
			select {
			case <-time.After(250 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	f.until(time.Second, "broker unfenced", func(m *metadata.Image) bool { b, ok := m.Broker(id); return ok && !b.Fenced })
}

// silence stops a broker's heartbeats; kill its process, too.
func (f *fleet) silence(id int32) { f.stop[id]() }
func (f *fleet) kill(id int32)    { f.silence(id); f.at(id, syscall.ECONNREFUSED) }

// until waits for the image to show something and returns how long that took.
func (f *fleet) until(most time.Duration, what string, shows func(*metadata.Image) bool) time.Duration {
	f.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(f.t.Context(), most)
	defer cancel()
	for image := f.feed.Image(); !shows(image); {
		var err error
		if image, _, err = f.feed.Next(ctx, image); err != nil {
			f.t.Fatalf("not within %v: %s", most, what)
		}
	}
	return time.Since(began)
}

func fenced(id int32) func(*metadata.Image) bool {
	return func(m *metadata.Image) bool { b, ok := m.Broker(id); return ok && b.Fenced }
}

func (f *fleet) topic(name string, brokers ...int32) {
	f.t.Helper()
	r, err := f.CreateTopics(f.t.Context(), []NewTopic{{Name: name, Partitions: -1, ReplicationFactor: -1, Assignments: []Assignment{{0, brokers}}}}, false)
	if err != nil || r[0].Err != nil {
		f.t.Fatal(err, r)
	}
}

func (f *fleet) leader(topic string) int32 {
	_, p, _ := f.feed.Image().Partition(topic, 0)
	return p.Leader
}

// How long it takes until a broker is fenced that dies or falls silent.
func TestFencing(t *testing.T) {
	cases := map[string]struct {
		end         func(f *fleet)
		least, most time.Duration
	}{
		"killed, and its line ends": {func(f *fleet) { f.kill(1); f.LineLost(1) }, 0, 10 * time.Millisecond},
		"killed, and nobody says":   {func(f *fleet) { f.kill(1) }, 0, 400 * time.Millisecond},
		"silent":                    {func(f *fleet) { f.silence(1) }, 2700 * time.Millisecond, 3 * time.Second},
		"silent, and its line ends": {func(f *fleet) { f.silence(1); f.LineLost(1) }, 2700 * time.Millisecond, 3 * time.Second},
		"its machine is gone": {func(f *fleet) { f.silence(1); f.at(1, syscall.EHOSTUNREACH); f.LineLost(1) },
			2700 * time.Millisecond, 3 * time.Second},
		"the new controller finds it dead": {func(f *fleet) {
			f.Resign()
			f.kill(1)
			time.Sleep(10 * time.Second)
			f.Lead(2)
		}, 10 * time.Second, 10*time.Second + 10*time.Millisecond},
		"the new controller finds it silent": {func(f *fleet) {
			f.Resign()
			f.silence(1)
			time.Sleep(10 * time.Second)
			f.Lead(2)
		}, 13 * time.Second, 13 * time.Second},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := newFleet(t, Rules{})
				for id := range int32(3) {
					f.start(id+1, 1)
				}
				f.topic("a", 1, 2, 3)
				time.Sleep(10*time.Second + 100*time.Millisecond)
				began := time.Now()
				c.end(f)
				f.until(20*time.Second, "broker 1 is fenced", fenced(1))
				if took := time.Since(began); took < c.least || took > c.most {
					t.Errorf("fenced after %v", took)
				}
				if f.leader("a") != 2 {
					t.Errorf("%d leads", f.leader("a"))
				}
				time.Sleep(10 * time.Second)
				for id := int32(2); id <= 3; id++ {
					if b, _ := f.feed.Image().Broker(id); b.Fenced {
						t.Errorf("broker %d was fenced, too", id)
					}
				}
			})
		})
	}
}

// A broker that was fenced for silence comes back with its next heartbeat.
func TestUnfenceAfterSilence(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, Rules{})
		f.start(1, 1)
		f.topic("a", 1)
		f.silence(1)
		f.until(4*time.Second, "fenced", fenced(1))
		b, _ := f.feed.Image().Broker(1)
		r, err := f.Heartbeat(t.Context(), Heartbeat{ID: 1, Epoch: b.Epoch, MetadataOffset: f.feed.Image().Offset})
		if err != nil || r.Fenced || f.leader("a") != 1 {
			t.Errorf("%+v, %v, leader %d", r, err, f.leader("a"))
		}
	})
}

// A new process is let in when that of before is known to be gone, and only then.
func TestNewProcess(t *testing.T) {
	again := func(f *fleet, change func(*Registration)) error {
		r := registration(1, 2)
		change(&r)
		_, err := f.RegisterBroker(f.t.Context(), r)
		return err
	}
	same := func(*Registration) {}
	other := func(r *Registration) { r.LogDirs = []model.ID{{8}} }
	cases := map[string]struct {
		end    func(f *fleet)
		change func(*Registration)
		want   *kerr.Error
	}{
		"it lives":              {func(f *fleet) {}, same, kerr.DuplicateBrokerRegistration},
		"it is silent":          {func(f *fleet) { f.silence(1) }, same, kerr.DuplicateBrokerRegistration},
		"its line has ended":    {func(f *fleet) { f.silence(1); f.LineLost(1) }, same, nil},
		"the folder is another": {func(f *fleet) { f.silence(1); f.LineLost(1) }, other, kerr.DuplicateBrokerRegistration},
		"it is dead":            {func(f *fleet) { f.kill(1); f.LineLost(1); time.Sleep(time.Millisecond) }, other, nil},
		"its session is over":   {func(f *fleet) { f.silence(1); time.Sleep(3 * time.Second) }, other, nil},
		"the controller is new": {func(f *fleet) { f.silence(1); f.Resign(); f.Lead(2) }, other, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := newFleet(t, Rules{})
				f.start(1, 1)
				time.Sleep(10*time.Second + 100*time.Millisecond)
				c.end(f)
				wantErr(t, again(f, c.change), c.want, "")
				f.silence(1)
			})
		})
	}
}

// A heartbeat that changes nothing is answered although nothing can be agreed; one whose
// answer rests on what is not agreed yet is not.
func TestHeartbeatDoesNotWait(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, Rules{})
		f.start(1, 1)
		f.start(2, 1)
		release := f.all.hold()
		f.silence(1)
		time.Sleep(4 * time.Second) // 1 is to be fenced, but that is held up
		beat := func(id int32) (HeartbeatResult, error) {
			b, _ := f.feed.Image().Broker(id)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return f.Heartbeat(ctx, Heartbeat{ID: id, Epoch: b.Epoch, MetadataOffset: f.feed.Image().Offset})
		}
		if r, err := beat(2); err != nil || r.Fenced {
			t.Errorf("of a broker whose state is agreed: %+v, %v", r, err)
		}
		if _, err := beat(1); !errors.Is(err, kerr.RequestTimedOut) {
			t.Errorf("of a broker whose state is not agreed: %v", err)
		}
		release()
		if r, err := beat(1); err != nil || r.Fenced {
			t.Errorf("when all is agreed: %+v, %v", r, err)
		}
	})
}

// A broker that shuts down is let go when the others have learned who leads instead.
func TestShutdownWaitsForTheOthers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, Rules{})
		f.start(1, 1)
		f.start(2, 1)
		f.topic("a", 1, 2)
		f.silence(1)
		f.silence(2)
		beat := func(id int32, offset int64, leave bool) HeartbeatResult {
			b, _ := f.feed.Image().Broker(id)
			r, err := f.Heartbeat(t.Context(), Heartbeat{ID: id, Epoch: b.Epoch, MetadataOffset: offset, WantShutDown: leave})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		before := f.feed.Image().Offset
		beat(2, before, false)
		if r := beat(1, before, true); r.ShouldShutDown || f.leader("a") != 2 {
			t.Errorf("%+v, leader %d", r, f.leader("a"))
		}
		if r := beat(1, before, true); r.ShouldShutDown || r.Fenced {
			t.Errorf("2 does not know yet that it leads: %+v", r)
		}
		beat(2, f.feed.Image().Offset, false)
		if r := beat(1, before, true); !r.ShouldShutDown {
			t.Errorf("2 knows that it leads: %+v", r)
		}
		if b, _ := f.feed.Image().Broker(1); !b.Fenced {
			t.Error("1 is not fenced")
		}
	})
}

// Leaders go back to preferred replicas at each interval, and not if that is switched off.
func TestBalanceInterval(t *testing.T) {
	for _, on := range []bool{true, false} {
		bubble.Test(t, func(t *testing.T) {
			rules := Rules{BalanceInterval: time.Minute}
			if !on {
				rules.BalanceInterval = -1
			}
			f := newFleet(t, rules)
			f.start(1, 1)
			f.start(2, 1)
			f.topic("a", 1, 2)
			time.Sleep(time.Second)
			f.kill(1)
			f.until(time.Second, "fenced", fenced(1))
			f.start(1, 2)
			_, p, _ := f.feed.Image().Partition("a", 0)
			_, err := f.AlterPartition(t.Context(), AlterPartition{2, brokerEpoch(f.feed, 2), []ISRChange{{
				idOf(f.feed, "a"), 0, p.LeaderEpoch, p.PartitionEpoch, []BrokerEpoch{{2, -1}, {1, -1}}, metadata.Recovered}}})
			if err != nil || f.leader("a") != 2 {
				t.Fatal(err, f.leader("a"))
			}
			time.Sleep(61 * time.Second)
			if back := f.leader("a") == 1; back != on {
				t.Errorf("on %v: %d leads", on, f.leader("a"))
			}
		})
	}
}

func brokerEpoch(f *metadata.Feed, id int32) int64 { b, _ := f.Image().Broker(id); return b.Epoch }
func idOf(f *metadata.Feed, name string) model.ID {
	t, _ := f.Image().Topic(name)
	return t.ID
}
