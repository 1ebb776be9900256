package load

import (
	"context"
	"fmt"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kgo"
)

const pipes = "pipes" // the pipelines' group

// pipe copies a partition of Orders to the same of Copies, in transactions with the offsets
// of what it has read, as one of two that take each other for dead. Pipelines die in the
// middle.
func (a *actor) pipe(n int32) {
	for !a.over() {
		a.pipeLife(n)
		a.pause(time.Second)
	}
}

func (a *actor) pipeLife(n int32) {
	s, err := a.session(a.ctx, fmt.Sprint("pipe-", n), !a.chance(3))
	if err != nil {
		return
	}
	defer s.Close()
	from := history.Place{Topic: Orders, Partition: n}
	at, err := s.committed(a.ctx, pipes, from, true)
	if err != nil {
		return
	}
	source := a.client(kgo.FetchMaxWait(100*time.Millisecond), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{Orders: {n: kgo.NewOffset().At(max(0, at))}}))
	defer source.Close()
	for range 1 + a.rng.IntN(8) {
		if !a.copySome(s, source, n) || a.over() {
			return
		}
	}
}

// copySome is one transaction; false ends the session's life.
func (a *actor) copySome(s *rawTxn, source *kgo.Client, n int32) bool {
	short, cancel := context.WithTimeout(a.ctx, 2*time.Second)
	fetches := source.PollRecords(short, 1+a.rng.IntN(6))
	cancel()
	records := fetches.Records()
	if len(records) == 0 {
		return true
	}
	from, to := history.Place{Topic: Orders, Partition: n}, history.Place{Topic: Copies, Partition: n}
	s.txn = a.begin(s.id)
	if !s.v2 && s.Add(a.ctx, to) != nil {
		return false
	}
	for _, r := range records { // each a batch of its own: some of it may come late
		of := identify(r)
		a.copying(history.MakeValue(s.number, s.seq), of)
		if _, err := s.put(a.ctx, to, ""); err != nil {
			return false
		}
	}
	if err := s.enlist(a.ctx, pipes, from, records[len(records)-1].Offset+1); err != nil {
		return false
	}
	switch fate := a.rng.IntN(10); {
	case fate < 1:
		return false // the coordinator has to see to what it has begun
	case fate < 3:
		_ = s.finish(a.ctx, false)
		return false // what it read is to be read again
	}
	return s.finish(a.ctx, true) == nil
}

// copying notes what a value is a copy of.
func (l *Load) copying(copy, of history.Value) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.copies[copy] = of
}

// CheckCopies holds what was drained of Copies against Orders: what pipelines have copied is
// there once and in order, without gaps. It is for after Drain.
func (l *Load) CheckCopies() {
	for n := range l.Mix.topic(Copies).Partitions {
		var copies []history.Value
		for _, r := range l.drainedOf(history.Place{Topic: Copies, Partition: n}, history.Committed) {
			if of, ok := l.copies[r.Value]; ok {
				copies = append(copies, of)
			}
		}
		source := l.drainedOf(history.Place{Topic: Orders, Partition: n}, history.Committed)
		if len(copies) > len(source) {
			l.blame("%s-%d has %d copies of %d records", Copies, n, len(copies), len(source))
			continue
		}
		for i, v := range copies {
			if v != source[i].Value {
				l.blame("%s-%d: copy %d is of %v, and record %d is %v", Copies, n, i, v, i, source[i].Value)
				break
			}
		}
	}
}

func (l *Load) drainedOf(at history.Place, isolation history.Isolation) []history.Read {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.drained[last{at, isolation}]
}
