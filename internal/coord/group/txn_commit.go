package group

import (
	"context"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TxnOffsetCommit stores offsets of a group as a part of a producer's transaction: they
// are pending until CompleteTxn. Whether the transaction is open, and has the partition of
// the group, is not asked here: guard is what the partition gave when it was.
func (s *Service) TxnOffsetCommit(ctx context.Context, _ Caller, req *kmsg.TxnOffsetCommitRequest, guard runtime.Guard) *kmsg.TxnOffsetCommitResponse {
	errs, err := []error(nil), error(kerr.InvalidGroupID)
	if req.Group != "" && len(req.Group) <= maxString {
		errs, err = do(ctx, s, req.Group, runtime.Independent, func(st *state, t *runtime.Turn) ([]error, error) {
			return st.commitTxn(t, req, guard)
		})
	}
	return txnOffsetCommitted(req, errs, err)
}

// txnOffsetCommitted answers each partition in the order of the request: with err, or with
// its own of errs.
func txnOffsetCommitted(req *kmsg.TxnOffsetCommitRequest, errs []error, err error) *kmsg.TxnOffsetCommitResponse {
	resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	n := 0
	for i := range req.Topics {
		topic := kmsg.TxnOffsetCommitResponseTopic{Topic: req.Topics[i].Topic}
		for j := range req.Topics[i].Partitions {
			one := err
			if err == nil {
				one = errs[n]
				n++
			}
			topic.Partitions = append(topic.Partitions, kmsg.TxnOffsetCommitResponseTopicPartition{
				Partition: req.Topics[i].Partitions[j].Partition, ErrorCode: code(one),
			})
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

// commitTxn writes the offsets into the transaction and says for each partition, in the
// request's order, why not.
func (st *state) commitTxn(t *runtime.Turn, req *kmsg.TxnOffsetCommitRequest, guard runtime.Guard) ([]error, error) {
	if err := st.checkCommitTxn(req); err != nil {
		return nil, err
	}
	p := runtime.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}
	limit := st.metadataLimit()
	var errs []error
	for i := range req.Topics {
		rt := &req.Topics[i]
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			o := offset{offset: rp.Offset, leaderEpoch: max(rp.LeaderEpoch, -1), commitMillis: t.Millis(), expireMillis: -1}
			if rp.Metadata != nil {
				o.metadata = *rp.Metadata
			}
			err := fits(rt.Topic, o.metadata, limit)
			if err == nil {
				room := make([]byte, 0, roomPerOffset+len(req.Group)+len(rt.Topic)+len(o.metadata))
				r, _ := offsetRecord(room, req.Group, rt.Topic, rp.Partition, &o)
				t.WriteTxn(p, guard, r)
			}
			errs = append(errs, err)
		}
	}
	return errs, nil
}

// checkCommitTxn returns why the group does not take offsets of this sender (KIP-447).
// What a member of a classic group says of itself must be of the present generation; who
// says nothing, as before version 3, is let in. The state of the group does not matter, and
// the member's session is not kept alive by it.
func (st *state) checkCommitTxn(req *kmsg.TxnOffsetCommitRequest) error {
	if h := st.holder(req.Group); h != nil {
		return h.checkCommit(committer{memberID: req.MemberID, instanceID: req.InstanceID, epoch: req.Generation, version: req.Version, transactional: true})
	}
	g := st.groups[req.Group]
	switch {
	case g == nil && req.Generation < 0:
		return nil // the commit makes the group
	case g == nil:
		return kerr.IllegalGeneration
	case g.phase == empty && req.Generation < 0:
		return nil
	case req.Generation < 0 && req.MemberID == "" && req.InstanceID == nil:
		return nil
	}
	if err := g.check(req.MemberID, req.InstanceID); err != nil {
		return err
	}
	if req.Generation != g.generation {
		return kerr.IllegalGeneration
	}
	return nil
}

// CompleteTxn writes the marker that ends a producer's transaction on a partition of
// __consumer_offsets, and returns once it is committed: then the offsets that were pending
// are those of their groups, or gone. It returns what the log refuses markers with
// (INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED), NOT_COORDINATOR,
// COORDINATOR_LOAD_IN_PROGRESS or COORDINATOR_NOT_AVAILABLE.
func (s *Service) CompleteTxn(ctx context.Context, partition int32, p runtime.Producer, m record.EndTxnMarker, txnVersion int16) error {
	_, err := runtime.Do(ctx, s.runtime, partition, runtime.Independent, func(_ *state, t *runtime.Turn) (struct{}, error) {
		t.WriteMarker(p, m, txnVersion)
		return struct{}{}, nil
	})
	return err
}
