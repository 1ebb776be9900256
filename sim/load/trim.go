package load

import (
	"context"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// trim deletes a topic's records from its start, a part of them at a time.
func (a *actor) trim(t Topic) {
	c := a.client()
	defer c.Close()
	w := watcher{actor: a, t: t, c: c}
	for !a.over() {
		a.pause(3 * time.Second)
		w.forget()
		ctx, cancel := context.WithTimeout(a.ctx, 4*time.Second)
		n := a.rng.Int32N(t.Partitions)
		leader := w.leader(ctx, n)
		if leader >= 0 {
			start := w.list(ctx, n, leader, history.Earliest, history.Uncommitted)
			end := w.list(ctx, n, leader, history.Latest, history.Uncommitted)
			if start >= 0 && end > start {
				a.deleteRecords(ctx, &w, history.Place{Topic: t.Name, Partition: n}, leader, start+a.rng.Int64N(end-start+1))
			}
		}
		cancel()
	}
}

func (a *actor) deleteRecords(ctx context.Context, w *watcher, at history.Place, leader int32, before int64) {
	op := a.blank(history.DeleteRecords, at)
	op.Offset = before
	began := a.rec.Begin(op)
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = at.Partition, before
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic, t.Partitions = at.Topic, append(t.Partitions, p)
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis, req.Topics = 3000, append(req.Topics, t)
	resp, err := req.RequestWith(ctx, w.c.Broker(int(leader)))
	if err == nil && (len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0) {
		err = errEmpty
	}
	if err == nil {
		p := resp.Topics[0].Partitions[0]
		if err = kerr.ErrorForCode(p.ErrorCode); err == nil {
			began.Start = p.LowWatermark
		} else if p.LowWatermark >= 0 && p.ErrorCode != kerr.RequestTimedOut.Code { // that tells how far it has come, as Kafka's
			a.blame("a DeleteRecords of %v is refused with %v and bears the low watermark %d", at, err, p.LowWatermark)
		}
	}
	if err != nil {
		err = unsure{err}
	}
	a.end(began, err)
}
