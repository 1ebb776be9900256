package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// Options are what a Service needs of the rooms around it.
type Options struct {
	Node int32
	Feed *metadata.Feed
	// Begin puts an entry into the order in which the quorum will propose it, in the
	// given term only, without waiting. The wait that it returns ends when the entry
	// is applied to Feed here, with its offset. If an entry of a term fails, every
	// later one of that term fails too.
	Begin func(term int64, entry []byte) Wait
	Rules Rules
	Rand  *rand.Rand   // places replicas and draws topic ids; used under the lock
	Log   *slog.Logger // default: discards
}

// Wait waits for a proposal to be applied here and returns its offset. Many may wait.
type Wait = func(context.Context) (offset int64, err error)

// Service takes requests for the cluster's state while this node leads the quorum.
//
// Decisions are made one after another on the image as it will be once everything
// that was proposed before is applied, so requests need not wait for each other: the
// quorum commits many with one write. If a proposal fails, so does every decision that
// was made on top of it: the quorum has moved on to another term.
type Service struct {
	o Options

	mu      sync.Mutex // guards what follows; never held over a wait
	term    int64      // the term in which this node leads, -1 if it does not
	image   *metadata.Image
	last    Wait // for the newest proposal of the term
	heard   map[int32]contact
	leading chan struct{}
}

// contact is when a broker was heard of last in this term.
type contact struct {
	epoch int64
	at    time.Time
}

// New returns a service that refuses everything until Lead.
func New(o Options) *Service {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Rules.defaults()
	return &Service{o: o, term: -1, leading: make(chan struct{})}
}

// Lead begins a term: this node leads the quorum and has applied every entry of the
// terms before.
func (s *Service) Lead(term int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term, s.image, s.last = term, s.o.Feed.Image(), nil
	s.heard = map[int32]contact{}
	close(s.leading)
	s.o.Log.Info("controller leads", "node", s.o.Node, "term", term)
}

// Resign ends the term: decisions are refused until the next Lead.
func (s *Service) Resign() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.term < 0 {
		return
	}
	s.o.Log.Info("controller resigned", "node", s.o.Node, "term", s.term)
	s.term, s.image, s.last = -1, nil, nil
	s.leading = make(chan struct{})
}

// WaitLead waits until this node decides.
func (s *Service) WaitLead(ctx context.Context) error {
	s.mu.Lock()
	leading := s.leading
	s.mu.Unlock()
	select {
	case <-leading:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// decide runs one decision on the newest image and answers when it is true here.
func decide[T any](ctx context.Context, s *Service, decision func(State) (T, []metadata.Record)) (T, error) {
	answer, wait, err := order(s, decision)
	if err != nil || wait == nil {
		return answer, err
	}
	if _, err := wait(ctx); err != nil {
		var none T
		return none, explain(err)
	}
	return answer, nil
}

// order makes the decision and gives its records their place. A decision that changes
// nothing waits for those before it: its answer rests on them.
func order[T any](s *Service, decision func(State) (T, []metadata.Record)) (answer T, wait Wait, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.term < 0 {
		return answer, nil, kerr.NotController
	}
	st := State{Image: s.image, Rules: s.o.Rules, Rand: s.o.Rand, Now: time.Now()}
	st.Heard = func(id int32, epoch int64) bool {
		c, ok := s.heard[id]
		return ok && c.epoch == epoch && st.Now.Sub(c.at) < s.o.Rules.SessionTimeout
	}
	answer, recs := decision(st)
	if len(recs) == 0 {
		return answer, s.last, nil
	}
	next, err := s.image.Apply(recs, s.image.Offset+1)
	if err != nil {
		panic(fmt.Sprintf("bug: a decision does not apply: %v", err))
	}
	s.image = next
	s.last = s.o.Begin(s.term, metadata.Encode(nil, recs))
	return answer, s.last, nil
}

// explain turns the failure of a proposal into what the client is told.
func explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the decision was not agreed in time: %w", kerr.RequestTimedOut)
	}
	return err
}
