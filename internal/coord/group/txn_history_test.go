package group

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/compaction"
	"github.com/odradek/odradek/internal/store/producers"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Random histories of offsets in transactions: producers commit and abort, die and leave
// zombies behind that commit late, offsets are committed outside and deleted, while the log
// stalls, fails, changes leaders and is compacted. What holds:
//
//   - nobody reads an offset of a transaction before its end was asked for, or of one that
//     aborted, or of a zombie
//   - who asks for stable offsets reads none while a transaction would change it
//   - what was acknowledged is in the log
//
// And at any time the coordinator has what modelOf makes of a log that was never compacted,
// and so has one that loads the compacted log.
func TestTxnHistories(t *testing.T) {
	seeds := []uint64{*historySeed}
	if *historySeed == 0 {
		seeds = seeds[:0]
		for seed := range uint64(24) {
			seeds = append(seeds, seed+1)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("again: go test ./internal/coord/group -run TestTxnHistories -history.seed=%d", seed)
				}
			}()
			withService(t, Settings{OffsetsRetention: 1000 * time.Hour}, func(h *house) { newTxnHistory(h, seed).run() })
		})
	}
}

type txnHistory struct {
	*history

	mu                                                      sync.Mutex
	clock                                                   int
	value                                                   int64
	attempts                                                map[int64]*attempt // by offset
	deleted                                                 map[offsetAt]int   // when a deletion was last asked for
	problems                                                []string
	acked, ended, late, read, unstable, modelled, compacted int // to know that something happened
}

type offsetAt struct {
	group string
	tp    model.TopicPartition
}

// attempt is an offset that somebody wants to commit, in a transaction or not.
type attempt struct {
	key   offsetAt
	txn   *txnAttempt // nil outside
	start int
	acked int // when, 0 if not
	late  bool
}

type txnAttempt struct {
	asked  bool // its end was
	commit bool
}

func newTxnHistory(h *house, seed uint64) *txnHistory {
	return &txnHistory{history: newHistory(h, seed), attempts: map[int64]*attempt{}, deleted: map[offsetAt]int{}}
}

func (h *txnHistory) run() {
	ctx, cancel := context.WithCancel(context.Background())
	h.over = ctx
	var wg sync.WaitGroup
	actor := func(live func(*rand.Rand)) {
		rng := rand.New(rand.NewPCG(h.rng.Uint64(), 2))
		wg.Go(func() { live(rng) })
	}
	for i := range 3 {
		actor(func(rng *rand.Rand) { h.producer(rng, int64(i)) })
	}
	actor(h.reader)
	actor(h.admin)
	for range 150 {
		h.chaos()
		h.pause(h.rng, 1000)
		if h.rng.IntN(3) == 0 {
			h.compact()
		}
		h.compareWithModel()
	}
	cancel()
	for h.logDoes("commits"); ; h.logDoes("commits") { // until the last transaction has ended
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		select {
		case <-done:
			h.finish()
			return
		case <-time.After(time.Second):
		}
	}
}

func (h *txnHistory) finish() {
	time.Sleep(time.Minute)
	synctest.Wait()
	modelled := h.modelled
	if h.compareWithModel(); h.modelled == modelled {
		h.Error("the last comparison could not be made")
	}
	inLog := map[int64]bool{}
	for _, b := range h.log.All() {
		for e, err := range b.Records(record.Limits{}) {
			if err != nil {
				h.Fatal(err)
			}
			if k, err := parseKey(e.Key); !b.Control() && err == nil && k.kind == keyOffset && e.Value != nil {
				o, _ := parseOffset(e.Value)
				inLog[o.offset] = true
			}
		}
	}
	for v, a := range h.attempts {
		switch {
		case a.late && (a.acked > 0 || inLog[v]):
			h.Errorf("offset %d of a zombie was taken", v)
		case a.acked > 0 && !inLog[v]:
			h.Errorf("offset %d was acknowledged and is not in the log", v)
		}
	}
	for _, p := range h.problems {
		h.Error(p)
	}
	if h.acked < 30 || h.ended < 20 || h.late < 3 || h.read < 20 || h.unstable < 5 || h.modelled < 20 || h.compacted < 3 {
		h.Errorf("a dull history: %d commits, %d ends, %d late ones, %d reads, %d unstable ones, %d comparisons, %d compactions",
			h.acked, h.ended, h.late, h.read, h.unstable, h.modelled, h.compacted)
	}
}

func (h *txnHistory) problem(format string, args ...any) {
	h.problems = append(h.problems, fmt.Sprintf(format, args...)) // mu is held
}

func (h *txnHistory) locked(do func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	do()
}

func (h *txnHistory) whoever(rng *rand.Rand) *Service {
	if rng.IntN(10) == 0 {
		return h.stale.Load()
	}
	return h.service.Load()
}

func randomKey(rng *rand.Rand) offsetAt {
	return offsetAt{fmt.Sprint("g", rng.IntN(2)), model.TopicPartition{Topic: "t", Partition: int32(rng.IntN(3))}}
}

// producer runs one transaction after the other: by version 2, in which each end bumps the
// epoch, or by version 1, in which only another process does.
func (h *txnHistory) producer(rng *rand.Rand, pid int64) {
	version := int16(1 + pid%2)
	for epoch := int16(0); h.over.Err() == nil; {
		h.pause(rng, 1500)
		txn := &txnAttempt{}
		p := runtime.Producer{ID: pid, Epoch: epoch}
		var guard producers.Guard
		for range rng.IntN(4) + 1 {
			guard, _, _ = h.log.BeginTxn(pid, epoch, version == 2)
			h.commitTxn(rng, p, guard, txn, false)
			h.pause(rng, 300)
		}
		zombie := p
		if version == 2 || rng.IntN(4) == 0 { // or a time-out aborts it, in the name of the next epoch
			epoch++
		}
		h.endTxn(rng, runtime.Producer{ID: pid, Epoch: epoch}, txn, version)
		// What a process sends that did not hear of the end.
		for range rng.IntN(3) {
			h.commitTxn(rng, zombie, guard, &txnAttempt{}, true)
		}
		if epoch > 30000 {
			return
		}
	}
}

func (h *txnHistory) commitTxn(rng *rand.Rand, p runtime.Producer, guard producers.Guard, txn *txnAttempt, late bool) {
	key := randomKey(rng)
	a := &attempt{key: key, txn: txn, late: late}
	var v int64
	h.locked(func() { h.value++; v, a.start = h.value, h.clock; h.attempts[v] = a })
	req := txnCommitRequest(key.group, map[string]string{"offsets": fmt.Sprintf("%s/%d@%d", key.tp.Topic, key.tp.Partition, v)})
	req.ProducerID, req.ProducerEpoch = p.ID, p.Epoch
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	resp := h.whoever(rng).TxnOffsetCommit(ctx, Caller{}, req, guard)
	h.locked(func() {
		if late {
			h.late++
		}
		if resp.Topics[0].Partitions[0].ErrorCode == 0 {
			a.acked = h.clock
			h.acked++
		}
	})
}

// endTxn ends a transaction, for ever until it is done.
func (h *txnHistory) endTxn(rng *rand.Rand, p runtime.Producer, txn *txnAttempt, version int16) {
	commit := rng.IntN(3) > 0
	h.locked(func() { txn.asked, txn.commit = true, commit })
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		err := h.whoever(rng).CompleteTxn(ctx, 0, p, record.EndTxnMarker{Commit: commit}, version)
		cancel()
		if err == nil {
			h.locked(func() { h.ended++ })
			return
		}
		h.pause(rng, 300)
	}
}

// admin commits outside of transactions, and deletes.
func (h *txnHistory) admin(rng *rand.Rand) {
	for h.over.Err() == nil {
		h.pause(rng, 1500)
		key := randomKey(rng)
		switch rng.IntN(6) {
		case 0:
			h.locked(func() { h.deleted[key] = math.MaxInt })
			req := offsetDeleteRequest(key.group, map[string]string{"topics": fmt.Sprintf("t/%d", key.tp.Partition)})
			h.whoever(rng).OffsetDelete(h.over, Caller{}, req)
			h.locked(func() { h.deleted[key] = h.clock })
		case 1:
			h.delete(rng, key.group)
		default:
			a := &attempt{key: key}
			var v int64
			h.locked(func() { h.value++; v, a.start = h.value, h.clock; h.attempts[v] = a })
			req := commitRequest(key.group, map[string]string{"offsets": fmt.Sprintf("t/%d@%d", key.tp.Partition, v)})
			resp := h.whoever(rng).OffsetCommit(h.over, Caller{}, req)
			h.locked(func() {
				if resp.Topics[0].Partitions[0].ErrorCode == 0 {
					a.acked = h.clock
				}
			})
		}
	}
}

func (h *txnHistory) delete(rng *rand.Rand, group string) {
	mark := func(at func() int) {
		h.locked(func() {
			for n := range int32(3) {
				h.deleted[offsetAt{group, model.TopicPartition{Topic: "t", Partition: n}}] = at()
			}
		})
	}
	mark(func() int { return math.MaxInt })
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Version, req.Groups = 2, []string{group}
	h.whoever(rng).DeleteGroups(h.over, Caller{}, req)
	mark(func() int { return h.clock })
}

func (h *txnHistory) reader(rng *rand.Rand) {
	for h.over.Err() == nil {
		h.pause(rng, 400)
		key, args := randomKey(rng), map[string]string{}
		args["topics"] = fmt.Sprintf("t/%d", key.tp.Partition)
		if rng.IntN(2) == 0 {
			args["stable"] = "yes"
		}
		var start int
		h.locked(func() { start = h.clock })
		resp := h.whoever(rng).OffsetFetch(h.over, Caller{}, fetchRequest(key.group, args))
		if resp.Groups[0].ErrorCode != 0 {
			continue
		}
		got := resp.Groups[0].Topics[0].Partitions[0]
		h.locked(func() { h.check(key, start, args["stable"] != "", got.ErrorCode != 0, got.Offset) })
	}
}

// check looks at what was read, from a fetch that was sent at start.
func (h *txnHistory) check(key offsetAt, start int, stable, unstable bool, got int64) {
	h.read++
	if unstable {
		h.unstable++
		return
	}
	if a := h.attempts[got]; got != -1 {
		switch {
		case a == nil || a.key != key:
			h.problem("%v: fetched %d, which nobody committed there", key, got)
		case a.late:
			h.problem("%v: fetched %d of a zombie", key, got)
		case a.txn != nil && !a.txn.asked:
			h.problem("%v: fetched %d of a transaction that goes on", key, got)
		case a.txn != nil && !a.txn.commit:
			h.problem("%v: fetched %d of a transaction that aborted", key, got)
		}
	}
	for v, a := range h.attempts {
		if stable && a.key == key && a.txn != nil && !a.txn.asked && a.acked > 0 && a.acked < start && h.deleted[key] < a.start {
			h.problem("%v: fetched %d as stable, while a transaction goes on that has %d", key, got, v)
		}
	}
}

// compact has the log compacted up to its last stable offset, as the cleaner does.
func (h *txnHistory) compact() {
	h.log.Compact(func(batches, all []record.Batch) []record.Batch {
		if len(batches) == 0 {
			return nil
		}
		aborted := abortedIn(all)
		filter := &compaction.Filter{
			Map: compaction.NewOffsetMap(1<<20, 1<<12), Now: time.Now().UnixMilli(), DeleteRetentionMs: 5000,
			End: batches[len(batches)-1].NextOffset(), LastOffset: h.log.LastOffset,
		}
		var txns compaction.Txns
		txns.Add(aborted...)
		for _, b := range batches {
			if _, err := filter.Map.Add(b, &txns, 0); err != nil {
				h.Fatal(err)
			}
		}
		filter.Txns.Add(aborted...)
		var out []byte
		for _, b := range batches {
			var err error
			if out, err = filter.Rewrite(out, b); err != nil {
				h.Fatal(err)
			}
		}
		if filter.Stats.BatchesKept < filter.Stats.Batches {
			h.compacted++
		}
		var kept []record.Batch
		for len(out) > 0 {
			b, rest, err := record.Split(out)
			if err != nil {
				h.Fatal(err)
			}
			kept, out = append(kept, b), rest
		}
		return kept
	})
}

// abortedIn are the aborted transactions that ended in batches.
func abortedIn(batches []record.Batch) (aborted []compaction.AbortedTxn) {
	first := map[int64]int64{}
	for _, b := range batches {
		if !b.Transactional() {
			continue
		}
		if !b.Control() {
			if _, ok := first[b.ProducerID()]; !ok {
				first[b.ProducerID()] = b.BaseOffset()
			}
			continue
		}
		m, ok, err := b.EndTxnMarker()
		if at, began := first[b.ProducerID()]; began && ok && err == nil && !m.Commit {
			aborted = append(aborted, compaction.AbortedTxn{ProducerID: b.ProducerID(), First: at, Last: b.BaseOffset(), LastStable: b.NextOffset()})
		}
		delete(first, b.ProducerID())
	}
	return aborted
}

// compareWithModel compares what the coordinator has with what the model makes of its log.
func (h *txnHistory) compareWithModel() {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond) // the log may be held
	defer cancel()
	_, err := runtime.Do(ctx, h.service.Load().runtime, 0, runtime.Alone, func(st *state, _ *runtime.Turn) (struct{}, error) {
		wantStable, wantOpen := h.modelOf(h.log.All())
		for name, st := range map[string]*state{"here": st, "once loaded": h.load()} {
			stable, open := st.offsets.view()
			if !reflect.DeepEqual(stable, wantStable) || !reflect.DeepEqual(open, wantOpen) {
				h.Errorf("offsets %s are %v, pending %v; the log has %v, %v", name, stable, open, wantStable, wantOpen)
			}
		}
		return struct{}{}, nil
	})
	if err == nil {
		h.modelled++
	}
}

// view is what the coordinator has, as modelOf says it.
func (os *offsets) view() (stable map[offsetAt]int64, open map[offsetAt][]int64) {
	stable, open = map[offsetAt]int64{}, map[offsetAt][]int64{}
	for id, byPartition := range os.committed {
		for tp, o := range byPartition {
			stable[offsetAt{id, tp}] = o.offset
		}
	}
	for id, byPartition := range os.open {
		for tp, producers := range byPartition {
			open[offsetAt{id, tp}] = slices.Sorted(maps.Keys(producers))
		}
	}
	return stable, open
}

// modelOf says what a log means, one key at a time: the offset that was written last, of
// those that no deletion follows and whose transaction committed, and the producers of
// those whose transaction goes on.
func (h *txnHistory) modelOf(batches []record.Batch) (stable map[offsetAt]int64, open map[offsetAt][]int64) {
	type written struct {
		at, offset int64
		pid        int64
		ended      *bool
	}
	writes, tombstones := map[offsetAt][]*written{}, map[offsetAt]int64{}
	running := map[int64][]*written{}
	for _, b := range batches {
		for e, err := range b.Records(record.Limits{}) {
			if err != nil {
				h.Fatal(err)
			}
			if b.Control() {
				m, _, _ := b.EndTxnMarker()
				for _, w := range running[b.ProducerID()] {
					w.ended = &m.Commit
				}
				delete(running, b.ProducerID())
				continue
			}
			k, err := parseKey(e.Key)
			if err != nil || k.kind != keyOffset {
				continue
			}
			key := offsetAt{k.group, model.TopicPartition{Topic: k.topic, Partition: k.partition}}
			if e.Value == nil {
				tombstones[key] = e.Offset
				continue
			}
			o, err := parseOffset(e.Value)
			if err != nil {
				h.Fatal(err)
			}
			w := &written{at: e.Offset, offset: o.offset, pid: -1}
			if b.Transactional() {
				w.pid = b.ProducerID()
				running[w.pid] = append(running[w.pid], w)
			}
			writes[key] = append(writes[key], w)
		}
	}
	stable, open = map[offsetAt]int64{}, map[offsetAt][]int64{}
	for key, all := range writes {
		for _, w := range all { // in the order of the log
			if last, ok := tombstones[key]; ok && w.at < last {
				continue
			}
			switch {
			case w.pid < 0 || w.ended != nil && *w.ended:
				stable[key] = w.offset
			case w.ended == nil && !slices.Contains(open[key], w.pid):
				open[key] = append(open[key], w.pid)
				slices.Sort(open[key])
			}
		}
	}
	return stable, open
}
