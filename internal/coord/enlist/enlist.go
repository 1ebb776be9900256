// Package enlist asks the coordinator of a transaction to add partitions of this broker to
// it, or whether they belong to it (KIP-890). It is asked before the first record of a
// transaction is written to a partition, so that no transaction stays open of which no
// coordinator knows. It knows requests and errors; what may be written it does not decide,
// and it keeps nothing.
//
// It owns no goroutines: whoever asks sends. While a request is on its way to another
// broker, what is asked of that broker waits, and goes there together.
package enlist

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/odradek/odradek/internal/cluster/brokers"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Op is what is asked of the coordinator.
type Op int8

const (
	// Verify asks whether partitions are in the transaction, for clients that do not know
	// TRANSACTION_ABORTABLE.
	Verify Op = iota
	// VerifyAbortable is Verify for clients that know it.
	VerifyAbortable
	// Add adds partitions, as the first write does by transactions version 2.
	Add
)

// Txn is a transaction, or who writes in it.
type Txn struct {
	ID         string
	ProducerID int64
	Epoch      int16
}

// Config is what an Enlister is made of.
type Config struct {
	// Node is this broker.
	Node int32
	Ask  brokers.Ask
	// Coordinator is the broker that coordinates a transactional id; ok is false while there
	// is none.
	Coordinator func(txnID string) (node int32, ok bool)
	Log         *slog.Logger
}

// Enlister asks coordinators. Safe for concurrent use.
type Enlister struct {
	cfg Config

	mu    sync.Mutex      // guards lanes and what is in them, for moments only
	lanes map[int32]*lane // of the brokers that owe an answer
}

// New returns an Enlister.
func New(cfg Config) *Enlister {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Enlister{cfg: cfg, lanes: map[int32]*lane{}}
}

// Enlist has partitions of this broker added to a transaction, or verified, and returns why
// not for those that are not: nothing, if all is well.
//
// Errors are the coordinator's, as producers know them: INVALID_PRODUCER_EPOCH for one that
// was fenced, INVALID_TXN_STATE or TRANSACTION_ABORTABLE where a partition was not added,
// CONCURRENT_TRANSACTIONS, INVALID_PRODUCER_ID_MAPPING; COORDINATOR_NOT_AVAILABLE without a
// coordinator, and NETWORK_EXCEPTION where there is no answer, which is so too when ctx ends
// before there is one.
func (e *Enlister) Enlist(ctx context.Context, txn Txn, op Op, partitions []model.TopicPartition) map[model.TopicPartition]error {
	node, ok := e.cfg.Coordinator(txn.ID)
	if !ok {
		return all(partitions, kerr.CoordinatorNotAvailable)
	}
	a := &ask{txn: txn, op: op, partitions: partitions, woken: make(chan bool, 1)}
	if node != e.cfg.Node {
		return e.queue(ctx, node, a)
	}
	if !e.send(ctx, node, []*ask{a}) {
		return all(partitions, kerr.NetworkException)
	}
	return a.errs
}

// all gives every partition the same error.
func all(partitions []model.TopicPartition, err error) map[model.TopicPartition]error {
	errs := make(map[model.TopicPartition]error, len(partitions))
	for _, tp := range partitions {
		errs[tp] = err
	}
	return errs
}

// ask is what one caller wants to know.
type ask struct {
	txn        Txn
	op         Op
	partitions []model.TopicPartition
	errs       map[model.TopicPartition]error // the answer
	woken      chan bool                      // true: send what waits; false: errs stands
	left       bool                           // nobody waits for it; under the Enlister's mu
}

// send asks the coordinator and fills in the answers. False means that ctx ended before
// there were any.
func (e *Enlister) send(ctx context.Context, node int32, asks []*ask) bool {
	resp, err := e.cfg.Ask(ctx, node, request(asks))
	var answer *kmsg.AddPartitionsToTxnResponse
	if err == nil {
		answer, _ = resp.(*kmsg.AddPartitionsToTxnResponse)
	}
	switch {
	case answer != nil:
		answered(asks, answer)
		return true
	case ctx.Err() != nil:
		return false
	case errors.Is(err, kerr.BrokerNotAvailable):
		failed(asks, kerr.CoordinatorNotAvailable)
	default:
		e.cfg.Log.Warn("transactions could not be verified", "coordinator", node, "err", err)
		failed(asks, kerr.NetworkException)
	}
	return true
}

func failed(asks []*ask, err error) {
	for _, a := range asks {
		a.errs = all(a.partitions, err)
	}
}

func request(asks []*ask) *kmsg.AddPartitionsToTxnRequest {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.Version = req.MaxVersion()
	for _, a := range asks {
		t := kmsg.NewAddPartitionsToTxnRequestTransaction()
		t.TransactionalID, t.ProducerID, t.ProducerEpoch, t.VerifyOnly = a.txn.ID, a.txn.ProducerID, a.txn.Epoch, a.op != Add
		at := make(map[string]int)
		for _, tp := range a.partitions {
			i, ok := at[tp.Topic]
			if !ok {
				i = len(t.Topics)
				at[tp.Topic] = i
				t.Topics = append(t.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: tp.Topic})
			}
			t.Topics[i].Partitions = append(t.Topics[i].Partitions, tp.Partition)
		}
		req.Transactions = append(req.Transactions, t)
	}
	return req
}
