package txn

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

var historySeed = flag.Uint64("history.seed", 0, "run only this history")

// Random histories: two clients of each transactional id take it from each other, sleep
// with a transaction open and wake as zombies, and lose answers, while brokers die, stall
// and lose theirs, partitions get other leaders, the log stalls and refuses, and the
// coordinator moves. A checker that knows only answers, and what the partitions hold,
// keeps the coordinator to its word:
//
//   - no transaction is torn: all of its writes are committed, or all are aborted
//   - what a client was told of an end is what every partition did
//   - a partition never has two open transactions of one producer
//   - an epoch is given to one client, and later answers bear later epochs
//   - when all is calm again, nothing is open
//
// And at any time loading the log again gives the same ids.
func TestHistories(t *testing.T) {
	seeds := []uint64{*historySeed}
	if *historySeed == 0 {
		seeds = seeds[:0]
		for seed := range uint64(16) {
			seeds = append(seeds, seed+1)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("again: go test ./internal/coord/txn -run TestHistories -history.seed=%d", seed)
				}
			}()
			set := Settings{AbortInterval: time.Second, CommitTimeout: time.Second}
			withService(t, set, func(h *house) { newHistory(h, seed).run() })
		})
	}
}

type history struct {
	*house
	rng  *rand.Rand
	wg   sync.WaitGroup
	over context.Context

	check    checker
	compared int
}

func newHistory(h *house, seed uint64) *history {
	hi := &history{house: h, rng: rand.New(rand.NewPCG(seed, 0))}
	hi.check = checker{partitions: map[string]*log{}, decided: map[string]bool{}, owners: map[identity]string{}, newest: map[string]identity{}}
	h.world.write = hi.check.mark
	if seed%4 == 0 {
		h.level.Store(1)
	}
	if seed%3 == 0 { // epochs run out
		hi.must(h.line("record id0 Empty as=900/32750"))
		hi.must(h.line("record id1 Empty as=901/32740"))
		hi.must(h.logDoes("reload"))
	}
	return hi
}

func (h *history) must(err error) {
	if err != nil {
		h.Fatal(err)
	}
}

func (h *history) run() {
	ctx, cancel := context.WithCancel(context.Background())
	h.over = ctx
	for i := range 3 {
		for _, name := range []string{"a", "b"} {
			c := &client{history: h, id: fmt.Sprintf("id%d", i), rng: rand.New(rand.NewPCG(h.rng.Uint64(), 1)), who: nobody}
			c.name = c.id + name
			c.old = h.level.Load() < 2 || h.rng.IntN(4) == 0
			h.wg.Go(c.live)
		}
	}
	for i := range 300 {
		h.chaos()
		h.pause(h.rng, 1000)
		if i%4 == 0 {
			h.compareWithReload()
		}
	}
	cancel()
	h.calm()
	h.wg.Wait()
	time.Sleep(2 * time.Minute) // what is open takes too long
	h.check.verdict(h.T)
	if h.check.ended < 30 || h.check.zombies < 3 || h.compared < 10 {
		h.Errorf("a dull history: %d transactions, %d fenced, %d comparisons", h.check.ended, h.check.zombies, h.compared)
	}
}

// calm undoes what befell.
func (h *history) calm() {
	h.logDoes("commits")
	h.log.FailCommits(nil)
	h.mu.Lock()
	for _, b := range h.brokers {
		*b = broker{}
	}
	clear(h.moved)
	h.mu.Unlock()
	h.epoch++
	h.log.Lead(h.epoch, true)
	h.service.Load().Lead(0, h.epoch, h.log)
}

func (h *history) pause(rng *rand.Rand, millis int) {
	time.Sleep(time.Duration(rng.IntN(millis)+1) * time.Millisecond)
}

// chaos does something to the log, a broker or a leader.
func (h *history) chaos() {
	node := fmt.Sprint(1 + h.rng.IntN(2))
	switch h.rng.IntN(24) {
	case 0, 1:
		h.log.Hold()
	case 2:
		h.log.FailAppend(errors.New("append fails"))
	case 3:
		h.log.FailAppend(kerr.NotEnoughReplicas)
	case 4:
		h.log.FailCommits(errors.New("commit fails"))
		h.pause(h.rng, 100)
		h.log.FailCommits(nil)
	case 5, 6: // another leader, that has all or only what was committed
		h.epoch++
		h.log.Lead(h.epoch, h.rng.IntN(2) == 0)
		h.pause(h.rng, 300)
		h.service.Load().Lead(0, h.epoch, h.log)
	case 7, 8, 9:
		h.move(h.rng.IntN(2) == 0, h.rng.IntN(2) == 0)
	case 10, 11:
		h.must(h.befall([]string{node, "down"}))
	case 12:
		h.must(h.befall([]string{node, "silent"}))
	case 13:
		h.must(h.befall([]string{node, "slow", fmt.Sprint(h.rng.IntN(900)+1) + "ms"}))
	case 14:
		h.must(h.befall([]string{node, "says", "NOT_ENOUGH_REPLICAS"}))
	case 15, 16:
		h.must(h.leads(fmt.Sprintf("t/%d", h.rng.IntN(historyPartitions)), []string{"none", "1", "2"}[h.rng.IntN(3)]))
		h.service.Load().ImageMoved()
	case 17, 18:
		h.must(h.befall([]string{"1", "up"}))
		h.must(h.befall([]string{"2", "up"}))
		h.mu.Lock()
		clear(h.moved)
		h.mu.Unlock()
	default:
		h.log.Commit()
	}
}

const historyPartitions = 5

// compareWithReload loads the log into a fresh machine and compares it with the live one,
// whose invariants are checked too.
func (h *history) compareWithReload() {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond) // the log may be held
	defer cancel()
	_, err := runtime.Do(ctx, h.service.Load().runtime, 0, runtime.Alone, func(m *machine, _ *runtime.Turn) (struct{}, error) {
		m.invariants(h)
		loaded := h.load()
		if len(m.txns) != len(loaded.txns) {
			h.Errorf("%d ids, loaded %d", len(m.txns), len(loaded.txns))
		}
		for id, x := range m.txns {
			if l := loaded.txns[id]; l == nil || !reflect.DeepEqual(x.value, l.value) {
				h.Errorf("%s is %+v, loaded %+v", id, x.value, l)
			}
		}
		return struct{}{}, nil
	})
	if err == nil {
		h.compared++
	}
}

// load replays the log into a fresh machine.
func (h *house) load() *machine {
	s := h.service.Load()
	m := newMachine(s.settings, s.cfg.TxnVersion, 0, func() {}, s.cfg.Log)
	bytes, _, _ := h.log.ReadLog(0, math.MaxInt)
	for len(bytes) > 0 {
		b, rest, err := record.Split(bytes)
		if err != nil {
			h.Fatal(err)
		}
		for r, err := range b.Records(record.Limits{}) {
			if err != nil {
				h.Fatal(err)
			}
			if err := m.Replay(runtime.Entry{Offset: r.Offset, Key: r.Key, Value: r.Value}); err != nil {
				h.Fatal(err)
			}
		}
		bytes = rest
	}
	m.Loaded(runtime.NewTurn(time.Now()))
	return m
}

// invariants checks what must hold of a machine between commands.
func (m *machine) invariants(t testing.TB) {
	for id, x := range m.txns {
		_, open := m.open[x]
		_, marked := m.marked[x]
		switch {
		case x.id != id || x.epoch < 0 || x.producerID < 0 || !x.phase.valid():
			t.Errorf("%s: %+v", id, x)
		case open != (x.phase == ongoing):
			t.Errorf("%s is %v and open: %v", id, x.phase, open)
		case marked && (!x.phase.prepared() || len(x.soft.unmarked) > 0):
			t.Errorf("%s is %v and has every marker", id, x.phase)
		case x.phase.settled() && len(x.partitions) > 0:
			t.Errorf("%s is %v with partitions %v", id, x.phase, x.partitions)
		case x.phase.prepared() && !contains(x.partitions, x.soft.unmarked):
			t.Errorf("%s waits for %v of %v", id, x.soft.unmarked, x.partitions)
		case !slices.IsSortedFunc(x.partitions, compare):
			t.Errorf("%s: partitions %v", id, x.partitions)
		}
	}
	if len(m.open) > len(m.txns) || len(m.marked) > len(m.txns) {
		t.Errorf("%d ids, %d open, %d marked", len(m.txns), len(m.open), len(m.marked))
	}
}
