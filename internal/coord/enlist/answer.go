package enlist

import (
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// answered reads the coordinator's answer. What it does not speak of was not done.
func answered(asks []*ask, resp *kmsg.AddPartitionsToTxnResponse) {
	if resp.ErrorCode != 0 {
		err := kerr.ErrorForCode(resp.ErrorCode)
		if resp.ErrorCode == kerr.ClusterAuthorizationFailed.Code {
			err = kerr.InvalidTxnState // it is this broker that may not ask, not the client
		}
		failed(asks, err)
		return
	}
	for _, a := range asks {
		a.errs = all(a.partitions, kerr.NetworkException)
		for i := range resp.Transactions {
			if resp.Transactions[i].TransactionalID == a.txn.ID {
				a.take(resp.Transactions[i].Topics)
			}
		}
		if len(a.errs) == 0 {
			a.errs = nil
		}
	}
}

func (a *ask) take(topics []kmsg.AddPartitionsToTxnResponseTransactionTopic) {
	for _, t := range topics {
		for _, p := range t.Partitions {
			tp := model.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			if _, asked := a.errs[tp]; !asked {
				continue
			}
			if p.ErrorCode == 0 {
				delete(a.errs, tp)
				continue
			}
			a.errs[tp] = a.op.told(p.ErrorCode)
		}
	}
}

// told is the coordinator's error as the producer is told it.
func (op Op) told(code int16) error {
	switch {
	case code == kerr.ProducerFenced.Code:
		return kerr.InvalidProducerEpoch // which producers expect of a write
	case code == kerr.TransactionAbortable.Code && op == Verify:
		return kerr.InvalidTxnState
	}
	return kerr.ErrorForCode(code)
}
