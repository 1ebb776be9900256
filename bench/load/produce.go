package load

import "context"

// produceLoad produces as much as goes, or at a rate.
type produceLoad struct {
	spec    *Spec
	cluster *cluster
	ps      *producers
}

func (l *produceLoad) prepare(ctx context.Context) (err error) {
	if l.ps, err = l.cluster.producers(); err != nil {
		return err
	}
	return l.ps.warm(ctx)
}

// warm has every client know its way and every partition, if they are visited in turn, have
// its files, and then makes the load for its warm-up.
func (ps *producers) warm(ctx context.Context) error {
	first := limit{records: int64(len(ps.clients))}
	if ps.spec.Spread {
		first.records *= int64(ps.spec.Partitions)
	}
	if _, err := ps.run(ctx, first); err != nil || ps.spec.Warmup == 0 {
		return err
	}
	l := ps.spec.limit()
	l.seconds = ps.spec.Warmup
	_, err := ps.run(ctx, l)
	return err
}

func (l *produceLoad) run(ctx context.Context, r *Result) error {
	sent, received := l.ps.traffic.sent.Load(), l.ps.traffic.received.Load()
	m, err := l.ps.run(ctx, l.spec.limit())
	l.ps.traffic.since(sent, received, r)
	m.into(l.spec, r)
	return err
}

// into puts what was made into a result.
func (m *made) into(s *Spec, r *Result) {
	r.Records, r.Bytes, r.Latency = m.records, m.records*int64(s.Size), latencyOf(&m.latency)
	if s.Rate > 0 {
		r.more("late", latencyOf(&m.late))
	}
}

func (r *Result) more(name string, l Latency) {
	if r.More == nil {
		r.More = make(map[string]Latency)
	}
	r.More[name] = l
}

func (r *Result) figure(name string, v float64) {
	if r.Figures == nil {
		r.Figures = make(map[string]float64)
	}
	r.Figures[name] = v
}

func (l *produceLoad) check(ctx context.Context, _ *Result) error {
	return l.cluster.holds(ctx, l.ps.acked(), l.cluster.ends)
}

func (l *produceLoad) close() {
	if l.ps != nil {
		l.ps.close()
	}
}
