package chaos

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// drained is what the reader of everything saw that no history has: which inputs the
// records of pipes were made of; and how far it has read.
type drained struct {
	bounds map[history.Place]history.Op
	wrong  []string
	// inputs are, by output topic and partition, the offsets of its inputs.
	inputs map[history.Place][]int64
}

// Quiet waits until no transaction is open in any topic: until its last stable offsets are
// its high watermarks.
func (l *Load) Quiet(ctx context.Context) error {
	c, err := l.client()
	if err != nil {
		return err
	}
	defer c.Close()
	a := kadm.NewClient(c)
	for {
		open, err := unstable(ctx, a, l.names())
		if err == nil && len(open) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("transactions that nobody ends: %v (%v)", open, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func unstable(ctx context.Context, a *kadm.Client, topics []string) (open []string, err error) {
	stable, err := a.ListCommittedOffsets(ctx, topics...)
	if err == nil {
		err = stable.Error()
	}
	if err != nil {
		return nil, err
	}
	ends, err := a.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	ends.Each(func(o kadm.ListedOffset) {
		if s, ok := stable.Lookup(o.Topic, o.Partition); !ok || s.Offset != o.Offset {
			open = append(open, fmt.Sprintf("%s-%d from %d to %d", o.Topic, o.Partition, s.Offset, o.Offset))
		}
	})
	return open, err
}

func (l *Load) names() (names []string) {
	for _, t := range l.topics {
		names = append(names, t.Name)
	}
	return names
}

// Drain reads everything from the start to the end, with both isolations.
func (l *Load) Drain(ctx context.Context) error {
	l.drains = make(map[history.Isolation]*drained)
	for _, level := range []history.Isolation{history.Uncommitted, history.Committed} {
		if err := l.drain(ctx, level); err != nil {
			return fmt.Errorf("read everything (%v): %w", level, err)
		}
	}
	return nil
}

func (l *Load) drain(ctx context.Context, level history.Isolation) error {
	isolation := kgo.ReadUncommitted()
	if level == history.Committed {
		isolation = kgo.ReadCommitted()
	}
	process := l.numbers(1)
	// Control records are kept to see how far the client is.
	c, err := l.client(kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords(), kgo.FetchMaxWait(500*time.Millisecond),
		kgo.FetchMaxPartitionBytes(8<<20), kgo.MaxConcurrentFetches(1), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	if err != nil {
		return err
	}
	defer c.Close()
	open, at, err := l.bounds(ctx, kadm.NewClient(c), level, process)
	if err != nil {
		return err
	}
	c.AddConsumePartitions(at)
	d := &drained{bounds: make(map[history.Place]history.Op), inputs: make(map[history.Place][]int64)}
	l.drains[level] = d
	for p, o := range open {
		d.bounds[p] = *o
	}
	for p, o := range open {
		if o.High == o.Start {
			l.own.End(o, history.OK)
			delete(open, p)
		}
	}
	began := l.own.Now()
	since := make(map[history.Place]int64)
	for len(open) > 0 {
		fs := c.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%w: not to the end of %v", err, open)
		}
		var failed error
		fs.EachPartition(func(ftp kgo.FetchTopicPartition) {
			if ftp.Err != nil {
				failed = fmt.Errorf("%s-%d: %w", ftp.Topic, ftp.Partition, ftp.Err)
			}
			p := history.Place{Topic: ftp.Topic, Partition: ftp.Partition}
			o := open[p]
			if o == nil || len(ftp.Records) == 0 {
				return
			}
			l.polled(ftp, process, level, max(began, since[p]), d)
			since[p] = l.own.Now()
			if ftp.Records[len(ftp.Records)-1].Offset+1 >= o.High {
				l.own.End(o, history.OK)
				delete(open, p)
				c.PauseFetchPartitions(map[string][]int32{p.Topic: {p.Partition}})
			}
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

// bounds begins a drain of each partition, and tells where to read from.
func (l *Load) bounds(ctx context.Context, a *kadm.Client, level history.Isolation, process int32) (map[history.Place]*history.Op, map[string]map[int32]kgo.Offset, error) {
	ask := a.ListEndOffsets
	if level == history.Committed {
		ask = a.ListCommittedOffsets
	}
	ends, err := ask(ctx, l.names()...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, nil, err
	}
	starts, err := a.ListStartOffsets(ctx, l.names()...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, nil, err
	}
	open, at := make(map[history.Place]*history.Op), make(map[string]map[int32]kgo.Offset)
	ends.Each(func(e kadm.ListedOffset) {
		s, _ := starts.Lookup(e.Topic, e.Partition)
		o := history.Blank()
		o.Kind, o.Process, o.Topic, o.Partition, o.Isolation = history.Drain, process, e.Topic, e.Partition, level
		o.Start, o.High = s.Offset, e.Offset
		open[history.Place{Topic: e.Topic, Partition: e.Partition}] = l.own.Begin(o)
		if at[e.Topic] == nil {
			at[e.Topic] = make(map[int32]kgo.Offset)
		}
		at[e.Topic][e.Partition] = kgo.NewOffset().At(s.Offset)
	})
	return open, at, nil
}

// polled notes what was polled of a partition.
func (l *Load) polled(ftp kgo.FetchTopicPartition, process int32, level history.Isolation, since int64, d *drained) {
	o := history.Blank()
	o.Kind, o.Process, o.Outcome, o.Topic, o.Partition, o.Isolation = history.Poll, process, history.OK, ftp.Topic, ftp.Partition, level
	o.Invoke, o.Return, o.High, o.Start = since, l.own.Now(), ftp.HighWatermark, ftp.LogStartOffset
	if level == history.Committed {
		o.Stable = ftp.LastStableOffset
	}
	place := history.Place{Topic: ftp.Topic, Partition: ftp.Partition}
	o.Records = make(history.Reads, 0, len(ftp.Records))
	for _, r := range ftp.Records {
		if r.Attrs.IsControl() {
			continue
		}
		v, _ := history.ParseValue(r.Value) // 0 is none of ours
		o.Records = append(o.Records, history.Read{Offset: r.Offset, Value: v})
		if r.Key != nil && level == history.Committed {
			d.input(place, string(r.Key), r.Offset)
		}
	}
	if len(o.Records) > 0 {
		l.own.Add(o)
	}
}

// input notes of which input a record was made: its key is PARTITION:OFFSET.
func (d *drained) input(at history.Place, key string, offset int64) {
	partition, in, ok := strings.Cut(key, ":")
	p, err := strconv.Atoi(partition)
	n, err2 := strconv.ParseInt(in, 10, 64)
	if !ok || err != nil || err2 != nil || int32(p) != at.Partition {
		d.wrong = append(d.wrong, fmt.Sprintf("%v has at %d a record that no pipe made: its key is %q", at, offset, key))
		return
	}
	d.inputs[at] = append(d.inputs[at], n)
}

// Once holds what a pipe has put out against what its group has committed of its input:
// each offset of the input that is below the committed one came out once, no other did.
func (l *Load) Once(ctx context.Context, in, out, group string) (inputs int64, wrong []string, err error) {
	c, err := l.client()
	if err != nil {
		return 0, nil, err
	}
	defer c.Close()
	committed, err := kadm.NewClient(c).FetchOffsets(ctx, group)
	if err != nil {
		return 0, nil, fmt.Errorf("offsets of %s: %w", group, err)
	}
	for place, got := range l.drains[history.Committed].inputs {
		if place.Topic != out {
			continue
		}
		var to int64
		if at, ok := committed.Lookup(in, place.Partition); ok {
			to = at.At
		}
		inputs += int64(len(got))
		wrong = append(wrong, once(got, to, fmt.Sprintf("%s-%d", out, place.Partition))...)
	}
	return inputs, wrong, nil
}

// once says in what way these are not the numbers from 0 to to.
func once(got []int64, to int64, what string) (wrong []string) {
	slices.Sort(got)
	next := int64(0)
	for _, n := range got {
		switch {
		case n < next:
			wrong = append(wrong, fmt.Sprintf("%s: input %d came out twice", what, n))
		case n > next:
			wrong = append(wrong, fmt.Sprintf("%s: inputs %d to %d did not come out", what, next, n))
		}
		next = max(next, n+1)
	}
	if next != to {
		wrong = append(wrong, fmt.Sprintf("%s: inputs up to %d came out, and up to %d are committed", what, next, to))
	}
	return wrong[:min(len(wrong), 20)]
}
