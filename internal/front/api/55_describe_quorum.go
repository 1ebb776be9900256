package api

import (
	"context"
	"slices"
	"time"

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
// Of its terms and entries it is told as of epochs and offsets; who leads knows how far
// each voter is, and others answer NOT_LEADER_OR_FOLLOWER.
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
		p.CurrentVoters = quorumReplicas(status, status.Voters)
		p.Observers = quorumReplicas(status, status.Learners)
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

// quorumReplicas tells how far the log of each member is durable. The leader is caught
// up by itself; so is a member that has all that is committed and is heard from.
func quorumReplicas(status quorum.Status, members []quorum.Replica) []kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
	var list []kmsg.DescribeQuorumResponseTopicPartitionReplicaState
	now := time.Now().UnixMilli()
	for _, m := range members {
		state := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		state.ReplicaID, state.LogEndOffset = m.Node, m.Match+1
		if m.Match < 0 {
			state.LogEndOffset = -1
		}
		state.LastFetchTimestamp, state.LastCaughtUpTimestamp = -1, -1
		if m.Node == status.Leader || m.Active {
			state.LastFetchTimestamp = now
			if m.Node == status.Leader || m.Match >= status.Commit {
				state.LastCaughtUpTimestamp = now
			}
		}
		list = append(list, state)
	}
	return list
}

// quorumNodes are the endpoints of the members that are brokers too.
func quorumNodes(r *Request, status quorum.Status) []kmsg.DescribeQuorumResponseNode {
	var list []kmsg.DescribeQuorumResponseNode
	for _, m := range slices.Concat(status.Voters, status.Learners) {
		b, ok := r.Image.Broker(m.Node)
		if !ok {
			continue
		}
		n := kmsg.DescribeQuorumResponseNode{NodeID: m.Node}
		for _, e := range b.Endpoints {
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
