package load

import (
	"fmt"

	"github.com/odradek/odradek/sim/history"
)

// registers are few groups whose offsets many commit, fetch and delete: each offset is a
// register. Some commit in transactions.
func (a *actor) registers() {
	const groups = 2
	for !a.over() {
		s, err := a.session(a.ctx, fmt.Sprintf("registrar-%d", a.process), !a.chance(3))
		if err != nil {
			a.pause(2 * a.Mix.Pace)
			continue
		}
		for range 30 + a.rng.IntN(100) {
			if a.over() || !a.register(s, fmt.Sprint("register-", a.rng.IntN(groups))) {
				break
			}
			a.pause(4 * a.Mix.Pace)
		}
		s.Close()
	}
}

// register does one thing to a group's offset, and is false if its session is of no more use.
func (a *actor) register(s *rawTxn, group string) bool {
	at := history.Place{Topic: Orders, Partition: 0}
	switch a.rng.IntN(8) {
	case 0, 1, 2:
		_, _ = s.committed(a.ctx, group, at, a.chance(2))
	case 3:
		s.forget(group, at)
	case 4, 5:
		op := s.blank(history.CommitOffset, at)
		op.Group, op.Offset = group, a.rng.Int64N(1<<40)
		s.perhapsTwice(op, func() error { return s.Commit(a.ctx, group, at, op.Offset) })
	default:
		s.start()
		if s.enlist(a.ctx, group, at, a.rng.Int64N(1<<40)) != nil {
			return false
		}
		a.pause(a.Mix.Pace)
		if s.finish(a.ctx, !a.chance(3)) != nil {
			return false
		}
		_, err := s.committed(a.ctx, group, at, true)
		return err == nil
	}
	return true
}

// forget deletes a group.
func (s *rawTxn) forget(group string, at history.Place) {
	op := s.blank(history.DeleteOffset, at)
	op.Group = group
	s.perhapsTwice(op, func() error { return s.Forget(s.ctx, group) })
}

// perhapsTwice does what is sent again where an answer did not come, and so may be done twice,
// with what others do in between: a second operation stands for that.
func (s *rawTxn) perhapsTwice(op history.Op, do func() error) {
	began, again := s.rec.Begin(op), s.rec.Begin(op)
	s.end(began, do())
	if s.tries > 1 {
		s.rec.End(again, history.Info)
	} else {
		s.rec.End(again, history.Fail)
	}
}
