package delivery

import "context"

// Verdict is what becomes of an acknowledgement. Those that one write stores share it.
type Verdict struct {
	done chan struct{}
	err  error // once done is closed
}

func newVerdict() *Verdict { return &Verdict{done: make(chan struct{})} }

var sealed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Decided is a verdict that is there already.
func Decided(err error) *Verdict { return &Verdict{done: sealed, err: err} }

func (v *Verdict) decide(err error) {
	v.err = err
	close(v.done)
}

// Ready reports whether Wait would not wait.
func (v *Verdict) Ready() bool {
	select {
	case <-v.done:
		return true
	default:
		return false
	}
}

// Wait returns when what was acknowledged is stored, or why it is not.
func (v *Verdict) Wait(ctx context.Context) error {
	select {
	case <-v.done:
		return v.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
