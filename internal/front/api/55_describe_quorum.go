package api

import (
	"context"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeQuorum, key 55, versions 0 to 2.
//
//	1  times of the last fetch and of the last being caught up (KIP-836)
//	2  folders, endpoints of the nodes, error messages (KIP-853)
//
// The quorum's log goes by the name of Kafka's, one partition of __cluster_metadata.
// Of its terms and entries it is told as of epochs and offsets. Who leads knows how far
// each node is.
func (s *Server) describeQuorum(_ context.Context, r *Request, req *kmsg.DescribeQuorumRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDescribeQuorumResponse()
	if !asksForQuorum(req) {
		for _, t := range req.Topics {
			rt := kmsg.DescribeQuorumResponseTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				rt.Partitions = append(rt.Partitions, quorumError(p.Partition, kerr.UnknownTopicOrPartition))
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil
	}
	status := s.cfg.Quorum()
	p := quorumError(0, nil)
	if status.Leader != status.Node {
		p = quorumError(0, kerr.NotLeaderForPartition)
	} else {
		p.LeaderID, p.LeaderEpoch = status.Leader, int32(status.Term)
		p.HighWatermark = status.Commit + 1
		p.CurrentVoters = quorumMembers(r.Image, status, status.Voters)
		p.Observers = s.quorumObservers(r.Image, status)
		resp.Nodes = quorumNodes(r, status)
	}
	resp.Topics = []kmsg.DescribeQuorumResponseTopic{{Topic: model.ClusterMetadataTopic,
		Partitions: []kmsg.DescribeQuorumResponseTopicPartition{p}}}
	return resp, nil
}

func asksForQuorum(req *kmsg.DescribeQuorumRequest) bool {
	return len(req.Topics) == 1 && req.Topics[0].Topic == model.ClusterMetadataTopic &&
		len(req.Topics[0].Partitions) == 1 && req.Topics[0].Partitions[0].Partition == 0
}

func quorumError(partition int32, err error) kmsg.DescribeQuorumResponseTopicPartition {
	p := kmsg.NewDescribeQuorumResponseTopicPartition()
	p.Partition, p.ErrorCode, p.ErrorMessage = partition, model.ErrorCode(err), model.ErrorMessage(err)
	return p
}

// quorumMembers tells how far the log of each member is durable. The leader is caught up
// by itself.
func quorumMembers(m *metadata.Image, status quorum.Status, members []quorum.Replica) []kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
	var list []kmsg.DescribeQuorumResponseTopicPartitionReplicaState
	now := time.Now()
	for _, r := range members {
		fetched, caughtUp := r.Heard, r.CaughtUp
		if r.Node == status.Leader {
			fetched, caughtUp = now, now
		}
		list = append(list, quorumReplica(m, r.Node, r.Match, fetched, caughtUp))
	}
	return list
}

// quorumObservers are the nodes that follow without being members: brokers, of which the
// heartbeats tell how far they are, and nodes that wait to be voters.
func (s *Server) quorumObservers(m *metadata.Image, status quorum.Status) []kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
	list := quorumMembers(m, status, status.Learners)
	known := make(map[int32]bool)
	for _, r := range slices.Concat(status.Voters, status.Learners) {
		known[r.Node] = true
	}
	observe := func(id int32) {
		if known[id] {
			return
		}
		known[id] = true
		offset, at, heard := s.cfg.Controller.Heard(id)
		if !heard {
			offset = -1
		}
		caughtUp := at
		if offset < status.Commit {
			caughtUp = time.Time{}
		}
		list = append(list, quorumReplica(m, id, offset, at, caughtUp))
	}
	for b := range m.Brokers() {
		observe(b.ID)
	}
	for c := range m.Controllers() {
		observe(c.ID)
	}
	return list
}

// quorumReplica words how far a node is; match is the last offset that it has, -1 if that
// is not known, as a zero time is not.
func quorumReplica(m *metadata.Image, id int32, match int64, fetched, caughtUp time.Time) kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
	state := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
	state.ReplicaID, state.LogEndOffset = id, -1
	if match >= 0 {
		state.LogEndOffset = match + 1
	}
	if c, ok := m.Controller(id); ok {
		state.ReplicaDirectoryID = c.Directory
	}
	state.LastFetchTimestamp, state.LastCaughtUpTimestamp = stamp(fetched), stamp(caughtUp)
	return state
}

// stamp is a time in milliseconds, -1 for one that is not known.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return t.UnixMilli()
}

// quorumNodes are where the voters are reached: over the listeners of controllers, or, as
// long as a voter has not told of those, of brokers.
func quorumNodes(r *Request, status quorum.Status) []kmsg.DescribeQuorumResponseNode {
	var list []kmsg.DescribeQuorumResponseNode
	for _, m := range status.Voters {
		var endpoints []metadata.Endpoint
		if c, ok := r.Image.Controller(m.Node); ok {
			endpoints = c.Endpoints
		} else if b, ok := r.Image.Broker(m.Node); ok {
			endpoints = b.Endpoints
		} else {
			continue
		}
		n := kmsg.DescribeQuorumResponseNode{NodeID: m.Node}
		for _, e := range endpoints {
			n.Listeners = append(n.Listeners, kmsg.DescribeQuorumResponseNodeListener{
				Name: e.Listener, Host: e.Host, Port: uint16(e.Port)})
		}
		list = append(list, n)
	}
	return list
}

func failDescribeQuorum(_ *kmsg.DescribeQuorumRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrDescribeQuorumResponse()
	resp.ErrorCode, resp.ErrorMessage = model.ErrorCode(err), model.ErrorMessage(err)
	return resp
}
