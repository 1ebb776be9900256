package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Session is a producer on the bare protocol: it sends what it is told and when, also what
// no library would. A copy of one is a zombie. One goroutine uses it.
type Session struct {
	Timeout  time.Duration // of its transactions
	Patience time.Duration // after which it gives up what is not done

	c  *kgo.Client
	id string // transactional, or "" for one that is idempotent only
	v2 bool   // transactions version 2 (KIP-890)

	pid   int64
	epoch int16
	seq   map[history.Place]int32 // next

	sent  *counter // shared with its zombies, as the client is
	tries int64    // of what was done last; 0 if no line was had
}

// counter counts the requests that a client has written, also those that the library sends
// again by itself: an answer like COORDINATOR_NOT_AVAILABLE never comes back from it.
type counter struct{ n atomic.Int64 }

// OnBrokerWrite is kgo's hook. What changes nothing is not counted.
func (s *counter) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	switch kmsg.Key(key) {
	case kmsg.ApiVersions, kmsg.Metadata, kmsg.FindCoordinator:
	default:
		s.n.Add(1)
	}
}

// Maker makes clients of a cluster.
type Maker interface {
	Client(opts ...kgo.Opt) *kgo.Client
}

// NewSession makes a session, which has no producer id until Init.
func NewSession(m Maker, id string, v2 bool) *Session {
	versions := kversion.Stable()
	produce, offsets, end := int16(11), int16(4), int16(4)
	if v2 {
		produce, offsets, end = 12, 5, 5
	}
	versions.SetMaxKeyVersion(int16(kmsg.Produce), produce)
	versions.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), offsets)
	versions.SetMaxKeyVersion(int16(kmsg.EndTxn), end)
	versions.SetMaxKeyVersion(int16(kmsg.OffsetCommit), 9) // 10 names topics by id
	versions.SetMaxKeyVersion(int16(kmsg.OffsetFetch), 9)
	versions.SetMaxKeyVersion(int16(kmsg.AddPartitionsToTxn), 3)
	s := &Session{id: id, v2: v2, Timeout: 8 * time.Second, Patience: 20 * time.Second, pid: -1, epoch: -1, sent: new(counter)}
	s.c = m.Client(kgo.MaxVersions(versions), kgo.WithHooks(s.sent))
	return s
}

// Close ends the session's lines.
func (s *Session) Close() { s.c.Close() }

// Producer is the session's producer id and epoch, -1 before Init.
func (s *Session) Producer() (id int64, epoch int16) { return s.pid, s.epoch }

// Zombie is the session as it is now, to act when the session has gone on.
func (s *Session) Zombie() *Session {
	z := *s
	z.seq = maps.Clone(s.seq)
	return &z
}

// unsure is an error that does not say that nothing was done.
type unsure struct{ error }

func (u unsure) Unwrap() error { return u.error }

// refused reports whether an error says that nothing was done.
func refused(err error) bool {
	var u unsure
	return err != nil && !errors.As(err, &u)
}

// passing are errors after which a client asks again.
var passing = []error{
	kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.CoordinatorNotAvailable,
	kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.UnknownTopicOrPartition,
	kerr.RequestTimedOut, kerr.KafkaStorageError, kerr.LeaderNotAvailable,
}

// hazy are those after which something may have been done: also what tells of another
// operation under way, which may be this one, asked for before by the library, whose answer was lost.
var hazy = []error{
	kerr.ConcurrentTransactions, kerr.NotLeaderForPartition, kerr.NotEnoughReplicasAfterAppend, kerr.RequestTimedOut, kerr.KafkaStorageError,
	kerr.UnknownServerError, kerr.NotCoordinator, kerr.CoordinatorNotAvailable,
}

func isAny(err error, of []error) bool {
	return slices.ContainsFunc(of, func(e error) bool { return errors.Is(err, e) })
}

// persist does one thing until it is done or refused for good. Its error is unsure if the
// thing may have been done by any of the tries, of which the library's own are some.
func (s *Session) persist(ctx context.Context, do func(ctx context.Context) (code int16, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	perhaps, before := false, s.sent.n.Load()
	for {
		asked := s.sent.n.Load()
		attempt, over := context.WithTimeout(ctx, 5*time.Second)
		code, err := do(attempt)
		over()
		now := s.sent.n.Load()
		s.tries = now - before
		perhaps = perhaps || now-asked > 1
		if err == nil {
			err = kerr.ErrorForCode(code)
			if err == nil {
				return nil
			}
			perhaps = perhaps || isAny(err, hazy)
			if !isAny(err, passing) {
				return doubt(err, perhaps)
			}
		} else {
			perhaps = true
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return doubt(fmt.Errorf("it is not done: %w: %w", context.Cause(ctx), err), perhaps)
		}
	}
}

func doubt(err error, perhaps bool) error {
	if perhaps {
		return unsure{err}
	}
	return err
}

// Init gets the session its id and epoch; others that had its transactional id are fenced.
func (s *Session) Init(ctx context.Context) error {
	return s.persist(ctx, func(ctx context.Context) (int16, error) {
		req := kmsg.NewPtrInitProducerIDRequest()
		if req.TransactionTimeoutMillis = int32(s.Timeout.Milliseconds()); s.id != "" {
			req.TransactionalID = &s.id
		}
		req.ProducerID, req.ProducerEpoch = -1, -1
		resp, err := req.RequestWith(ctx, s.c)
		if err != nil {
			return 0, err
		}
		if resp.ErrorCode == 0 {
			s.pid, s.epoch, s.seq = resp.ProducerID, resp.ProducerEpoch, map[history.Place]int32{}
		}
		return resp.ErrorCode, nil
	})
}

var errEmpty = errors.New("an answer without partitions")

// Add adds a partition to the transaction, as producers of version 1 do.
func (s *Session) Add(ctx context.Context, at history.Place) error {
	return s.persist(ctx, func(ctx context.Context) (int16, error) {
		req := kmsg.NewPtrAddPartitionsToTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch = s.id, s.pid, s.epoch
		req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: at.Topic, Partitions: []int32{at.Partition}}}
		resp, err := req.RequestWith(ctx, s.c)
		if err != nil {
			return 0, err
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				return p.ErrorCode, nil
			}
		}
		return 0, errEmpty
	})
}

// batch is a batch of records that the session may send, as often as it likes.
func (s *Session) batch(at history.Place, values ...[]byte) []byte {
	b := record.NewBuilder(record.BuilderConfig{ProducerID: s.pid, ProducerEpoch: s.epoch, BaseSequence: s.seq[at],
		Idempotent: true, Transactional: s.id != ""})
	for _, v := range values {
		b.Append(record.Record{Timestamp: time.Now().UnixMilli(), Value: v})
	}
	batch, err := b.Build()
	if err != nil {
		panic("bug: " + err.Error())
	}
	return batch
}

// Put writes one batch of a record for each value, and returns where. An offset that came
// with an error is returned too.
func (s *Session) Put(ctx context.Context, at history.Place, values ...[]byte) (base int64, err error) {
	base, err = s.send(ctx, at, s.batch(at, values...))
	if err == nil {
		s.seq[at] += int32(len(values))
	}
	return base, err
}

func (s *Session) send(ctx context.Context, at history.Place, batch []byte) (base int64, err error) {
	base = -1
	err = s.persist(ctx, func(ctx context.Context) (int16, error) {
		rp := kmsg.NewProduceRequestTopicPartition()
		rp.Partition, rp.Records = at.Partition, slices.Clone(batch)
		rt := kmsg.NewProduceRequestTopic()
		rt.Topic, rt.Partitions = at.Topic, []kmsg.ProduceRequestTopicPartition{rp}
		req := kmsg.NewPtrProduceRequest()
		req.Acks, req.TimeoutMillis, req.Topics = -1, 3000, []kmsg.ProduceRequestTopic{rt}
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
		return 0, errEmpty
	})
	return base, err
}

// End ends the transaction; in version 2 the session gets a new epoch.
func (s *Session) End(ctx context.Context, commit bool) error {
	return s.persist(ctx, func(ctx context.Context) (int16, error) {
		req := kmsg.NewPtrEndTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = s.id, s.pid, s.epoch, commit
		resp, err := req.RequestWith(ctx, s.c)
		if err != nil {
			return 0, err
		}
		if resp.ErrorCode == 0 && s.v2 {
			s.pid, s.epoch, s.seq = resp.ProducerID, resp.ProducerEpoch, map[history.Place]int32{}
		}
		return resp.ErrorCode, nil
	})
}

// Enlist commits an offset of a group in the transaction.
func (s *Session) Enlist(ctx context.Context, group string, at history.Place, offset int64) error {
	if !s.v2 {
		err := s.persist(ctx, func(ctx context.Context) (int16, error) {
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
	return s.persist(ctx, func(ctx context.Context) (int16, error) {
		rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset = at.Partition, offset
		rt := kmsg.NewTxnOffsetCommitRequestTopic()
		rt.Topic, rt.Partitions = at.Topic, []kmsg.TxnOffsetCommitRequestTopicPartition{rp}
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
		return 0, errEmpty
	})
}

// Commit commits an offset of a group that has no members.
func (s *Session) Commit(ctx context.Context, group string, at history.Place, offset int64) error {
	return s.persist(ctx, func(ctx context.Context) (int16, error) {
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset = at.Partition, offset
		rt := kmsg.NewOffsetCommitRequestTopic()
		rt.Topic, rt.Partitions = at.Topic, []kmsg.OffsetCommitRequestTopicPartition{rp}
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Generation, req.Topics = group, -1, []kmsg.OffsetCommitRequestTopic{rt}
		resp, err := req.RequestWith(ctx, s.c)
		if err != nil {
			return 0, err
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				return p.ErrorCode, nil
			}
		}
		return 0, errEmpty
	})
}

// Committed is what a group has committed, -1 for nothing; stable has it refused with
// kerr.UnstableOffsetCommit while a transaction may change it.
func (s *Session) Committed(ctx context.Context, group string, at history.Place, stable bool) (offset int64, err error) {
	offset = -1
	err = s.persist(ctx, func(ctx context.Context) (int16, error) {
		rg := kmsg.NewOffsetFetchRequestGroup()
		rt := kmsg.NewOffsetFetchRequestGroupTopic()
		rt.Topic, rt.Partitions = at.Topic, []int32{at.Partition}
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
		return 0, errEmpty
	})
	return offset, err
}

// Forget deletes a group with all its offsets.
func (s *Session) Forget(ctx context.Context, group string) error {
	err := s.persist(ctx, func(ctx context.Context) (int16, error) {
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Groups = []string{group}
		resp, err := req.RequestWith(ctx, s.c)
		if err != nil {
			return 0, err
		}
		for _, g := range resp.Groups {
			return g.ErrorCode, nil
		}
		return 0, errEmpty
	})
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil // by an earlier attempt, or there was none
	}
	return err
}
