package commitlog

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

var (
	histories = flag.Int("histories", 300, "random histories to run")
	seed      = flag.Uint64("seed", 0, "the one history to run, if not 0")
)

// manyHistories is how many are run; in -short a tenth, for the race detector.
func manyHistories() uint64 {
	if testing.Short() {
		return uint64(*histories+9) / 10
	}
	return uint64(*histories)
}

// TestHistories runs random histories of appends, syncs, crashes, truncations and
// deletions beside a model: what was synced is there, in order, without holes, and
// nothing is there that was never written.
func TestHistories(t *testing.T) {
	first, n := uint64(1), manyHistories()
	if *seed != 0 {
		first, n = *seed, 1
	}
	for s := first; s < first+n; s++ {
		if !t.Run(fmt.Sprint(s), func(t *testing.T) { newHistory(t, s).run(120) }) {
			t.Fatalf("repeat with: go test ./internal/store/commitlog -run TestHistories -seed %d", s)
		}
	}
}

// history is a log, its disk, and what the log must hold.
type history struct {
	t      *testing.T
	rng    *rand.Rand
	mem    *vfs.Mem
	log    *Log
	config Config

	batches    []record.Batch // sorted; the first may begin below start
	start, end int64
	synced     int64
	advanced   int64 // the greatest start ever: epochs below are forgotten
	// garbage says that a power cut may destroy the sector that was being written, with
	// the synced records that share it: then only nothing invented is asked for.
	garbage    bool
	epoch      int32
	now        int64
	saved      int64 // recovery point in the host's checkpoint
	savedStart int64
	steps      []string
	txns       *txnModel // if producers write transactions
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{t: t, rng: newRand(seed), mem: newMem(t), config: testConfig(), now: 1000}
	h.garbage = h.rng.IntN(4) == 0
	h.mem.SetGarbage(h.garbage)
	h.config.SegmentBytes = int64(500 + h.rng.IntN(6000))
	h.config.IndexIntervalBytes = int64(h.rng.IntN(1000))
	h.log = mustOpen(t, h.options())
	return h
}

// options has the log's own words among the steps.
func (h *history) options() Options {
	o := testOptions(h.mem, h.config)
	o.Log = slog.New(slog.NewTextHandler(h, nil))
	return o
}

func (h *history) Write(line []byte) (int, error) {
	h.say("    %s", bytes.TrimSpace(line))
	return len(line), nil
}

func (h *history) run(steps int) {
	defer func() {
		if h.t.Failed() {
			for _, s := range h.steps {
				h.t.Log(s)
			}
		}
	}()
	for range steps {
		h.step()
		h.check()
	}
}

func (h *history) say(format string, args ...any) {
	h.steps = append(h.steps, fmt.Sprintf(format, args...))
}

func (h *history) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) step() {
	switch n := h.rng.IntN(100); {
	case n < 50:
		h.append()
	case n < 62:
		h.sync()
	case n < 70:
		h.crash(h.rng.IntN(3) > 0)
	case n < 74:
		h.reopenClean()
	case n < 80:
		h.truncate()
	case n < 84:
		h.advance()
	case n < 88:
		h.retain()
	case n < 92:
		h.say("close idle")
		h.ok(h.log.CloseIdle(time.Now()))
	case n < 94:
		h.epoch++
		h.say("epoch %d at %d", h.epoch, h.end)
		h.ok(h.log.AssignEpoch(h.epoch))
	case n < 97:
		h.replay()
	default:
		h.say("roll")
		h.ok(h.log.Roll())
	}
}

func (h *history) append() {
	if h.txns != nil {
		h.appendTxns()
		return
	}
	var bytes []byte
	for range 1 + h.rng.IntN(3) {
		h.now += int64(h.rng.IntN(100)) - 20
		bytes = append(bytes, plain(1+h.rng.IntN(4), h.rng.IntN(200), h.now)...)
	}
	if h.rng.IntN(8) == 0 {
		h.epoch++
	}
	var a Appended
	var err error
	if follower := h.rng.IntN(3) == 0; follower {
		h.stamp(bytes)
		a, err = h.log.AppendFollower(bytes)
	} else {
		a, err = h.log.AppendLeader(bytes, h.epoch, Client)
	}
	if errors.Is(err, kerr.RecordListTooLarge) && int64(len(bytes)) > h.config.SegmentBytes {
		return
	}
	h.ok(err)
	h.say("append [%d, %d) epoch %d, %d bytes", a.Base, a.End, h.epoch, len(bytes))
	if a.Base != h.end {
		h.t.Fatalf("appended at %d, want %d", a.Base, h.end)
	}
	h.keep(bytes)
}

func (h *history) stamp(bytes []byte) {
	next := h.end
	for rest := bytes; len(rest) > 0; {
		b, after, err := record.Split(rest)
		h.ok(err)
		b.Stamp(next, h.epoch)
		next, rest = b.NextOffset(), after
	}
}

func (h *history) keep(bytes []byte) {
	for b, err := range Batches(bytes) {
		h.ok(err)
		h.batches = append(h.batches, b)
		h.end = b.NextOffset()
		if h.txns != nil {
			h.txns.all = append(h.txns.all, b)
		}
	}
}

func (h *history) sync() {
	n, err := h.log.Sync()
	h.ok(err)
	h.say("sync to %d", n)
	if n != h.end {
		h.t.Fatalf("synced to %d, want %d", n, h.end)
	}
	h.synced = n
	if h.rng.IntN(2) == 0 {
		h.saved, h.savedStart = h.log.RecoveryPoint(), h.log.Start()
	}
}

// crash cuts the power, or only kills the process.
func (h *history) crash(power bool) {
	if power {
		h.mem = h.mem.Crash(h.rng)
	} else {
		h.mem = h.mem.Kill()
	}
	if power && h.garbage {
		h.saved = 0 // what it says is durable is not
	}
	h.reopen(false)
	h.say("crash, power %v: [%d, %d), synced %d, checkpoint %d", power, h.log.Start(), h.log.End(), h.synced, h.saved)
	low := h.synced
	if !power {
		low = h.end
	} else if h.garbage {
		low = 0
	}
	end := h.log.End()
	if end < low || end > h.end {
		h.t.Fatalf("log ends at %d after a crash, want within [%d, %d]", end, low, h.end)
	}
	h.cut(end)
	// What a killed process left is not on the disk yet.
	h.sync()
}

func (h *history) reopen(clean bool) {
	o := h.options()
	o.RecoveryPoint, o.Start, o.Clean = h.saved, h.savedStart, clean
	l, err := Open(o)
	h.ok(err)
	h.log = l
	if l.Start() > h.start {
		h.t.Fatalf("log starts at %d, want at most %d", l.Start(), h.start)
	}
	// A start that was not in the host's checkpoint falls back to what is there.
	h.ok(l.AdvanceStart(min(h.start, l.End())))
}

func (h *history) reopenClean() {
	h.ok(h.log.Close())
	h.saved, h.savedStart, h.synced = h.log.RecoveryPoint(), h.log.Start(), h.end
	h.reopen(true)
	h.say("closed and opened: [%d, %d)", h.log.Start(), h.log.End())
	if h.log.End() != h.end {
		h.t.Fatalf("log ends at %d after a clean close, want %d", h.log.End(), h.end)
	}
}

func (h *history) cut(end int64) {
	for len(h.batches) > 0 && h.batches[len(h.batches)-1].NextOffset() > end {
		h.batches = h.batches[:len(h.batches)-1]
	}
	h.end = end
	if h.garbage && h.log.Start() == end {
		h.batches = nil // it ended before its start, and was emptied
	}
	if n := len(h.batches); n > 0 && h.batches[n-1].NextOffset() != end {
		h.t.Fatalf("log ends at %d, inside or behind a batch that ends at %d", end, h.batches[n-1].NextOffset())
	}
	if h.txns != nil {
		h.txns.cut(end)
	}
	h.synced, h.saved, h.start, h.savedStart = min(h.synced, end), min(h.saved, end), min(h.start, end), min(h.savedStart, end)
}

func (h *history) truncate() {
	to := h.end - int64(h.rng.IntN(20))
	if h.rng.IntN(8) == 0 {
		to = h.start + h.rng.Int64N(h.end-h.start+1)
	}
	to = max(to, h.start)
	h.say("truncate [%d, %d) to %d", h.start, h.end, to)
	h.ok(h.log.TruncateTo(to))
	end := h.log.End()
	want := to
	for _, b := range h.batches {
		if b.BaseOffset() < to && b.NextOffset() > to {
			want = b.BaseOffset()
		}
	}
	if end != want {
		h.t.Fatalf("log ends at %d after a truncation to %d, want %d", end, to, want)
	}
	h.cut(end)
	h.epoch++ // a log is only cut when leadership changes
}

func (h *history) advance() {
	to := h.start + h.rng.Int64N(h.end-h.start+1)
	h.say("advance start %d to %d", h.start, to)
	h.ok(h.log.AdvanceStart(to))
	h.start = to
}

func (h *history) retain() {
	h.config.Delete, h.config.RetentionBytes = h.rng.IntN(2) == 0, int64(h.rng.IntN(8000))
	h.log.SetConfig(h.config)
	n, err := h.log.Retain(h.synced, time.Now())
	h.ok(err)
	h.say("retained, %d segments deleted, [%d, %d)", n, h.log.Start(), h.log.End())
	if s := h.log.Start(); s < h.start || s > max(h.start, h.synced) {
		h.t.Fatalf("start moved from %d to %d, synced %d", h.start, s, h.synced)
	}
	h.start = h.log.Start()
	for len(h.batches) > 0 && h.batches[0].NextOffset() <= h.start {
		h.batches = h.batches[1:]
	}
	if h.rng.IntN(2) == 0 {
		h.savedStart = h.start
	}
}

// replay gives the log some of what it has again, or another end, as a journal does.
func (h *history) replay() {
	if len(h.batches) == 0 {
		return
	}
	i := h.rng.IntN(len(h.batches))
	if h.batches[i].BaseOffset() < h.start {
		return
	}
	base := h.batches[i].BaseOffset()
	var all []byte
	for _, b := range h.batches[i:] {
		all = append(all, b...)
	}
	h.say("replay from %d", base)
	h.ok(h.log.Replay(base, all))
}

// check compares the whole log with the model.
func (h *history) check() {
	h.t.Helper()
	h.advanced = max(h.advanced, h.start)
	if s, e := h.log.Start(), h.log.End(); s != h.start || e != h.end {
		h.t.Fatalf("log is [%d, %d), want [%d, %d)", s, e, h.start, h.end)
	}
	var want []byte
	for _, b := range h.batches {
		if b.NextOffset() > h.start {
			want = append(want, b...)
		}
	}
	if got := readAll(h.t, h.log, h.start, 1+h.rng.IntN(3000)); !bytes.Equal(got, want) {
		h.t.Fatalf("log holds %v, want %v", offsetsOf(h.t, got), offsetsOf(h.t, want))
	}
	h.checkEpochs()
	h.checkTimes()
	h.checkRead()
	if h.txns != nil && !h.garbage {
		h.checkTxns()
	}
}

func (h *history) checkEpochs() {
	h.t.Helper()
	for _, b := range h.batches {
		if b.BaseOffset() < max(h.start, h.advanced) {
			continue
		}
		if e := h.log.EpochAt(b.BaseOffset()); e != b.LeaderEpoch() {
			h.t.Fatalf("epoch at %d is %d, want %d", b.BaseOffset(), e, b.LeaderEpoch())
		}
	}
}

// checkRead reads between random bounds.
func (h *history) checkRead() {
	h.t.Helper()
	if h.start == h.end {
		return
	}
	from := h.start + h.rng.Int64N(h.end-h.start)
	limit := from + h.rng.Int64N(h.end-from+1)
	maxBytes, minOne := h.rng.IntN(2000), h.rng.IntN(2) == 0
	s, err := h.log.Read(from, limit, maxBytes, minOne)
	h.ok(err)
	defer s.Release()
	got, err := s.ReadAll(nil)
	h.ok(err)
	if len(got) > maxBytes && !minOne {
		h.t.Fatalf("read of %d bytes, at most %d were asked for", len(got), maxBytes)
	}
	for b, err := range Batches(got) {
		h.ok(err)
		if b.NextOffset() > limit {
			h.t.Fatalf("read of [%d, %d) has a batch that ends at %d", from, limit, b.NextOffset())
		}
	}
	if len(got) > 0 {
		if b := record.Batch(got); b.BaseOffset() > from || b.NextOffset() <= from {
			h.t.Fatalf("read from %d begins with [%d, %d)", from, b.BaseOffset(), b.NextOffset())
		}
	} else if minOne && h.batchAt(from).NextOffset() <= limit {
		h.t.Fatalf("read of [%d, %d) gave nothing", from, limit)
	}
}

func (h *history) batchAt(offset int64) record.Batch {
	for _, b := range h.batches {
		if b.NextOffset() > offset {
			return b
		}
	}
	panic("bug: no batch there")
}
