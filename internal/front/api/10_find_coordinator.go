package api

import (
	"context"
	"fmt"

	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kinds of coordinator.
const (
	groupCoordinator int8 = 0
	txnCoordinator   int8 = 1
	shareCoordinator int8 = 2
)

// FindCoordinator, key 10, versions 0 to 6.
//
//	1  kind of coordinator; error message
//	3  flexible
//	4  many keys (KIP-699)
//	5  TRANSACTION_ABORTABLE (KIP-890)
//	6  share coordinators (KIP-932)
//
// A coordinator is the leader of the key's partition of a topic that is kept for its kind.
// The first question makes that topic; until its leader is there the answer is
// COORDINATOR_NOT_AVAILABLE, and the client asks again.
func (s *Server) findCoordinator(ctx context.Context, r *Request, req *kmsg.FindCoordinatorRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrFindCoordinatorResponse()
	if r.Version < 4 {
		n, err := s.coordinator(ctx, r, req.CoordinatorType, req.CoordinatorKey, new(bool))
		resp.ErrorCode, resp.ErrorMessage = model.ErrorCode(err), kmsg.StringPtr("NONE")
		if err != nil {
			resp.ErrorMessage = kmsg.StringPtr(model.ClientMessage(err))
		}
		resp.NodeID, resp.Host, resp.Port = n.id, n.host, n.port
		return resp, nil
	}
	made := false // the topic; it is asked for once, however many keys there are
	for _, key := range req.CoordinatorKeys {
		n, err := s.coordinator(ctx, r, req.CoordinatorType, key, &made)
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.NodeID, c.Host, c.Port = key, n.id, n.host, n.port
		c.ErrorCode, c.ErrorMessage = model.ErrorCode(err), kmsg.StringPtr("")
		if msg := model.ErrorMessage(err); msg != nil {
			c.ErrorMessage = msg
		}
		resp.Coordinators = append(resp.Coordinators, c)
	}
	return resp, nil
}

func (s *Server) coordinator(ctx context.Context, r *Request, kind int8, key string, made *bool) (node, error) {
	topic, partitionFor, err := s.coordinated(kind)
	if err != nil {
		return noNode, err
	}
	if err := findable(kind, key, r.Version); err != nil {
		return noNode, err
	}
	image := r.Image
	if _, ok := image.Topic(topic); !ok {
		if !*made {
			*made = true
			s.createOnDemand(ctx, image, []string{topic})
		}
		return noNode, kerr.CoordinatorNotAvailable
	}
	_, p, ok := image.Partition(topic, partitionFor(key))
	if !ok {
		return noNode, kerr.CoordinatorNotAvailable
	}
	n, ok := aliveNode(image, r.Listener, p.Leader)
	if !ok {
		return noNode, kerr.CoordinatorNotAvailable
	}
	return n, nil
}

// findable says what is wrong with a key. Those of share partitions have a form.
func findable(kind int8, key string, version int16) error {
	if kind != shareCoordinator {
		return nil
	}
	if version < 6 {
		return model.Explain(kerr.InvalidRequest, "Share coordinators are found from version 6 on.")
	}
	if _, err := share.ParseKey(key); err != nil {
		return model.Explain(kerr.InvalidRequest, "A share coordinator's key has another form: "+err.Error())
	}
	return nil
}

// coordinated is the topic of a kind of coordinator, and where a key is in it.
func (s *Server) coordinated(kind int8) (topic string, partitionFor func(key string) int32, err error) {
	switch kind {
	case groupCoordinator:
		return model.ConsumerOffsetsTopic, s.cfg.Groups.PartitionFor, nil
	case txnCoordinator:
		return model.TransactionStateTopic, s.cfg.Transactions.PartitionFor, nil
	case shareCoordinator:
		return model.ShareGroupStateTopic, s.cfg.Shares.PartitionFor, nil
	}
	return "", nil, model.Explain(kerr.InvalidRequest, fmt.Sprintf("Unknown kind of coordinator %d.", kind))
}
