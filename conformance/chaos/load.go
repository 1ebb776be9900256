package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/conformance/chaos/clock"
	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Topic is one that a load works on.
type Topic struct {
	Name       string
	Partitions int32
	Configs    map[string]*string
}

// String is the topic as workers are told of it.
func (t Topic) String() string { return fmt.Sprintf("%s:%d", t.Name, t.Partitions) }

// Load is what clients do to a rig: workers, each a process with a file of lines, and in
// the end a reader of everything. What they tell becomes one history.
type Load struct {
	rig    *Rig
	dir    string
	seed   uint64
	tools  *Tools
	topics []Topic
	places []*place
	own    *history.Recorder // what this process tells: faults, drains
	taken  atomic.Int32      // numbers of processes in the history
	stop   chan struct{}     // closed at the end of the workers
	ending sync.Once
	drains map[history.Isolation]*drained
}

// NewLoad makes topics. Lines and what workers say is kept in dir, which is made.
func NewLoad(ctx context.Context, r *Rig, tools *Tools, dir string, seed uint64, topics ...Topic) (*Load, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	l := &Load{rig: r, dir: dir, seed: seed, tools: tools, topics: topics, own: history.NewRecorder(clock.Now), stop: make(chan struct{})}
	l.taken.Store(1)
	c, err := l.client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	a := kadm.NewClient(c)
	for _, t := range topics {
		if _, err := a.CreateTopic(ctx, t.Partitions, int16(min(3, len(r.Nodes))), t.Configs, t.Name); err != nil {
			return nil, fmt.Errorf("make topic %s: %w", t.Name, err)
		}
	}
	return l, nil
}

func (l *Load) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(l.rig.Bootstrap()...), kgo.AlwaysRetryEOF(), kgo.MetadataMinAge(100 * time.Millisecond)}, opts...)...)
}

func (l *Load) file(name string) string { return filepath.Join(l.dir, name) }

// numbers are so many numbers of processes in the history that are nobody's yet; it
// returns the first.
func (l *Load) numbers(n int32) int32 { return l.taken.Add(n) - n }

// Begin starts workers. Those whose client is not here are left out.
func (l *Load) Begin(works ...Work) error {
	for _, w := range works {
		argv := l.tools.argv[w.Client]
		if argv == nil {
			continue
		}
		p := &place{Work: w, load: l, argv: argv}
		if err := p.fill(); err != nil {
			return err
		}
		l.places = append(l.places, p)
	}
	return nil
}

// Mortal are the places whose workers may be hurt.
func (l *Load) Mortal() (places []*place) {
	for _, p := range l.places {
		if p.Mortal {
			places = append(places, p)
		}
	}
	return places
}

// Happened notes what the nemesis did.
func (l *Load) Happened(e Event) {
	o := history.Blank()
	o.Kind, o.Text, o.Nodes = history.Fault, e.Kind+" "+e.Fault, e.Nodes
	if e.Kind == "heal" {
		o.Kind = history.Heal
	}
	l.own.Note(o)
}

// End ends all workers in good order: what they have begun they finish, so the cluster
// must be whole.
func (l *Load) End(patience time.Duration) error {
	var errs []error
	l.ending.Do(func() {
		close(l.stop)
		all := make([]error, len(l.places))
		var wg sync.WaitGroup
		for i, p := range l.places {
			wg.Go(func() { all[i] = p.end(patience) })
		}
		wg.Wait()
		errs = all
	})
	return errors.Join(errs...)
}

// History is all that was told, by workers and by this process. The load is over then.
func (l *Load) History() (*history.History, error) {
	files, err := filepath.Glob(l.file("*.jsonl"))
	if err != nil {
		return nil, err
	}
	r := history.NewReader()
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		err = r.Read(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	h := r.History()
	for op := range l.own.History().All {
		h.Add(op)
	}
	return h, nil
}
