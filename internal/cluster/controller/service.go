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

	"github.com/odradek/odradek/internal/base/invariant"
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
	Rand  *rand.Rand // places replicas and draws topic ids; used under the lock
	// Probe connects to a broker's endpoint, host:port, and hangs up; Refused tells what
	// an error means. Default: nobody is probed, and only silence is a sign of death.
	Probe func(ctx context.Context, address string) error
	// InterBroker is the listener whose endpoint is probed. Default: a broker's first.
	InterBroker string
	// Voters changes who votes. Default: kerr.UnsupportedVersion.
	Voters Voters
	Log    *slog.Logger // default: discards
}

// Voters are the members of the quorum. Both calls return when the change is agreed.
type Voters interface {
	AddVoter(ctx context.Context, id int32) error
	RemoveVoter(ctx context.Context, id int32) error
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
	live    *liveness
	offsets map[int32]int64 // how far each broker has applied the metadata, as it said
	leaving map[int32]int64 // where the controlled shutdown of each broker began
	due     chores
	leading chan struct{}

	kick chan struct{} // holds a token: the watch should look now
}

// New returns a service that refuses everything until Lead.
func New(o Options) *Service {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Rules.defaults()
	return &Service{
		o: o, term: -1, leading: make(chan struct{}), kick: make(chan struct{}, 1),
		live: newLiveness(o.Rules.SessionTimeout, o.Rules.HeartbeatInterval*3/2),
	}
}

// Lead begins a term: this node leads the quorum and has applied every entry of the
// terms before.
func (s *Service) Lead(term int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term, s.image, s.last = term, s.o.Feed.Image(), nil
	s.offsets, s.leaving, s.due = map[int32]int64{}, map[int32]int64{}, chores{}
	now := time.Now()
	s.live.follow(brokersOf(s.image), now)
	s.live.lead(now)
	close(s.leading)
	s.hurry()
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
	s.live.resign()
	s.leading = make(chan struct{})
}

// Leading reports whether this node decides now.
func (s *Service) Leading() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.term >= 0
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
	return decideLocked(s, decision)
}

// decideLocked is order for who holds the lock.
func decideLocked[T any](s *Service, decision func(State) (T, []metadata.Record)) (answer T, wait Wait, err error) {
	if s.term < 0 {
		return answer, nil, kerr.NotController
	}
	answer, recs := decision(s.state())
	for _, rec := range recs {
		if err := sound(s.image, rec); err != nil {
			invariant.Break("a decision: %v", err)
		}
	}
	for _, entry := range entries(recs) {
		next, err := s.image.Apply(entry, s.image.Offset+1)
		if err != nil {
			invariant.Break("a decision does not apply: %v", err)
		}
		s.image = next
		s.last = s.o.Begin(s.term, metadata.Encode(nil, entry))
	}
	return answer, s.last, nil
}

// sound tells why nobody may hear of a decision, whatever led to it.
func sound(image *metadata.Image, rec metadata.Record) error {
	switch r := rec.(type) {
	case metadata.AddPartition:
		return r.Partition.Check(nil)
	case metadata.ChangePartition:
		if t, ok := image.TopicByID(r.Topic); ok && r.Number >= 0 && int(r.Number) < len(t.Partitions) {
			return r.Partition.Check(t.Partitions[r.Number])
		}
		return r.Partition.Check(nil)
	}
	return nil
}

// state is what a decision is made on now. The lock is held.
func (s *Service) state() State {
	now := time.Now()
	st := State{Image: s.image, Rules: s.o.Rules, Rand: s.o.Rand, Now: now, memo: &memo{}}
	st.Heard = func(id int32, epoch int64) bool { return s.live.alive(id, epoch, now) }
	st.LineLost = s.live.hasLost
	st.Reached = func(id int32) int64 { return valueOr(s.offsets, id, -1) }
	st.Leaving = func(id int32) int64 { return valueOr(s.leaving, id, -1) }
	return st
}

func valueOr(m map[int32]int64, id int32, none int64) int64 {
	if v, ok := m[id]; ok {
		return v
	}
	return none
}

// explain turns the failure of a proposal into what the client is told.
func explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the decision was not agreed in time: %w", kerr.RequestTimedOut)
	}
	return err
}
