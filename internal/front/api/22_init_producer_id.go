package api

import (
	"context"
	"sync"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// InitProducerId, key 22, versions 0 to 5.
//
//	2  flexible
//	3  the producer's id and epoch, to go on after an error (KIP-360)
//	4  PRODUCER_FENCED in place of INVALID_PRODUCER_EPOCH
//	5  TRANSACTION_ABORTABLE (KIP-890)
//
// Version 6 (two-phase commit, KIP-939) is not stable in Kafka 4.2, and not advertised.
//
// A producer without a transactional id gets a fresh id with epoch 0, whatever it had; of
// a transactional id its coordinator knows.
func (s *Server) initProducerID(ctx context.Context, r *Request, req *kmsg.InitProducerIDRequest) (kmsg.Response, error) {
	if req.TransactionalID != nil {
		return s.cfg.Transactions.InitProducerID(ctx, req), nil
	}
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	id, err := s.newProducer(ctx, r, req)
	if err != nil {
		resp.ErrorCode = model.ErrorCode(err)
		return resp, nil
	}
	resp.ProducerID, resp.ProducerEpoch = id, 0
	return resp, nil
}

func (s *Server) newProducer(ctx context.Context, r *Request, req *kmsg.InitProducerIDRequest) (int64, error) {
	if (req.ProducerID == -1) != (req.ProducerEpoch == -1) {
		return 0, kerr.InvalidRequest
	}
	return s.producerID(ctx, r.Image)
}

// ProducerID returns a producer id that nobody had. While the controller gives none the
// error is COORDINATOR_LOAD_IN_PROGRESS, after which every client asks again.
func (s *Server) ProducerID(ctx context.Context) (int64, error) {
	return s.producerID(ctx, s.cfg.Feed.Image())
}

// producerIDs is what is left of the block that the controller gave this broker. Each
// id goes to one producer, ever: a block is lost with the process.
type producerIDs struct {
	refilling chan struct{} // holds a token while somebody asks for a block

	mu        sync.Mutex // guards what follows; not held while a block is asked for
	next, end int64
}

// take returns the next id, if there is one.
func (p *producerIDs) take() (int64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == p.end {
		return 0, false
	}
	p.next++
	return p.next - 1, true
}

// begin starts a block and takes its first id.
func (p *producerIDs) begin(start, end int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next, p.end = start+1, end
	return start
}

// producerID returns an id that no producer has had. If the block is used up, one asks
// for the next and the others wait for it.
func (s *Server) producerID(ctx context.Context, m *metadata.Image) (int64, error) {
	p := &s.producers
	if id, ok := p.take(); ok {
		return id, nil
	}
	select {
	case p.refilling <- struct{}{}:
		defer func() { <-p.refilling }()
	case <-ctx.Done():
		return 0, kerr.CoordinatorLoadInProgress
	}
	if id, ok := p.take(); ok {
		return id, nil
	}
	self, ok := m.Broker(s.cfg.NodeID)
	if !ok {
		return 0, kerr.CoordinatorLoadInProgress // not registered yet: the client asks again
	}
	ctx, cancel := s.patience(ctx, 0)
	defer cancel()
	block, err := s.producerIDs(ctx, self)
	if err != nil || block.Len <= 0 {
		s.log.Warn("controller gave no producer ids", "err", err)
		return 0, kerr.CoordinatorLoadInProgress
	}
	return p.begin(block.Start, block.Start+int64(block.Len)), nil
}

// producerIDs has the controller give this broker a block of ids.
func (s *Server) producerIDs(ctx context.Context, self *metadata.Broker) (controller.ProducerIDBlock, error) {
	if s.cfg.Ask == nil {
		return s.cfg.Controller.AllocateProducerIDs(ctx, self.ID, self.Epoch)
	}
	req := kmsg.NewPtrAllocateProducerIDsRequest()
	req.BrokerID, req.BrokerEpoch = self.ID, self.Epoch
	answer, err := s.cfg.Ask(ctx, req)
	if err != nil {
		return controller.ProducerIDBlock{}, err
	}
	resp := answer.(*kmsg.AllocateProducerIDsResponse)
	return controller.ProducerIDBlock{Start: resp.ProducerIDStart, Len: resp.ProducerIDLen}, told(resp.ErrorCode, nil)
}
