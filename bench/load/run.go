package load

import (
	"context"
	"errors"
	"time"
)

// load is one kind of load. Each step comes once, in this order; after an error only
// close comes.
type load interface {
	prepare(ctx context.Context) error          // fills, connects, warms up
	run(ctx context.Context, r *Result) error   // what counts
	check(ctx context.Context, r *Result) error // whether it is true
	close()
}

func (s *Spec) load(c *cluster) load {
	switch s.Kind {
	case Produce:
		return &produceLoad{spec: s, cluster: c}
	case Consume:
		return &consumeLoad{spec: s, cluster: c}
	case Tail, EndToEnd:
		return &tailLoad{spec: s, cluster: c}
	case Txn:
		return &txnLoad{spec: s, cluster: c}
	case CatchUp:
		return &catchUpLoad{spec: s, cluster: c}
	case RawProduce, RawFetch, RawPing:
		return &rawLoad{spec: s, cluster: c}
	case JavaProduce, JavaConsume:
		return &javaLoad{foreign{spec: s, cluster: c}}
	case RdkafkaProduce, RdkafkaConsume:
		return &rdkafkaLoad{foreign{spec: s, cluster: c}}
	case Idle:
		return idleLoad{spec: s}
	}
	panic("bug: kind of load " + s.Kind)
}

// Run does the load of s. What goes wrong is in the result's Errors.
func Run(ctx context.Context, s Spec, hooks Hooks) Result {
	s = s.withDefaults()
	r := Result{Load: s.Load, Spec: s, Errors: []string{}}
	if err := r.fill(ctx, &s, hooks); err != nil {
		r.Errors = append(r.Errors, err.Error())
	}
	return r
}

func (r *Result) fill(ctx context.Context, s *Spec, hooks Hooks) (err error) {
	if err := s.check(); err != nil {
		return err
	}
	c, err := newCluster(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	beside, err := openIdle(ctx, s)
	defer beside.close()
	if err != nil {
		return err
	}
	l := s.load(c)
	defer l.close()
	if err := l.prepare(ctx); err != nil {
		return err
	}
	if hooks.Ready != nil {
		hooks.Ready()
	}
	used, began := cpu(), time.Now()
	err = l.run(ctx, r)
	if r.Seconds == 0 { // else the load knows better
		r.Seconds = time.Since(began).Seconds()
	}
	if r.CPU == 0 {
		r.CPU = cpu() - used
	}
	if hooks.Ran != nil {
		hooks.Ran()
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	return errors.Join(l.check(ctx, r), beside.check())
}
