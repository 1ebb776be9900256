package controller

import (
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// mostElections is how many elections one chore holds at a time, as in Kafka, so that
// what others ask for comes in between.
const mostElections = 1000

// chores are what a controller does of its own accord, and when each is due.
type chores struct {
	balance time.Time
	unclean time.Time
}

// chores does what is due and says when to come again. The lock is held.
func (s *Service) chores(now time.Time) time.Time {
	again := now.Add(time.Hour)
	do := func(due *time.Time, interval time.Duration, decision func(State) ([]metadata.Record, bool), what string) {
		if interval <= 0 {
			return
		}
		if due.IsZero() {
			*due = now.Add(interval)
		}
		if !due.After(now) {
			*due = now.Add(interval)
			if s.chore(decision, what) {
				*due = now
			}
		}
		again = earlier(again, *due)
	}
	do(&s.due.balance, s.o.Rules.BalanceInterval, State.BalanceLeaders, "leaders go back to preferred replicas")
	do(&s.due.unclean, s.o.Rules.UncleanInterval, State.ElectUnclean, "leaders elected unclean")
	return again
}

func (s *Service) chore(decision func(State) ([]metadata.Record, bool), what string) (more bool) {
	_, _, err := decideLocked(s, func(st State) (int, []metadata.Record) {
		recs, again := decision(st)
		more = again
		if len(recs) > 0 {
			s.o.Log.Info(what, "partitions", len(recs))
		}
		return 0, recs
	})
	return more && err == nil
}

// BalanceLeaders elects the preferred replica of partitions that are led by another, if
// it can lead. It reports whether there may be more to do.
func (s State) BalanceLeaders() ([]metadata.Record, bool) {
	return s.electSome(func(t *metadata.Topic, p *metadata.Partition) (election, bool) {
		return preferred, p.Leader != p.Preferred()
	})
}

// ElectUnclean elects leaders for partitions without one, of topics that allow that
// records are lost.
func (s State) ElectUnclean() ([]metadata.Record, bool) {
	return s.electSome(func(t *metadata.Topic, p *metadata.Partition) (election, bool) {
		return uncleanly, p.Leader == model.NoLeader && s.uncleanAllowed(t)
	})
}

// electSome holds the elections that wanted asks for.
func (s State) electSome(wanted func(*metadata.Topic, *metadata.Partition) (election, bool)) (recs []metadata.Record, more bool) {
	for t := range s.Image.Topics() {
		for i, p := range t.Partitions {
			kind, ok := wanted(t, p)
			if !ok {
				continue
			}
			c := s.change(t, int32(i))
			c.election = kind
			if rec, ok := c.done(); ok {
				recs = append(recs, rec)
			}
			if len(recs) == mostElections {
				return recs, true
			}
		}
	}
	return recs, false
}
