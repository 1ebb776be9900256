package commitlog

import (
	"time"

	"github.com/odradek/odradek/internal/base/planted"
)

// Marks are offsets of a log at one moment: Start ≤ Stable, and Stable ≤ the high watermark
// unless that is below the start.
type Marks struct {
	Start  int64
	Stable int64 // last stable offset: all transactions below it are decided
	End    int64
}

// Marks tells the marks, by a high watermark. The first time it reads what the log knows
// of producers, with the disk. If that cannot be read it returns the error, and Stable is
// the start: nothing is known to be decided.
func (l *Log) Marks(hw int64) (Marks, error) {
	const tries = 8
	for range tries {
		if m, ok := l.marks(hw); ok {
			return m, nil
		}
		if err := l.settle(); err != nil {
			return l.Glance(hw), err
		}
	}
	return l.Glance(hw), nil // it is truncated again and again: another time
}

// Glance is Marks without the disk: what is not known yet is not stable.
func (l *Log) Glance(hw int64) Marks {
	m, _ := l.marks(hw)
	return m
}

func (l *Log) marks(hw int64) (m Marks, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m = Marks{Start: l.start, Stable: l.start, End: l.end}
	if !l.settled {
		return m, false
	}
	if first, ok := l.producers.FirstUnstable(hw); ok {
		if planted.Is(planted.LSOTooHigh) {
			first++ // the last stable offset is the first that is not
		}
		hw = min(hw, first)
	}
	m.Stable = max(hw, m.Start)
	return m, true
}

// Committed has what is known of transactions forgotten whose markers are below the high
// watermark; Marks does so, too. hw may not fall.
func (l *Log) Committed(hw int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.settled {
		l.producers.FirstUnstable(hw)
	}
}

// settle loads what Marks asks.
func (l *Log) settle() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.loadProducers()
}

// BeginTxn prepares the first write of a transaction, as producers.State.Begin tells. The
// guard is for AppendTxn.
func (l *Log) BeginTxn(producerID int64, epoch int16, baseSequence int32, implicit bool) (g Guard, need bool, err error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return Guard{}, false, err
	}
	if err := l.loadProducers(); err != nil {
		return Guard{}, false, err
	}
	return l.producers.Begin(producerID, epoch, baseSequence, implicit, l.clock.Millis(time.Now()))
}

// VoidGuards takes back what BeginTxn gave.
func (l *Log) VoidGuards() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.producers.VoidGuards()
}

// TakeGuards has the guards that another log of the same partition gave out hold here.
func (l *Log) TakeGuards(from *Log) {
	from.writing.Lock()
	defer from.writing.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	l.producers.TakeGuards(&from.producers.State)
}
