package txn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/coord/runtime/memlog"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A script is a conversation with the coordinator, a line an action:
//
//	init p -> 1000/0                        a request and its answer: producer id and epoch
//	add p as=1000/0 t/0 u/1 -> ok           partitions 0 of t and 1 of u join
//	commit p as=1000/0 -> 1000/1            an end of version 5, v=4 for clients before
//	describe p -> CompleteCommit 1000/1     "open=" and the partitions if there are some
//	markers -> 1: commit 1000/1 t/0; …      what the brokers wrote since it was asked last
//	after 3s                                time passes
//	p <- 1000/0                             the answer that waited
//	broker 1 down | up | says X | slow 1s   what befalls a broker: it answers X to markers
//	t/0 leads 2 | none | gone               partitions get another leader, or are deleted
//	log holds | commits | moves | …         what befalls the log, or who coordinates
//	record p Empty as=1000/32766            another coordinator wrote this; reload to see it
//	level 1                                 the finalized transaction.version, 2 at first
//	ids none | come; next 2000              producer ids run out; which is drawn next
//	hour +5m                                by how much the clock is wrong of who coordinates now
//
// Partitions with an even number are led by broker 1, the others by broker 2.
type house struct {
	*testing.T
	*world
	service atomic.Pointer[Service] // who coordinates
	stale   atomic.Pointer[Service] // who did, or will
	log     *memlog.Log
	set     Settings
	first   int16
	lease   atomic.Bool
	hours   map[*Service]*atomic.Int64 // by how much clocks are wrong
	drawn   atomic.Int64
	noIDs   atomic.Bool
	level   atomic.Int32
	epoch   int32
	parked  map[string]chan string
	ctx     context.Context
}

// withService runs a test in a bubble, with a Service that leads the only partition, and
// another to which it may move.
func withService(t *testing.T, set Settings, test func(*house)) {
	t.Helper()
	withFirstEpoch(t, set, 0, test)
}

func withFirstEpoch(t *testing.T, set Settings, first int16, test func(*house)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := &house{T: t, world: newWorld(), log: &memlog.Log{}, set: set, first: first, parked: map[string]chan string{}, hours: map[*Service]*atomic.Int64{}}
		h.drawn.Store(999)
		h.level.Store(2)
		h.lease.Store(true)
		var running sync.WaitGroup
		h.service.Store(h.start(ctx, &running))
		h.stale.Store(h.start(ctx, &running))
		h.service.Load().Lead(0, 0, h.log)
		synctest.Wait()
		h.ctx = ctx
		defer running.Wait()
		defer cancel()
		test(h)
	})
}

func (h *house) start(ctx context.Context, running *sync.WaitGroup) *Service {
	wrong := &atomic.Int64{}
	s := New(Config{
		Clock:      func(t time.Time) int64 { return t.UnixMilli() + wrong.Load() },
		Partitions: func() int32 { return 1 },
		Settings:   func() Settings { return h.set },
		TxnVersion: func() int16 { return int16(h.level.Load()) },
		FirstEpoch: h.first,
		ProducerID: func(context.Context) (int64, error) {
			if h.noIDs.Load() {
				return 0, kerr.CoordinatorLoadInProgress
			}
			return h.drawn.Add(1), nil
		},
		GroupPartition: func(string) int32 { return 7 },
		Leader:         h.leader,
		Ask:            h.ask,
		Lease:          h.lease.Load,
	})
	h.hours[s] = wrong
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			h.Errorf("Run: %v", err)
		}
	})
	return s
}

// move gives the log to the other Service. What was not committed is lost unless keep is
// set. The two hear of it in either order, and clients after that.
func (h *house) move(keep, late bool) {
	from, to := h.service.Load(), h.stale.Load()
	h.epoch++
	if late { // the new one hears of it before its log does
		to.Lead(0, h.epoch, h.log)
		synctest.Wait()
	}
	h.log.Lead(h.epoch, keep)
	to.Lead(0, h.epoch, h.log)
	h.service.Store(to)
	h.stale.Store(from)
	if late {
		time.Sleep(100 * time.Millisecond)
	}
	from.Resign(0)
}

// play runs a script.
func play(t *testing.T, set Settings, script string) {
	t.Helper()
	withService(t, set, func(h *house) { h.play(script) })
}

func (h *house) play(script string) {
	h.Helper()
	for i, line := range strings.Split(script, "\n") {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if err := h.line(line); err != nil {
			h.Fatalf("line %d: %s\n%v", i+1, line, err)
		}
	}
}

func (h *house) line(line string) error {
	action, want, asked := strings.Cut(line, "->")
	words := strings.Fields(action)
	switch words[0] {
	case "after":
		d, err := time.ParseDuration(words[1])
		time.Sleep(d)
		synctest.Wait()
		return err
	case "log":
		return h.logDoes(words[1])
	case "broker":
		return h.befall(words[1:])
	case "hour":
		d, err := time.ParseDuration(words[1])
		h.hours[h.service.Load()].Store(d.Milliseconds())
		return err
	case "level":
		n, err := strconv.Atoi(words[1])
		h.level.Store(int32(n))
		return err
	case "ids":
		h.noIDs.Store(words[1] == "none")
		return nil
	case "next":
		n, err := strconv.ParseInt(words[1], 10, 64)
		h.drawn.Store(n - 1)
		return err
	case "record":
		return h.record(words[1:])
	case "lease":
		h.lease.Store(words[1] == "held")
		return nil
	case "image":
		h.service.Load().ImageMoved()
		synctest.Wait()
		return nil
	case "markers":
		return same(h.markers(), want)
	}
	if asked {
		return same(h.request(words), want)
	}
	if name, want, ok := strings.Cut(line, "<-"); ok {
		return same(h.answered(strings.TrimSpace(name)), want)
	}
	if len(words) == 3 && words[1] == "leads" {
		return h.leads(words[0], words[2])
	}
	return fmt.Errorf("what is that?")
}

func same(got, want string) error {
	if want = strings.Join(strings.Fields(want), " "); got != want {
		return fmt.Errorf(" got: %s\nwant: %s", got, want)
	}
	return nil
}

func (h *house) logDoes(what string) error {
	switch what {
	case "holds":
		h.log.Hold()
	case "commits":
		h.log.Commit()
	case "fails":
		h.log.FailAppend(kerr.KafkaStorageError)
	case "full":
		h.log.FailAppend(fmt.Errorf("%w: %w", kerr.KafkaStorageError, vfs.ErrNoSpace))
	case "small":
		h.log.FailAppend(kerr.MessageTooLarge)
	case "breaks":
		h.log.FailAppend(kerr.UnknownServerError)
	case "resigns":
		h.service.Load().Resign(0)
	case "moves":
		h.move(true, false)
	case "moves-late":
		h.move(false, true)
	case "loses": // another leadership, over what was committed
		h.epoch++
		h.log.Lead(h.epoch, false)
		h.service.Load().Resign(0)
		h.service.Load().Lead(0, h.epoch, h.log)
	case "reload": // another leadership over the same records
		h.epoch++
		h.log.Lead(h.epoch, true)
		h.service.Load().Resign(0)
		h.service.Load().Lead(0, h.epoch, h.log)
	default:
		return errors.New("what does the log do?")
	}
	synctest.Wait()
	return nil
}

// request sends a request and returns its answer, or "waits" and keeps it for later.
func (h *house) request(words []string) string {
	plain, args := arguments(words[1:])
	ch := make(chan string, 1)
	go func() { ch <- h.call(words[0], plain, args) }()
	synctest.Wait()
	if len(plain) > 0 {
		h.parked[plain[0]] = ch
	}
	select {
	case got := <-ch:
		return got
	default:
		return "waits"
	}
}

func arguments(words []string) (plain []string, args map[string]string) {
	args = map[string]string{}
	for _, w := range words {
		if k, v, ok := strings.Cut(w, "="); ok {
			args[k] = v
		} else {
			plain = append(plain, w)
		}
	}
	return plain, args
}

func (h *house) answered(name string) string {
	select {
	case got := <-h.parked[name]:
		return got
	default:
		return "waits"
	}
}

func (h *house) befall(words []string) error {
	n, err := strconv.Atoi(words[0])
	if err != nil {
		return err
	}
	h.mu.Lock()
	b := h.brokers[int32(n)]
	switch words[1] {
	case "down":
		b.down = true
	case "up":
		*b = broker{}
	case "says":
		b.says = codeNamed(words[2])
	case "silent":
		b.silent = true
	case "slow":
		b.slow, err = time.ParseDuration(words[2])
	default:
		err = errors.New("what befalls the broker?")
	}
	h.mu.Unlock()
	synctest.Wait()
	return err
}

// record writes what another coordinator might have written.
func (h *house) record(words []string) error {
	plain, args := arguments(words)
	v := value{
		producerID: as(args).id, prevID: num(args, "prev", noProducer), nextID: num(args, "next", noProducer),
		epoch: as(args).epoch, lastEpoch: int16(num(args, "last", int64(noEpoch))), timeoutMillis: int32(num(args, "timeout", 60_000)),
		phase: phase(slices.Index(phaseNames[:], plain[1])), version: int8(num(args, "version", 2)),
		started: time.Now().UnixMilli(), updated: time.Now().UnixMilli(), partitions: partitionsNamed(list(args, "open")),
	}
	b := record.NewBuilder(record.BuilderConfig{})
	b.Append(record.Record{Timestamp: v.updated, Key: appendKey(nil, plain[0]), Value: v.append(nil, int16(num(args, "format", 1)))})
	batch, err := b.Build()
	if err != nil {
		return err
	}
	h.log.Put(batch)
	return nil
}

func (h *house) leads(partitions, who string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, tp := range partitionsNamed(strings.Split(partitions, ",")) {
		switch who {
		case "gone":
			h.moved[tp] = gone
		case "none":
			h.moved[tp] = model.NoLeader
		default:
			n, err := strconv.Atoi(who)
			if err != nil {
				return err
			}
			h.moved[tp] = int32(n)
		}
	}
	return nil
}

func codeNamed(name string) int16 {
	for c := int16(-1); c < 200; c++ {
		if e, ok := kerr.ErrorForCode(c).(*kerr.Error); ok && e.Message == name && e.Code == c {
			return c
		}
	}
	panic("no error is called " + name)
}

func partitionsNamed(words []string) []model.TopicPartition {
	var all []model.TopicPartition
	for _, w := range words {
		topic, n, ok := strings.Cut(w, "/")
		p, err := strconv.Atoi(n)
		if !ok || err != nil {
			panic("no partition is called " + w)
		}
		all = append(all, model.TopicPartition{Topic: topic, Partition: int32(p)})
	}
	return all
}

func showPartitions(tps []model.TopicPartition) string {
	var words []string
	for _, tp := range tps {
		words = append(words, fmt.Sprintf("%s/%d", tp.Topic, tp.Partition))
	}
	slices.Sort(words)
	return strings.Join(words, ",")
}
