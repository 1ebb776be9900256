package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kgo"
)

// identify is the value of a record, 0 for none of the history's.
func identify(r *kgo.Record) history.Value {
	if r.Value != nil {
		v, _ := history.ParseValue(r.Value)
		return v
	}
	for _, h := range r.Headers {
		if h.Key == history.HeaderName {
			v, _ := history.ParseValue(h.Value)
			return v
		}
	}
	return 0
}

// polled notes what a poll brought. since is when the poll before it began: a library asks
// ahead, so what it has may be as old as that.
func (a *actor) polled(fetches kgo.Fetches, since int64, isolation history.Isolation, group string, each func(history.Op)) {
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 { // an error may come behind records
			return
		}
		for rest := p.Records; len(rest) > 0; {
			n := 1
			for n < len(rest) && rest[n].LeaderEpoch == rest[0].LeaderEpoch {
				n++
			}
			op := a.blank(history.Poll, history.Place{Topic: p.Topic, Partition: p.Partition})
			op.Invoke, op.Return, op.Outcome = since, a.rec.Now(), history.OK
			op.Isolation, op.Group, op.Epoch = isolation, group, rest[0].LeaderEpoch
			// Not the high watermark: a leader that others have replaced, and that has not heard
			// of it, goes on to tell its own, and a library does not say whom it asked.
			for _, r := range rest[:n] {
				v := identify(r)
				if v == 0 {
					a.blame("%s reads a record at %s-%d@%d that nobody wrote: key %q, value %.80q", a.name, r.Topic, r.Partition, r.Offset, r.Key, r.Value)
				}
				op.Records = append(op.Records, history.Read{Offset: r.Offset, Value: v})
			}
			a.rec.Add(op)
			if each != nil {
				each(op)
			}
			rest = rest[n:]
		}
	})
}

func level(committed bool) (kgo.IsolationLevel, history.Isolation) {
	if committed {
		return kgo.ReadCommitted(), history.Committed
	}
	return kgo.ReadUncommitted(), history.Uncommitted
}

// readAll reads a topic from its start, all partitions, until the readers stop; readers die
// now and then and another begins anew.
func (a *actor) readAll(t Topic, committed bool) {
	kgoLevel, isolation := level(committed)
	start := map[int32]kgo.Offset{}
	for n := range t.Partitions {
		start[n] = kgo.NewOffset().AtStart()
	}
	var mu sync.Mutex
	at := map[int32]int64{}
	a.behind(fmt.Sprintf("reader %d of %s", a.process, t.Name), func() string { return a.unread(t, isolation, &mu, at) })
	for !a.over() {
		a.reborn()
		c := a.client(kgo.FetchMaxWait(300*time.Millisecond), kgo.FetchIsolationLevel(kgoLevel),
			kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{t.Name: start}))
		life, cancel := context.WithTimeout(a.ctx, time.Duration(10+a.rng.IntN(60))*time.Second)
		before, now := a.rec.Now(), a.rec.Now()
		mu.Lock()
		clear(at)
		mu.Unlock()
		for life.Err() == nil {
			fetches := c.PollFetches(life)
			a.polled(fetches, before, isolation, "", func(op history.Op) {
				mu.Lock()
				defer mu.Unlock()
				at[op.Partition] = op.Records[len(op.Records)-1].Offset + 1
			})
			before, now = now, a.rec.Now()
		}
		cancel()
		c.Close()
	}
}

// unread is what a reader has yet to read when nothing is written any more, in words.
func (l *Load) unread(t Topic, isolation history.Isolation, mu *sync.Mutex, at map[int32]int64) string {
	for n := range t.Partitions {
		last, ok := l.lastOf(history.Place{Topic: t.Name, Partition: n}, isolation)
		mu.Lock()
		got := at[n]
		mu.Unlock()
		if ok && got <= last {
			return fmt.Sprintf("%s-%d is read up to %d, and there is a record at %d", t.Name, n, got, last)
		}
	}
	return ""
}
