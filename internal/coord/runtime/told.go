package runtime

import (
	"slices"
	"time"
)

// note is a command that a machine was told and has not carried out yet.
type note[M Machine] struct {
	partition int32
	command   func(M, *Turn)
	at        time.Time // not before
	attempt   int
}

// Tell has a command run on every machine that is led here, and does not wait for it. One
// that is being loaded runs it when it is loaded, and one whose log takes nothing tries
// again, as long as it is led here. The command must be Independent.
func (r *Runtime[M]) Tell(command func(M, *Turn)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range r.shards {
		r.told = append(r.told, &note[M]{partition: p, command: command})
	}
	r.kick()
}

// untell drops what a machine was told; mu is held.
func (r *Runtime[M]) untell(partition int32) {
	r.told = slices.DeleteFunc(r.told, func(n *note[M]) bool { return n.partition == partition })
}

// runTold runs what is due and returns when the next is, zero if only a load can tell.
func (r *Runtime[M]) runTold() (next time.Time) {
	for _, n := range r.notes() {
		if wait := time.Until(n.at); wait <= 0 && r.carryOut(n) {
			r.forget(n)
			continue
		}
		if n.at.After(time.Now()) && (next.IsZero() || n.at.Before(next)) {
			next = n.at
		}
	}
	return next
}

func (r *Runtime[M]) notes() []*note[M] {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told)
}

func (r *Runtime[M]) forget(n *note[M]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.told, n); i >= 0 {
		r.told = slices.Delete(r.told, i, i+1)
	}
}

// carryOut runs a note's command and reports whether that is done. Loading ends with a
// kick; anything else that is in the way may last, so the note waits longer each time.
func (r *Runtime[M]) carryOut(n *note[M]) bool {
	s, err := r.shard(n.partition)
	if err != nil {
		return true // led elsewhere: that one hears of it too
	}
	d := &Deferred[struct{}]{done: make(chan struct{})}
	c := &order[M]{independent: true, wake: make(chan bool, 1)}
	c.run = func(m M, t *Turn) { n.command(m, t); d.Give(t, struct{}{}, nil) }
	if err = s.do(c); err == nil {
		<-d.done // what ran has settled
		err = d.err
	}
	if err == nil {
		return true
	}
	if !s.isLoading() {
		n.at = time.Now().Add(min(minBackoff<<min(n.attempt, 8), maxBackoff))
		n.attempt++
	}
	return false
}
