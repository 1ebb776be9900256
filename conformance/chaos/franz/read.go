package main

import (
	"context"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kgo"
)

// poller turns what a client polled into operations. The request of what it gets next of a
// partition leaves no earlier than what was buffered before was taken: so a poll of a
// partition begins where the last one that had something of it ended.
type poller struct {
	out     *log
	process int32
	level   history.Isolation
	group   string
	began   int64
	since   map[history.Place]int64
}

func newPoller(j job, out *log, process int32) *poller {
	p := &poller{out: out, process: process, group: j.Group, began: out.Now(), since: make(map[history.Place]int64)}
	if j.Level == "read_committed" {
		p.level = history.Committed
	}
	return p
}

// tell writes a poll for each partition and leader epoch, and the last offsets by place.
func (p *poller) tell(fs kgo.Fetches) (records int) {
	now := p.out.Now()
	fs.EachPartition(func(ftp kgo.FetchTopicPartition) {
		if ftp.Err != nil {
			p.out.complain(ftp.Err.Error())
			return
		}
		at := history.Place{Topic: ftp.Topic, Partition: ftp.Partition}
		o := op(history.Poll, p.process, at.Topic, at.Partition)
		o.Outcome, o.Isolation, o.Group = history.OK, p.level, p.group
		o.Invoke, o.Return = max(p.began, p.since[at]), now
		o.High, o.Start = ftp.HighWatermark, ftp.LogStartOffset
		if p.level == history.Committed {
			o.Stable = ftp.LastStableOffset
		}
		for rest := ftp.Records; len(rest) > 0; {
			o.Epoch = rest[0].LeaderEpoch
			n := 0
			for n < len(rest) && rest[n].LeaderEpoch == o.Epoch {
				n++
			}
			o.Records = reads(rest[:n])
			p.out.Add(o)
			rest, records = rest[n:], records+n
		}
		if len(ftp.Records) > 0 {
			p.since[at] = now
		}
	})
	return records
}

func reads(rs []*kgo.Record) history.Reads {
	all := make(history.Reads, len(rs))
	for i, r := range rs {
		all[i].Offset = r.Offset
		if v, ok := history.ParseValue(r.Value); ok {
			all[i].Value = v
		}
	}
	return all
}

// read polls all partitions of the topics from their starts until ctx ends.
func read(ctx context.Context, j job, out *log) error {
	var names []string
	for _, t := range j.topics {
		names = append(names, t.name)
	}
	client, err := kgo.NewClient(j.options(kgo.ConsumeTopics(names...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), j.isolation(),
		kgo.FetchMaxWait(500*time.Millisecond), kgo.FetchMinBytes(2000))...)
	if err != nil {
		return err
	}
	defer client.Close()
	p := newPoller(j, out, out.next())
	for ctx.Err() == nil {
		fs := client.PollFetches(ctx)
		p.tell(fs)
		fs.EachRecord(func(r *kgo.Record) { r.Recycle() })
		wait(ctx, 50*time.Millisecond) // so that polls are of many records
	}
	return nil
}
