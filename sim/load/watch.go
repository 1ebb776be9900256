package load

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// watcher asks for what lies at the very end of partitions, on the bare protocol, so that it
// knows when it was told what. Now and then it asks who does not lead, or as one who has
// slept through an election, and judges what it is refused with.
type watcher struct {
	*actor
	c       *kgo.Client
	t       Topic
	leaders map[int32]int32
	epochs  map[int32]int32 // of leaders, the greatest that the present leader has answered to
	at      map[int32]int64
	known   []int32 // brokers
}

// watch tails a topic until the readers stop.
func (a *actor) watch(t Topic) {
	for !a.over() {
		a.reborn()
		versions := kversion.Stable()
		versions.SetMaxKeyVersion(int16(kmsg.Fetch), 12) // names topics by name
		w := watcher{actor: a, t: t, c: a.client(kgo.MaxVersions(versions))}
		w.forget()
		for range 200 + a.rng.IntN(400) {
			if a.over() {
				break
			}
			n := a.rng.Int32N(t.Partitions)
			switch a.rng.IntN(8) {
			case 0:
				w.ask(n, a.rng.IntN(2) == 0)
			case 1:
				w.askWrongly(n)
			default:
				w.fetch(n)
			}
			a.pause(3 * a.Mix.Pace)
		}
		w.c.Close()
	}
}

func (w *watcher) forget() {
	w.leaders, w.epochs, w.at = map[int32]int32{}, map[int32]int32{}, map[int32]int64{}
}

// leader is who leads a partition, as some broker says, -1 for nobody.
func (w *watcher) leader(ctx context.Context, n int32) int32 {
	if id, ok := w.leaders[n]; ok {
		return id
	}
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr(w.t.Name)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, w.c)
	if err != nil || len(resp.Topics) == 0 {
		return -1
	}
	w.known = w.known[:0]
	for _, b := range resp.Brokers {
		w.known = append(w.known, b.NodeID)
	}
	for _, p := range resp.Topics[0].Partitions {
		if p.Leader >= 0 {
			w.leaders[p.Partition] = p.Leader
		}
	}
	id, ok := w.leaders[n]
	if !ok {
		return -1
	}
	return id
}

// leads reports whether a broker leads a partition as far as any node has known. One that does
// not, and has not heard of it, may answer readers as if it did: what it tells was so once,
// but may go back behind what others were told. That is the protocol's, which has epochs for
// those who mind.
func (w *watcher) leads(n, id int32) bool {
	return w.w.Leads(id, w.t.Name, n)
}

// lost has the watcher ask again who leads a partition.
func (w *watcher) lost(n int32) {
	delete(w.leaders, n)
	delete(w.epochs, n)
}

func (w *watcher) fetchRequest(n, epoch int32, from int64) *kmsg.FetchRequest {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.CurrentLeaderEpoch, p.PartitionMaxBytes = n, from, epoch, 1<<20
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.Partitions = w.t.Name, append(t.Partitions, p)
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.SessionEpoch, req.MaxBytes, req.MinBytes, req.MaxWaitMillis = -1, -1, 1<<20, 1, 100
	req.IsolationLevel = 1
	req.Topics = append(req.Topics, t)
	return req
}

// fetch reads on in a partition as a reader of what is committed. Where it has not read yet
// it begins near the end.
func (w *watcher) fetch(n int32) {
	ctx, cancel := context.WithTimeout(w.ctx, 3*time.Second)
	defer cancel()
	leader := w.leader(ctx, n)
	if leader < 0 {
		return
	}
	from, ok := w.at[n]
	if !ok {
		end := w.list(ctx, n, leader, history.Latest, history.Committed)
		if end < 0 {
			return
		}
		from = max(0, end-3)
		seek := w.blank(history.Seek, history.Place{Topic: w.t.Name, Partition: n})
		seek.Offset = from
		w.rec.Note(seek)
	}
	op := w.blank(history.Poll, history.Place{Topic: w.t.Name, Partition: n})
	op.From, op.Isolation = from, history.Committed
	began := w.rec.Begin(op)
	resp, err := w.fetchRequest(n, -1, from).RequestWith(ctx, w.c.Broker(int(leader)))
	if err != nil || len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
		w.rec.End(began, history.Info)
		w.lost(n)
		return
	}
	p := &resp.Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		w.judge("Fetch", p.ErrorCode, n, p.HighWatermark, p.LastStableOffset, p.LogStartOffset)
		began.Err = fmt.Sprint(kerr.ErrorForCode(p.ErrorCode))
		w.rec.End(began, history.Info)
		w.lost(n)
		delete(w.at, n)
		return
	}
	if w.leads(n, leader) {
		began.High, began.Stable, began.Start = p.HighWatermark, p.LastStableOffset, p.LogStartOffset
	} else {
		w.lost(n)
	}
	next := w.records(n, p, began)
	w.rec.End(began, history.OK)
	w.at[n] = next
}

// records adds to op what a reader of what is committed takes from a fetch, and returns where
// it goes on.
func (w *watcher) records(n int32, p *kmsg.FetchResponseTopicPartition, op *history.Op) (next int64) {
	next = op.From
	aborted := slices.Clone(p.AbortedTransactions)
	slices.SortFunc(aborted, func(a, b kmsg.FetchResponseTopicPartitionAbortedTransaction) int {
		return int(a.FirstOffset - b.FirstOffset)
	})
	skipping := map[int64]bool{}
	for rest := p.RecordBatches; ; {
		b, more, err := record.Split(rest)
		if err != nil {
			break // the last may be cut off
		}
		rest = more
		if err := b.Verify(); err != nil {
			if w.w.Tally()["bit flips"] == 0 { // else it is the reader's checksum that tells, until a scrub does
				w.blame("%s-%d: a batch at %d is torn: %v", w.t.Name, n, b.BaseOffset(), err)
			}
			break
		}
		for len(aborted) > 0 && aborted[0].FirstOffset <= b.LastOffset() {
			skipping[aborted[0].ProducerID] = true
			aborted = aborted[1:]
		}
		op.Epoch = b.LeaderEpoch() // the last one's
		if b.Control() {
			if m, ok, err := b.EndTxnMarker(); err == nil && ok && !m.Commit {
				delete(skipping, b.ProducerID())
			}
		} else if !b.Transactional() || !skipping[b.ProducerID()] {
			w.batch(n, b, op)
		}
		next = max(next, b.NextOffset())
	}
	if next > max(op.From, p.LastStableOffset) { // a new leader's mark may be behind what another has told
		w.blame("%s-%d: a reader of what is committed is given records up to %d, the last stable offset is %d", w.t.Name, n, next, p.LastStableOffset)
	}
	return next
}

// batch adds the records of a batch from history.Place op asked on.
func (w *watcher) batch(n int32, b record.Batch, op *history.Op) {
	var r record.Reader
	if err := r.Open(b, record.Limits{MaxBytes: 64 << 20}); err != nil {
		w.blame("%s-%d: a batch at %d cannot be read: %v", w.t.Name, n, b.BaseOffset(), err)
		return
	}
	defer r.Close()
	for r.Next() {
		if r.View.Offset < op.From {
			continue
		}
		rec := kgo.Record{Value: bytes.Clone(r.View.Value)}
		if r.View.Value == nil {
			for _, h := range r.View.Headers() {
				rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: string(h.Key), Value: h.Value})
			}
		}
		v := identify(&rec)
		if v == 0 {
			w.blame("a record at %s-%d@%d that nobody wrote: key %q, value %.80q", w.t.Name, n, r.View.Offset, r.View.Key, r.View.Value)
		}
		op.Records = append(op.Records, history.Read{Offset: r.View.Offset, Value: v})
	}
}

// ask asks where a partition begins or ends.
func (w *watcher) ask(n int32, earliest bool) {
	ctx, cancel := context.WithTimeout(w.ctx, 3*time.Second)
	defer cancel()
	leader := w.leader(ctx, n)
	if leader < 0 {
		return
	}
	spec := history.Latest
	if earliest {
		spec = history.Earliest
	}
	w.list(ctx, n, leader, spec, history.Isolation(w.rng.IntN(2)))
}

func (w *watcher) list(ctx context.Context, n, leader int32, spec history.Spec, isolation history.Isolation) int64 {
	op := w.blank(history.ListOffset, history.Place{Topic: w.t.Name, Partition: n})
	op.Spec, op.Isolation = spec, isolation
	began := w.rec.Begin(op)
	req := w.listRequest(n, -1, map[history.Spec]int64{history.Latest: -1, history.Earliest: -2}[spec])
	req.IsolationLevel = int8(isolation)
	resp, err := req.RequestWith(ctx, w.c.Broker(int(leader)))
	if err != nil || len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
		w.rec.End(began, history.Info)
		w.lost(n)
		return -1
	}
	p := resp.Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		w.judge("ListOffsets", p.ErrorCode, n, p.Offset, p.Timestamp)
		began.Err = fmt.Sprint(kerr.ErrorForCode(p.ErrorCode))
		w.rec.End(began, history.Info)
		w.lost(n)
		return -1
	}
	if !w.leads(n, leader) {
		w.rec.End(began, history.Info)
		w.lost(n)
		return -1
	}
	began.Offset, began.Epoch = p.Offset, p.LeaderEpoch
	w.rec.End(began, history.OK)
	return p.Offset
}

func (w *watcher) listRequest(n, epoch int32, timestamp int64) *kmsg.ListOffsetsRequest {
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.CurrentLeaderEpoch, p.Timestamp = n, epoch, timestamp
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic, t.Partitions = w.t.Name, append(t.Partitions, p)
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.Topics = -1, append(req.Topics, t)
	return req
}

// askWrongly asks a broker that may not lead, or the leader as one who knows an older epoch.
func (w *watcher) askWrongly(n int32) {
	ctx, cancel := context.WithTimeout(w.ctx, 3*time.Second)
	defer cancel()
	leader := w.leader(ctx, n)
	if leader < 0 || len(w.known) == 0 {
		return
	}
	broker, epoch := pick(w.actor, w.known...), int32(-1)
	if w.chance(2) {
		broker = leader
		resp, err := w.listRequest(n, -1, -1).RequestWith(ctx, w.c.Broker(int(leader)))
		if err != nil || len(resp.Topics) == 0 || resp.Topics[0].Partitions[0].ErrorCode != 0 {
			return
		}
		// The epoch of its log's last record, so its own is that or greater.
		if epoch = resp.Topics[0].Partitions[0].LeaderEpoch - 1; epoch < 0 {
			return
		}
	}
	if w.chance(2) {
		resp, err := w.fetchRequest(n, epoch, 0).RequestWith(ctx, w.c.Broker(int(broker)))
		if err != nil || len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
			return
		}
		p := &resp.Topics[0].Partitions[0]
		if p.ErrorCode != 0 {
			w.judge("Fetch", p.ErrorCode, n, p.HighWatermark, p.LastStableOffset, p.LogStartOffset)
		} else if epoch >= 0 {
			w.blame("broker %d answers a Fetch of %s-%d in epoch %d, and its log has had a later one", broker, w.t.Name, n, epoch)
		}
		return
	}
	resp, err := w.listRequest(n, epoch, -1).RequestWith(ctx, w.c.Broker(int(broker)))
	if err != nil || len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
		return
	}
	p := resp.Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		w.judge("ListOffsets", p.ErrorCode, n, p.Offset, p.Timestamp)
	} else if epoch >= 0 {
		w.blame("broker %d answers a ListOffsets of %s-%d in epoch %d, and its log has had a later one", broker, w.t.Name, n, epoch)
	}
}

// judge complains of an error that brings what could be taken for an offset.
func (w *watcher) judge(what string, code int16, n int32, offsets ...int64) {
	for _, o := range offsets {
		// Out of range tells the range, so that a consumer may find its way back.
		if o >= 0 && code != kerr.OffsetOutOfRange.Code {
			w.blame("%s of %s-%d is refused with %v and bears the offset %d", what, w.t.Name, n, kerr.ErrorForCode(code), o)
		}
	}
}
