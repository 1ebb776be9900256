package api

import (
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// reply words what was delivered and what became of acknowledgements; partitions of which
// there is nothing to tell are left out. The files are released when it was written.
func (f *shareFetching) reply() wire.Reply {
	resp := kmsg.NewPtrShareFetchResponse()
	resp.AcquisitionLockTimeoutMillis = f.server.shareLock(f.key.Group)
	w := shareWords{resp: resp, topics: map[model.ID]int{}, at: map[model.IDPartition][2]int{}, read: map[[2]int]*sharePart{}}
	leaders := map[int32]bool{}
	for _, p := range f.parts {
		if p.Len == 0 && p.err == nil {
			continue
		}
		rp, at := w.partition(p.id)
		rp.ErrorCode, rp.ErrorMessage = model.ErrorCode(p.err), model.ErrorMessage(p.err)
		for _, a := range p.Acquired {
			rp.AcquiredRecords = append(rp.AcquiredRecords, kmsg.ShareFetchResponseTopicPartitionAcquiredRecord{
				FirstOffset: a.First, LastOffset: a.Last, DeliveryCount: a.Deliveries})
		}
		w.read[at] = p
		rp.CurrentLeader.LeaderID, rp.CurrentLeader.LeaderEpoch = f.server.leaderHint(p.tp, p.err, leaders)
	}
	for _, a := range f.acks {
		rp, _ := w.partition(a.id)
		if rp.AcknowledgeErrorCode != 0 {
			continue // named twice: what went well does not hide what did not
		}
		rp.AcknowledgeErrorCode, rp.AcknowledgeErrorMessage = model.ErrorCode(a.err), model.ErrorMessage(a.err)
	}
	for n := range nodes(f.server.cfg.Feed.Image(), f.listener, false) {
		if leaders[n.id] {
			resp.NodeEndpoints = append(resp.NodeEndpoints, kmsg.ShareFetchResponseNodeEndpoint{NodeID: n.id, Host: n.host, Port: n.port, Rack: n.rack})
		}
	}
	records := func(t, p int) wire.Part {
		if r := w.read[[2]int{t, p}]; r != nil {
			return wire.Part{File: r.File, Pos: r.Pos, Len: r.Len}
		}
		return wire.Part{}
	}
	return wire.ShareFetch(f.request, resp, records, f.end)
}

// shareWords is an answer in the making: partitions by topic, each once.
type shareWords struct {
	resp   *kmsg.ShareFetchResponse
	topics map[model.ID]int
	at     map[model.IDPartition][2]int
	read   map[[2]int]*sharePart
}

// partition finds a partition's place in the answer, or makes one. It is valid until the
// next.
func (w *shareWords) partition(id model.IDPartition) (*kmsg.ShareFetchResponseTopicPartition, [2]int) {
	at, ok := w.at[id]
	if !ok {
		t, ok := w.topics[id.Topic]
		if !ok {
			t = len(w.resp.Topics)
			w.topics[id.Topic] = t
			w.resp.Topics = append(w.resp.Topics, kmsg.ShareFetchResponseTopic{TopicID: id.Topic})
		}
		p := kmsg.NewShareFetchResponseTopicPartition()
		p.Partition, p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = id.Partition, -1, -1
		w.resp.Topics[t].Partitions = append(w.resp.Topics[t].Partitions, p)
		at = [2]int{t, len(w.resp.Topics[t].Partitions) - 1}
		w.at[id] = at
	}
	return &w.resp.Topics[at[0]].Partitions[at[1]], at
}

// leaderHint says who leads a partition, if the client has asked the wrong broker (KIP-951),
// and notes it; -1, -1 otherwise.
func (s *Server) leaderHint(tp model.TopicPartition, err error, leaders map[int32]bool) (id, epoch int32) {
	if !isKerr(err, kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch) {
		return -1, -1
	}
	_, p, ok := s.cfg.Feed.Image().Partition(tp.Topic, tp.Partition)
	if !ok {
		return -1, -1
	}
	leaders[p.Leader] = true
	return p.Leader, p.LeaderEpoch
}

func (f *shareFetching) failure(err error) wire.Reply {
	resp := kmsg.NewPtrShareFetchResponse()
	resp.ErrorCode, resp.ErrorMessage = model.ErrorCode(err), model.ErrorMessage(err)
	return wire.Message(resp)
}
