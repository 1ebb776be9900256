package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/odradek/odradek/bench/load/hist"
	"github.com/twmb/franz-go/pkg/kgo"
)

// txnLoad produces as much as goes in transactions of a certain length.
type txnLoad struct {
	spec    *Spec
	cluster *cluster
	writers []*txnWriter
	all     []*producers
}

// txnWriter is one transactional producer.
type txnWriter struct {
	ps      *producers // of one
	commit  hist.Hist
	txns    int64
	markers int64          // that its commits left in the partitions
	touched map[int32]bool // in this transaction; only promises write it, which are over at its end
	mu      sync.Mutex     // over touched
}

func (l *txnLoad) prepare(ctx context.Context) error {
	one := *l.spec
	one.Producers = 1
	for i := range l.spec.Producers {
		w := &txnWriter{touched: make(map[int32]bool)}
		c := *l.cluster
		c.spec = &one
		ps, err := c.producers(kgo.TransactionalID(fmt.Sprintf("%s-%d", l.cluster.topic, i)), kgo.TransactionTimeout(time.Minute), kgo.WithHooks(w))
		if err != nil {
			return err
		}
		w.ps = ps
		l.writers = append(l.writers, w)
		l.all = append(l.all, ps)
	}
	if l.spec.Warmup > 0 {
		_, err := l.write(ctx, l.spec.Warmup)
		return err
	}
	return nil
}

// OnProduceBatchWritten notes the partitions of a transaction, each of which gets a marker.
func (w *txnWriter) OnProduceBatchWritten(_ kgo.BrokerMetadata, _ string, partition int32, _ kgo.ProduceBatchMetrics) {
	w.mu.Lock()
	w.touched[partition] = true
	w.mu.Unlock()
}

func (l *txnLoad) run(ctx context.Context, r *Result) error {
	s := l.spec
	var sent, received, txns int64
	for _, w := range l.writers {
		w.commit = hist.Hist{}
		sent, received, txns = sent-w.ps.traffic.sent.Load(), received-w.ps.traffic.received.Load(), txns-w.txns
	}
	length := s.Seconds
	if length == 0 {
		length = 1e6
	}
	m, err := l.write(ctx, length)
	var commit hist.Hist
	for _, w := range l.writers {
		commit.Merge(&w.commit)
		sent, received, txns = sent+w.ps.traffic.sent.Load(), received+w.ps.traffic.received.Load(), txns+w.txns
	}
	m.into(s, r)
	r.Sent, r.Received = sent, received
	r.more("commit", latencyOf(&commit))
	r.figure("transactions", float64(txns))
	return err
}

// write has every writer commit transactions for a while, or until the amount is reached.
func (l *txnLoad) write(ctx context.Context, length float64) (m made, err error) {
	var all sync.WaitGroup
	list := make([]made, len(l.writers))
	errs := make([]error, len(l.writers))
	share := l.spec.limit()
	if share.records > 0 {
		share.records = max(1, share.records/int64(len(l.writers)))
	}
	share.rate /= float64(len(l.writers))
	deadline := time.Now().Add(seconds(length))
	for i, w := range l.writers {
		all.Go(func() {
			for errs[i] == nil && time.Now().Before(deadline) && (share.records == 0 || list[i].records < share.records) {
				rest := share
				rest.seconds = l.spec.Commit / 1000
				if share.records > 0 {
					rest.records -= list[i].records
				}
				errs[i] = w.transaction(ctx, rest, &list[i])
			}
		})
	}
	all.Wait()
	for i := range list {
		m.records += list[i].records
		m.latency.Merge(&list[i].latency)
		m.late.Merge(&list[i].late)
	}
	return m, errors.Join(errs...)
}

// transaction is one, committed; its records count only then.
func (w *txnWriter) transaction(ctx context.Context, l limit, m *made) error {
	client := w.ps.clients[0].client
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	part, err := w.ps.run(ctx, l)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	w.commit.Add(time.Since(began))
	w.txns++
	m.records += part.records
	m.latency.Merge(&part.latency)
	m.late.Merge(&part.late)
	w.mu.Lock()
	w.markers += int64(len(w.touched))
	clear(w.touched)
	w.mu.Unlock()
	return nil
}

// check waits until no transaction is open any more: every partition has its records and
// a marker for each transaction that wrote to it, and readers of committed records see all.
func (l *txnLoad) check(ctx context.Context, _ *Result) error {
	var want int64
	for _, w := range l.writers {
		want += w.ps.acked() + w.markers
	}
	return errors.Join(l.cluster.holds(ctx, want, l.cluster.ends), l.cluster.holds(ctx, want, l.cluster.stable))
}

func (l *txnLoad) close() {
	for _, ps := range l.all {
		ps.close()
	}
}
