package check

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/odradek/odradek/sim/history"
)

// model is a cluster that makes no mistakes, and clients of it whose operations overlap at
// random: each takes effect at one moment between its beginning and its end, and of some
// nobody is told. What they record is a good history, of which mutations make bad ones.
type model struct {
	rng  *rand.Rand
	rec  *history.Recorder
	logs map[history.Place]*modelLog
	// running are operations that have begun.
	running []*modelOp
	epochs  map[string]int32
	offsets map[int32]int64
	keys    map[string]string
	txns    int64
	made    int
	owners  map[int32][]history.Place
	round   int32
	done    map[int64]bool
	given   map[int64]int16
}

// modelLog is a partition: values, and 0 for markers.
type modelLog struct {
	values []history.Value
	txns   []int64
	ended  map[int64]bool // how transactions ended here: true is committed
	open   map[int64]int64
}

type modelOp struct {
	*history.Op
	process int32
	effect  func(op *history.Op)
	happens bool // has taken effect
	untold  bool // nobody is told
	sure    bool // it takes effect nevertheless
}

// The clients of a model, by process.
const (
	plainProducers = 1   // to 4
	txnProducers   = 11  // to 13
	readers        = 21  // to 24, the last two of what is committed
	members        = 31  // to 33, of group g
	sharers        = 41  // to 42, of share group s
	clerks         = 51  // to 53, who ask for marks, offsets and keys
	drainer        = 101 // one a partition and isolation
)

var modelPlaces = []history.Place{{Topic: "a", Partition: 0}, {Topic: "a", Partition: 1}, {Topic: "b", Partition: 0}}

var modelOptions = Options{
	Session:     time.Hour,
	ShareGroups: map[string]ShareGroup{"s": {Complete: []string{"b"}, Deliveries: 5}},
	Life:        Life{Within: 1, Bound: 5},
}

// good runs a model and returns what was recorded.
func good(seed uint64) *history.History {
	m := &model{
		rng: rand.New(rand.NewPCG(seed, 7)), rec: history.NewRecorder(func() int64 { return 0 }),
		logs: make(map[history.Place]*modelLog), epochs: make(map[string]int32), offsets: make(map[int32]int64),
		keys: make(map[string]string), owners: make(map[int32][]history.Place), done: make(map[int64]bool), given: make(map[int64]int16),
	}
	for _, p := range modelPlaces {
		m.logs[p] = &modelLog{ended: make(map[int64]bool), open: make(map[int64]int64)}
	}
	clients := m.clients()
	for range 600 {
		if c := clients[m.rng.IntN(len(clients))]; m.rng.IntN(3) == 0 && !c.busy(m) {
			c.next()
		} else if len(m.running) > 0 {
			m.advance(m.rng.IntN(len(m.running)))
		}
	}
	for len(m.running) > 0 {
		m.advance(0)
	}
	for _, l := range m.logs {
		for id := range l.open {
			l.end(id, false)
		}
	}
	m.finish()
	return m.rec.History()
}

// begin starts an operation that takes effect later.
func (m *model) begin(op history.Op, effect func(*history.Op)) *modelOp {
	run := &modelOp{Op: m.rec.Begin(op), process: op.Process, effect: effect}
	m.running = append(m.running, run)
	return run
}

// advance lets an operation take effect, or return; sends of a producer take effect in
// their order.
func (m *model) advance(i int) {
	run := m.running[i]
	if !run.happens {
		for j, other := range m.running[:i] {
			if other.process == run.process && !other.happens {
				run, i = other, j
				break
			}
		}
		if run.happens = true; run.untold && !run.sure && m.rng.IntN(2) == 0 {
			run.effect = nil // it is lost on its way
		}
		if run.effect != nil {
			run.effect(run.Op)
		}
		return
	}
	m.running = append(m.running[:i], m.running[i+1:]...)
	if run.untold {
		if run.Kind == history.Send || run.Kind == history.EndTxn {
			run.Offset = history.Unknown
			m.rec.End(run.Op, history.Info)
		}
		return // or never returns
	}
	if run.Outcome == history.Info {
		m.rec.End(run.Op, history.OK)
	}
}

type modelClient struct {
	process int32
	window  int
	next    func()
}

func (c *modelClient) busy(m *model) bool {
	n := 0
	for _, run := range m.running {
		if run.process == c.process {
			n++
		}
	}
	return n >= c.window
}

func (m *model) clients() (all []*modelClient) {
	add := func(process int32, window int, next func()) {
		all = append(all, &modelClient{process, window, next})
	}
	for p := range int32(4) {
		seq := int64(0)
		add(plainProducers+p, 3, func() { m.send(plainProducers+p, p+1, &seq, 0) })
		next := make(map[history.Place]int64)
		add(readers+p, 1, func() { m.read(readers+p, p >= 2, next) })
	}
	for p := range int32(3) {
		all = append(all, m.transactional(txnProducers+p))
		add(members+p, 1, func() { m.member(members + p) })
		add(clerks+p, 1, func() { m.clerk(clerks + p) })
	}
	for p := range int32(2) {
		add(sharers+p, 1, func() { m.share(sharers + p) })
	}
	return all
}

func (m *model) blank(kind history.Kind, process int32, p history.Place) history.Op {
	op := history.Blank()
	op.Kind, op.Process, op.Topic, op.Partition = kind, process, p.Topic, p.Partition
	return op
}

func (m *model) place() history.Place { return modelPlaces[m.rng.IntN(len(modelPlaces))] }

func (m *model) send(process, producer int32, seq *int64, txn int64) *modelOp {
	p := m.place()
	op := m.blank(history.Send, process, p)
	op.Value, op.Txn = history.MakeValue(producer, *seq), txn
	*seq++
	run := m.begin(op, func(op *history.Op) { op.Offset = m.logs[p].append(op.Value, txn) })
	run.untold = m.rng.IntN(12) == 0
	return run
}

func (l *modelLog) append(v history.Value, txn int64) int64 {
	if _, open := l.open[txn]; txn != 0 && !open {
		l.open[txn] = int64(len(l.values))
	}
	l.values, l.txns = append(l.values, v), append(l.txns, txn)
	return int64(len(l.values)) - 1
}

func (l *modelLog) end(txn int64, commit bool) {
	if _, open := l.open[txn]; open {
		delete(l.open, txn)
		l.ended[txn] = commit
		l.append(0, 0)
	}
}

func (l *modelLog) high() int64 { return int64(len(l.values)) }

func (l *modelLog) stable() int64 {
	stable := l.high()
	for _, first := range l.open {
		stable = min(stable, first)
	}
	return stable
}

// from is what a reader gets, and where it is then.
func (l *modelLog) from(at int64, committed bool, most int) (all []history.Read, next int64) {
	end := l.high()
	if committed {
		end = l.stable()
	}
	for ; at < end && len(all) < most; at++ {
		if v := l.values[at]; v != 0 && (!committed || l.txns[at] == 0 || l.ended[l.txns[at]]) {
			all = append(all, history.Read{Offset: at, Value: v})
		}
	}
	return all, at
}

// transactional makes one transaction after the other, of two or three sends and a commit
// of an offset.
func (m *model) transactional(process int32) *modelClient {
	c := &modelClient{process: process, window: 1}
	seq, left, id := int64(0), 0, fmt.Sprintf("x%d", process)
	var txn int64
	c.next = func() {
		switch op := m.blank(history.InitProducer, process, history.Place{}); {
		case txn == 0 && m.rng.IntN(4) == 0:
			op.TransactionalID = id
			m.begin(op, func(op *history.Op) {
				m.epochs[id]++
				op.ProducerID, op.ProducerEpoch = int64(process), m.epochs[id]
			})
		case txn == 0:
			m.txns++
			txn, left = m.txns, 2+m.rng.IntN(2)
			op.Kind, op.TransactionalID, op.Txn = history.BeginTxn, id, txn
			m.rec.Note(op)
		case left > 0:
			left--
			run := m.send(process, process, &seq, txn)
			run.ProducerID, run.ProducerEpoch, run.untold = int64(process), m.epochs[id], false
		default:
			of, commit := txn, m.rng.IntN(3) > 0
			op.Kind, op.TransactionalID, op.Txn, op.Commit = history.EndTxn, id, of, commit
			untold := m.rng.IntN(4) == 0
			done := commit && !(untold && m.rng.IntN(2) == 0)
			run := m.begin(op, func(*history.Op) {
				for _, l := range m.logs {
					l.end(of, done)
				}
			})
			run.untold, run.sure = untold, true
			txn = 0
		}
	}
	return c
}
