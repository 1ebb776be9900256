package scenario

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// session is a transactional producer that sends what it is told and when, what no client
// would send too: a copy of one is a zombie.
type session struct {
	r     *stage
	ctx   context.Context
	c     *kgo.Client
	id    string
	topic string
	v2    bool // transactions version 2 (KIP-890)
	pid   int64
	epoch int16
	seq   map[int32]int32 // next, by partition
}

// session begins a transactional producer's life: it has its id and epoch. Without an id it
// is idempotent only.
func (r *stage) session(id, topic string, v2 bool) *session {
	r.t.Helper()
	s, err := r.newSession(r.t.Context(), id, topic, v2)
	if err != nil {
		r.t.Fatalf("%s: init: %v", id, err)
	}
	r.AtDown(s.c.Close)
	return s
}

// newSession returns a session that lives as long as ctx, and why it did not get its id.
func (r *stage) newSession(ctx context.Context, id, topic string, v2 bool) (*session, error) {
	versions := kversion.Stable()
	produce, offsets, end := int16(11), int16(4), int16(4)
	if v2 {
		produce, offsets, end = 12, 5, 5
	}
	versions.SetMaxKeyVersion(int16(kmsg.Produce), produce)
	versions.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), offsets)
	versions.SetMaxKeyVersion(int16(kmsg.EndTxn), end)
	versions.SetMaxKeyVersion(int16(kmsg.OffsetFetch), 9) // 10 names topics by id
	s := &session{r: r, ctx: ctx, c: r.Client(kgo.MaxVersions(versions)), id: id, topic: topic, v2: v2, pid: -1, epoch: -1}
	if err := s.init(); err != nil {
		s.c.Close()
		return nil, err
	}
	return s, nil
}

// zombie is the session as it is now, to act when the session has gone on.
func (s *session) zombie() *session {
	z := *s
	z.seq = maps.Clone(s.seq)
	return &z
}

// passing are errors after which a client asks again.
var passing = []error{
	kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.CoordinatorNotAvailable,
	kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.UnknownTopicOrPartition,
	kerr.RequestTimedOut,
}

func isAny(err error, of []error) bool {
	return slices.ContainsFunc(of, func(w error) bool { return errors.Is(err, w) })
}

// persist does one thing until it is done or refused for good.
func (s *session) persist(do func(ctx context.Context) (code int16, err error)) error {
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	for {
		attempt, over := context.WithTimeout(ctx, 10*time.Second)
		code, err := do(attempt)
		over()
		if err == nil {
			err = kerr.ErrorForCode(code)
			if !isAny(err, passing) {
				return err
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("it is not done: %w: %w", context.Cause(ctx), err)
		}
	}
}

func (s *session) init() error {
	return s.persist(func(ctx context.Context) (int16, error) {
		req := kmsg.NewPtrInitProducerIDRequest()
		if req.TransactionTimeoutMillis = 60_000; s.id != "" {
			req.TransactionalID = &s.id
		}
		req.ProducerID, req.ProducerEpoch = -1, -1
		resp, err := req.RequestWith(ctx, s.c)
		if err != nil || resp.ErrorCode != 0 {
			return codeOf(resp, err)
		}
		s.pid, s.epoch, s.seq = resp.ProducerID, resp.ProducerEpoch, map[int32]int32{}
		return 0, nil
	})
}

func codeOf(resp *kmsg.InitProducerIDResponse, err error) (int16, error) {
	if err != nil {
		return 0, err
	}
	return resp.ErrorCode, nil
}

// add adds a partition to the transaction, as producers of version 1 do.
func (s *session) add(partition int32) error {
	return s.persist(func(ctx context.Context) (int16, error) {
		req := kmsg.NewPtrAddPartitionsToTxnRequest()
		req.SetVersion(3)
		req.TransactionalID, req.ProducerID, req.ProducerEpoch = s.id, s.pid, s.epoch
		req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: s.topic, Partitions: []int32{partition}}}
		resp, err := req.RequestWith(ctx, s.c)
		if err != nil {
			return 0, err
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				return p.ErrorCode, nil
			}
		}
		return 0, errors.New("an answer without partitions")
	})
}

// put writes one batch of a record for each value, and returns where.
func (s *session) put(partition int32, values ...string) (base int64, err error) {
	b := record.NewBuilder(record.BuilderConfig{ProducerID: s.pid, ProducerEpoch: s.epoch, BaseSequence: s.seq[partition],
		Idempotent: true, Transactional: s.id != ""})
	for _, v := range values {
		b.Append(record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte(v)})
	}
	batch, err := b.Build()
	if err != nil {
		return -1, err
	}
	base = -1
	err = s.persist(func(ctx context.Context) (int16, error) {
		rp := kmsg.NewProduceRequestTopicPartition()
		rp.Partition, rp.Records = partition, slices.Clone(batch)
		rt := kmsg.NewProduceRequestTopic()
		rt.Topic, rt.Partitions = s.topic, []kmsg.ProduceRequestTopicPartition{rp}
		req := kmsg.NewPtrProduceRequest()
		req.Acks, req.TimeoutMillis, req.Topics = -1, 5000, []kmsg.ProduceRequestTopic{rt}
		if s.id != "" {
			req.TransactionID = &s.id
		}
		resp, err := req.RequestWith(ctx, s.c)
		if err != nil {
			return 0, err
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				base = p.BaseOffset
				return p.ErrorCode, nil
			}
		}
		return 0, errors.New("an answer without partitions")
	})
	if err == nil {
		s.seq[partition] += int32(len(values))
	}
	return base, err
}

// end ends the transaction; in version 2 the session gets a new epoch.
func (s *session) end(commit bool) error {
	return s.persist(func(ctx context.Context) (int16, error) {
		req := kmsg.NewPtrEndTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = s.id, s.pid, s.epoch, commit
		resp, err := req.RequestWith(ctx, s.c)
		if err != nil {
			return 0, err
		}
		if resp.ErrorCode == 0 && s.v2 {
			s.pid, s.epoch, s.seq = resp.ProducerID, resp.ProducerEpoch, map[int32]int32{}
		}
		return resp.ErrorCode, nil
	})
}

// commitOffset commits an offset of a group in the transaction.
func (s *session) commitOffset(group string, partition int32, offset int64) error {
	if !s.v2 {
		err := s.persist(func(ctx context.Context) (int16, error) {
			req := kmsg.NewPtrAddOffsetsToTxnRequest()
			req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = s.id, s.pid, s.epoch, group
			resp, err := req.RequestWith(ctx, s.c)
			if err != nil {
				return 0, err
			}
			return resp.ErrorCode, nil
		})
		if err != nil {
			return err
		}
	}
	return s.persist(func(ctx context.Context) (int16, error) {
		rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset = partition, offset
		rt := kmsg.NewTxnOffsetCommitRequestTopic()
		rt.Topic, rt.Partitions = s.topic, []kmsg.TxnOffsetCommitRequestTopicPartition{rp}
		req := kmsg.NewPtrTxnOffsetCommitRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = s.id, s.pid, s.epoch, group
		req.Generation, req.Topics = -1, []kmsg.TxnOffsetCommitRequestTopic{rt}
		resp, err := req.RequestWith(ctx, s.c)
		if err != nil {
			return 0, err
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				return p.ErrorCode, nil
			}
		}
		return 0, errors.New("an answer without partitions")
	})
}

// offsetOf is what a group has committed; stable has it refused while a transaction may
// change it.
func (s *session) offsetOf(group string, partition int32, stable bool) (offset int64, err error) {
	offset = -1
	err = s.persist(func(ctx context.Context) (int16, error) {
		rg := kmsg.NewOffsetFetchRequestGroup()
		rt := kmsg.NewOffsetFetchRequestGroupTopic()
		rt.Topic, rt.Partitions = s.topic, []int32{partition}
		rg.Group, rg.Topics = group, []kmsg.OffsetFetchRequestGroupTopic{rt}
		req := kmsg.NewPtrOffsetFetchRequest()
		req.RequireStable, req.Groups = stable, []kmsg.OffsetFetchRequestGroup{rg}
		resp, err := req.RequestWith(ctx, s.c)
		if err != nil {
			return 0, err
		}
		for _, g := range resp.Groups {
			if g.ErrorCode != 0 {
				return g.ErrorCode, nil
			}
			for _, t := range g.Topics {
				for _, p := range t.Partitions {
					offset = p.Offset
					return p.ErrorCode, nil
				}
			}
		}
		return 0, errors.New("an answer without partitions")
	})
	return offset, err
}
