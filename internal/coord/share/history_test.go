package share

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/coord/runtime/memlog"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var historySeed = flag.Uint64("history.seed", 0, "run only this history")
var histories = flag.Int("histories", 8, "how many histories")

// Random histories: leaders of share partitions read and write through their Clients
// while coordinators move, logs stall and lose what was not committed, old records are
// deleted, requests and answers are lost, leaders are replaced but go on, and states begin
// anew. A checker that knows only questions and answers holds the coordinators to their
// word:
//
//   - what was stored is read, or what ranks higher: by any leader, for ever, until the
//     state begins anew
//   - nothing is read that nobody wrote
//   - the start never goes back
//   - once a leader has read or written, nothing of an earlier one is accepted
//
// And at any time loading what is left of a log gives the same states.
func TestHistories(t *testing.T) {
	seeds := []uint64{*historySeed}
	if *historySeed == 0 {
		seeds = seeds[:0]
		for seed := range uint64(*histories) {
			seeds = append(seeds, seed+1)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("again: go test ./internal/coord/share -run TestHistories -history.seed=%d", seed)
				}
			}()
			bubble.Test(t, func(t *testing.T) { newHistory(t, seed).run() })
		})
	}
}

const (
	nodes      = 3
	partitions = 3 // of the coordinators' topic
	shared     = 3 // share partitions of each of two groups
)

// prunedLog is a log whose beginning may be deleted.
type prunedLog struct {
	*memlog.Log
	start atomic.Int64
}

// ReadLog leaves out whole batches, as segments are deleted: the rest may begin early.
func (l *prunedLog) ReadLog(from int64, maxBytes int) ([]byte, int64, error) {
	return l.Log.ReadLog(max(from, l.start.Load()), maxBytes)
}

type history struct {
	*testing.T
	rng      *rand.Rand
	services [nodes]*Service
	logs     [partitions]*prunedLog
	clients  [nodes]*Client
	over     context.Context
	wg       sync.WaitGroup

	mu       sync.Mutex
	leads    [partitions]int   // node, -1 for none
	epochs   [partitions]int32 // of the leader
	calm     bool
	net      *rand.Rand // of what is lost
	clock    int
	keys     map[Key]*ledger
	problems []string
	reads    int
	stored   int
	fenced   int
	compared int
	pruned   int
}

// ledger is what the checker knows of a share partition.
type ledger struct {
	leaderEpoch int32 // of the newest leader
	stateEpoch  int32 // of the newest state that was begun
	sent        []*stored
	begun       []*stored // initializations
	leaders     []*seenLeader
}

// stored is a write, or the beginning of a state; done is when it was answered.
type stored struct {
	asked, done int // by the checker's clock; done is 0 if it never was
	stateEpoch  int32
	start       int64
	batches     []StateBatch
}

// seenLeader is a leader epoch that was accepted, from done on.
type seenLeader struct {
	epoch int32
	done  int
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{T: t, rng: rand.New(rand.NewPCG(seed, 0)), net: rand.New(rand.NewPCG(seed, 1)), keys: map[Key]*ledger{}}
	for i := range h.services {
		h.services[i] = New(Config{
			Partitions: func() int32 { return partitions },
			Topic:      func(model.ID) int32 { return shared },
			Settings: func() Settings {
				return Settings{UpdatesPerSnapshot: int(seed % 5), PruneInterval: 7 * time.Second, ColdInterval: 11 * time.Second}
			},
			Prune: h.prune,
		})
		h.clients[i] = NewClient(ClientConfig{Node: int32(i), Ask: h.asker(i), Patience: 3 * time.Second})
	}
	for p := range h.logs {
		h.logs[p] = &prunedLog{Log: &memlog.Log{}}
	}
	for _, g := range []string{"g", "other"} {
		for p := range int32(shared) {
			h.keys[Key{g, topicID("t"), p}] = &ledger{}
		}
	}
	return h
}

func (h *history) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, s := range h.services {
		running.Go(func() { _ = s.Run(ctx) })
	}
	for p := range h.logs {
		h.leads[p] = -1
		h.move(p, h.rng.IntN(nodes), true)
	}
	over, stop := context.WithCancel(context.Background())
	h.over = over
	for k := range h.keys {
		for range 2 { // who leads, and who did
			rng := rand.New(rand.NewPCG(h.rng.Uint64(), 2))
			h.wg.Go(func() { h.lead(rng, k) })
		}
		rng := rand.New(rand.NewPCG(h.rng.Uint64(), 3))
		h.wg.Go(func() { h.begin(rng, k) })
	}
	for range 150 {
		h.chaos()
		h.pause(h.rng, 1000)
		h.compareWithReload()
	}
	stop()
	h.mu.Lock()
	h.calm = true
	h.mu.Unlock()
	for p := range h.logs {
		h.logs[p].Commit()
		if h.leads[p] < 0 {
			h.move(p, 0, true)
		}
	}
	h.wg.Wait()
	h.over = ctx
	for k := range h.keys {
		h.read(h.rng, k, 1<<20) // a leader to end all leaders
	}
	cancel()
	running.Wait()
	for _, p := range h.problems {
		h.Error(p)
	}
	if h.reads < 100 || h.stored < 100 || h.fenced < 10 || h.compared < 20 || h.pruned < 5 {
		h.Errorf("a dull history: %d reads, %d writes, %d fenced, %d comparisons, %d prunings", h.reads, h.stored, h.fenced, h.compared, h.pruned)
	}
}

func (h *history) pause(rng *rand.Rand, millis int) {
	time.Sleep(time.Duration(rng.IntN(millis)+1)*time.Millisecond + time.Duration(rng.IntN(1000)))
}

// chaos does something to the coordinators.
func (h *history) chaos() {
	p := h.rng.IntN(partitions)
	switch h.rng.IntN(8) {
	case 0, 1:
		h.move(p, h.rng.IntN(nodes), h.rng.IntN(2) == 0)
	case 2:
		h.move(p, -1, false)
	case 3:
		h.logs[p].Hold()
	case 4:
		h.logs[p].FailAppend(errors.New("the disk is gone"))
	case 5:
		h.logs[p].FailAppend(kerr.NotEnoughReplicas)
	default:
		h.logs[p].Commit()
		if h.leads[p] < 0 {
			h.move(p, h.rng.IntN(nodes), true)
		}
	}
}

// move changes the leader of a partition, -1 for none.
func (h *history) move(p, node int, keep bool) {
	h.mu.Lock()
	was := h.leads[p]
	h.leads[p] = node
	h.epochs[p]++
	epoch := h.epochs[p]
	h.mu.Unlock()
	h.logs[p].Lead(epoch, keep)
	if was >= 0 && was != node && h.rng.IntN(2) == 0 {
		h.services[was].Resign(int32(p))
	}
	if node >= 0 {
		h.services[node].Lead(int32(p), epoch, h.logs[p])
	}
	if was >= 0 && was != node {
		h.services[was].Resign(int32(p))
	}
}

func (h *history) prune(p int32, before int64) error {
	l := h.logs[p]
	for {
		at := l.start.Load()
		if before <= at || l.start.CompareAndSwap(at, before) {
			h.mu.Lock()
			h.pruned++
			h.mu.Unlock()
			return nil
		}
	}
}

// asker is the line of a node to all.
func (h *history) asker(from int) func(context.Context, int32, kmsg.Request) (kmsg.Response, error) {
	lost := errors.New("the line is cut")
	return func(ctx context.Context, node int32, req kmsg.Request) (kmsg.Response, error) {
		h.mu.Lock()
		there, back := h.net.IntN(12) == 0 && !h.calm, h.net.IntN(12) == 0 && !h.calm
		late := time.Duration(h.net.IntN(20_000_000))
		h.mu.Unlock()
		if find, ok := req.(*kmsg.FindCoordinatorRequest); ok {
			if node != int32(from) {
				h.problem("node %d asks %d for coordinators", from, node)
			}
			return h.find(find), nil
		}
		select {
		case <-time.After(late):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if there {
			return nil, lost
		}
		resp := serve(ctx, h.services[node], req)
		if back {
			return nil, lost
		}
		return resp, nil
	}
}

func (h *history) find(req *kmsg.FindCoordinatorRequest) kmsg.Response {
	h.mu.Lock()
	defer h.mu.Unlock()
	resp := kmsg.NewPtrFindCoordinatorResponse()
	for _, key := range req.CoordinatorKeys {
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.NodeID = key, int32(h.leads[model.CoordinatorPartition(key, partitions)])
		if c.NodeID < 0 {
			c.ErrorCode = kerr.CoordinatorNotAvailable.Code
		}
		resp.Coordinators = append(resp.Coordinators, c)
	}
	return resp
}

func (h *history) problem(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.problems = append(h.problems, fmt.Sprintf(format, args...))
}

// compareWithReload loads the logs into machines of its own and compares those with the
// ones that answer.
func (h *history) compareWithReload() {
	for p := range h.logs {
		h.mu.Lock()
		node := h.leads[p]
		h.mu.Unlock()
		if node < 0 {
			continue
		}
		s := h.services[node]
		same, err := runtime.Do(context.Background(), s.runtime, int32(p), runtime.Alone, func(st *state, _ *runtime.Turn) (bool, error) {
			fresh := newState(st.settings, st.topic, st.log)
			bytes, _, err := h.logs[p].ReadLog(0, 1<<30)
			if err != nil {
				return false, err
			}
			if err := replay(fresh, bytes, st.last); err != nil {
				return false, err
			}
			return reflect.DeepEqual(fresh.keys, st.keys), nil
		})
		if err == nil && !same {
			h.problem("partition %d: the log says something else than the machine", p)
		}
		if err == nil {
			h.compared++
		}
	}
}

// replay loads batches up to an offset into a machine.
func replay(st *state, bytes []byte, last int64) error {
	for len(bytes) > 0 {
		var b record.Batch
		var err error
		if b, bytes, err = record.Split(bytes); err != nil {
			return err
		}
		for r, err := range b.Records(record.Limits{}) {
			if err != nil {
				return err
			}
			if r.Offset > last {
				return nil
			}
			if err := st.Replay(runtime.Entry{Offset: r.Offset, Timestamp: r.Timestamp, Key: r.Key, Value: r.Value}); err != nil {
				return err
			}
		}
	}
	return nil
}
