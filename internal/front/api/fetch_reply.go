package api

import (
	"errors"
	"slices"

	"github.com/odradek/odradek/internal/front/fetchsession"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// reply words what was read. In a session, partitions of which there is nothing new are
// left out. The files are released when the answer was written.
func (f *fetching) reply() wire.Reply {
	resp := kmsg.NewFetchResponse()
	if f.kept {
		resp.SessionID = f.session.ID()
	}
	var leaders []int32
	for i := range f.results {
		r := &f.results[i]
		if r.told = f.news(r) || f.whole; !r.told {
			continue
		}
		key := r.want.Part.Key
		if n := len(resp.Topics); n == 0 || !sameTopic(&resp.Topics[n-1], key) {
			t := kmsg.NewFetchResponseTopic()
			t.Topic, t.TopicID = key.Topic, key.ID
			resp.Topics = append(resp.Topics, t)
		}
		t := &resp.Topics[len(resp.Topics)-1]
		t.Partitions = append(t.Partitions, f.answer(r))
		if p := &t.Partitions[len(t.Partitions)-1]; p.CurrentLeader.LeaderID >= 0 {
			leaders = append(leaders, p.CurrentLeader.LeaderID)
		}
	}
	f.endpoints(&resp, leaders)
	f.markUnread()
	f.countThrottled()
	at := -1
	return wire.Fetch(f.request, &resp, func(int, int) wire.Part { // in the order of the results
		for at++; !f.results[at].told; at++ {
		}
		r := &f.results[at]
		return wire.Part{File: r.File, Pos: r.Pos, Len: r.Len}
	}, f.end)
}

// markUnread marks what has to be looked at next time, whatever the client asks then. Those
// that gave nothing come before those that did, so that none starves.
func (f *fetching) markUnread() {
	if !f.kept {
		return
	}
	for _, gave := range []bool{false, true} {
		for i := range f.results {
			if r := &f.results[i]; (r.Len > 0) == gave && r.unread(f.replica() >= 0) {
				f.session.Mark(r.want.Part)
			}
		}
	}
}

// sameTopic reports whether the next partition belongs to the topic written last: those
// of one topic that follow each other share it.
func sameTopic(t *kmsg.FetchResponseTopic, k fetchsession.Key) bool {
	return t.Topic == k.Topic && t.TopicID == k.ID
}

// news reports whether an incremental answer must tell of a partition.
func (f *fetching) news(r *fetched) bool {
	if !f.kept {
		return true
	}
	now := fetchsession.Told{HighWatermark: r.HW, LogStartOffset: r.Start}
	return f.session.Tell(r.want.Part, now, r.Len > 0, r.err != nil || r.Diverging != nil || r.preferred >= 0)
}

func (f *fetching) answer(r *fetched) kmsg.FetchResponseTopicPartition {
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.ErrorCode = r.want.Part.Key.Partition, model.ErrorCode(r.err)
	p.HighWatermark, p.LastStableOffset, p.LogStartOffset = -1, -1, -1
	if r.err == nil {
		p.HighWatermark, p.LastStableOffset, p.LogStartOffset = r.HW, r.Stable, r.Start
	}
	for _, a := range r.Aborted {
		p.AbortedTransactions = append(p.AbortedTransactions, abortedTransaction(a))
	}
	if r.Aborted != nil && p.AbortedTransactions == nil {
		p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{} // none, where null would be "not asked for"
	}
	p.PreferredReadReplica = r.preferred
	if r.Diverging != nil {
		p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset = r.Diverging.Epoch, r.Diverging.End
	}
	if f.version >= 16 && (errors.Is(r.err, kerr.NotLeaderForPartition) || errors.Is(r.err, kerr.FencedLeaderEpoch)) {
		if _, now, ok := f.server.cfg.Feed.Image().Partition(r.tp.Topic, r.tp.Partition); ok {
			p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = now.Leader, now.LeaderEpoch
		}
	}
	return p
}

// endpoints says where the leaders are that partitions were told of (KIP-951).
func (f *fetching) endpoints(resp *kmsg.FetchResponse, leaders []int32) {
	if len(leaders) == 0 {
		return
	}
	for n := range nodes(f.server.cfg.Feed.Image(), f.listener, false) {
		if slices.Contains(leaders, n.id) {
			resp.Brokers = append(resp.Brokers, kmsg.FetchResponseBroker{NodeID: n.id, Host: n.host, Port: n.port, Rack: n.rack})
		}
	}
}

// failure answers a request whose session is not as the client thinks.
func (f *fetching) failure(err error) wire.Reply {
	resp := kmsg.NewPtrFetchResponse()
	resp.ErrorCode = model.ErrorCode(err)
	return wire.Message(resp)
}

func abortedTransaction(a partition.Aborted) kmsg.FetchResponseTopicPartitionAbortedTransaction {
	t := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
	t.ProducerID, t.FirstOffset = a.ProducerID, a.FirstOffset
	return t
}
