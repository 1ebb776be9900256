package history

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// Recorder takes operations as they happen, for many goroutines.
//
// Invariant: no two stamps are equal, and their order is the order in which Begin, End and
// Now were called; where the clock stands still, as it does in a bubble, they are a
// nanosecond apart. So what ended before another thing began did so in the history too.
type Recorder struct {
	now func() int64

	mu   sync.Mutex // guards what follows
	last int64
	// open are operations that began and did not end, as they began: what their owners
	// write into them meanwhile is not ours to read.
	open map[*Op]Op
	kept History
	// lines is where operations go instead of kept, if it is set.
	lines *Writer
	ids   int64
	err   error
}

// NewRecorder keeps operations in memory. now is a clock in nanoseconds; nil is that of
// package time, which a bubble fakes.
func NewRecorder(now func() int64) *Recorder {
	if now == nil {
		now = func() int64 { return time.Now().UnixNano() }
	}
	return &Recorder{now: now, open: make(map[*Op]Op)}
}

// NewLines writes operations to w, as JSON lines, when they begin and again when they end,
// so that those of a process that is killed are not forgotten. Every line is one Write.
func NewLines(now func() int64, w io.Writer) *Recorder {
	r := NewRecorder(now)
	r.lines = NewWriter(w)
	return r
}

// Now is a stamp.
func (r *Recorder) Now() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stamp()
}

func (r *Recorder) stamp() int64 {
	r.last = max(r.last+1, r.now())
	return r.last
}

// Begin says that op begins now. Start from Blank. The answer is to be filled in and given
// to End, or dropped: what never ends is Info.
func (r *Recorder) Begin(op Op) *Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	op.Invoke, op.Return, op.Outcome = r.stamp(), Never, Info
	if r.lines != nil {
		r.ids++
		op.ID = r.ids
		r.write(&op)
	}
	r.open[&op] = op
	return &op
}

// End says that op, which Begin returned, is over.
func (r *Recorder) End(op *Op, outcome Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, began := r.open[op]; !began {
		panic("bug: an operation ends that did not begin, or ended")
	}
	delete(r.open, op)
	op.Outcome, op.Return = outcome, r.stamp()
	r.add(op)
}

// Add takes an operation as a whole: Invoke and Return are the caller's, by Now.
func (r *Recorder) Add(op Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(&op)
}

// Note takes an operation that takes no time: it began and ended now, well.
func (r *Recorder) Note(op Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	op.Invoke, op.Return, op.Outcome = r.stamp(), r.stamp(), OK
	r.add(&op)
}

func (r *Recorder) add(op *Op) {
	if r.lines != nil {
		r.write(op)
		return
	}
	r.kept.Add(*op)
}

func (r *Recorder) write(op *Op) {
	if err := r.lines.Write(op); err != nil && r.err == nil {
		r.err = err
	}
}

// Err is the first error of writing lines.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// History is all that was kept, with what did not end as Info. The Recorder is not to be
// used afterwards, but late calls of End do no harm.
func (r *Recorder) History() *History {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.kept
	r.kept = History{}
	for _, op := range slices.SortedFunc(maps.Values(r.open), byInvoke) {
		h.Add(op)
	}
	return &h
}

func byInvoke(a, b Op) int { return cmp.Compare(a.Invoke, b.Invoke) }
