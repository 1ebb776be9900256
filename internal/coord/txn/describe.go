package txn

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeTransactions shows the state of transactional ids. The partitions of one that
// is prepared are those that have not acknowledged their marker.
func (s *Service) DescribeTransactions(ctx context.Context, req *kmsg.DescribeTransactionsRequest) *kmsg.DescribeTransactionsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
	for _, id := range model.Once(req.TransactionalIDs) {
		d, err := s.describe(ctx, id)
		d.TransactionalID, d.ErrorCode = id, code(err)
		resp.TransactionStates = append(resp.TransactionStates, d)
	}
	return resp
}

func (s *Service) describe(ctx context.Context, id string) (kmsg.DescribeTransactionsResponseTransactionState, error) {
	if id == "" {
		return kmsg.DescribeTransactionsResponseTransactionState{}, kerr.InvalidRequest
	}
	return do(ctx, s, id, runtime.Alone, func(m *machine, _ *runtime.Turn) (kmsg.DescribeTransactionsResponseTransactionState, *job, error) {
		x := m.txns[id]
		if x == nil {
			return kmsg.DescribeTransactionsResponseTransactionState{}, nil, kerr.TransactionalIDNotFound
		}
		return x.describe(), nil, nil
	})
}

func (x *txn) describe() kmsg.DescribeTransactionsResponseTransactionState {
	d := kmsg.DescribeTransactionsResponseTransactionState{
		State: x.phase.String(), TimeoutMillis: x.timeoutMillis, StartTimestamp: x.started,
		ProducerID: x.producerID, ProducerEpoch: x.epoch,
	}
	for _, tp := range x.waitsFor() {
		if n := len(d.Topics); n == 0 || d.Topics[n-1].Topic != tp.Topic {
			d.Topics = append(d.Topics, kmsg.DescribeTransactionsResponseTransactionStateTopic{Topic: tp.Topic})
		}
		last := &d.Topics[len(d.Topics)-1]
		last.Partitions = append(last.Partitions, tp.Partition)
	}
	return d
}

// waitsFor are the partitions that are open: of a prepared transaction, those without a
// marker.
func (x *txn) waitsFor() []model.TopicPartition {
	if x.phase.prepared() {
		return x.soft.unmarked
	}
	return x.partitions
}

// ListTransactions lists the transactional ids that are coordinated here.
func (s *Service) ListTransactions(ctx context.Context, req *kmsg.ListTransactionsRequest) *kmsg.ListTransactionsResponse {
	resp := req.ResponseKind().(*kmsg.ListTransactionsResponse)
	f, err := newFilter(req)
	if err != nil {
		resp.ErrorCode = code(err)
		return resp
	}
	resp.UnknownStateFilters = f.unknown
	for _, p := range s.runtime.Led() {
		some, err := on(ctx, s, p, runtime.Alone, func(m *machine, t *runtime.Turn) ([]kmsg.ListTransactionsResponseTransactionState, *job, error) {
			return m.list(t, f), nil, nil
		})
		if err != nil && !errors.Is(err, kerr.NotCoordinator) {
			resp.ErrorCode, resp.TransactionStates = code(err), nil
			return resp
		}
		resp.TransactionStates = append(resp.TransactionStates, some...)
	}
	slices.SortFunc(resp.TransactionStates, func(a, b kmsg.ListTransactionsResponseTransactionState) int {
		return strings.Compare(a.TransactionalID, b.TransactionalID)
	})
	return resp
}

// filter is what a list is wanted of; what was left out admits everything.
type filter struct {
	byPhase   bool
	phases    map[phase]bool
	unknown   []string
	producers map[int64]bool
	millis    int64 // longer than this, all if negative
	pattern   *regexp.Regexp
}

func newFilter(req *kmsg.ListTransactionsRequest) (*filter, error) {
	f := &filter{byPhase: len(req.StateFilters) > 0, phases: map[phase]bool{}, producers: map[int64]bool{}, millis: -1}
	for _, name := range req.StateFilters {
		if i := slices.Index(phaseNames[:], name); i >= 0 {
			f.phases[phase(i)] = true
		} else if !slices.Contains(f.unknown, name) {
			f.unknown = append(f.unknown, name)
		}
	}
	for _, id := range req.ProducerIDFilters {
		f.producers[id] = true
	}
	if req.Version >= 1 {
		f.millis = req.DurationFilterMillis
	}
	if p := req.TransactionalIDPattern; req.Version >= 2 && p != nil && *p != "" {
		re, err := model.CompilePattern(*p)
		if err != nil {
			return nil, kerr.InvalidRegularExpression
		}
		f.pattern = re
	}
	return f, nil
}

func (f *filter) admits(x *txn, now int64) bool {
	return (!f.byPhase || f.phases[x.phase]) &&
		(len(f.producers) == 0 || f.producers[x.producerID]) &&
		(f.millis < 0 || now-x.started > f.millis) &&
		(f.pattern == nil || f.pattern.MatchString(x.id))
}

func (m *machine) list(t *runtime.Turn, f *filter) []kmsg.ListTransactionsResponseTransactionState {
	var list []kmsg.ListTransactionsResponseTransactionState
	for id, x := range m.txns {
		if f.admits(x, t.Millis()) {
			list = append(list, kmsg.ListTransactionsResponseTransactionState{
				TransactionalID: id, ProducerID: x.producerID, TransactionState: x.phase.String(),
			})
		}
	}
	return list
}
