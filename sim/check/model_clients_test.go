package check

import (
	"fmt"

	"github.com/odradek/odradek/sim/history"
)

// read polls, from where the process is.
func (m *model) read(process int32, committed bool, next map[history.Place]int64) {
	p := m.place()
	op := m.blank(history.Poll, process, p)
	op.From = next[p]
	if committed {
		op.Isolation = history.Committed
	}
	m.begin(op, func(op *history.Op) { next[p] = m.poll(op, 1+m.rng.IntN(6)) })
}

func (m *model) poll(op *history.Op, most int) (next int64) {
	l := m.logs[history.Place{Topic: op.Topic, Partition: op.Partition}]
	op.High, op.Stable, op.Start, op.Epoch = l.high(), l.stable(), 0, 1
	op.Records, next = l.from(max(op.From, 0), op.Isolation == history.Committed, most)
	return next
}

// member heartbeats and commits, or all members get other partitions.
func (m *model) member(process int32) {
	op := m.blank(history.Heartbeat, process, history.Place{})
	op.Group, op.Member, op.Generation = "g", fmt.Sprintf("m%d", process), m.round
	switch own := m.owners[process]; {
	case m.rng.IntN(6) == 0:
		m.rebalance()
	case len(own) == 0:
	case m.rng.IntN(2) == 0:
		m.rec.Note(op)
	default:
		op.Kind, op.Topic, op.Partition = history.CommitOffset, own[0].Topic, own[0].Partition
		op.Offset = m.offsets[own[0].Partition] + 1
		m.offsets[own[0].Partition]++
		m.rec.Note(op)
	}
}

func (m *model) rebalance() {
	for process := int32(members); process < members+3; process++ {
		if own := m.owners[process]; len(own) > 0 {
			op := m.blank(history.Revoke, process, history.Place{})
			op.Group, op.Member, op.Generation, op.Places = "g", fmt.Sprintf("m%d", process), m.round, own
			m.rec.Note(op)
		}
	}
	m.round++
	m.owners = make(map[int32][]history.Place)
	for n := range int32(2) { // topic a alone
		process := members + m.rng.Int32N(3)
		m.owners[process] = append(m.owners[process], history.Place{Topic: "a", Partition: n})
	}
	for process := int32(members); process < members+3; process++ {
		op := m.blank(history.Assign, process, history.Place{})
		op.Group, op.Member, op.Generation, op.Places = "g", fmt.Sprintf("m%d", process), m.round, m.owners[process]
		m.rec.Note(op)
	}
}

// share acquires a few records of b, and settles them at once or gives them back.
func (m *model) share(process int32) {
	p := history.Place{Topic: "b"}
	l := m.logs[p]
	op := m.blank(history.ShareAcquire, process, p)
	op.Group, op.Member = "s", fmt.Sprintf("s%d", process)
	for at, v := range l.values {
		if n := int64(at); v != 0 && !m.done[n] && len(op.Records) < 3 && l.stable() > n && (l.txns[at] == 0 || l.ended[l.txns[at]]) {
			m.given[n]++
			op.Records, op.Deliveries = append(op.Records, history.Read{Offset: n, Value: v}), append(op.Deliveries, m.given[n])
		}
	}
	if len(op.Records) == 0 {
		return
	}
	m.rec.Note(op)
	op.Kind, op.Deliveries, op.Ack = history.ShareAck, nil, []history.Ack{history.Accept, history.Release, history.Reject}[m.rng.IntN(3)]
	for _, r := range op.Records {
		m.done[r.Offset] = op.Ack != history.Release
	}
	m.rec.Note(op)
}

// clerk asks for marks and offsets, and changes and reads keys.
func (m *model) clerk(process int32) {
	p := m.place()
	op := m.blank(history.ListOffset, process, p)
	key := fmt.Sprintf("config/x%d", m.rng.IntN(2))
	switch m.rng.IntN(7) {
	case 0:
		m.begin(op, func(op *history.Op) { op.Offset = m.logs[p].high() })
	case 1:
		op.Isolation = history.Committed
		m.begin(op, func(op *history.Op) { op.Offset = m.logs[p].stable() })
	case 2:
		op.Kind, op.Group, op.RequireStable = history.FetchOffset, "g", true
		op.Topic = "a"
		m.begin(op, func(op *history.Op) {
			if n := m.offsets[op.Partition]; n > 0 {
				op.Offset = n
			}
		})
	case 3:
		m.made++
		op.Kind, op.Key, op.Text = history.Put, key, fmt.Sprint(m.made)
		run := m.begin(op, func(op *history.Op) { m.keys[key] = op.Text })
		run.untold = m.rng.IntN(5) == 0
	case 4:
		op.Kind, op.Key = history.Remove, key
		if _, ok := m.keys[key]; ok && !m.touched(key) {
			delete(m.keys, key)
			m.rec.Note(op)
		}
	default:
		op.Kind, op.Key = history.Get, key
		m.begin(op, func(op *history.Op) {
			text, ok := m.keys[key]
			op.Text, op.Absent = text, !ok
		})
	}
}

// touched tells whether somebody is about to change a key.
func (m *model) touched(key string) bool {
	for _, run := range m.running {
		if run.Key == key && run.Kind == history.Put {
			return true
		}
	}
	return false
}

// finish heals, settles what is left in share groups, and drains.
func (m *model) finish() {
	m.rec.Note(m.blank(history.Heal, 0, history.Place{}))
	seq := int64(1 << 20)
	last := m.send(plainProducers, 1, &seq, 0)
	last.untold = false
	m.advance(0)
	m.advance(0)
	for left := true; left; {
		before := len(m.done)
		m.share(sharers)
		left = len(m.done) > before || m.unshared()
	}
	process := int32(drainer)
	for _, p := range modelPlaces {
		for _, isolation := range []history.Isolation{history.Uncommitted, history.Committed} {
			l := m.logs[p]
			op := m.blank(history.Drain, process, p)
			op.Isolation, op.Start, op.High = isolation, 0, l.high()
			drain := m.rec.Begin(op)
			for at := int64(0); at < l.high(); {
				poll := m.blank(history.Poll, process, p)
				poll.Isolation, poll.From = isolation, at
				run := m.rec.Begin(poll)
				at = m.poll(run, 8)
				m.rec.End(run, history.OK)
			}
			m.rec.End(drain, history.OK)
			process++
		}
	}
	for range 3 { // so that what was asked last had time
		m.rec.Note(m.blank(history.Fault, 0, history.Place{}))
	}
}

// unshared tells whether a share group has records left.
func (m *model) unshared() bool {
	l := m.logs[history.Place{Topic: "b"}]
	for at, v := range l.values {
		if v != 0 && !m.done[int64(at)] && (l.txns[at] == 0 || l.ended[l.txns[at]]) {
			return true
		}
	}
	return false
}
