package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Drain reads all that is in every topic of the mix, from start to end, once as a reader of
// everything and once as one of what is committed. Nothing is written meanwhile.
func (l *Load) Drain(ctx context.Context) error {
	var all []error
	for _, t := range l.Mix.Topics {
		for _, committed := range []bool{false, true} {
			a := l.actor(ctx, "drain")
			a.reborn()
			if err := a.drain(t, committed); err != nil {
				all = append(all, fmt.Errorf("drain %s: %w", t.Name, err))
			}
		}
	}
	return errors.Join(all...)
}

func (a *actor) drain(t Topic, committed bool) error {
	kgoLevel, isolation := level(committed)
	c := a.client(kgo.FetchMaxWait(200*time.Millisecond), kgo.FetchIsolationLevel(kgoLevel), kgo.KeepControlRecords())
	defer c.Close()
	ctx, cancel := context.WithTimeout(a.ctx, time.Minute)
	defer cancel()
	adm := kadm.NewClient(c)
	starts, err := adm.ListStartOffsets(ctx, t.Name)
	ends, err2 := adm.ListEndOffsets(ctx, t.Name)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	from, left := map[int32]kgo.Offset{}, map[int32]*history.Op{}
	for n := range t.Partitions {
		start, _ := starts.Lookup(t.Name, n)
		end, ok := ends.Lookup(t.Name, n)
		if err := errors.Join(start.Err, end.Err); err != nil || !ok {
			return fmt.Errorf("partition %d has no end: %w", n, err)
		}
		op := a.blank(history.Drain, history.Place{Topic: t.Name, Partition: n})
		op.Isolation, op.Start, op.High = isolation, start.Offset, end.Offset
		began := a.rec.Begin(op)
		if start.Offset == end.Offset {
			a.rec.End(began, history.OK)
			continue
		}
		from[n], left[n] = kgo.NewOffset().At(start.Offset), began
	}
	c.AddConsumePartitions(map[string]map[int32]kgo.Offset{t.Name: from})
	for since := a.rec.Now(); len(left) > 0 && ctx.Err() == nil; {
		fetches := c.PollFetches(ctx)
		done := map[int32]bool{}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if op := left[p.Partition]; op != nil && len(p.Records) > 0 && p.Records[len(p.Records)-1].Offset >= op.High-1 {
				done[p.Partition] = true
			}
		})
		a.polled(dataOf(fetches), since, isolation, "", func(op history.Op) { a.found(op) })
		for n := range done {
			a.rec.End(left[n], history.OK)
			delete(left, n)
		}
		since = a.rec.Now()
	}
	for n, op := range left {
		op.Err = "not read to its end"
		a.rec.End(op, history.Info)
		err = errors.Join(err, fmt.Errorf("partition %d could not be read to its end at %d in a minute", n, op.High))
	}
	return err
}

// dataOf leaves out the records that are not data.
func dataOf(fetches kgo.Fetches) kgo.Fetches {
	for i := range fetches {
		for j := range fetches[i].Topics {
			for k := range fetches[i].Topics[j].Partitions {
				p := &fetches[i].Topics[j].Partitions[k]
				kept := p.Records[:0]
				for _, r := range p.Records {
					if !r.Attrs.IsControl() {
						kept = append(kept, r)
					}
				}
				p.Records = kept
			}
		}
	}
	return fetches
}

// end is the last record of a partition that a kind of reader can see.
type last struct {
	at        history.Place
	isolation history.Isolation
}

// found notes what a drain found.
func (l *Load) found(op history.Op) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := history.Place{Topic: op.Topic, Partition: op.Partition}
	l.lasts[last{at, op.Isolation}] = op.Records[len(op.Records)-1].Offset
	l.drained[last{at, op.Isolation}] = append(l.drained[last{at, op.Isolation}], op.Records...)
}

// lastOf is the last record of a partition, if there is one.
func (l *Load) lastOf(at history.Place, isolation history.Isolation) (int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	offset, ok := l.lasts[last{at, isolation}]
	return offset, ok
}
