// Package load is the clients of the simulator: producers, readers, pipelines in
// transactions, members of groups, administrators and those who only ask, real ones of
// franz-go and ones on the bare protocol that do what no library would. They write down what
// they asked and what they were told, in a history, and judge nothing but what a history has
// no words for. A Load owns all its goroutines; they end in StopWriting and StopReading, or in Abandon.
package load

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/odradek/odradek/sim/world"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Load is the clients of one cluster.
type Load struct {
	Mix Mix

	w    *world.World
	rec  *history.Recorder
	seed uint64

	processes, producers atomic.Int32
	txns, names          atomic.Int64

	writing, reading context.Context
	noWrite, noRead  context.CancelFunc
	writers, readers sync.WaitGroup

	mu        sync.Mutex // guards what follows; held over nothing that waits
	complaint []string
	copies    map[history.Value]history.Value // copy: what was copied
	lag       map[string]func() string        // what those who read still miss, by name
	lasts     map[last]int64
	drained   map[last][]history.Read
	open      map[*producer]bool
}

// New makes the clients of a seed; none runs yet.
func New(w *world.World, rec *history.Recorder, seed uint64, mix Mix) *Load {
	l := &Load{Mix: mix, w: w, rec: rec, seed: seed, copies: make(map[history.Value]history.Value),
		open: make(map[*producer]bool),
		lag:  make(map[string]func() string), lasts: make(map[last]int64), drained: make(map[last][]history.Read)}
	l.writing, l.noWrite = context.WithCancel(context.Background())
	l.reading, l.noRead = context.WithCancel(context.Background())
	return l
}

// actor is one goroutine of the load with its own chance. Its processes come one after the
// other: a client that starts again is another process.
type actor struct {
	*Load
	ctx     context.Context
	name    string
	rng     *rand.Rand
	process int32
}

// write and read start an actor that ends with the writers, or with the readers.
func (l *Load) write(name string, do func(a *actor)) { l.start(l.writing, &l.writers, name, do) }
func (l *Load) read(name string, do func(a *actor))  { l.start(l.reading, &l.readers, name, do) }

// actor is one more, with dice of its own.
func (l *Load) actor(ctx context.Context, name string) *actor {
	return &actor{Load: l, ctx: ctx, name: name, rng: rand.New(rand.NewPCG(l.seed, 100+uint64(l.names.Add(1))))}
}

func (l *Load) start(ctx context.Context, all *sync.WaitGroup, name string, do func(a *actor)) {
	a := l.actor(ctx, name)
	all.Go(func() {
		a.reborn()
		do(a)
	})
}

// reborn makes the actor another process.
func (a *actor) reborn() { a.process = a.processes.Add(1) }

func (a *actor) over() bool { return a.ctx.Err() != nil }

// pause waits for up to d, or until the actor is to end.
func (a *actor) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	// Not on a round instant: two clients never wake at once.
	a.wait(time.Duration(1 + a.rng.Int64N(int64(d))))
}

func (a *actor) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-a.ctx.Done():
	}
}

// chance is true once in n times.
func (a *actor) chance(n int) bool { return a.rng.IntN(n) == 0 }

// pick draws one.
func pick[T any](a *actor, of ...T) T { return of[a.rng.IntN(len(of))] }

// blank is an operation of the actor's.
func (a *actor) blank(kind history.Kind, at history.Place) history.Op {
	op := history.Blank()
	op.Kind, op.Process, op.Topic, op.Partition = kind, a.process, at.Topic, at.Partition
	return op
}

// end ends an operation as its error says.
func (a *actor) end(op *history.Op, err error) {
	switch {
	case err == nil:
		a.rec.End(op, history.OK)
	case refused(err):
		op.Err = err.Error()
		a.rec.End(op, history.Fail)
	default:
		op.Err = err.Error()
		a.rec.End(op, history.Info)
	}
}

// client is a client of the cluster that waits no longer than a while for anything but its
// records.
func (a *actor) client(opts ...kgo.Opt) *kgo.Client {
	return a.w.Client(append([]kgo.Opt{kgo.ClientID(a.name)}, opts...)...)
}

// blame says that a client was told what nobody may be told.
func (l *Load) blame(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.complaint) < 100 {
		l.complaint = append(l.complaint, fmt.Sprintf(format, args...))
	}
}

// Complaints are what clients were told that nobody may be told.
func (l *Load) Complaints() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.complaint
}

// StopWriting ends all that write, and waits for what they have under way.
func (l *Load) StopWriting() {
	l.noWrite()
	l.writers.Wait()
}

// StopReading ends all that read.
func (l *Load) StopReading() {
	l.noRead()
	l.readers.Wait()
}

// Abandon ends all where there is nobody any more to answer: what is under way is given up.
func (l *Load) Abandon() {
	l.noWrite()
	l.noRead()
	ended := make(chan struct{})
	go func() {
		l.writers.Wait()
		l.readers.Wait()
		close(ended)
	}()
	for {
		l.mu.Lock()
		open := slices.Collect(maps.Keys(l.open))
		l.mu.Unlock()
		for _, p := range open {
			p.c.Close() // who waits for what it has sent waits no more
		}
		select {
		case <-ended:
			return
		case <-time.After(time.Second): // some have just begun
		}
	}
}

// behind is what must come true of a reader before it may stop: told is what it misses yet,
// in words.
func (l *Load) behind(name string, told func() string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lag[name] = told
}
