package broker_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/front/api"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Valid requests in any order, with restarts and power cuts between them, do to a node what
// they do to a model of it.
func TestSequences(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 6
	}
	used := map[int16]int{}
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 5))
		script := make([]byte, 400)
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		if !t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { play(t, script, used) }) {
			return
		}
	}
	for _, a := range advertised(clientsDoor) {
		if used[a.Key] == 0 && seeds > 50 && !slices.Contains(notPlayed, a.Key) {
			t.Errorf("%s was never asked", a.Name())
		}
	}
}

// notPlayed are requests of brokers among themselves, of authentication that is not there,
// those that change who is in the cluster, and those of members, who have histories of their
// own (group, delivery).
var notPlayed = []int16{11, 12, 13, 14, 17, 27, 34, 36, 57, 64, 68, 76, 78, 79, 80, 81, 83, 84, 85, 86, 87, 91, 92}

// FuzzSequences is the same with sequences that a fuzzer makes.
func FuzzSequences(f *testing.F) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 6))
		script := make([]byte, 100)
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) { play(t, script[:min(len(script), 400)], nil) })
}

// walk is a node, the model of it and what is left of the script.
type walk struct {
	*hermit
	model
	c      net.Conn
	script []byte
	used   map[int16]int
	turn   int // numbers what is written
	cuts   *rand.Rand
	trace  []string
}

func play(t *testing.T, script []byte, used map[int16]int) {
	bubble.Test(t, func(t *testing.T) {
		if used == nil {
			used = map[int16]int{}
		}
		w := &walk{hermit: newHermit(t), script: script, used: used, cuts: rand.New(rand.NewPCG(1, 1)), model: model{
			logs: map[string]*plog{}, topics: map[string]int32{}, groups: map[string]map[string]int64{}, when: map[string]int{}, configs: map[string]string{}, pids: map[int64]bool{}}}
		defer func() {
			w.c.Close()
			w.end()
			if t.Failed() {
				t.Log(strings.Join(w.trace, " "))
			}
		}()
		w.c = w.dial(clientsDoor)
		w.furnish()
		for _, name := range []string{"a", "b"} {
			w.logs[name+"-0"], w.logs[name+"-1"] = &plog{}, &plog{}
		}
		for kind := range int8(2) { // makes the coordinators' topics
			w.until("find a coordinator", func() int16 {
				req := &kmsg.FindCoordinatorRequest{CoordinatorType: kind, CoordinatorKeys: []string{"k"}}
				return w.says(4, req).(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode
			})
		}
		w.writers = []*writer{{}, {name: "v1"}, {name: "v2", v2: true}, {name: "too", v2: true}}
		for _, p := range w.writers {
			w.init(p)
		}
		for len(w.script) > 0 && !t.Failed() {
			steps[w.draw(len(steps))](w)
		}
		for _, p := range w.writers {
			if p.txn != nil {
				w.finish(p, false)
			}
		}
		for _, part := range w.parts() {
			w.read(part, w.logs[part].start, true)
			w.read(part, w.logs[part].start, false)
		}
	})
}

// steps are what a script is made of, the frequent ones more than once.
var steps = []func(*walk){
	(*walk).write, (*walk).write, (*walk).write, (*walk).write, (*walk).write, (*walk).repeat, (*walk).skip, (*walk).stale,
	(*walk).finishOne, (*walk).finishOne, (*walk).initOne, (*walk).commitOffset, (*walk).commitInTxn,
	(*walk).readOne, (*walk).readOne, (*walk).ends, (*walk).offsets, (*walk).trim,
	(*walk).createTopic, (*walk).dropTopic, (*walk).grow, (*walk).configure, (*walk).forgetGroup, (*walk).forgetOffset,
	(*walk).list, (*walk).restart, (*walk).cut, (*walk).look, (*walk).look, (*walk).pause,
}

// draw takes a number below n from the script.
func (w *walk) draw(n int) int {
	if len(w.script) == 0 {
		return 0
	}
	b := w.script[0]
	w.script = w.script[1:]
	return int(b) % n
}

func (w *walk) parts() []string { return []string{"a-0", "a-1", "b-0", "b-1"} }

func (w *walk) part() string { return w.parts()[w.draw(4)] }

func (w *walk) says(version int16, req kmsg.Request) kmsg.Response {
	w.t.Helper()
	w.used[req.Key()]++
	w.trace = append(w.trace, fmt.Sprintf("%s v%d;", kmsg.NameForKey(req.Key()), version))
	resp := w.ask(w.c, version, req)
	w.sane(kmsg.NameForKey(req.Key()))
	return resp
}

// until asks again while what went before is not done.
func (w *walk) until(what string, ask func() int16) {
	w.t.Helper()
	for range 200 {
		code := ask()
		err := kerr.ErrorForCode(code)
		switch {
		case err == nil:
			return
		case err == kerr.ConcurrentTransactions, kerr.IsRetriable(err) && err != kerr.NotEnoughReplicasAfterAppend && err != kerr.RequestTimedOut:
			time.Sleep(50 * time.Millisecond)
		default:
			w.t.Errorf("%s: %v", what, err)
			return
		}
	}
	w.t.Errorf("%s: not done after 10 s", what)
}

func (w *walk) wants(what string, got, want any) {
	w.t.Helper()
	if g, n := fmt.Sprint(got), fmt.Sprint(want); g != n {
		w.t.Errorf("%s: %s, want %s", what, g, n)
	}
}

// look asks what changes nothing, in any version: it is answered.
func (w *walk) look() {
	looks := []int16{3, 10, 15, 16, 18, 23, 32, 35, 43, 45, 46, 55, 60, 61, 65, 66, 69, 74, 75, 77, 90}
	key := looks[w.draw(len(looks))]
	for _, a := range api.Table() {
		if a.Key != key {
			continue
		}
		least := max(a.Min, a.Floor)
		version := least + int16(w.draw(int(a.Max-least)+1))
		w.used[key]++
		w.trace = append(w.trace, fmt.Sprintf("look %s v%d;", a.Name(), version))
		if _, err := w.c.Write(frameOf(key, version, w.plausible(key, version, 1))); err != nil {
			w.t.Fatal(err)
		}
		if _, err := answer(w.c); err != nil {
			w.t.Errorf("%s v%d is not answered: %v", a.Name(), version, err)
			w.c = w.dial(clientsDoor)
		}
		w.sane(a.Name())
	}
}

func (w *walk) pause() { time.Sleep(time.Duration(w.draw(20)) * 100 * time.Millisecond) }

// restart stops the node in order and starts it again.
func (w *walk) restart() {
	w.trace = append(w.trace, "restart;")
	w.c.Close()
	w.end()
	w.launch()
	w.c = w.dial(clientsDoor)
}

// cut cuts the power, and starts the node again with what was synced.
func (w *walk) cut() {
	w.trace = append(w.trace, "power cut;")
	w.disk = w.disk.Crash(w.cuts)
	w.net.Kill("hermit")
	w.stop()
	<-w.done // whatever it says: its disk is gone
	w.unharmed("a power cut")
	w.launch()
	w.c = w.dial(clientsDoor)
}

// readOne reads a partition from anywhere.
func (w *walk) readOne() {
	part := w.part()
	l := w.logs[part]
	w.read(part, l.start+int64(w.draw(int(l.end()-l.start)+1)), w.draw(2) == 0)
}

// read wants what the model has from an offset on, in as many fetches as it takes.
func (w *walk) read(part string, from int64, readCommitted bool) {
	w.t.Helper()
	l, values, at := w.logs[part], []string(nil), from
	for {
		p := w.fetch(part, at, readCommitted)
		w.wants("ends of "+part, []int64{p.LogStartOffset, p.LastStableOffset, p.HighWatermark}, []int64{l.start, l.stable(), l.end()})
		if len(p.RecordBatches) == 0 {
			break
		}
		next, got := w.taken(p, at, readCommitted)
		if next <= at {
			w.t.Fatalf("%s: a fetch from %d goes on at %d", part, at, next)
		}
		values, at = append(values, got...), next
	}
	w.wants(fmt.Sprintf("%s from %d, committed %t", part, from, readCommitted), values, l.seen(from, readCommitted))
}

func (w *walk) fetch(part string, from int64, readCommitted bool) (p kmsg.FetchResponseTopicPartition) {
	w.t.Helper()
	req, rt, rp := kmsg.NewPtrFetchRequest(), kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = numberOf(part), from, 1<<20
	rt.Topic, rt.Partitions = part[:1], append(rt.Partitions, rp)
	req.MaxBytes, req.SessionEpoch, req.Topics = 1<<20, -1, append(req.Topics, rt)
	if readCommitted {
		req.IsolationLevel = 1
	}
	w.until("fetch "+part, func() int16 {
		p = w.says(int16(7+w.draw(6)), req).(*kmsg.FetchResponse).Topics[0].Partitions[0]
		return p.ErrorCode
	})
	return p
}

// taken is what a client makes of an answer: the records, without those of the transactions
// that it is told are aborted, and where it goes on.
func (w *walk) taken(p kmsg.FetchResponseTopicPartition, from int64, readCommitted bool) (next int64, values []string) {
	w.t.Helper()
	ended := slices.SortedFunc(slices.Values(p.AbortedTransactions), func(a, b kmsg.FetchResponseTopicPartitionAbortedTransaction) int {
		return int(a.FirstOffset - b.FirstOffset)
	})
	gone := map[int64]bool{}
	for bytes := p.RecordBatches; len(bytes) > 0; {
		b, rest, err := record.Split(bytes)
		if err != nil {
			w.t.Fatalf("what is read from %d on: %v", from, err)
		}
		bytes, next = rest, b.NextOffset()
		for len(ended) > 0 && ended[0].FirstOffset < next {
			gone[ended[0].ProducerID], ended = true, ended[1:]
		}
		if b.Control() {
			delete(gone, b.ProducerID())
			continue
		}
		for rec, err := range b.Records(record.Limits{}) {
			if err != nil {
				w.t.Fatalf("what is read from %d on: %v", from, err)
			}
			if rec.Offset >= from && !(readCommitted && b.Transactional() && gone[b.ProducerID()]) {
				values = append(values, fmt.Sprint(rec.Offset, "=", string(rec.Value)))
			}
		}
	}
	return next, values
}

func numberOf(part string) int32 { return int32(part[2] - '0') }
