package api

import (
	"context"
	"errors"

	"github.com/odradek/odradek/internal/coord/enlist"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TxnOffsetCommit, key 28, versions 0 to 5.
//
//	2  leader epochs (KIP-320)
//	3  flexible; who in the group commits (KIP-447)
//	4  TRANSACTION_ABORTABLE (KIP-890)
//	5  adds the group's partition to the transaction by itself (KIP-890)
//
// The coordinator of the group has the offsets once the coordinator of the transaction says
// that the group's partition is in it. Neither knows topics: what does not exist is refused
// here.
func (s *Server) txnOffsetCommit(ctx context.Context, r *Request, req *kmsg.TxnOffsetCommitRequest) (kmsg.Response, error) {
	codes := make(map[model.TopicPartition]int16)
	ask := *req
	ask.Topics = nil
	for i := range req.Topics {
		if known := knownTxnOffsets(r, &req.Topics[i], codes); len(known.Partitions) > 0 {
			ask.Topics = append(ask.Topics, known)
		}
	}
	if len(ask.Topics) > 0 {
		s.commitInTxn(ctx, r, &ask, codes)
	}
	return txnOffsetsCommitted(req, codes), nil
}

// knownTxnOffsets is what of t exists; of the rest it notes why not.
func knownTxnOffsets(r *Request, t *kmsg.TxnOffsetCommitRequestTopic, codes map[model.TopicPartition]int16) kmsg.TxnOffsetCommitRequestTopic {
	known := *t
	known.Partitions = nil
	for _, p := range t.Partitions {
		if _, _, ok := r.Image.Partition(t.Topic, p.Partition); ok {
			known.Partitions = append(known.Partitions, p)
			continue
		}
		codes[model.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = kerr.UnknownTopicOrPartition.Code
	}
	return known
}

// commitInTxn has the offsets written into the transaction and notes what came of it.
func (s *Server) commitInTxn(ctx context.Context, r *Request, req *kmsg.TxnOffsetCommitRequest, codes map[model.TopicPartition]int16) {
	guard, err := runtime.Guard{}, error(kerr.InvalidGroupID)
	if req.Group != "" {
		guard, err = s.verifyGroup(ctx, req)
	}
	if err != nil {
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				codes[model.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = txnOffsetError(err)
			}
		}
		return
	}
	for _, t := range s.cfg.Groups.TxnOffsetCommit(ctx, r.caller(), req, guard).Topics {
		for _, p := range t.Partitions {
			codes[model.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = p.ErrorCode
		}
	}
}

// verifyGroup makes sure that the partition of the group belongs to the transaction. As
// for Produce, one that still ends is tried again for a moment.
func (s *Server) verifyGroup(ctx context.Context, req *kmsg.TxnOffsetCommitRequest) (runtime.Guard, error) {
	n := s.cfg.Groups.PartitionFor(req.Group)
	if n < 0 {
		return runtime.Guard{}, kerr.CoordinatorNotAvailable
	}
	tp := model.TopicPartition{Topic: model.ConsumerOffsetsTopic, Partition: n}
	txn := enlist.Txn{ID: req.TransactionalID, ProducerID: req.ProducerID, Epoch: req.ProducerEpoch}
	op := txnOffsetOp(req.Version)
	var guard runtime.Guard
	var err error
	s.patiently(ctx, op, func(ctx context.Context) (busy bool) {
		guard, err = s.verifyPartition(ctx, txn, op, tp)
		return errors.Is(err, kerr.ConcurrentTransactions)
	})
	return guard, err
}

// verifyPartition prepares the first write of a transaction into a partition, and asks the
// coordinator about it.
func (s *Server) verifyPartition(ctx context.Context, txn enlist.Txn, op enlist.Op, tp model.TopicPartition) (runtime.Guard, error) {
	p, err := s.cfg.Host.Partition(tp)
	if err != nil {
		return runtime.Guard{}, err
	}
	guard, need, err := p.BeginTxn(txn.ProducerID, txn.Epoch, record.NoSequence, op == enlist.Add)
	if !need || err != nil {
		return guard, err
	}
	return guard, s.enlist(ctx, txn, op, []model.TopicPartition{tp})[tp]
}

func txnOffsetOp(version int16) enlist.Op {
	switch {
	case version >= 5:
		return enlist.Add
	case version == 4:
		return enlist.VerifyAbortable
	}
	return enlist.Verify
}

// txnOffsetError is what a producer is told of why the group's partition could not be
// verified. Older clients try again after COORDINATOR_LOAD_IN_PROGRESS, and do not know a
// network's failure; what is wrong with this broker's replica is so with the coordinator.
func txnOffsetError(err error) int16 {
	switch {
	case errors.Is(err, kerr.NetworkException):
		return kerr.CoordinatorLoadInProgress.Code
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return kerr.CoordinatorNotAvailable.Code
	case errors.Is(err, kerr.NotLeaderForPartition), errors.Is(err, kerr.KafkaStorageError):
		return kerr.NotCoordinator.Code
	}
	return model.ErrorCode(err)
}

// txnOffsetsCommitted answers each partition in the order of the request. Clients before
// version 2 do not expect a coordinator that is loading (KAFKA-7296).
func txnOffsetsCommitted(req *kmsg.TxnOffsetCommitRequest, codes map[model.TopicPartition]int16) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewTxnOffsetCommitResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, kerr.UnknownServerError.Code
			if code, ok := codes[model.TopicPartition{Topic: t.Topic, Partition: p.Partition}]; ok {
				rp.ErrorCode = code
			}
			if req.Version < 2 && rp.ErrorCode == kerr.CoordinatorLoadInProgress.Code {
				rp.ErrorCode = kerr.CoordinatorNotAvailable.Code
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}
