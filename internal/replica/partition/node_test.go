package partition

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/odradek/odradek/internal/store/journal"
)

// node is a broker with one partition: a disk in memory that can lose power, a journal
// and checkpoints, as the host's folder has them.
type node struct {
	t    *testing.T
	id   int32
	disk *vfs.Mem
	fs   *vfs.Faulty // before the disk
	rng  *rand.Rand

	// One life.
	up      bool
	p       *Partition
	journal *journal.Journal
	stop    context.CancelFunc
	ran     chan error
	ready   *commitlog.Log
	clean   bool  // it ended in order before
	epoch   int64 // of its registration
	at      int   // the controller's state that it has seen
	fetches []*fetch

	mu     sync.Mutex // guards what follows
	held   bool       // the disk is slow: appends wait before they reach the journal
	queue  []submission
	known  kept
	broken []error
}

type kept struct{ recovery, start, hw int64 }

type submission struct {
	base, end int64
	batches   []byte
}

const (
	dir       = "/d"
	marksFile = "/d/marks"
)

var tp = model.TopicPartition{Topic: "orders"}

func newNode(t *testing.T, id int32, rng *rand.Rand) *node {
	n := &node{t: t, id: id, disk: vfs.NewMem(), rng: rng, clean: true}
	if err := vfs.MkdirAllDurable(n.disk, filepath.Join(dir, "journal"), 0o755); err != nil {
		t.Fatal(err)
	}
	return n
}

// small makes segments and journal groups small, so that appends take every way.
func small() *Settings {
	s := settings()
	s.MinISR = 2
	s.Log.SegmentBytes, s.Log.IndexIntervalBytes, s.Log.RetentionMs, s.Log.RetentionBytes = 1<<10, 100, -1, -1
	return s
}

func (n *node) start() {
	n.t.Helper()
	n.fs = vfs.NewFaulty(n.disk, nil)
	n.known = n.readMarks()
	var entries []journal.Entry
	var err error
	n.journal, entries, err = journal.Open(journal.Config{
		FS: n.fs, Dir: filepath.Join(dir, "journal"), FileBytes: 64 << 10, SmallBytes: 300, Random: n.rng.Uint64,
	})
	if err != nil {
		n.t.Fatalf("node %d: %v", n.id, err)
	}
	n.up, n.held, n.queue, n.ready = true, false, nil, nil
	n.p = New(Config{TP: tp, ID: model.IDPartition{Topic: model.ID{1}}, Settings: small(), Home: n, Log: nil})
	if len(entries) > 0 {
		if n.ready, err = n.openLog(); err != nil {
			n.t.Fatalf("node %d: %v", n.id, err)
		}
		for _, e := range entries {
			if err := n.ready.Replay(e.Base, e.Batches); err != nil {
				n.t.Fatalf("node %d: replay of [%d, %d): %v", n.id, e.Base, e.End, err)
			}
		}
		n.journal.Replayed(replayed{n.ready}, n.p.ID())
	}
	ctx, stop := context.WithCancel(context.Background())
	n.stop, n.ran = stop, make(chan error, 1)
	j := n.journal
	go func() { n.ran <- j.Run(ctx) }()
}

type replayed struct{ log *commitlog.Log }

func (r replayed) Sync() (int64, error) { return r.log.Sync() }
func (replayed) Durable(int64)          {}
func (replayed) Failed(error)           {}

// crash cuts the power, or kills only the process.
func (n *node) crash(power bool) {
	n.down()
	if power {
		n.die(n.disk.Crash(n.rng))
	} else {
		n.die(n.disk.Kill())
	}
}

// cutWithin cuts the power at one of the things that do does to the disk.
func (n *node) cutWithin(do func()) {
	var mu sync.Mutex
	var after *vfs.Mem
	left, rng := n.rng.IntN(15), rand.New(rand.NewPCG(n.rng.Uint64(), 1))
	n.fs.SetRule(func(vfs.Op, string) error {
		mu.Lock()
		defer mu.Unlock()
		if left--; left < 0 && after == nil {
			after = n.disk.CrashClone(rng)
		}
		return nil
	})
	do()
	n.fs.SetRule(nil)
	if after != nil {
		n.down()
		n.disk.Kill()
		n.die(after)
	}
}

// down says that errors of the disk are to be expected.
func (n *node) down() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.up = false
}

// die ends a life and leaves a disk to the next.
func (n *node) die(disk *vfs.Mem) {
	n.disk, n.fetches, n.clean = disk, nil, false
	n.p.Stop()
	n.stop()
	<-n.ran
	synctest.Wait()
}

// end stops in order.
func (n *node) end() {
	n.t.Helper()
	n.hold(false)
	n.p.Stop()
	n.stop()
	<-n.ran
	n.up, n.clean = false, true
	if err := n.journal.Close(); err != nil {
		n.t.Errorf("node %d: close the journal: %v", n.id, err)
	}
	if n.ready != nil {
		if err := n.ready.Close(); err != nil {
			n.t.Error(err)
		}
		n.note(n.ready, n.known.hw)
	}
	if err := n.p.Close(); err != nil {
		n.t.Errorf("node %d: close: %v", n.id, err)
	}
	n.writeMarks()
}

func (n *node) openLog() (*commitlog.Log, error) {
	return commitlog.Open(commitlog.Options{
		FS: n.fs, Dir: filepath.Join(dir, tp.String()), ID: model.IDPartition{Topic: model.ID{1}}, Topic: tp.Topic, Config: small().Log,
		RecoveryPoint: n.known.recovery, Start: n.known.start, Clean: n.clean,
	})
}

func (n *node) Open(*Partition) (Opened, error) {
	o := Opened{Log: n.ready, HW: n.known.hw}
	if n.ready = nil; o.Log == nil {
		log, err := n.openLog()
		if err != nil {
			return Opened{}, err
		}
		o.Log, o.Durable = log, n.clean
	}
	n.note(o.Log, o.HW)
	return o, nil
}

func (n *node) Close(p *Partition, log *commitlog.Log) error {
	err := log.Close()
	n.note(log, p.HighWatermark())
	return err
}

func (n *node) note(log *commitlog.Log, hw int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known = kept{log.RecoveryPoint(), log.Start(), hw}
}

func (n *node) readMarks() (m kept) {
	b, err := vfs.ReadFile(n.fs, marksFile)
	if errors.Is(err, fs.ErrNotExist) {
		return m
	}
	if _, serr := fmt.Sscan(string(b), &m.recovery, &m.start, &m.hw); err != nil || serr != nil {
		n.t.Fatal(err, serr)
	}
	return m
}

// checkpoint is what a host does every few seconds.
func (n *node) checkpoint() {
	if log := n.p.Opened(); log != nil {
		n.note(log, n.p.HighWatermark())
	}
	n.writeMarks()
}

func (n *node) writeMarks() error {
	n.mu.Lock()
	m := n.known
	n.mu.Unlock()
	return vfs.WriteFileDurable(n.fs, marksFile, fmt.Appendf(nil, "%d %d %d", m.recovery, m.start, m.hw), 0o644)
}

func (n *node) Truncated(p *Partition, log *commitlog.Log, to int64) error {
	n.flush()
	if err := n.journal.Truncated(p.ID(), to); err != nil {
		return err
	}
	return n.Keep(p, log)
}

func (n *node) Started(p *Partition, log *commitlog.Log) error {
	n.note(log, p.HighWatermark())
	return n.writeMarks()
}

func (n *node) Keep(p *Partition, log *commitlog.Log) error {
	was := n.known
	n.note(log, p.HighWatermark())
	if was.recovery <= n.known.recovery && was.start <= n.known.start && was.hw <= n.known.hw {
		return nil
	}
	return n.writeMarks()
}

func (n *node) Commit(*Partition) { n.journal.Commit() }

func (n *node) Submit(p *Partition, base, end int64, batches []byte, awaited bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.held {
		n.queue = append(n.queue, submission{base, end, append([]byte(nil), batches...)})
		return nil
	}
	if awaited {
		return n.journal.Add(p, p.ID(), base, end, batches)
	}
	return n.journal.Submit(p, p.ID(), base, end, batches)
}

// hold makes the disk slow, or lets it catch up.
func (n *node) hold(on bool) {
	n.mu.Lock()
	n.held = on
	n.mu.Unlock()
	if !on {
		n.flush()
	}
}

func (n *node) flush() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.queue {
		_ = n.journal.Submit(n.p, n.p.ID(), s.base, s.end, s.batches) // fails when the node dies
	}
	n.queue = nil
}

func (n *node) Broken(_ *Partition, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.up {
		n.broken = append(n.broken, err)
	}
}

// batches are all batches of the log by base offset, from the log start up to limit.
func (n *node) batches(limit int64) map[int64]string {
	n.t.Helper()
	all := map[int64]string{}
	for at := int64(0); ; {
		b, next, err := n.p.ReadLog(at, math.MaxInt32)
		if err != nil {
			n.t.Fatalf("node %d: read at %d: %v", n.id, at, err)
		}
		if len(b) == 0 {
			return all
		}
		for batch, err := range commitlog.Batches(b) {
			if err != nil {
				n.t.Fatalf("node %d: %v", n.id, err)
			}
			if batch.NextOffset() <= limit {
				all[batch.BaseOffset()] = string(batch)
			}
		}
		at = next
	}
}

// values are the records, as offset=value@epoch, for messages.
func (n *node) values() (list []string) {
	for at := int64(0); ; {
		b, next, err := n.p.ReadLog(at, math.MaxInt32)
		if err != nil || len(b) == 0 {
			return list
		}
		for batch, err := range commitlog.Batches(b) {
			if err != nil {
				return append(list, err.Error())
			}
			for rec, err := range batch.Records(record.Limits{}) {
				list = append(list, fmt.Sprintf("%d=%.5s@%d", rec.Offset, rec.Value, batch.LeaderEpoch()))
				if err != nil {
					return append(list, err.Error())
				}
			}
		}
		at = next
	}
}
