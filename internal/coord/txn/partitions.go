package txn

import (
	"context"
	"sync"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// member is a wish to have partitions in a transaction, or to know whether they are.
type member struct {
	id         string
	who        identity
	verify     bool
	client     bool // it is the client itself that asks, not a broker
	version    int8
	partitions []model.TopicPartition // sorted, without doubles
}

// verdict is an error of a whole wish, or of each of its partitions.
type verdict struct {
	err  error
	each map[model.TopicPartition]error
}

func (v verdict) of(tp model.TopicPartition) error {
	if v.each != nil {
		return v.each[tp]
	}
	return v.err
}

// AddPartitionsToTxn has partitions join transactions. Versions 0 to 3 come from clients
// that are about to write, and bear one transaction; versions 4 and 5 come from brokers,
// many at a time, on behalf of clients that write (KIP-890) or only to ask.
func (s *Service) AddPartitionsToTxn(ctx context.Context, req *kmsg.AddPartitionsToTxnRequest) *kmsg.AddPartitionsToTxnResponse {
	resp := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	wishes := wishesOf(req)
	verdicts := s.addAll(ctx, wishes)
	for i, w := range wishes {
		if req.Version < 4 {
			for _, r := range answers(w, verdicts[i], req.Version < 2) {
				resp.Topics = append(resp.Topics, topicsBefore4(r))
			}
			continue
		}
		resp.Transactions = append(resp.Transactions, kmsg.AddPartitionsToTxnResponseTransaction{
			TransactionalID: w.id, Topics: answers(w, verdicts[i], false),
		})
	}
	return resp
}

func wishesOf(req *kmsg.AddPartitionsToTxnRequest) []member {
	if req.Version < 4 {
		w := member{id: req.TransactionalID, who: identity{req.ProducerID, req.ProducerEpoch}, client: true}
		for _, rt := range req.Topics {
			w.add(rt.Topic, rt.Partitions)
		}
		w.partitions = union(nil, w.partitions)
		return []member{w}
	}
	var all []member
	for _, r := range req.Transactions {
		w := member{id: r.TransactionalID, who: identity{r.ProducerID, r.ProducerEpoch}, verify: r.VerifyOnly, version: bumps}
		for _, rt := range r.Topics {
			w.add(rt.Topic, rt.Partitions)
		}
		w.partitions = union(nil, w.partitions)
		all = append(all, w)
	}
	return all
}

// add adds partitions, which are put in order when all are there.
func (w *member) add(topic string, partitions []int32) {
	for _, p := range partitions {
		w.partitions = append(w.partitions, model.TopicPartition{Topic: topic, Partition: p})
	}
}

// AddOffsetsToTxn has the partition of __consumer_offsets that holds a group join a
// transaction. Clients that know transactions of version 2 do not ask.
func (s *Service) AddOffsetsToTxn(ctx context.Context, req *kmsg.AddOffsetsToTxnRequest) *kmsg.AddOffsetsToTxnResponse {
	resp := req.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
	p := s.cfg.GroupPartition(req.Group)
	if p < 0 {
		resp.ErrorCode = kerr.CoordinatorNotAvailable.Code
		return resp
	}
	tp := model.TopicPartition{Topic: model.ConsumerOffsetsTopic, Partition: p}
	w := member{id: req.TransactionalID, who: identity{req.ProducerID, req.ProducerEpoch}, partitions: []model.TopicPartition{tp}}
	err := error(kerr.InvalidRequest)
	if w.id != "" {
		var v []verdict
		if v, err = s.addTogether(ctx, s.PartitionFor(w.id), []member{w}); err == nil {
			err = v[0].of(tp)
		}
	}
	resp.ErrorCode = code(unfenced(err, req.Version < 2))
	return resp
}

// addAll carries out wishes; those for one partition of __transaction_state together, and
// the partitions beside each other: one whose log waits for its replicas holds the answer up
// once, however many others do.
func (s *Service) addAll(ctx context.Context, wishes []member) []verdict {
	verdicts := make([]verdict, len(wishes))
	places := map[int32][]int{}
	for i, w := range wishes {
		if w.id == "" {
			verdicts[i].err = kerr.InvalidRequest
		} else if verdicts[i].each = s.refused(&w); verdicts[i].each == nil {
			p := s.PartitionFor(w.id)
			places[p] = append(places[p], i)
		}
	}
	var group sync.WaitGroup
	left := len(places)
	for p, which := range places {
		add := func() {
			got, err := s.addTogether(ctx, p, pick(wishes, which))
			for i, place := range which {
				if verdicts[place].err = err; err == nil {
					verdicts[place] = got[i]
				}
			}
		}
		if left--; left == 0 {
			add()
		} else {
			group.Go(add)
		}
	}
	group.Wait()
	return verdicts
}

func pick(all []member, which []int) []member {
	picked := make([]member, len(which))
	for i, w := range which {
		picked[i] = all[w]
	}
	return picked
}

// refused says why a wish is not even looked at: for partitions that do not exist, or that
// no transaction may have; nil if there are none.
func (s *Service) refused(w *member) map[model.TopicPartition]error {
	var each map[model.TopicPartition]error
	for _, tp := range w.partitions {
		err := error(nil)
		if _, _, exists := s.cfg.Leader(tp); w.foreign(tp.Topic) {
			err = kerr.TopicAuthorizationFailed
		} else if !exists {
			err = kerr.UnknownTopicOrPartition
		}
		if err == nil {
			continue
		}
		if each == nil {
			each = map[model.TopicPartition]error{}
			for _, other := range w.partitions {
				each[other] = kerr.OperationNotAttempted
			}
		}
		each[tp] = err
	}
	return each
}

// foreign reports whether a topic is not to be written to in transactions by whoever asks.
// The logs of coordinators have one writer: a marker in that of transactions would end the
// coordinator that wants it written, each time that it is there again. Only the offsets of
// groups may be a part of transactions, and brokers see to that.
func (w *member) foreign(topic string) bool {
	return model.Internal(topic) && (w.client || topic != model.ConsumerOffsetsTopic)
}

func (m *machine) addTogether(t *runtime.Turn, wishes []member) []verdict {
	verdicts := make([]verdict, len(wishes))
	for i, w := range wishes {
		if w.verify {
			verdicts[i] = m.verify(w)
		} else {
			verdicts[i].err = m.add(t, w)
		}
	}
	return verdicts
}

func (m *machine) add(t *runtime.Turn, w member) error {
	x := m.txns[w.id]
	switch {
	case x == nil && m.unborn(t, w.id), x != nil && (x.busy(t) || x.phase.prepared()):
		// Also for whoever it may be: a client may have been promised another producer id.
		return kerr.ConcurrentTransactions
	case x == nil || x.producerID != w.who.id:
		return kerr.InvalidProducerIDMapping
	case !x.has(w.who.epoch):
		return kerr.ProducerFenced
	case x.phase == ongoing && contains(x.partitions, w.partitions):
		return nil
	}
	m.write(t, x, x.begin(t, w.version, w.partitions), false)
	return nil
}

// begin is a transaction that is open in some partitions, and in others if it was open.
func (v *value) begin(t *runtime.Turn, version int8, partitions []model.TopicPartition) value {
	next := *v
	next.prevID, next.lastEpoch = noProducer, noEpoch // who begins has got its answer
	next.phase, next.version, next.updated = ongoing, version, t.Millis()
	if v.phase != ongoing {
		next.started = next.updated
	}
	next.partitions = union(v.partitions, partitions)
	return next
}

// verify says of each partition whether it is in the transaction of a producer.
func (m *machine) verify(w member) verdict {
	x := m.txns[w.id]
	switch {
	case x == nil || x.producerID != w.who.id:
		return verdict{err: kerr.InvalidProducerIDMapping}
	case !x.has(w.who.epoch):
		return verdict{err: kerr.ProducerFenced}
	case x.phase.prepared():
		return verdict{err: kerr.ConcurrentTransactions}
	}
	each := map[model.TopicPartition]error{}
	for i, tp := range w.partitions {
		each[tp] = nil
		if !contains(x.partitions, w.partitions[i:i+1]) {
			each[tp] = kerr.TransactionAbortable
		}
	}
	return verdict{each: each}
}

// answers words a verdict, topic by topic.
func answers(w member, v verdict, old bool) []kmsg.AddPartitionsToTxnResponseTransactionTopic {
	var topics []kmsg.AddPartitionsToTxnResponseTransactionTopic
	for _, tp := range w.partitions {
		if n := len(topics); n == 0 || topics[n-1].Topic != tp.Topic {
			topics = append(topics, kmsg.AddPartitionsToTxnResponseTransactionTopic{Topic: tp.Topic})
		}
		last := &topics[len(topics)-1]
		last.Partitions = append(last.Partitions, kmsg.AddPartitionsToTxnResponseTransactionTopicPartition{
			Partition: tp.Partition, ErrorCode: code(unfenced(v.of(tp), old)),
		})
	}
	return topics
}

func topicsBefore4(t kmsg.AddPartitionsToTxnResponseTransactionTopic) kmsg.AddPartitionsToTxnResponseTopic {
	old := kmsg.AddPartitionsToTxnResponseTopic{Topic: t.Topic}
	for _, p := range t.Partitions {
		old.Partitions = append(old.Partitions, kmsg.AddPartitionsToTxnResponseTopicPartition{Partition: p.Partition, ErrorCode: p.ErrorCode})
	}
	return old
}
